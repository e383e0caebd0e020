package nearlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// The checkpointer keeps the WAL short without anybody waiting for it.
//
// SQLite starts a WAL again by itself, in the first write after a moment when
// all of it was copied back (backfilled) and no reader depends on it. Readers
// that keep their snapshots, as ours do, make that moment never come; a
// checkpoint that forces it stops commits for 100 ms and more, most of it
// flushing the database file. So the work is divided:
//
//  1. In the background, on a connection of its own, while commits go on:
//     passive checkpoints, each followed by a flush of the database file, which
//     a passive checkpoint beside a busy writer otherwise leaves to the last.
//  2. When the WAL is above its limit and little is left to copy, the writer is
//     asked to finish between two batches: it raises the readers' gate (from
//     then on they drop their snapshots as soon as they can), waits a few
//     milliseconds for them, and copies the rest. What begins now reads the
//     database file and is not in the way.
//  3. The next commit starts the WAL again, in place: the file is not truncated,
//     since writing over allocated blocks is faster. Then the gate comes down.
//
// A reader that is in the way longer is waited for in vain: the attempt is made
// again later, and the WAL grows meanwhile. MaxWALBytes bounds that.
type checkpointer struct {
	db   *DB
	conn *sqlite.Conn
	kick chan struct{} // capacity 1

	mu     sync.Mutex // held while a checkpoint runs: SQLite refuses a second one
	closed bool       // under mu

	walBytes  atomic.Int64 // size of the WAL's valid part
	commit    atomic.Int64 // bytes of WAL a commit adds, as of late
	finishing atomic.Bool  // step 2 is queued
	retryAt   atomic.Int64 // clock time before which step 2 is not tried again
}

const (
	// A WAL is to hold so many commits, within these bounds, before it starts
	// again. A short one stays in caches and on blocks that are allocated, and so
	// its flushes are the fastest; when most transactions touch pages of their own
	// a longer one saves copying the same page of the database again and again.
	limitCommits = 8
	limitMin     = 4 << 20
	limitMax     = 16 << 20
	// finishWait bounds how long the writer waits for readers in step 2.
	finishWait = 5 * time.Millisecond
	// finishRetry is how long it is left alone when they did not come.
	finishRetry = time.Second
	// finishLag is how many bytes may be left to copy when the writer is asked.
	finishLag = 4 << 20
	// passes bounds the rounds of step 1 before step 2 is tried all the same.
	passes = 5
)

// afterCommit looks at the WAL and sets the checkpointer to work when it has grown.
func (w *writer) afterCommit() {
	w.lowerGate()
	h, copied, ok := w.conn.WAL()
	if !ok {
		return
	}
	w.db.positions.current(w.conn)
	if s := w.db.ship; s != nil && h != w.last && w.db.opts.Durability != Archived {
		s.committed(time.Now())
	}
	w.last = h
	if w.strangers.present.Load() {
		w.strangers.freed = time.Now()
	}
	c := &w.db.checkpointer
	bytes := w.db.frameBytes(h.MaxFrame())
	added := bytes - c.walBytes.Swap(bytes)
	if added < 0 { // it has started again
		added = bytes
	}
	if added > 0 {
		c.commit.Add((added - c.commit.Load()) / 8)
	}
	limit := c.limit()
	if bytes-w.db.frameBytes(copied) > limit/4 || bytes > limit {
		c.wake()
	}
}

// limit is the size of the WAL from which it is to start again.
func (c *checkpointer) limit() int64 {
	if n := c.db.opts.CheckpointBytes; n > 0 {
		return n
	}
	return min(max(limitCommits*c.commit.Load(), limitMin), limitMax)
}

func (c *checkpointer) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// frameBytes returns the size of n frames of the WAL.
func (db *DB) frameBytes(n uint32) int64 { return int64(n) * int64(db.pageSize+24) }

// run is the checkpointer's goroutine.
func (c *checkpointer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.kick:
		}
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			c.db.opts.Logger.Error("checkpoint", "db", c.db.path, "err", err)
			c.pause(ctx, finishRetry)
		}
	}
}

