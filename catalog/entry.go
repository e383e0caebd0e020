package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// An entry is one database of the catalog: open, closed, or on its way from one
// to the other. To use an open one is a compare-and-swap on its own counter, so
// that thousands of databases have no lock in common, and one has none at all.
//
// The counter use holds everything that one who wants the database needs to know:
//
//	-1               it is closed: ask entry.open
//	n ≥ 0            it is open, and n handles are held
//	n - retired      it is gone: closed for good, as soon as possible; n are held
//
//	closed ──turn──▶ open(0) ⇄ open(n) ──retire──▶ retired(n) ──▶ retired(0)
//	  ▲                 │
//	  └──────turn───────┘
//
// A turn is the opening or the closing of the database. There is one at a time;
// whoever comes meanwhile waits for its end and looks again.
type entry struct {
	cat     *Catalog
	id      ID
	created time.Time
	origin  ID
	name    atomic.Pointer[string]
	config  atomic.Pointer[Config]

	use   atomic.Int64
	used  atomic.Int64 // when use became 0, in nanoseconds
	db    *nearlite.DB // written BEFORE use leaves -1, read while use is not -1, nil after that
	log   *databaseLog // of db, likewise; nil: there is no archive
	stale atomic.Bool  // it has to be opened anew, as with another configuration: close it when it is idle

	head   atomic.Pointer[nearlite.Head] // where its log ends, as far as this process knows
	behind atomic.Bool                   // commits are not in its log, and the last try to bring them there failed
	lost   atomic.Pointer[error]         // another writer has its log

	verb sync.Mutex // held by rename, delete and configure

	mu       sync.Mutex // protects the following
	ready    bool       // false: it is being made, and nobody may have it
	turn     *turn
	gone     error         // why nobody can have it any more
	released chan struct{} // closed when it is gone and the last handle is released
}

const (
	closedUse = -1
	retired   = 1 << 40
)

// turn is one opening or closing.
type turn struct {
	done chan struct{}
	err  error // why it could not be opened, readable when done
}

func (t *turn) wait(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Catalog) newEntry(i Info) *entry {
	e := &entry{cat: c, id: i.ID, created: i.Created, origin: i.Origin, ready: true, released: make(chan struct{})}
	e.name.Store(&i.Name)
	e.config.Store(&i.Config)
	e.use.Store(closedUse)
	return e
}

// tryUse takes a handle on a database that is open.
func (e *entry) tryUse() bool {
	for {
		v := e.use.Load()
		if v < 0 {
			return false
		}
		if e.use.CompareAndSwap(v, v+1) {
			return true
		}
	}
}

// release gives a handle back.
func (e *entry) release() {
	switch e.use.Add(-1) {
	case 0:
		e.used.Store(time.Now().UnixNano())
		if e.cat.waiting.Load() > 0 {
			e.cat.signal()
		}
		if e.stale.Load() {
			e.cat.lookNow()
		}
	case -retired:
		close(e.released)
	}
}

// open opens the database, or waits for one who does. The opening goes on when
// ctx ends: the next one will want it, too.
func (e *entry) open(ctx context.Context) error {
	e.mu.Lock()
	switch {
	case e.gone != nil:
		defer e.mu.Unlock()
		return e.gone
	case !e.ready:
		e.mu.Unlock()
		return ErrNotFound
	case e.use.Load() >= 0:
		e.mu.Unlock()
		return nil
	case e.turn != nil:
		t := e.turn
		e.mu.Unlock()
		return t.wait(ctx)
	}
	t := &turn{done: make(chan struct{})}
	e.turn = t
	e.mu.Unlock()
	if err := e.cat.reserve(ctx, e); err != nil {
		e.endTurn(t) // the others look again, with contexts of their own
		return err
	}
	go func() {
		cfg := e.config.Load()
		var db *nearlite.DB
		var log *databaseLog
		err := e.cat.withFiles(func() (err error) {
			db, log, err = e.connect(context.WithoutCancel(e.cat.ctx), cfg)
			return err
		})
		if err != nil {
			t.err = err
			e.cat.unreserve(e)
		} else {
			e.db, e.log = db, log
			e.used.Store(time.Now().UnixNano())
			e.cat.opens.Add(1)
		}
		e.mu.Lock()
		if err == nil {
			e.stale.Store(false)
			if now := e.config.Load(); now != cfg {
				_ = e.adopt(context.WithoutCancel(ctx), db, cfg, now) // or it is stale
			}
			e.use.Store(0)
		}
		e.mu.Unlock()
		e.endTurn(t)
	}()
	return t.wait(ctx)
}

