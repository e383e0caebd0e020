package nearlite

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/wal"
)

// commit ends the batch: it makes the open transaction durable and answers
// everybody in it. BEFORE an answer, COMMIT has returned; a caller never learns
// of a success that a crash could take back.
func (w *writer) commit() {
	if len(w.open) == 0 && !w.inTx {
		return
	}
	if w.inTx {
		err := w.seal()
		for _, r := range w.open {
			if !r.settled {
				r.err = err
			}
		}
		if err == nil {
			w.db.stats.commits.Add(1)
			w.db.stats.batchSize.add(len(w.open))
		}
		w.inTx, w.dirty, w.group, w.bare = false, false, -1, false
		w.afterCommit()
	}
	w.db.stats.transactions.Add(uint64(len(w.open)))
	w.answer()
}

// seal commits the open transaction. With a history it passes the barrier, and
// decide has the last word.
func (w *writer) seal() error {
	w.endGroup()
	if w.dirty && w.succeeded() == 0 { // whoever wrote has failed since
		w.rollback()
		return nil
	}
	w.announceBarrier()
	w.accepted, w.refusal = false, nil
	from := time.Now()
	_, err := w.sql.commit.Exec()
	took := time.Since(from)
	w.price += (min(took, priceMax) - w.price) / 8
	if err == nil {
		w.db.stats.commitTime.add(took)
		w.fullAt = time.Time{}
		return nil
	}
	// Not even a COMMIT that SQLite would let us try again (SQLITE_BUSY) is: it
	// may have written frames, and then continues their checksums in memory, so
	// that the WAL could not be read beyond it after a crash. ROLLBACK mends that.
	w.rollback()
	switch {
	case w.accepted:
		return w.poison(fmt.Errorf("publish a commit that was accepted: %w", err))
	case w.db.history != nil && w.db.barrier().Unknown():
		return w.poison(w.db.barrier().Err())
	case w.refusal != nil:
		return w.refused()
	case errors.Is(err, sqlite.CodeFull): // a write had no room, so its frames are not complete
		w.fullAt = time.Now()
		return fmt.Errorf("commit: %w: %w", ErrDiskFull, err)
	case errors.Is(err, sqlite.CodeConstraint):
		return w.db.explain("commit", err)
	case w.db.history != nil: // the barrier has cut back what there was of it
		if cause := w.db.barrier().Err(); cause != nil && (errors.Is(err, sqlite.CodeIOErrFsync) || errors.Is(err, sqlite.CodeIOErrWrite)) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		if diskFull(err) {
			w.fullAt = time.Now()
		}
		return w.db.explain("commit", err)
	}
	return w.resolve(err)
}

// refused is why decide did not let the commit pass.
func (w *writer) refused() error {
	if errors.Is(w.refusal, ErrFenced) { // what it would write next is refused as well
		err := fmt.Errorf("%s: %w: %w", w.db.path, ErrPoisoned, w.refusal)
		w.poisoned.Store(&err)
		w.db.opts.Logger.Error("another writer has the log; the database refuses writes", "db", w.db.path, "err", w.refusal)
	}
	return fmt.Errorf("commit: %w", w.refusal)
}

// decide is the barrier's sink: the frames of a commit are in the WAL, and nobody
// sees them yet.
func (w *writer) decide(c *wal.Commit) error {
	h := w.db.history
	if w.db.opts.Durability != Normal {
		if err := c.Sync(); err != nil {
			w.refusal = w.db.explain("commit", err)
			return fmt.Errorf("%w: %w", wal.ErrRefused, err)
		}
	}
	if w.db.opts.Durability == Archived {
		if err := w.db.ship.offer(c, w.succeeded()); err != nil {
			if errors.Is(err, ErrNotCommitted) {
				w.refusal = err
				return fmt.Errorf("%w: %w", wal.ErrRefused, err)
			}
			return err
		}
	}
	h.note(c)
	w.accepted = true
	return nil
}

// succeeded counts the open transactions that the commit is to acknowledge.
func (w *writer) succeeded() (n int) {
	for _, r := range w.open {
		if !r.settled || r.err == nil {
			n++
		}
	}
	return n
}

// resolve finds out what became of a commit whose write or sync failed, where no
// barrier has seen it. SQLite
// has rolled it back, but its frames may lie in the WAL, complete, and a crash
// now would bring them to life. A small commit over the same place, flushed with
// either durability, settles it: after that they are certainly gone.
func (w *writer) resolve(cause error) error {
	w.must("PRAGMA synchronous = full")
	defer w.must("PRAGMA synchronous = " + w.db.synchronous())
	version := w.conn.QueryRow("PRAGMA user_version")
	if version.Err() == nil {
		if err := w.conn.Exec(fmt.Sprintf("PRAGMA user_version = %d", version.Int64(0))); err == nil {
			return w.db.explain("commit", cause)
		}
	}
	return w.poison(cause)
}

// poison stops the writer for good: what it would write next could contradict a
// commit whose outcome nobody knows.
func (w *writer) poison(cause error) error {
	err := fmt.Errorf("%s: %w (it failed with: %v)", w.db.path, ErrPoisoned, cause)
	w.poisoned.Store(&err)
	w.db.opts.Logger.Error("the outcome of a commit is unknown; the database refuses writes until it is opened again", "db", w.db.path, "err", cause)
	return fmt.Errorf("commit: %w: %w", ErrCommitUnknown, cause)
}

// announceBarrier lets callers whose contexts have ended know that the outcome
// is out of their hands.
func (w *writer) announceBarrier() {
	left := len(w.open) + w.next
	for _, b := range w.blocks {
		if left <= 0 {
			return
		}
		b.barrier.Store(int32(min(left, b.n)))
		if b.impatient.Load() {
			b.signal(false)
		}
		left -= b.n
	}
}

// answer wakes the callers of all open requests, in order. A few are woken at
// once; many by another goroutine, while the writer goes on.
func (w *writer) answer() {
	for _, r := range w.open {
		if r.inter != nil {
			r.inter.settled(r.err)
		}
	}
	left := len(w.open)
	clear(w.open)
	w.open = w.open[:0]
	full := 0
	for _, b := range w.blocks {
		n := min(left, b.n-w.next)
		w.next += n
		left -= n
		b.done.Store(int32(w.next))
		if w.next < b.n {
			if n > 0 {
				b.signal(false)
			}
			break
		}
		full++
		w.next = 0
	}
	done := w.blocks[:full]
	if full <= 2 {
		for _, b := range done {
			b.signal(true)
			w.q.answered(b)
		}
	} else {
		w.waking <- append([]*block(nil), done...)
	}
	w.blocks = w.blocks[full:]
}

// wakeUp is the goroutine that wakes the callers of large batches. It lets those
// of each block run before it wakes the next: their new requests are what the
// writer is waiting for.
func (w *writer) wakeUp() {
	for blocks := range w.waking {
		for _, b := range blocks {
			b.signal(true)
			w.q.answered(b)
			runtime.Gosched()
		}
	}
}
