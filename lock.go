package nearlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// Another process that writes is waited for. It may be a checkpoint, though,
// which holds the write lock while it waits for our readers: a RESTART or
// TRUNCATE needs one instant in which nobody uses the WAL, and looks for it every
// 100 ms at worst. So while the writer waits,
//
//  1. no reader keeps its snapshot (the gate is up),
//  2. and after hushAfter, if it is a checkpoint indeed, new Views are held back
//     for half of the time, hushFor each: readers that follow one another
//     without a gap would else keep it, and with it us, from ever going on.
const (
	hushAfter = 100 * time.Millisecond
	hushFor   = 10 * time.Millisecond
)

// lock takes SQLite's write lock. The loop is our own, for the sake of the above.
// All who were waiting when it began wait for BusyTimeout together, not one
// after the other.
func (w *writer) lock(ctx context.Context) error {
	w.giveWay()
	_, err := w.sql.begin.Exec()
	if err == nil {
		return w.noticeOthers()
	}
	from := time.Now()
	if w.lockBy.IsZero() {
		w.lockBy = from.Add(w.db.opts.BusyTimeout)
	}
	defer w.db.readers.endHush()
	for pause := 25 * time.Microsecond; errors.Is(err, sqlite.CodeBusy); pause = min(2*pause, time.Millisecond) {
		if ctx.Err() != nil {
			w.lowerGate()
			return context.Cause(ctx)
		}
		if time.Now().After(w.lockBy) {
			w.lowerGate()
			return fmt.Errorf("begin: another process has been writing to %s for %v: %w", w.db.path, w.db.opts.BusyTimeout, err)
		}
		w.raiseGate()
		w.makeRoom(time.Since(from))
		time.Sleep(pause)
		_, err = w.sql.begin.Exec()
	}
	if err != nil {
		w.lowerGate()
		return w.db.explain("begin", err)
	}
	return w.noticeOthers()
}

// makeRoom takes idle readers off their snapshots and, every other hushFor,
// holds new Views back.
func (w *writer) makeRoom(waited time.Duration) {
	p := &w.db.readers
	p.dropIdle()
	switch odd := waited/hushFor%2 == 1; {
	case !odd:
		p.endHush()
	case waited > hushAfter && p.quiet.Load() == nil && w.foreignCheckpoint():
		p.hush()
	}
}

// foreignCheckpoint reports whether another process runs a checkpoint.
func (w *writer) foreignCheckpoint() bool {
	c := &w.db.checkpointer
	if !c.mu.TryLock() {
		return false // ours does
	}
	defer c.mu.Unlock()
	_, _, err := w.conn.Checkpoint(sqlite.CheckpointPassive)
	return errors.Is(err, sqlite.CodeBusy)
}

// hush makes Views that have not begun wait until endHush.
func (p *readers) hush() {
	ch := make(chan struct{})
	p.quiet.Store(&ch)
	p.dropIdle()
}

func (p *readers) endHush() {
	if ch := p.quiet.Swap(nil); ch != nil {
		close(*ch)
	}
}
