package nearlite

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// readers are the connections that View uses. Each keeps its snapshot between
// uses: while nothing is committed the next View starts with no lock, no system
// call and warm caches (see the essay in sqlite/snapshot.c).
//
// Rules:
//
//  1. One user at a time: idle -> busy is a compare-and-swap, made by whoever
//     wants to use the connection or to take its snapshot away.
//  2. A held snapshot keeps the WAL from starting again. The epoch says since
//     when snapshots are unwelcome: a reader that was taken in an older epoch
//     drops its snapshot when its View ends. While the epoch is odd, the gate is
//     up: every reader drops at once (the checkpointer is about to finish).
//  3. As many as run at a time, about GOMAXPROCS; more are opened only when
//     those are held by Views that take their time, up to max. So a thousand
//     goroutines share a few connections, and a slow download stops nobody.
type readers struct {
	db    *DB
	epoch atomic.Uint64
	quiet atomic.Pointer[chan struct{}] // new Views wait until it is closed; see lock
	hints [64]atomic.Pointer[reader]    // by goroutine: the reader it used last

	long []*reader // memory for look; the clock's
	turn int

	waiters atomic.Int32
	freed   chan struct{} // somebody waits, and a reader became idle

	mu     sync.Mutex // protects the following
	opened int        // including those being opened
	closed bool
	all    atomic.Pointer[[]*reader] // replaced, never changed
}

// reader is one connection.
type reader struct {
	db    *DB
	conn  *sqlite.Conn
	state atomic.Uint64 // who has it and since when; see status
	grd   guard
	watch watched
	held  atomic.Pointer[Tx] // the interactive transaction that has it

	paused bool // its query has to wait; the clock's

	// Its user's:
	handles    []ReadTx // not used yet
	ctx        context.Context
	begun      bool // the snapshot is as new as the View wants it
	keepsRowID bool // last_insert_rowid() was set
	uses       uint32
}

// A status is all that others may know of a reader, in one word, since an atomic
// write is most of what taking it costs: its state in the low 3 bits, the epoch
// in which it was last taken in the next 21, and the clock's milliseconds then.
//
// Whoever changes the state owns the connection:
//
//	idle ⇄ busy      its user
//	busy → seized    the clock, to take an expired snapshot away, then → cut
//	cut  → idle      its user, who finds the snapshot gone
//	idle → gone      who closes it
type status uint64

const (
	idle status = iota
	busy
	seized
	cut
	gone

	stateMask status = 7
	epochBits        = 21
	epochMask status = 1<<epochBits - 1
)

func newStatus(s status, epoch uint64, at time.Duration) status {
	return status(at.Milliseconds())<<(3+epochBits) | (status(epoch)&epochMask)<<3 | s
}

// is reports whether the state is s.
func (v status) is(s status) bool { return v&stateMask == s }

// age returns how long ago the reader was taken.
func (v status) age(now time.Duration) time.Duration {
	return now - time.Duration(v>>(3+epochBits))*time.Millisecond
}

// takenIn reports whether the reader was taken in that epoch.
func (v status) takenIn(epoch uint64) bool { return (v>>3^status(epoch))&epochMask == 0 }

// status returns the reader's status of this moment.
func (r *reader) status() status { return status(r.state.Load()) }

// change moves the reader from one state to another, keeping when it was taken,
// and reports false if it was not in that state.
func (r *reader) change(from, to status) bool {
	for {
		v := r.status()
		if !v.is(from) {
			return false
		}
		if r.state.CompareAndSwap(uint64(v), uint64(v&^stateMask|to)) {
			return true
		}
	}
}

// use moves an idle reader to busy, taken now.
func (r *reader) use() bool {
	v := r.status()
	if !v.is(idle) || !r.state.CompareAndSwap(uint64(v), uint64(newStatus(busy, r.db.readers.epoch.Load(), r.db.clock.now()))) {
		return false
	}
	r.db.clock.stir()
	return true
}

// patience is how long a View waits for a reader before one more is opened.
const patience = time.Millisecond

// extraCache bounds the page cache of a reader beyond GOMAXPROCS: there may be
// hundreds, for as long as Views wait for a disk or for their clients.
const extraCache = 256 << 10

// yieldEvery is how many Views go by between two yields.
const yieldEvery = 1024

// readerIdle is after how long an idle reader beyond GOMAXPROCS is closed.
const readerIdle = 10 * time.Second

// take returns a reader for the caller's use.
func (p *readers) take(ctx context.Context) (*reader, error) {
	hint := &p.hints[goroutine()*0x9E3779B97F4A7C15>>58&63]
	if p.quiet.Load() != nil {
		p.waitQuiet(ctx)
	}
	if p.db.frozen != nil {
		if err := p.db.thawed(); err != nil {
			return nil, err
		}
	}
	r := hint.Load()
	if r != nil && r.use() {
		return r, nil
	}
	r, err := p.find(ctx)
	if err == nil {
		hint.Store(r)
	}
	return r, err
}

