package nearlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/nearlite/nearlite/pagemap"
	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/wal"
)

// A history is what a database remembers of its commits beyond what SQLite does:
// the change number of every page, in the page map beside the database. It is there
// when Options.PageMap or Options.Log asks for it, and costs nothing else.
//
// The writing connection commits through the barrier of package wal, whose sink
// (decide) tells the map of each commit before anybody can see it. What follows:
//
//  1. A reader that has a snapshot finds all of it in the map.
//  2. The map on the disk may lag behind, and the WAL has what it lacks. Before the
//     WAL begins again, which is when frames are lost, the map is synced, and
//     learns by which salts the next run of the WAL goes (began).
//  3. After a crash the commits that the WAL has behind the map's place are told
//     again, in their order, and get the numbers they had.
//  4. Frames of another process did not pass the barrier. The writer notices them
//     when it has taken SQLite's lock, and tells the map of them as one commit.
//  5. If the WAL is of a run that was never announced, somebody else has begun it
//     again, and frames may have passed unseen. Then the history is broken: the map
//     begins anew under another log id. So it does when the file was closed and is
//     not the one that was closed.
type history struct {
	db      *DB
	barrier *wal.Barrier
	pages   *pagemap.Map

	// The writer's:
	place  pagemap.Place // behind the last commit that the map knows
	broken bool          // it began anew
	opened bool          // the database was: file and log belong together
}

// barrier is what commits pass; nil if there is no history.
func (db *DB) barrier() *wal.Barrier {
	if db.history == nil {
		return nil
	}
	return db.history.barrier
}

// mapPath is where the page map of a database lies.
func (db *DB) mapPath() string { return db.path + "-map" }

// openHistory opens the map and brings it up to the WAL.
func (db *DB) openHistory(context.Context) error {
	if db.opts.ReadOnly || !db.opts.PageMap && db.opts.Log == nil {
		return nil
	}
	count := db.checkpointer.conn.QueryRow("PRAGMA page_count")
	if count.Err() != nil {
		return db.explain("open", count.Err())
	}
	m, err := db.openMap(uint32(count.Int(0)))
	if err != nil {
		return fmt.Errorf("open %s: %w", db.path, err)
	}
	h := &history{db: db, pages: m}
	db.history = h
	if err := h.replay(); err != nil {
		return fmt.Errorf("open %s: bring the page map up to the write-ahead log: %w", db.path, err)
	}
	if h.barrier, err = wal.NewBarrier(db.opts.VFS, db.writer.decide, h.began); err != nil {
		return fmt.Errorf("open %s: %w", db.path, err)
	}
	db.positions.follow(m, h.place, db.pageSize)
	return nil
}

// openMap opens the map. A damaged one is made anew: what followers lack is not
// known any more, and the new log id tells them.
func (db *DB) openMap(pages uint32) (*pagemap.Map, error) {
	m, err := pagemap.Open(db.mapPath(), pages)
	if !errors.Is(err, pagemap.ErrDamaged) {
		return m, err
	}
	db.opts.Logger.Warn("the page map is damaged and begins anew: replicas will copy the whole database", "db", db.path, "err", err)
	if err := os.Remove(db.mapPath()); err != nil {
		return nil, err
	}
	return pagemap.Open(db.mapPath(), pages)
}

// replay tells the map what the WAL has behind its place, and finds out whether
// the one follows from the other.
func (h *history) replay() error {
	head := h.pages.Head()
	f, err := os.Open(h.db.path + "-wal")
	if errors.Is(err, os.ErrNotExist) {
		return h.withoutWAL(head)
	}
	if err != nil {
		return err
	}
	defer f.Close() // SQLite's locks are on other files
	m, err := wal.Begin(f)
	if errors.Is(err, wal.ErrNoWAL) {
		return h.withoutWAL(head)
	}
	if err != nil {
		return err
	}
	from, why := m, ""
	switch salts := [2]uint32{m.Salt1, m.Salt2}; {
	case salts == [2]uint32{head.WAL.Salt1, head.WAL.Salt2} && head.WAL.Offset > 0:
		from, err = m.To(f, head.WAL.Offset)
		if err != nil && !errors.Is(err, wal.ErrNoCommit) {
			return err
		}
		if err != nil || from.Sum() != head.Hash && head.WAL.Offset > m.Offset {
			from, why = m, "the write-ahead log is an older one"
		}
	case salts == head.Next || head.Change == 0 && head.WAL.Offset == 0:
	default:
		next, err := m.Next(f)
		if err == nil && next.Offset > m.Offset || !h.closedAs(head) {
			why = "another program has begun the write-ahead log again"
		}
	}
	if why != "" {
		if err := h.reset(why); err != nil {
			return err
		}
	}
	return h.take(f, from)
}

// take tells the map of the commits behind a mark.
func (h *history) take(f *os.File, from wal.Mark) error {
	h.place = placeOf(from)
	if head := h.pages.Head(); head.WAL != h.place { // a run that has begun, and may have no commit
		h.pages.Commit(nil, head.Pages, head.Hash, h.place)
	}
	for {
		next, err := from.Next(f)
		if err != nil {
			return ignoreEOF(err)
		}
		var numbers []uint32
		err = wal.Pages(f, from, next, func(p wal.Page) error {
			numbers = append(numbers, p.Number)
			return nil
		})
		if err != nil {
			return err
		}
		h.place = placeOf(next)
		h.pages.Commit(numbers, next.Pages, next.Sum(), h.place)
		from = next
	}
}