func (c *checkpointer) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// round does step 1, and asks for step 2 when it is time.
func (c *checkpointer) round(ctx context.Context) error {
	limit := c.limit()
	if c.finishing.Load() {
		return nil // the writer is about to do it, and must not find us at it
	}
	for pass := 0; pass < passes && ctx.Err() == nil; pass++ {
		h, copied, ok := c.conn.WAL()
		lag := c.db.frameBytes(h.MaxFrame() - min(copied, h.MaxFrame()))
		total := c.db.frameBytes(h.MaxFrame())
		switch {
		case !ok || total <= limit && lag <= limit/4:
			return nil
		case total > limit && lag <= min(finishLag, limit/4):
			c.askToFinish()
			return nil
		}
		if err := c.copyBack(); err != nil {
			return err
		}
	}
	if h, _, _ := c.conn.WAL(); c.db.frameBytes(h.MaxFrame()) > limit {
		c.askToFinish()
	}
	return nil
}

// copyBack is one passive checkpoint and a flush of the database file.
func (c *checkpointer) copyBack() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.db.readers.dropAll()
	if h := c.db.history; h != nil { // so that little is left to sync when the WAL begins again
		if err := h.pages.Sync(); err != nil {
			return err
		}
	}
	if _, _, err := c.conn.Checkpoint(sqlite.CheckpointPassive); err != nil && !errors.Is(err, sqlite.CodeBusy) {
		return fmt.Errorf("copy back: %w", err)
	}
	return c.conn.SyncDatabase()
}

// close closes the connection. A checkpoint under way, of a caller's, comes first.
func (c *checkpointer) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return c.conn.Close()
}

// askToFinish queues step 2 for the writer.
func (c *checkpointer) askToFinish() {
	if int64(c.db.clock.now()) < c.retryAt.Load() || !c.finishing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer c.finishing.Store(false)
		err := c.db.write(request{ctx: c.db.ctx, excl: &exclusive{engine: (*writer).finishCheckpoint}})
		if err != nil && c.db.ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			c.db.opts.Logger.Error("finish checkpoint", "db", c.db.path, "err", err)
		}
	}()
}

// finishCheckpoint is step 2, run by the writer between two batches.
func (w *writer) finishCheckpoint() error {
	from := time.Now()
	c := &w.db.checkpointer
	c.mu.Lock()
	defer c.mu.Unlock()
	w.raiseGate()
	w.db.readers.await(from.Add(finishWait))
	w.conn.BusyPoll(finishWait)
	frames, copied, err := w.conn.Checkpoint(sqlite.CheckpointFull)
	w.conn.BusyPoll(0)
	switch {
	case err != nil && !errors.Is(err, sqlite.CodeBusy):
		return fmt.Errorf("finish checkpoint: %w", err)
	case err != nil || copied < frames: // a reader is in the way
		c.retryAt.Store(int64(w.db.clock.now() + finishRetry))
	default:
		// Those that began before the copy was complete still use the WAL, and
		// the next commit could not start it again.
		w.db.readers.epoch.Add(2)
		w.db.readers.await(from.Add(finishWait))
	}
	if w.q.contended.Load() == 0 { // no commit will follow soon
		w.lowerGate()
	}
	w.db.stats.checkpoint(time.Since(from))
	return nil
}

// raiseGate lets no reader keep its snapshot until lowerGate.
func (w *writer) raiseGate() {
	if !w.gated {
		w.gated = true
		w.db.readers.gate()
	}
}

func (w *writer) lowerGate() {
	if w.gated {
		w.gated = false
		w.db.readers.ungate()
	}
}

// Checkpoint copies the whole WAL back into the database file and flushes it,
// waiting for readers no longer than a few milliseconds. The engine does that by
// itself when the WAL has grown; call it to leave a complete file behind, for
// example before measuring or copying it.
func (db *DB) Checkpoint(ctx context.Context) error {
	if err := db.writer.check(ctx); err != nil {
		return err
	}
	if err := db.checkpointer.copyBack(); err != nil {
		return err
	}
	return db.write(request{ctx: ctx, excl: &exclusive{engine: (*writer).finishCheckpoint}})
}
