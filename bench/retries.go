package bench

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// Retries counts the transactions that PostgreSQL made their callers begin again.
type Retries struct {
	Serialization uint64 `json:"serialization"` // 40001: no order of the transactions explains what they saw
	Deadlocks     uint64 `json:"deadlocks"`     // 40P01: they waited for one another's rows
}

// The codes that ask for the same transaction once more.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// retries begins transactions again, as every user of PostgreSQL has to.
type retries struct{ serialization, deadlocks atomic.Uint64 }

// run tries until the answer is no request to try again. It tries at once: the
// article does, and to wait would be the application's choice. It gives up when
// running ends.
func (r *retries) run(running context.Context, try func() error) error {
	for {
		err := try()
		if !r.again(err) {
			return err
		}
		if running.Err() != nil {
			return context.Cause(running)
		}
	}
}

// again counts an error that asks for another try.
func (r *retries) again(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code {
	case serializationFailure:
		r.serialization.Add(1)
	case deadlockDetected:
		r.deadlocks.Add(1)
	default:
		return false
	}
	return true
}

func (r *retries) report() *Retries {
	return &Retries{Serialization: r.serialization.Load(), Deadlocks: r.deadlocks.Load()}
}
