package nearlite

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// Another process that wants to write looks for the lock now and then, as SQLite
// does it: every 100 ms in the end. Under load our writer leaves the lock free
// for microseconds at a time, so it would wait for seconds, or for ever. Who
// waits cannot be seen; who has the database open can. While somebody has, the
// writer pauses between two batches, for gap,
//
//	every givePresent  that somebody has it open (2 % of the time),
//	every giveWriting  in the givesFor after a commit of theirs (10 %),
//
// and else never. Neither is needed when the lock was free as long by itself.
type strangers struct {
	shm     descriptor  // of the wal-index; the clock's
	present atomic.Bool // another process has the database open

	// The writer's, while present:
	freed  time.Time // when our last commit ended
	paused time.Time // when the writer did, or had left the lock free as long
	wrote  time.Time // when a commit of theirs was noticed
}

const (
	gap         = 1500 * time.Microsecond
	givePresent = 75 * time.Millisecond
	giveWriting = 15 * time.Millisecond
	givesFor    = 10 * time.Second
)

// look is the clock's, once a second.
func (s *strangers) look(db *DB) { s.present.Store(s.shm.openElsewhere(db.path)) }

// giveWay pauses before the writer takes SQLite's lock, if it is time.
func (w *writer) giveWay() {
	s := &w.strangers
	if !s.present.Load() {
		return
	}
	now, every := time.Now(), givePresent
	if now.Sub(s.wrote) < givesFor {
		every = giveWriting
	}
	switch {
	case now.Sub(s.freed) >= gap:
		s.paused = now
	case now.Sub(s.paused) >= every:
		time.Sleep(gap)
		s.paused = time.Now()
	}
}

// noticeOthers looks, after the writer has got the lock, whether somebody else
// has committed since it had it last. A history has to know of it, even if it is for
// the first time that somebody else has the database open.
func (w *writer) noticeOthers() error {
	s := &w.strangers
	if !s.present.Load() && w.db.history == nil {
		return nil
	}
	h, _, ok := w.conn.WAL()
	if !ok || w.last == (sqlite.WALHeader{}) || h == w.last {
		return nil
	}
	s.wrote = time.Now()
	if w.db.history == nil {
		return nil
	}
	err := w.db.history.foreign(h)
	if err == nil && w.db.opts.Durability == Archived && w.db.ship != nil {
		err = w.db.ship.ship(w.db.ctx)
	}
	if err != nil {
		w.must("ROLLBACK")
		return fmt.Errorf("take in what another program has committed to %s: %w", w.db.path, err)
	}
	w.last = h
	return nil
}
