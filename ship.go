package nearlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/pagemap"
	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/wal"
)

// The shipper brings commits into the log.
//
// With [Archived] it does so inside the barrier: offer makes an entry of the pages
// of one commit, and the log's answer is the commit's. With the other durabilities
// it has a goroutine, and an entry is what has changed since the one before, as one
// snapshot has it: a page that changed a hundred times goes once. It is read from a
// snapshot and not from the WAL, so that neither a checkpoint nor a slow log is in
// anybody's way.
//
// Which pages these are the page map knows. The snapshot is begun first and the map
// asked afterwards, so that the list has all that the snapshot has; what it has
// beyond is sent in vain, and once more later.
//
// A refused entry is no loss: its number is used for the next, which has its pages,
// too. When another writer has the log, what it lacks is kept in a file of its own
// beside the database, and the database refuses writes from then on.
type shipper struct {
	db    *DB
	epoch uint32

	mu     sync.Mutex // held while an entry is made and appended; protects the following
	last   Head       // the last entry
	change uint64     // the map's numbers up to this one are in it
	sums   sums       // of the database as the last entry that was made has it
	conn   *sqlite.Conn
	lost   error // another writer has the log

	kick    chan struct{} // capacity 1: there is something to ship
	waited  atomic.Int64  // when the oldest commit that is not in the log was made, Unix nanoseconds; 0: none
	failed  atomic.Pointer[error]
	txid    atomic.Uint64 // of the last entry
	running atomic.Bool   // the database is open
}

const (
	// shipShare is which part of its time the shipper works at most.
	shipShare = 5
	// shipRetryMin and Max are how long it waits after a failure.
	shipRetryMin = 100 * time.Millisecond
	shipRetryMax = 10 * time.Second
	// finishShipping is how long Close tries to bring the rest into the log.
	finishShipping = 10 * time.Second
)

// newEpoch names an opening of a database, for the log. It is odd if the log
// decides about commits: what the WAL then has beyond the log was never
// acknowledged.
func newEpoch(archived bool) uint32 {
	e := rand.Uint32() &^ 1
	if archived {
		e |= 1
	}
	return max(e, 2)
}

func decidedByLog(epoch uint32) bool { return epoch&1 == 1 }