func placeOf(m wal.Mark) pagemap.Place {
	return pagemap.Place{Salt1: m.Salt1, Salt2: m.Salt2, Offset: m.Offset}
}

// withoutWAL is for a database that has none: it was closed, or is new.
func (h *history) withoutWAL(head pagemap.Head) error {
	if head.Change == 0 && head.WAL == (pagemap.Place{}) || h.closedAs(head) {
		h.place = pagemap.Place{}
		h.pages.Commit(nil, head.Pages, head.Hash, h.place) // the run of the WAL that it was at has gone
		return h.sync()
	}
	return h.reset("the file is not the one that was closed")
}

// sync puts the map on the disk. While the database has no WAL the stamp says what
// file it belongs to.
func (h *history) sync() error {
	if h.place.Offset == 0 {
		return h.pages.SetClean(stamp(h.db.path))
	}
	return h.pages.Sync()
}

// closedAs reports whether the file is as Close has left it.
func (h *history) closedAs(head pagemap.Head) bool {
	return head.Clean != (pagemap.Stamp{}) && head.Clean == stamp(h.db.path)
}

// stamp describes a file, so that one that was changed can be told.
func stamp(path string) (s pagemap.Stamp) {
	if info, err := os.Stat(path); err == nil {
		s = pagemap.Stamp{Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	}
	return s
}

// reset begins another history, in which every page counts as changed.
func (h *history) reset(why string) error {
	h.db.opts.Logger.Warn("the history of the database is broken and begins anew: replicas will copy all of it", "db", h.db.path, "because", why)
	h.broken = true
	h.pages.Reset()
	count := h.db.checkpointer.conn.QueryRow("PRAGMA page_count")
	if count.Err() != nil {
		return count.Err()
	}
	h.pages.Commit(nil, uint32(count.Int(0)), 0, pagemap.Place{})
	if h.db.opts.Log != nil && !h.opened { // which may refuse the file: then it stays as it was
		return nil
	}
	return h.pages.Sync()
}

// began is called when the WAL begins again, before it has a frame.
func (h *history) began(salt1, salt2 uint32) error {
	if err := h.pages.Sync(); err != nil {
		return err
	}
	if err := h.pages.Announce(salt1, salt2); err != nil {
		return err
	}
	h.db.positions.start(saltOf(salt1, salt2), h.pages.Head().Change)
	return nil
}

// note tells the map of a commit that is certain.
func (h *history) note(c *wal.Commit) {
	h.place.Salt1, h.place.Salt2 = c.Salts()
	h.place.Offset = c.End
	h.pages.Commit(c.Numbers(), c.Pages, c.Sum(), h.place)
}

// foreign takes in what another process has committed since our last commit. The
// writer has SQLite's lock.
func (h *history) foreign(now sqlite.WALHeader) error {
	if now.MaxFrame() == 0 || now.Salt() == saltOf(h.place.Salt1, h.place.Salt2) && h.db.walEnd(now.MaxFrame()) == h.place.Offset {
		return nil // the end of the WAL has not moved
	}
	f, err := os.Open(h.db.path + "-wal")
	if err != nil {
		return err
	}
	defer f.Close()
	from, err := wal.Begin(f)
	if err != nil {
		return err
	}
	if now.Salt() == saltOf(h.place.Salt1, h.place.Salt2) {
		if from, err = from.To(f, h.place.Offset); err != nil {
			return err
		}
		return h.take(f, from)
	}
	if err := h.reset("another program has begun the write-ahead log again"); err != nil {
		return err
	}
	if err := h.take(f, from); err != nil {
		return err
	}
	h.db.positions.follow(h.pages, h.place, h.db.pageSize)
	return nil
}

// walEnd is where the WAL ends that has so many frames.
func (db *DB) walEnd(frames uint32) int64 {
	if frames == 0 {
		return 0
	}
	return walHeaderSize + db.frameBytes(frames)
}

const walHeaderSize = 32

// close puts the map on the disk, and with it what file it belongs to if that needs
// no WAL any more. Only the checkpointer's connection is open.
func (h *history) close() error {
	if h.broken && !h.opened { // the file was refused: its map stays as it was
		return nil
	}
	conn := h.db.checkpointer.conn
	_, _, err := conn.Checkpoint(sqlite.CheckpointPassive)
	if err == nil {
		err = conn.SyncDatabase()
	}
	head, copied, ok := conn.WAL()
	if err != nil || !ok || copied < head.MaxFrame() || !h.knowsAll(head) {
		return errors.Join(err, h.pages.Sync()) // somebody else still uses it, or has written to it
	}
	return h.pages.SetClean(stamp(h.db.path))
}

// knowsAll reports whether the map has all commits up to a state of the WAL. One
// without frames is that of a run which was begun and has no commit, or was cut off
// when the file was opened.
func (h *history) knowsAll(now sqlite.WALHeader) bool {
	at := h.pages.Head()
	same := now.Salt() == saltOf(at.WAL.Salt1, at.WAL.Salt2)
	if now.MaxFrame() > 0 {
		return same && h.db.walEnd(now.MaxFrame()) == at.WAL.Offset
	}
	return same || at.WAL.Offset <= walHeaderSize || now.Salt() == saltOf(at.Next[0], at.Next[1])
}

// release closes the files, once no connection is open.
func (h *history) release() error {
	if h.barrier != nil {
		h.barrier.Close()
	}
	return h.pages.Close()
}
