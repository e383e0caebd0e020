package nearlite

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// clock is the database's watchman: a goroutine that looks around every few
// milliseconds while something is going on, and sleeps otherwise. It tells a
// coarse time that costs nothing to read, interrupts queries whose contexts have
// ended, and revokes snapshots that have become too old or too expensive. So a
// query pays for being watched with a memory write instead of a timer.
type clock struct {
	coarse atomic.Int64 // nanoseconds since the database was opened, as of the last tick
	asleep atomic.Bool
	kick   chan struct{} // capacity 1
	start  time.Time
}

const (
	tick      = 5 * time.Millisecond
	idleTicks = 100 // ticks without activity after which the clock sleeps
)

// now returns the time since Open, at most one tick old while awake.
func (c *clock) now() time.Duration {
	if c.asleep.Load() {
		c.wake()
	}
	return time.Duration(c.coarse.Load())
}

// stir is called after something that is to be watched has begun: a clock that
// was about to fall asleep either sees it or is woken here.
func (c *clock) stir() {
	if c.asleep.Load() {
		c.wake()
	}
}

func (c *clock) wake() {
	c.coarse.Store(int64(time.Since(c.start)))
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// run ticks until ctx ends. look does the watching and reports activity.
func (c *clock) run(ctx context.Context, look func(now time.Duration) bool) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for idle := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := time.Since(c.start)
		c.coarse.Store(int64(now))
		if idle++; look(now) {
			idle = 0
		}
		if idle < idleTicks {
			continue
		}
		t.Stop()
		c.asleep.Store(true)
		if look(now) { // it began after the last look, and saw the clock awake; see stir
			c.wake()
		}
		select {
		case <-ctx.Done():
			return
		case <-c.kick:
		}
		c.asleep.Store(false)
		t.Reset(tick)
		idle = 0
	}
}

// A watch ties a running query to the context that may end it. The one who
// watches and the one who is watched meet in an atomic pointer: whoever swaps
// the watch out decides, so an interrupt never hits the query after. It may come
// too early, though, and SQLite forgets one that finds no statement running; so
// it comes again at every tick until the query has ended.
//
// A statement that writes is given time when its context ends: to interrupt it
// costs the whole batch, since SQLite rolls everything back. It is for those
// that would never end.
type watch struct {
	ctx   context.Context
	grace time.Duration
	over  time.Duration // clock time at which the context was seen to have ended; the clock's
}

// writeGrace is how long a write may go on after its context has ended.
const writeGrace = 100 * time.Millisecond

// Stand-ins for a watch while its work is being, and once it was, interrupted.
var interrupting, interrupted = new(watch), new(watch)

// watched is the pointer of one connection.
type watched struct{ p atomic.Pointer[watch] }

// begin puts the connection's work under watch; contexts that cannot end are not.
func (w *watched) begin(ctx context.Context) {
	if ctx.Done() != nil {
		w.p.Store(&watch{ctx: ctx})
	}
}

// beginWrite is begin for a statement that writes.
func (w *watched) beginWrite(ctx context.Context) {
	if ctx.Done() != nil {
		w.p.Store(&watch{ctx: ctx, grace: writeGrace})
	}
}

// end takes it out again and reports whether it was interrupted.
func (w *watched) end() bool {
	for {
		switch p := w.p.Load(); p {
		case nil:
			return false
		case interrupting: // for a few instructions
			runtime.Gosched()
		case interrupted:
			w.p.Store(nil)
			return true
		default:
			if w.p.CompareAndSwap(p, nil) {
				return false
			}
		}
	}
}

// look interrupts the work if its context has ended, and reports whether there is any.
func (w *watched) look(now time.Duration, interrupt func()) (active bool) {
	p := w.p.Load()
	if p == nil {
		return false
	}
	if (p == interrupted || p.due(now)) && w.p.CompareAndSwap(p, interrupting) {
		interrupt()
		w.p.Store(interrupted)
	}
	return true
}

// due reports whether the work is to be interrupted.
func (p *watch) due(now time.Duration) bool {
	if p.ctx == nil || p.ctx.Err() == nil {
		return false
	}
	if p.over == 0 {
		p.over = now
	}
	return now-p.over >= p.grace
}