// offer makes an entry of a commit and appends it. It runs inside the commit.
func (s *shipper) offer(c *wal.Commit, transactions int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		return s.lost
	}
	salt1, salt2 := c.Salts()
	e := s.entry(pagemap.Place{Salt1: salt1, Salt2: salt2, Offset: c.End}, c.Pages, func(visit func(wal.Page) error) error {
		for p, err := range c.Sorted() {
			if err == nil && p.Number <= c.Pages { // what it cut off it may have written before
				err = visit(p)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	e.WALStart, e.Transactions = c.Start, transactions
	s.sums.begin()
	if err := s.sum(e); err != nil {
		s.sums.takeBack()
		return fmt.Errorf("read the pages of entry %d: %w: %w", e.TXID, ErrNotCommitted, err)
	}
	// From here on nobody may end it: the outcome would be left open.
	if err := s.db.opts.Log.Append(context.WithoutCancel(s.db.ctx), e); err != nil {
		s.sums.takeBack()
		s.sayFailed(err)
		return fmt.Errorf("append entry %d to the log: %w", e.TXID, err)
	}
	s.sums.end()
	// The commit's number is not known yet: the map hears of it next.
	s.took(e, s.db.history.pages.Head().Change+uint64(c.Frames()))
	return nil
}

// entry is the next one of the log.
func (s *shipper) entry(place pagemap.Place, pages uint32, each func(func(wal.Page) error) error) *Entry {
	return &Entry{
		Head: Head{TXID: s.last.TXID + 1, Epoch: s.epoch, Time: time.Now().Truncate(time.Millisecond),
			PageSize: s.db.pageSize, Pages: pages, WAL: place},
		each: each,
	}
}

// sum takes an entry's pages into the sums, and what they come to into the entry.
func (s *shipper) sum(e *Entry) error {
	s.sums.resize(e.Pages)
	err := e.Each(func(p wal.Page) error {
		s.sums.set(p.Number, p.Data)
		e.Frames++
		return nil
	})
	e.Checksum = s.sums.total
	e.Sum = uint32(s.sums.total)
	return err
}

// took notes that the log has an entry, which has all changes up to a number.
func (s *shipper) took(e *Entry, change uint64) {
	s.last, s.change = e.Head, change
	s.txid.Store(e.TXID)
	s.failed.Store(nil)
	s.remember(e.Checksum)
}

// remember has the map know what of the log this file has; on the disk with the
// map's next Sync. Behind it are only entries of this opening.
func (s *shipper) remember(sum uint64) {
	s.db.history.pages.SetEntry(pagemap.Entry{Epoch: s.epoch, TXID: s.last.TXID, Change: s.change, Sum: sum})
}

func (s *shipper) sayFailed(err error) { s.failed.Store(&err) }

// committed tells the shipper that there is something new.
func (s *shipper) committed(now time.Time) {
	s.waited.CompareAndSwap(0, now.UnixNano())
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// run is the shipper's goroutine.
func (s *shipper) run(ctx context.Context) {
	if s.db.opts.Durability == Archived {
		return
	}
	pause := s.db.opts.LogDelay
	for retry := shipRetryMin; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		}
		if !sleep(ctx, pause) {
			return
		}
		from := time.Now()
		err := s.ship(ctx)
		took := time.Since(from)
		switch {
		case err == nil:
			pause, retry = max(s.db.opts.LogDelay, (shipShare-1)*took), shipRetryMin
		case ctx.Err() != nil || errors.Is(err, ErrFenced):
			return
		default:
			s.db.opts.Logger.Warn("commits are not in the log yet", "db", s.db.path, "since", time.Unix(0, s.waited.Load()), "err", err)
			pause, retry = retry, min(2*retry, shipRetryMax)
			s.committed(time.Now())
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// ship appends an entry of everything that was committed up to now, if there is
// anything.
func (s *shipper) ship(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		return s.lost
	}
	began := time.Now().UnixNano()
	snap, err := s.snapshot()
	if err != nil {
		return err
	}
	defer s.conn.DropSnapshot()
	e, err := s.entryOf(snap)
	if err != nil {
		return err
	}
	if e != nil {
		if err := s.append(ctx, e, snap.change); err != nil {
			return err
		}
	}
	if s.waited.Load() < began && s.db.history.pages.Head().Change == s.change {
		s.waited.Store(0)
	} else if s.waited.Load() < began {
		s.waited.Store(began)
	}
	return nil
}

// append appends an entry, and sees to it that an earlier try is not taken for
// somebody else's.
func (s *shipper) append(ctx context.Context, e *Entry, change uint64) error {
	err := s.db.opts.Log.Append(ctx, e)
	if err == nil {
		s.took(e, change)
		return nil
	}
	s.sayFailed(err)
	if errors.Is(err, ErrFenced) {
		head, herr := s.db.opts.Log.Head(ctx)
		if herr != nil {
			return herr
		}
		if head.Epoch == s.epoch { // an earlier try of ours came through; what it lacks comes with the next
			s.last = head
			s.txid.Store(head.TXID)
			return fmt.Errorf("entry %d is an earlier try", head.TXID)
		}
		return s.lose(ctx, err)
	}
	return fmt.Errorf("append entry %d to the log: %w", e.TXID, err)
}

// lose keeps what the log will never have, and stops the writer.
func (s *shipper) lose(ctx context.Context, cause error) error {
	s.lost = fmt.Errorf("%s: %w: %w", s.db.path, ErrPoisoned, cause)
	s.db.writer.poisoned.Store(&s.lost)
	// A batch that has begun is acknowledged still. AFTER it no other is.
	s.db.write(request{ctx: s.db.ctx, excl: &exclusive{engine: func(*writer) error { return nil }}})
	path, err := s.keepOrphan(ctx)
	if err != nil {
		s.db.opts.Logger.Error("another writer has the log, and the commits it lacks could not be kept apart; they are in the file", "db", s.db.path, "cause", cause, "err", err)
	} else {
		s.db.opts.Logger.Error("another writer has the log; the commits it lacks are kept apart", "db", s.db.path, "kept", path, "cause", cause)
	}
	return s.lost
}

// shot is a snapshot of the database with its place and number.
type shot struct {
	*wal.Snapshot
	place  pagemap.Place
	change uint64
}

// snapshot takes a snapshot of which the map knows everything.
func (s *shipper) snapshot() (*shot, error) {
	for range 1000 {
		if err := s.conn.RefreshNow(); err != nil {
			return nil, s.db.explain("take a snapshot of", err)
		}
		h := s.conn.Snapshot()
		if now, _, ok := s.conn.WAL(); !ok || now != h { // somebody commits: it might be of the commit before
			continue
		}
		if s.db.positions.knows(&h, s.db.history.pages.Head().WAL, s.db.walEnd(h.MaxFrame())) {
			snap, err := wal.NewSnapshot(s.conn, h)
			if err != nil {
				return nil, fmt.Errorf("read a snapshot of %s: %w", s.db.path, err)
			}
			salt1, salt2, offset := snap.Place()
			return &shot{snap, pagemap.Place{Salt1: salt1, Salt2: salt2, Offset: offset}, s.db.positions.of(&h).Change}, nil
		}
		s.conn.DropSnapshot()
		if err := s.db.writer.takeIn(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("take a snapshot of %s: another program writes all the time", s.db.path)
}

// takeIn has the writer take in what another process has committed.
func (w *writer) takeIn() error {
	look := func(w *writer) error {
		if err := w.lock(w.db.ctx); err != nil {
			return err
		}
		w.must("ROLLBACK")
		return nil
	}
	if w.db.ship == nil || !w.db.ship.running.Load() { // while the database is opened: nobody else writes
		return look(w)
	}
	return w.db.write(request{ctx: w.db.ctx, excl: &exclusive{engine: look}})
}

// entryOf makes an entry of what has changed; nil if nothing has.
func (s *shipper) entryOf(snap *shot) (*Entry, error) {
	numbers := s.changed(snap)
	if len(numbers) == 0 && s.last.TXID > 0 && snap.Pages() == s.last.Pages {
		return nil, nil
	}
	e := s.entry(snap.place, snap.Pages(), func(visit func(wal.Page) error) error { return snap.Read(numbers, visit) })
	if place := snap.place; place.Offset > 0 {
		e.WALStart = walHeaderSize
		if last := s.last.WAL; last.Salt1 == place.Salt1 && last.Salt2 == place.Salt2 && last.Offset <= place.Offset {
			e.WALStart = last.Offset
		}
	}
	if err := s.sum(e); err != nil {
		return nil, fmt.Errorf("read the pages of entry %d: %w", e.TXID, err)
	}
	return e, nil
}

// changed lists the pages of an entry: all that there are for the first.
func (s *shipper) changed(snap *shot) (numbers []uint32) {
	lock := lockPage(s.db.pageSize)
	if s.last.TXID == 0 {
		for n := uint32(1); n <= snap.Pages(); n++ {
			if n != lock {
				numbers = append(numbers, n)
			}
		}
		return numbers
	}
	all, _ := s.db.history.pages.Changed(s.change)
	for _, n := range all {
		if n <= snap.Pages() && n != lock {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// FlushLog returns when every commit acknowledged before is in the log.
func (db *DB) FlushLog(ctx context.Context) error {
	switch {
	case db.ship == nil:
		return fmt.Errorf("flush the log of %s: it has none: open it with Options.Log", db.path)
	case db.opts.Durability == Archived:
		return db.writer.takeIn() // nothing else is ever behind
	}
	return db.ship.flush(ctx)
}

// flush ships until the log has everything.
func (s *shipper) flush(ctx context.Context) error {
	for retry := shipRetryMin; ; retry = min(2*retry, shipRetryMax) {
		err := s.ship(ctx)
		if err == nil || errors.Is(err, ErrFenced) || ctx.Err() != nil {
			return err
		}
		if !sleep(ctx, retry) {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// finish brings the rest into the log when the database is closed.
func (s *shipper) finish() {
	if s.db.opts.Durability == Archived {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.db.ctx), finishShipping)
	defer cancel()
	if err := s.flush(ctx); err != nil && !errors.Is(err, ErrFenced) {
		s.db.opts.Logger.Error("the last commits are not in the log; they are shipped when the database is opened again", "db", s.db.path, "err", err)
	}
}

// close closes the connection, and keeps the checksums if they are those of what the
// file has.
func (s *shipper) close() error {
	err := s.conn.Close()
	h := s.db.history
	if s.lost == nil && s.last.TXID > 0 && h.pages.Head().Change == s.change && s.db.closing.Load() {
		err = errors.Join(err, s.sums.save(s.db.sumsPath()))
	}
	return err
}

// waitForLog waits while the log lags behind further than LogLag. As for SQLite's
// lock, all who wait do so for BusyTimeout together.
func (w *writer) waitForLog(ctx context.Context) error {
	s, limit := w.db.ship, w.db.opts.LogLag
	if limit == 0 || w.db.opts.Durability == Archived {
		return nil
	}
	for {
		since := s.waited.Load()
		if since == 0 || time.Since(time.Unix(0, since)) < limit {
			return nil
		}
		if w.lockBy.IsZero() {
			w.lockBy = time.Now().Add(w.db.opts.BusyTimeout)
		}
		if time.Now().After(w.lockBy) {
			return s.behind(time.Since(time.Unix(0, since)))
		}
		if !sleep(ctx, 5*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

func (s *shipper) behind(lag time.Duration) error {
	if err := s.failed.Load(); err != nil {
		return fmt.Errorf("%w: the oldest commit that is not in it is %v old: %w", ErrLogBehind, lag.Round(time.Millisecond), *err)
	}
	return fmt.Errorf("%w: the oldest commit that is not in it is %v old", ErrLogBehind, lag.Round(time.Millisecond))
}

// stats returns the last entry, how far behind the log is, and what it said last.
func (s *shipper) stats() (txid uint64, lag time.Duration, failed error) {
	if since := s.waited.Load(); since != 0 {
		lag = time.Since(time.Unix(0, since))
	}
	if err := s.failed.Load(); err != nil {
		failed = *err
	}
	return s.txid.Load(), lag, failed
}