// reconfigure gives the database another configuration. One that is just being
// opened gets it at the end of that; see adopt.
func (e *entry) reconfigure(ctx context.Context, cfg Config) error {
	e.mu.Lock()
	was := e.config.Swap(&cfg)
	open := e.tryUse()
	e.mu.Unlock()
	if !open {
		return nil
	}
	defer e.release()
	return e.adopt(ctx, e.db, was, &cfg)
}

// adopt applies a new configuration to an open database, as far as that goes; the
// rest is left to the next opening.
func (e *entry) adopt(ctx context.Context, db *nearlite.DB, was, now *Config) error {
	if was.MaxReaders != now.MaxReaders || was.CacheBytes != now.CacheBytes {
		e.stale.Store(true)
	}
	if was.limits() == now.limits() {
		return nil
	}
	err := db.SetLimits(ctx, now.limits())
	if err != nil {
		e.stale.Store(true)
	}
	return err
}

// connect opens the file and its log. A file that is missing is made of the log, if
// there is an archive.
func (e *entry) connect(ctx context.Context, cfg *Config) (*nearlite.DB, *databaseLog, error) {
	o := cfg.options(e.cat.opts.Engine)
	o.OnConnect = e.cat.onConnect
	path := e.cat.path(e.id)
	log, err := e.openLog(ctx)
	if err != nil {
		return nil, nil, err
	}
	if log == nil {
		if _, err := os.Stat(path); err != nil {
			return nil, nil, fmt.Errorf("its file is not there: restore it from a backup: %w", err)
		}
	}
	o.Log, o.MustExist = log.logOf(), log == nil
	db, err := nearlite.Open(ctx, path, o)
	if err != nil {
		return nil, nil, errors.Join(e.fenced(err), log.close())
	}
	return db, log, nil
}

// disconnect closes what connect has opened: the log after the database, which
// ships the rest to it.
func (e *entry) disconnect(db *nearlite.DB, log *databaseLog) error {
	return errors.Join(db.Close(), log.close())
}

func (e *entry) endTurn(t *turn) {
	e.mu.Lock()
	e.turn = nil
	e.mu.Unlock()
	close(t.done)
}

// shut closes the database if it is open and idle, and reports whether it was.
func (e *entry) shut() bool {
	e.mu.Lock()
	if e.turn != nil || e.gone != nil || !e.use.CompareAndSwap(0, closedUse) {
		e.mu.Unlock()
		return false
	}
	t := &turn{done: make(chan struct{})}
	e.turn = t
	db, log := e.db, e.log
	e.db, e.log = nil, nil // a closed one still has its memory
	e.mu.Unlock()
	if err := e.disconnect(db, log); err != nil {
		e.cat.opts.Logger.Error("close an idle database", "db", *e.name.Load(), "err", err)
	}
	if e.cat.closes.Add(1)%uint64(e.cat.opts.MaxOpen) == 0 {
		e.cat.lookNow()
	}
	e.cat.unreserve(e)
	e.endTurn(t)
	return true
}

// retire makes the database unavailable for good, with the reason for those who
// ask, once a turn under way has ended. It reports false if it was already.
// Whoever retires it calls closeRetired.
func (e *entry) retire(why error) bool {
	for {
		e.mu.Lock()
		if e.gone != nil {
			e.mu.Unlock()
			return false
		}
		if t := e.turn; t != nil {
			e.mu.Unlock()
			<-t.done
			continue
		}
		e.gone = why
		v := e.use.Load()
		for v >= 0 && !e.use.CompareAndSwap(v, v-retired) {
			v = e.use.Load()
		}
		if v <= 0 { // closed, or open and idle
			close(e.released)
		}
		e.mu.Unlock()
		return true
	}
}