// waitQuiet returns when new Views may begin again, or need not.
func (p *readers) waitQuiet(ctx context.Context) {
	if ch := p.quiet.Load(); ch != nil {
		select {
		case <-*ch:
		case <-ctx.Done():
		}
	}
}

// find looks for an idle reader, then opens or waits for one.
func (p *readers) find(ctx context.Context) (*reader, error) {
	for first := true; ; first = false {
		if p.db.closing.Load() {
			return nil, ErrClosed
		}
		for _, r := range p.list() {
			if r.use() {
				return r, nil
			}
		}
		if first && len(p.list()) >= runtime.GOMAXPROCS(0) {
			if err := p.wait(ctx, patience); err != nil {
				return nil, err
			}
			continue
		}
		r, err := p.open()
		if r != nil || err != nil {
			return r, err
		}
		if err := p.wait(ctx, 100*patience); err != nil {
			return nil, err
		}
	}
}

func (p *readers) list() []*reader {
	if all := p.all.Load(); all != nil {
		return *all
	}
	return nil
}

// wait returns when a reader became idle, or after d.
func (p *readers) wait(ctx context.Context, d time.Duration) error {
	p.waiters.Add(1)
	defer p.waiters.Add(-1)
	for _, r := range p.list() { // one may have become idle before we were counted
		if r.status().is(idle) {
			return nil
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.freed:
	case <-t.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.db.ctx.Done():
		return ErrClosed
	}
	return nil
}

// open opens one more reader, already taken; nil when there are enough.
func (p *readers) open() (*reader, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	if p.opened >= p.db.opts.MaxReaders {
		p.mu.Unlock()
		return nil, nil
	}
	p.opened++
	cache := p.db.opts.ReaderCacheSize
	if p.opened > runtime.GOMAXPROCS(0) {
		cache = min(cache, extraCache)
	}
	p.mu.Unlock()
	conn, err := p.db.connectReader(cache)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.closed {
		conn.Close()
		err = ErrClosed
	}
	if err != nil {
		p.opened--
		return nil, err
	}
	r := &reader{db: p.db, conn: conn}
	conn.SetAuthorizer(r.grd.judgeReading)
	r.state.Store(uint64(newStatus(busy, p.epoch.Load(), p.db.clock.now())))
	all := append(append([]*reader(nil), p.list()...), r)
	p.all.Store(&all)
	return r, nil
}

// give ends the use of a reader.
//
// Now and then it yields. A goroutine that has called into C for 10 ms and never
// yielded has its processor taken away in the middle of a call by Go's monitor,
// which then looks every 20 µs whether there is more to take: a tenth of what two
// busy readers could do on two cores.
func (p *readers) give(r *reader) {
	epoch := p.epoch.Load()
	r.uses++
	yield := r.uses%yieldEvery == 0
	if r.watch.end() || epoch&1 == 1 || !r.status().takenIn(epoch) {
		r.conn.DropSnapshot() // also clears an interrupt: nothing runs any more
	}
	for !r.change(busy, idle) {
		if r.status().is(cut) {
			r.conn.Restore()
			r.conn.DropSnapshot()
			r.change(cut, idle)
			break
		}
		runtime.Gosched() // seized
	}
	if p.waiters.Load() > 0 {
		select {
		case p.freed <- struct{}{}:
		default:
		}
	}
	if yield {
		runtime.Gosched()
	}
}

// dropAll asks all readers off their snapshots: the idle ones now, the others
// when their Views end. It returns how many are still busy.
func (p *readers) dropAll() (left int) {
	p.epoch.Add(2)
	return p.dropIdle()
}

// gate asks all readers off and, until ungate, lets none keep a snapshot.
func (p *readers) gate() (left int) {
	p.epoch.Add(1)
	return p.dropIdle()
}

func (p *readers) ungate() { p.epoch.Add(1) }

func (p *readers) dropIdle() (left int) {
	for _, r := range p.list() {
		switch {
		case r.change(idle, seized):
			r.conn.DropSnapshot()
			r.change(seized, idle)
		case r.status().is(busy):
			left++
		}
	}
	return left
}

// await returns when no reader holds a snapshot of an older epoch, or at the
// deadline. One that became idle at the moment the epoch changed may have kept
// its snapshot, so the idle ones are dropped once more at the end.
func (p *readers) await(deadline time.Time) {
	for p.stragglers() > 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Microsecond)
	}
	p.dropIdle()
}

