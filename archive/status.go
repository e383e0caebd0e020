package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/nearlite/nearlite"
)

// Status is what is in an archive.
type Status struct {
	Store   string // its URL
	Head    nearlite.Head
	Levels  []Level // those that have objects, in ascending order
	Objects int
	Size    int64 // bytes
	// First and Last are the oldest and the newest entry that can be restored, and
	// most of those between them can; zero if none can.
	First, Last         uint64
	FirstTime, LastTime time.Time
	// Problem says what is missing, if the newest entry cannot be restored.
	Problem error
	// Primaries are those who began to write it, the last first. They are what
	// somebody wrote down, and prove nothing.
	Primaries []Primary
	// Pending are bytes of entries that were not merged yet.
	Pending int64
}

// Level is the objects of one level.
type Level struct {
	Level    int
	Objects  int
	Size     int64  // bytes
	Min, Max uint64 // entries
	Oldest   time.Time
	Newest   time.Time // when the last of them was stored
}

// Status lists the archive and says what is in it, without reading more than a few
// objects.
func (a *Archive) Status(ctx context.Context) (Status, error) {
	s, err := a.status(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("status of the archive: %w", err)
	}
	return s, nil
}

func (a *reader) status(ctx context.Context) (Status, error) {
	all, err := a.listAll(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Store: a.store.String(), Objects: len(all)}
	for _, o := range all {
		s.add(o)
	}
	if s.Primaries, _, err = a.readPrimaries(ctx); err != nil || len(all) == 0 {
		return s, err
	}
	if s.Head, err = a.look(ctx, 0); err != nil {
		return s, err
	}
	merged := uint64(0)
	for _, l := range s.Levels {
		if l.Level > 0 && l.Level <= levelTop {
			merged = max(merged, l.Max)
		}
	}
	for _, o := range all {
		if o.Level == 0 && o.Min > merged {
			s.Pending += o.Size
		}
	}
	return s, a.restorable(ctx, &s, withoutStrays(all))
}

// add counts an object.
func (s *Status) add(o Object) {
	s.Size += o.Size
	n := len(s.Levels)
	if n == 0 || s.Levels[n-1].Level != o.Level {
		s.Levels = append(s.Levels, Level{Level: o.Level, Min: o.Min, Oldest: o.Time})
		n++
	}
	l := &s.Levels[n-1]
	l.Objects++
	l.Size += o.Size
	l.Max = max(l.Max, o.Max)
	if o.Time.Before(l.Oldest) {
		l.Oldest = o.Time
	}
	if o.Time.After(l.Newest) {
		l.Newest = o.Time
	}
}

// restorable fills in the range of entries that can be restored.
func (a *reader) restorable(ctx context.Context, s *Status, all []Object) error {
	w := newWays(all, 0, newestOf(all))
	if w.find(newestOf(all)) < 0 {
		s.Problem = w.gap(0, newestOf(all))
	}
	if len(w.places) == 1 {
		return nil
	}
	e, err := a.outOfRange(ctx, w.places[1:], "")
	if err != nil {
		return err
	}
	s.First, s.FirstTime, s.Last, s.LastTime = e.First, e.FirstTime, e.Last, e.LastTime
	return nil
}

// List returns all objects, by level and then by entry.
func (a *Archive) List(ctx context.Context) ([]Object, error) {
	all, err := a.listAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	return all, nil
}
