package nearlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// Limits bound what a database may take of the machine it shares with others. The
// zero value of each field is no limit, which costs nothing.
type Limits struct {
	// MaxBytes is the largest size of the database file; the WAL is not counted. A
	// transaction that needs more fails with [ErrSizeLimit], everything else goes on.
	// A file that is larger already just does not grow.
	MaxBytes int64
	// WriterShare is the largest part of the time the writer may work, from 0 to 1.
	// After a batch that took 1 ms, a writer with a share of 0.2 rests for 4 ms,
	// while the next batch gathers. The time it waits for the client of an interactive
	// transaction is not work.
	WriterShare float64
}

// check reports which limit makes no sense.
func (l Limits) check() error {
	switch {
	case l.MaxBytes < 0:
		return fmt.Errorf("option MaxBytes is negative: %d", l.MaxBytes)
	case !(l.WriterShare >= 0 && l.WriterShare <= 1):
		return fmt.Errorf("option WriterShare: %v is not a part of the time, from 0 to 1", l.WriterShare)
	}
	return nil
}

// SetLimits changes the limits of a database while it is used. It waits for the
// batch under way.
func (db *DB) SetLimits(ctx context.Context, l Limits) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("set limits of %s: %w", db.path, err)
	}
	db.writer.pace.set(l.WriterShare)
	db.writer.q.forbidInline(db.opts.Durability == Archived || db.writer.pace.on())
	return db.write(request{ctx: ctx, excl: &exclusive{engine: func(w *writer) error {
		w.db.maxBytes.Store(l.MaxBytes)
		return w.db.limitSize(w.conn)
	}}})
}

// limitSize lets the writing connection make the file no larger than MaxBytes.
func (db *DB) limitSize(c *sqlite.Conn) error {
	pages := int64(math.MaxUint32 - 1) // as SQLite has it
	if n := db.maxBytes.Load(); n > 0 {
		pages = max(n/int64(db.pageSize), 1)
	}
	return db.explain("limit the size of", c.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Err())
}

// full says whether it is the disk that is full or the database. SQLite has one
// error for both; the disk can be asked.
func (db *DB) full(err error) error {
	limit := db.maxBytes.Load()
	if limit > 0 && errors.Is(err, sqlite.CodeFull) && roomIn(filepath.Dir(db.path)) > 16<<20 {
		return fmt.Errorf("%w of %d bytes: %w", ErrSizeLimit, limit, err)
	}
	return fmt.Errorf("%w: %w", ErrDiskFull, err)
}

// A pace keeps the writer from working more than its share of the time. It rests
// between batches only, before it takes what waits: who comes meanwhile is in the
// same batch, and whose context ends meanwhile goes as if there were no pace.
// Callers do not do the writer's work themselves then; see queue.
type pace struct {
	share atomic.Uint64 // bits of a float64; 0: all of the time
	hurry chan struct{} // closed when the database closes
	again chan struct{} // capacity 1: the share has changed

	// The writer's:
	ended  time.Time     // when the last batch ended
	worked time.Duration // how long it took
	idle   time.Duration // of the one under way: waiting for a client
}

func (p *pace) set(share float64) {
	if share == 1 {
		share = 0
	}
	p.share.Store(math.Float64bits(share))
	select {
	case p.again <- struct{}{}:
	default:
	}
}

func (p *pace) on() bool { return p.share.Load() != 0 }

// start and since measure what is work of the writer's, if that matters.
func (p *pace) start() (from time.Time) {
	if p.on() {
		from = time.Now()
	}
	return from
}

func (p *pace) since(from time.Time) time.Duration {
	if from.IsZero() {
		return 0
	}
	return time.Since(from)
}

// rest waits until the writer may work again.
func (p *pace) rest() {
	for p.on() {
		share := math.Float64frombits(p.share.Load())
		left := time.Until(p.ended.Add(time.Duration(float64(p.worked) * (1/share - 1))))
		if left <= 0 {
			return
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-p.again:
		case <-p.hurry:
			t.Stop()
			return
		}
		t.Stop()
	}
}

// measured runs a batch.
func (p *pace) measured(work func() int) int {
	if !p.on() {
		return work()
	}
	from := time.Now()
	p.idle = 0
	n := work()
	p.ended = time.Now()
	p.worked = p.ended.Sub(from) - p.idle
	return n
}
