package stream

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite"
)

// A deadline is the context of statements that may take so long each. It has no
// timer: the engine looks at the contexts of running statements every few
// milliseconds, and asks for their errors. While a statement waits for the writer
// another time counts, since that is others' doing.
type deadline struct {
	context.Context
	each  time.Duration
	turn  time.Duration // how long one may wait for the writer
	total time.Duration // of all statements together; 0: any
	at    atomic.Int64  // when the present statement, or its wait, must have ended; Unix nanoseconds
	all   atomic.Int64  // when everything must have ended; 0: never
	waits atomic.Bool
}

var _ nearlite.Timed = (*deadline)(nil)

// limited returns the context for a statement, or for several of which extend
// tells that the next one begins.
func (s *Stream) limited(ctx context.Context) context.Context {
	if s.opts.StatementTimeout <= 0 {
		return ctx
	}
	turn := s.opts.QueueTimeout
	if turn <= 0 {
		turn = s.opts.StatementTimeout
	}
	d := &deadline{Context: ctx, each: s.opts.StatementTimeout, turn: turn}
	extend(d)
	return d
}

// together is limited for the statements of one closure, which have a time together as
// well: the writer is theirs until the last of them.
func (s *Stream) together(ctx context.Context) context.Context {
	ctx = s.limited(ctx)
	if d, ok := ctx.(*deadline); ok {
		d.total = s.opts.TransactionTimeout
		d.begin()
	}
	return ctx
}

// begin is when the time for everything begins.
func (d *deadline) begin() {
	if d.total > 0 {
		d.all.Store(time.Now().Add(d.total).UnixNano())
	}
}

// extend gives the next statement its time, in a context that limited returned.
func extend(ctx context.Context) {
	if d, ok := ctx.(*deadline); ok {
		d.at.Store(time.Now().Add(d.each).UnixNano())
	}
}

// Waits says that the statement waits for its turn.
func (d *deadline) Waits() {
	d.waits.Store(true)
	d.at.Store(time.Now().Add(d.turn).UnixNano())
}

// Runs says that it has begun.
func (d *deadline) Runs() {
	d.begin()
	extend(d)
	d.waits.Store(false)
}

// timed returns the context with a timer, for those who wait for Done.
func timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if d, ok := ctx.(*deadline); ok {
		at := d.at.Load()
		if all := d.all.Load(); all != 0 {
			at = min(at, all)
		}
		return context.WithDeadline(d.Context, time.Unix(0, at))
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
	now, all := time.Now().UnixNano(), d.all.Load()
	switch late := now > d.at.Load(); {
	case late && d.waits.Load():
		return errTurn
	case late:
		return context.DeadlineExceeded
	case all != 0 && now > all && !d.waits.Load():
		return nearlite.ErrLeaseExpired
	}
	return nil
}