// stragglers counts the readers in use that may still hold an older snapshot.
func (p *readers) stragglers() (n int) {
	epoch := p.epoch.Load()
	for _, r := range p.list() {
		if v := r.status(); v.is(busy) && !v.takenIn(epoch) {
			n++
		}
	}
	return n
}

// oldest returns the age of the oldest running View.
func (p *readers) oldest() (age time.Duration, busyReaders int) {
	now := p.db.clock.now()
	for _, r := range p.list() {
		if v := r.status(); v.is(busy) {
			busyReaders++
			age = max(age, v.age(now))
		}
	}
	return age, busyReaders
}

// look watches over running Views; see clock.
func (p *readers) look(now time.Duration, walBytes int64) (active bool) {
	var oldest *reader
	var since status
	long := p.long[:0]
	for _, r := range p.list() {
		v := r.status()
		if !v.is(busy) {
			r.pause(false)
			continue
		}
		active = true
		r.watch.look(now, r.conn.Interrupt)
		age := v.age(now)
		if age > longAge && r.held.Load() == nil {
			long = append(long, r)
		} else {
			r.pause(false)
		}
		switch {
		case age > p.db.opts.MaxSnapshotAge:
			r.revoke(v, age)
		case oldest == nil || age > since.age(now):
			oldest, since = r, v
		}
	}
	p.long = long
	p.takeTurns()
	if p.waiters.Load() > 0 {
		p.reclaim(now)
	}
	if oldest != nil && walBytes > p.db.opts.MaxWALBytes && since.age(now) > time.Second {
		oldest.revoke(since, since.age(now))
	}
	return active
}

const (
	// longAge is how old a View is when it has to take turns with others.
	longAge = 50 * time.Millisecond
	// turnTicks is how long a turn is.
	turnTicks = 4
)

// takeTurns lets no more of the Views that run for long go on at a time than there
// are processors, less one for what takes no time. Else a request that has a
// millisecond of work would have to wait for as many others as there are, several
// times.
func (p *readers) takeTurns() {
	n := len(p.long)
	at := max(1, runtime.GOMAXPROCS(0)-1)
	p.turn++
	first := p.turn / turnTicks * at
	for i, r := range p.long {
		r.pause(n > at+1 && (i-first%n+n)%n >= at)
	}
	clear(p.long)
}

// pause makes the reader's query wait, or go on; the clock's.
func (r *reader) pause(on bool) {
	if r.paused != on {
		r.paused = on
		r.conn.Pause(on)
	}
}

// reclaim ends the interactive transaction that has held its reader idle the
// longest, and longer than LeaseContended, when Views wait and no reader more may
// be opened: else clients that vanish would stop all others' reads.
func (p *readers) reclaim(now time.Duration) {
	if list := p.list(); len(list) >= p.db.opts.MaxReaders {
		var idlest *Tx
		longest := p.db.opts.LeaseContended
		for _, r := range list {
			if tx := r.held.Load(); tx != nil {
				if idle := tx.idle(now); idle > longest {
					idlest, longest = tx, idle
				}
			}
		}
		if idlest != nil {
			idlest.abandon(ErrLeaseExpired)
		}
	}
}

// revoke takes the snapshot of the View with that status away.
func (r *reader) revoke(v status, age time.Duration) {
	if !r.state.CompareAndSwap(uint64(v), uint64(v&^stateMask|seized)) {
		return
	}
	revoked := r.conn.Revoke(20 * time.Millisecond)
	r.change(seized, cut)
	if revoked {
		r.db.stats.expired.Add(1)
		r.db.opts.Logger.Warn("a snapshot expired", "db", r.db.path, "age", age)
	}
}

// trim closes readers beyond GOMAXPROCS that have been idle for long.
func (p *readers) trim(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var kept []*reader
	list := p.list()
	for i, r := range list {
		if i >= runtime.GOMAXPROCS(0) && r.status().age(now) > readerIdle && r.change(idle, gone) {
			r.conn.Close()
			p.opened--
			continue
		}
		kept = append(kept, r)
	}
	if len(kept) < len(list) {
		p.all.Store(&kept)
	}
}

// interruptForGood takes a running View's snapshot away, so that its queries end.
func (r *reader) interruptForGood() {
	if r.change(busy, seized) {
		r.conn.Revoke(time.Hour) // interrupts until the query gives way
		r.change(seized, cut)
	}
}

// close closes all readers, waiting for the closures of Views to return.
func (p *readers) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for _, r := range p.list() {
		r.interruptForGood()
		for !r.change(idle, gone) {
			if tx := r.held.Load(); tx != nil {
				tx.abandon(ErrClosed)
			}
			time.Sleep(100 * time.Microsecond)
		}
		if err := r.conn.Close(); err != nil {
			return fmt.Errorf("close reader: %w", err)
		}
	}
	return nil
}