// closeRetired closes the database of a retired entry, whose users get errors
// from then on.
func (e *entry) closeRetired() error {
	if e.use.Load() == closedUse {
		return nil
	}
	err := e.disconnect(e.db, e.log)
	e.cat.closes.Add(1)
	e.cat.unreserve(e)
	return err
}

// reserve makes a place for one more open database: it closes the one that has
// been idle for longest if there are too many, and waits if all are in use.
func (c *Catalog) reserve(ctx context.Context, e *entry) error {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return ErrClosed
		}
		if len(c.open) < c.opts.MaxOpen {
			c.open[e] = struct{}{}
			c.mu.Unlock()
			c.signal() // there may be room for another
			return nil
		}
		victim := c.idlest()
		c.mu.Unlock()
		if victim != nil {
			victim.shut()
			continue
		}
		select {
		case <-c.freed:
		case <-c.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%w: %d are: %w", ErrTooManyOpen, c.opts.MaxOpen, context.Cause(ctx))
		}
	}
}

// outOfFiles reports whether an error means that the process, or the machine, may
// open no more files.
func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// withFiles runs f, and again for as long as there is no file left for it to open
// and an idle database that can be closed for it.
func (c *Catalog) withFiles(f func() error) error {
	err := f()
	for outOfFiles(err) && c.closeIdlest() {
		err = f()
	}
	return err
}

// closeIdlest closes the database that has been idle for longest, and reports
// whether there was one.
func (c *Catalog) closeIdlest() bool {
	c.mu.Lock()
	victim := c.idlest()
	c.mu.Unlock()
	return victim != nil && victim.shut()
}

// idlest returns the open database that nobody has used for longest. c.mu is held.
func (c *Catalog) idlest() (found *entry) {
	for e := range c.open {
		if e.use.Load() == 0 && (found == nil || e.used.Load() < found.used.Load()) {
			found = e
		}
	}
	return found
}

func (c *Catalog) unreserve(e *entry) {
	c.mu.Lock()
	delete(c.open, e)
	c.mu.Unlock()
	c.signal()
}

// signal lets one who waits for a place look again.
func (c *Catalog) signal() {
	if c.waiting.Load() == 0 {
		return
	}
	select {
	case c.freed <- struct{}{}:
	default:
	}
}

// lookNow has closeIdle look at once.
func (c *Catalog) lookNow() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// closeIdle closes what nobody has used for IdleClose.
func (c *Catalog) closeIdle() {
	t := time.NewTicker(max(c.opts.IdleClose/4, time.Millisecond))
	defer t.Stop()
	for trimmed := uint64(0); ; {
		ticked := false
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
			ticked = true
		case <-c.kick:
		}
		c.closeUnused(time.Now())
		// What the closed ones have freed stays with the C library else, a megabyte each.
		if n := c.closes.Load(); ticked && n > trimmed || n-trimmed >= uint64(c.opts.MaxOpen) {
			trimmed = n
			sqlite.TrimHeap()
		}
	}
}

func (c *Catalog) closeUnused(now time.Time) {
	before := now.Add(-c.opts.IdleClose).UnixNano()
	var idle []*entry
	c.mu.Lock()
	for e := range c.open {
		if e.use.Load() == 0 && e.mayClose(before) {
			idle = append(idle, e)
		}
	}
	c.mu.Unlock()
	for _, e := range idle {
		if c.ctx.Err() != nil {
			return
		}
		if e.mayClose(before) { // it may have been used meanwhile
			e.shut()
		}
	}
}

// mayClose reports whether an idle database need not stay open. One whose last
// commits the archive does not take stays: it goes on trying.
func (e *entry) mayClose(before int64) bool {
	return e.stale.Load() || e.used.Load() <= before && !e.behind.Load()
}
