package archive

import (
	"context"
	"time"
)

// maintenance is what is to be done to the objects, and when.
type maintenance struct{ a *Archive }

func newMaintenance(a *Archive) *maintenance { return &maintenance{a: a} }

func (m *maintenance) appended(news, time.Time) {}

func (m *maintenance) run(context.Context, time.Time) {}

func (m *maintenance) due() time.Time { return time.Time{} }
