package stream

import (
	"context"
	"sync/atomic"
	"time"
)

// A deadline is the context of statements that may take so long each. It has no
// timer: the engine looks at the contexts of running statements every few
// milliseconds, and asks for their errors.
type deadline struct {
	context.Context
	each time.Duration
	at   atomic.Int64 // when the present statement must have ended; Unix nanoseconds
}

// limited returns the context for a statement, or for several of which extend
// tells that the next one begins.
func (s *Stream) limited(ctx context.Context) context.Context {
	if s.opts.StatementTimeout <= 0 {
		return ctx
	}
	d := &deadline{Context: ctx, each: s.opts.StatementTimeout}
	extend(d)
	return d
}

// extend gives the next statement its time, in a context that limited returned.
func extend(ctx context.Context) {
	if d, ok := ctx.(*deadline); ok {
		d.at.Store(time.Now().Add(d.each).UnixNano())
	}
}

// timed returns the context with a timer, for those who wait for Done.
func timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if d, ok := ctx.(*deadline); ok {
		return context.WithDeadline(d.Context, time.Unix(0, d.at.Load()))
	}
	return ctx, func() {}
}

// never is the Done of a context that has none, for the engine to ask Err.
var never = make(chan struct{})

// Done is closed when the context around is done.
func (d *deadline) Done() <-chan struct{} {
	if done := d.Context.Done(); done != nil {
		return done
	}
	return never
}

// Err is [context.DeadlineExceeded] once the statement has taken too long.
func (d *deadline) Err() error {
	if err := d.Context.Err(); err != nil {
		return err
	}
	if time.Now().UnixNano() > d.at.Load() {
		return context.DeadlineExceeded
	}
	return nil
}
