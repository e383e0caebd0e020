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

// TxOptions of an interactive transaction; nil is the zero value.
type TxOptions struct {
	// ReadOnly holds one snapshot and never the writer. When all readers are in use
	// and others wait for one, the transaction that has been idle for longest, and
	// longer than LeaseContended, is ended with [ErrLeaseExpired].
	ReadOnly bool
	// Deferred lets the transaction read from a snapshot, without waiting for
	// anybody, until its first statement that writes. Then it waits for the writer,
	// and goes on if what it has read is still true; else it is rolled back with
	// [ErrConflict]. Its rows are always collected in memory. Reads that took more
	// than a tenth of a second or a megabyte of text and arguments in all are not
	// compared: then any commit since is a conflict.
	Deferred bool
	// LastInsertRowID is what last_insert_rowid() returns before the first INSERT.
	LastInsertRowID int64
}

// A Tx is an interactive transaction: its client decides statement by statement,
// from outside a closure, what comes next. It is for database/sql, for ORMs and
// for clients across a network; code that can use Update should.
//
// A writing Tx waits for the writer at its first statement and has it until
// Commit or Rollback, under leases: LeaseIdle without a statement while nobody
// waits, LeaseContended while somebody does, LeaseTotal in all. After that it
// is rolled back, and its methods return [ErrLeaseExpired]. A goroutine that has
// a Tx open must not wait for another write: it would wait until the lease ends.
//
// It joins a batch like any other transaction: Commit returns when the batch is
// durable, and many share its fsync. While it has neighbours that wait for that,
// its statements and a digest of what they returned are recorded. When its
// client takes its time, the neighbours are committed without it and the
// statements run again after them; only if one then returned something else,
// which takes another process's write or a function like random(), is it rolled
// back with [ErrConflict].
//
//	new ──first statement──▶ queued ──the writer's grant──▶ live ──▶ ended
//	                                                         │
//	              Commit, Rollback, a lost transaction, a lease's end
//
// Its methods may be called from any goroutine, one at a time.
type Tx struct {
	db *DB
	w  *writer

	claim   atomic.Uint32 // who has decided what becomes of it while it waits: see request.take
	granted chan struct{} // closed when live, or when it will never be
	decided chan struct{} // closed when ended by its client
	done    chan struct{} // closed when the outcome is final
	once    sync.Once     // guards the closing of done
	outcome error         // readable when done is closed
	lent    bool          // the writer's: it has had the connection
	rowID   int64         // TxOptions.LastInsertRowID

	// Of a deferred one:
	deferred bool             // it has not written yet
	readFor  time.Duration    // how long its reads have taken
	seen     sqlite.WALHeader // the snapshot they came from

	mu          sync.Mutex // protects the following, and the connection while live
	state       txState
	err         error // why it ended, for the methods called after
	commit      bool
	work        *transaction // on the writing connection, once live
	reader      *ReadTx      // of a read-only one
	watched     *Rows        // its query under watch
	interrupted bool         // one was, and nothing can be run on its snapshot any more
	calls       []call
	size        int           // bytes in calls
	active      time.Duration // clock time of its last statement's end
	began       time.Duration // clock time of the grant
	late        bool          // LeaseTotal is over and a statement still runs
	spent       time.Duration // in statements, if the writer has a pace
}

type txState int

const (
	txNew txState = iota
	txQueued
	txLive
	txEnded
)

// call is one statement of an interactive transaction, for it to be run again.
type call struct {
	sql    string
	args   []any
	most   int // rows after which its client ended it, 0 if it did not
	digest uint64
}

const (
	// callsMax bounds what is recorded. A larger transaction is not run again:
	// it is committed at once, and its neighbours may have to wait for it.
	callsMax = 1 << 20
	// txPatience is how long a batch waits for a client between two statements
	// before it is committed without it: about the price of one more commit.
	txPatience = 2 * time.Millisecond
	// leaseCheck is how often a lease is looked at.
	leaseCheck = 20 * time.Millisecond
)

// Begin starts an interactive transaction. It does not wait for the writer; the
// first statement does.
func (db *DB) Begin(ctx context.Context, opts *TxOptions) (*Tx, error) {
	tx := &Tx{db: db, w: &db.writer}
	if opts != nil && opts.ReadOnly {
		r, err := db.readers.take(ctx)
		if err != nil {
			return nil, err
		}
		tx.reader, tx.state = r.handle(context.Background()), txLive
		tx.reader.SetLastInsertRowID(opts.LastInsertRowID)
		tx.active = db.clock.now()
		r.held.Store(tx)
		return tx, nil
	}
	if err := db.writer.check(ctx); err != nil {
		return nil, err
	}
	if opts != nil {
		tx.rowID, tx.deferred = opts.LastInsertRowID, opts.Deferred
	}
	tx.granted, tx.decided, tx.done = make(chan struct{}), make(chan struct{}), make(chan struct{})
	return tx, nil
}

// Exec runs one statement to its end. Rows of RETURNING are in the result.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	if tx.reader != nil && !tx.deferred {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return Result{}, err
		}
		defer rows.Close()
		res := Result{Columns: rows.Columns()}
		for rows.Next() {
			res.Rows = append(res.Rows, rows.Values())
		}
		return res, rows.Err()
	}
	return tx.collect(ctx, sql, args)
}

// Query runs one statement and returns its rows: streamed from the snapshot of a
// read-only transaction, collected in memory from a writing one.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	if tx.reader != nil && !tx.deferred {
		return tx.stream(ctx, sql, args)
	}
	res, err := tx.collect(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	return &Rows{columns: res.Columns, values: res.Rows, result: res, at: -1}, nil
}

// collect runs a statement on the writing connection and keeps its rows.
func (tx *Tx) collect(ctx context.Context, sql string, args []any) (Result, error) {
	var all [][]any
	res, err := tx.do(ctx, func(row Row) error {
		all = append(all, rowValues(row))
		return nil
	}, sql, args)
	if err != nil {
		return Result{}, err
	}
	res.Rows, res.Columns = all, append([]sqlite.Column(nil), res.Columns...)
	return res, nil
}

// do runs a statement on the writing connection; of a deferred transaction on its
// reader, if that will do.
func (tx *Tx) do(ctx context.Context, visit func(Row) error, sql string, args []any) (Result, error) {
	if tx.deferred {
		res, err := tx.readFirst(ctx, visit, sql, args)
		if err != errWrites {
			return res, err
		}
		tx.stopReading()
	}
	if err := tx.acquire(ctx); err != nil {
		return Result{}, err
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state != txLive {
		return Result{}, tx.err
	}
	tx.work.ctx = ctx
	d := newDigest(visit, 0)
	from := tx.w.pace.start()
	res, err := tx.work.run(d.take, sql, args)
	tx.spent += tx.w.pace.since(from)
	tx.w.watch.end()
	tx.record(sql, args, d, d.sum(res, err))
	tx.active = tx.db.clock.now()
	switch {
	case tx.late:
		err = ErrLeaseExpired
		tx.end(err)
	case err != nil && tx.w.conn.LostTransaction():
		tx.end(fmt.Errorf("%w: an earlier error has rolled it back: %w", ErrTxDone, err))
	}
	return res, err
}

// acquire waits for the writer, the first time.
func (tx *Tx) acquire(ctx context.Context) error {
	tx.mu.Lock()
	if tx.state == txLive || tx.state == txEnded {
		tx.mu.Unlock()
		return nil
	}
	if tx.state == txQueued {
		tx.mu.Unlock()
		return errors.New("the interactive transaction is used by two goroutines at a time")
	}
	tx.state = txQueued
	tx.mu.Unlock()
	if tx.w.runner.Load() == goroutine() {
		tx.finish(ErrNested)
		return ErrNested
	}
	waits(ctx)
	defer runs(ctx)
	if _, _, err := tx.w.q.enter(request{ctx: ctx, inter: tx}); err != nil {
		tx.finish(err)
		return err
	}
	select {
	case <-tx.granted:
	case <-ctx.Done():
		if tx.claim.CompareAndSwap(waiting, cancelled) {
			tx.finish(context.Cause(ctx))
			return context.Cause(ctx)
		}
		<-tx.granted
	}
	return tx.awaitOther(ctx)
}

// record keeps a statement to be run again.
func (tx *Tx) record(sql string, args []any, d *digest, sum uint64) {
	if tx.size > callsMax {
		return
	}
	kept := append([]any(nil), args...)
	tx.size += 64 + len(sql)
	for i, a := range kept {
		tx.size += 16
		switch x := a.(type) {
		case string:
			tx.size += len(x)
		case []byte:
			tx.size += len(x)
			kept[i] = append([]byte{}, x...)
			if x == nil {
				kept[i] = nil
			}
		}
	}
	if tx.size > callsMax {
		tx.calls = nil
		return
	}
	c := call{sql: sql, args: kept, digest: sum}
	if d.ended != nil {
		c.most = d.rows
	}
	tx.calls = append(tx.calls, c)
}

// heavy reports whether the transaction was too large to be recorded.
func (tx *Tx) heavy() bool { return tx.size > callsMax }

// end makes a live transaction refuse further statements with err and wakes the
// writer. tx.mu is held.
func (tx *Tx) end(err error) {
	tx.state, tx.err = txEnded, err
	close(tx.decided)
}

// finish ends a transaction that the writer never had or no longer has.
func (tx *Tx) finish(err error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state != txEnded {
		tx.state, tx.err = txEnded, err
	}
	tx.settled(err)
}

// settled makes the outcome known. Only the first call counts: a client that
// gave up while it was queued and the writer that finds so may meet here.
func (tx *Tx) settled(err error) {
	tx.once.Do(func() {
		tx.outcome = err
		close(tx.done)
	})
}

// Commit makes the transaction durable. An error means that it is not, unless
// it is [ErrCommitUnknown].
func (tx *Tx) Commit(ctx context.Context) error {
	if tx.reader != nil {
		return tx.closeReader()
	}
	tx.mu.Lock()
	switch tx.state {
	case txNew:
		tx.state, tx.err = txEnded, ErrTxDone
		tx.mu.Unlock()
		return nil
	case txLive:
		tx.commit = true
		tx.end(ErrTxDone)
		tx.mu.Unlock()
	default:
		defer tx.mu.Unlock()
		return tx.err
	}
	select {
	case <-tx.done:
		return tx.outcome
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrCommitUnknown, context.Cause(ctx))
	}
}

// Rollback undoes the transaction; after it ended it does nothing and returns
// [ErrTxDone].
func (tx *Tx) Rollback() error {
	if tx.reader != nil {
		return tx.closeReader()
	}
	tx.mu.Lock()
	state, err := tx.state, tx.err
	switch state {
	case txNew:
		tx.state, tx.err = txEnded, ErrTxDone
	case txLive:
		tx.end(ErrTxDone)
	}
	tx.mu.Unlock()
	switch state {
	case txNew:
		return nil
	case txLive:
		<-tx.done
		return nil
	}
	return err
}

// interact is the writer's side: it lends the connection to a client.
func (w *writer) interact(r *request) {
	tx := r.inter
	if err := w.lend(r); errors.Is(err, ErrConflict) {
		w.conflict(r)
		return
	} else if err != nil {
		w.refuse(r, err)
		return
	}
	tx.lent = true
	close(tx.granted)
	w.attend(r)
}

// interactAgain brings a transaction back that had the connection when a
// neighbour's closure ended the writer's goroutine; see survive.
func (w *writer) interactAgain(r *request) {
	tx := r.inter
	tx.mu.Lock()
	if tx.state == txLive {
		err := w.begin(context.Background())
		if err == nil {
			err = w.rerun(r)
		}
		if err != nil {
			tx.end(err)
		}
		tx.mu.Unlock()
		w.attend(r)
		return
	}
	commit, why := tx.commit, tx.err
	tx.mu.Unlock()
	if commit {
		w.replay(r)
	} else {
		w.settle(r, why)
	}
}

// attend waits for what the client decides and looks after its leases.
func (w *writer) attend(r *request) {
	tx := r.inter
	t := time.NewTimer(txPatience)
	defer t.Stop()
	for from := time.Now(); ; from = time.Now() {
		select {
		case <-tx.decided:
			w.pace.idle += time.Since(from) - tx.worked()
			w.conclude(r)
			return
		case <-t.C:
			w.pace.idle += time.Since(from)
			t.Reset(w.press(r))
		}
	}
}

// worked returns how long its statements have taken since it was last asked.
func (tx *Tx) worked() time.Duration {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	spent := tx.spent
	tx.spent = 0
	return spent
}

// lend opens a savepoint of its own for the transaction and makes it live.
func (w *writer) lend(r *request) error {
	tx := r.inter
	if err := w.begin(r.ctx); err != nil {
		return err
	}
	w.endGroup()
	wrote := w.dirty
	w.dirty = true // it may be set aside, so it needs a savepoint in any case
	if err := w.save(); err != nil {
		return err
	}
	w.dirty = wrote
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.work = tx.newWork(context.Background())
	if err := w.confirm(tx, wrote); err != nil {
		w.endGroup()
		return err
	}
	now := w.db.clock.now()
	tx.state, tx.active, tx.began = txLive, now, now
	return nil
}

// newWork returns what the transaction does to the writing connection from now on.
func (tx *Tx) newWork(ctx context.Context) *transaction {
	tx.w.conn.SetLastInsertRowID(tx.rowID)
	return &transaction{w: tx.w, ctx: ctx, keepsRowID: true}
}

// press looks after the leases of a live transaction and says when to look next.
func (w *writer) press(r *request) time.Duration {
	tx := r.inter
	now := w.db.clock.now()
	if !tx.mu.TryLock() { // a statement runs
		return w.pressBusy(tx, now)
	}
	defer tx.mu.Unlock()
	if tx.state != txLive {
		return leaseCheck
	}
	o := &w.db.opts
	lease := o.LeaseIdle
	if w.q.contended.Load() > 0 || w.db.closing.Load() {
		lease = o.LeaseContended
	}
	switch idle := now - tx.active; {
	case idle >= lease || now-tx.began >= o.LeaseTotal:
		tx.end(ErrLeaseExpired)
	case w.hasCompany() && idle >= txPatience && !tx.heavy():
		w.setAside(r)
	case w.hasCompany():
		return txPatience
	}
	return leaseCheck
}

// pressBusy interrupts a statement that runs beyond LeaseTotal.
func (w *writer) pressBusy(tx *Tx, now time.Duration) time.Duration {
	if now-tx.began < w.db.opts.LeaseTotal { // began is written once, before the grant
		return leaseCheck
	}
	for !tx.mu.TryLock() {
		w.conn.Interrupt() // again: it is lost on a statement that is about to begin
		time.Sleep(time.Millisecond)
	}
	defer tx.mu.Unlock()
	if tx.state == txLive {
		tx.end(ErrLeaseExpired)
	}
	return leaseCheck
}

// hasCompany reports whether somebody waits for the open transaction to commit.
func (w *writer) hasCompany() bool {
	for _, r := range w.open {
		if !r.settled || r.err != nil {
			return true
		}
	}
	return false
}

// setAside commits a live transaction's neighbours without it, and brings it
// back behind them. tx.mu is held, so its client notices nothing but the time.
func (w *writer) setAside(r *request) {
	tx := r.inter
	w.conn.CloseCursors()
	if !w.rewind() {
		w.bringBack()
	}
	w.commit()
	err := w.begin(context.Background())
	if err == nil {
		err = w.rerun(r)
	}
	if err != nil {
		tx.end(err)
	}
}

// rerun runs the recorded statements again in a savepoint of their own, and
// compares what they return.
func (w *writer) rerun(r *request) error {
	tx := r.inter
	if tx.heavy() {
		return ErrConflict // before the work of a savepoint
	}
	w.endGroup()
	w.dirty = true // as in lend
	if err := w.save(); err != nil {
		return err
	}
	tx.work = tx.newWork(context.Background())
	return w.runAgain(tx)
}

// conclude does what the client, or the end of a lease, decided.
func (w *writer) conclude(r *request) {
	tx := r.inter
	tx.mu.Lock()
	commit, why := tx.commit, tx.err
	tx.mu.Unlock()
	r.err = nil
	if !commit {
		r.err = why
	}
	switch tx.work.end(r) {
	case kept:
		w.endGroup()
		w.open = append(w.open, r)
		if tx.heavy() {
			w.commit()
		}
		return
	case lost:
		w.bringBack()
	default:
		w.takeBack()
	}
	w.settle(r, r.err)
	tx.settled(r.err)
}

// takeBack undoes an interactive transaction in its savepoint, or brings its
// neighbours back if more than that was undone.
func (w *writer) takeBack() {
	switch {
	case !w.inTx:
	case w.conn.LostTransaction(), w.group >= 0 && !w.rewind():
		w.bringBack()
	}
}

// replay runs an interactive transaction again that had ended with a commit.
func (w *writer) replay(r *request) {
	err := w.begin(context.Background())
	if err == nil {
		err = w.rerun(r)
	}
	if err == nil {
		r.err = nil
		if v := r.inter.work.end(r); v == kept {
			w.endGroup()
			w.open = append(w.open, r)
			return
		}
		err = ErrConflict
	}
	w.takeBack()
	w.settle(r, err)
}

// Describe says what a statement is without running it, as the transaction sees
// the schema.
func (tx *Tx) Describe(ctx context.Context, sql string) (Description, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state == txLive && tx.reader == nil {
		return describe(tx.w.conn, &tx.w.grd, sql)
	}
	if tx.state == txEnded {
		return Description{}, tx.err
	}
	if r := tx.reader; r != nil {
		switch {
		case tx.interrupted && tx.deferred: // it goes on, without its snapshot
			return tx.db.Describe(ctx, sql)
		case tx.interrupted:
			return Description{}, errInterrupted
		}
		if !r.r.begun {
			if err := r.r.conn.RefreshNow(); err != nil {
				return Description{}, r.failed(err)
			}
			r.r.begun = true
		}
		return describe(tx.reader.r.conn, &tx.reader.r.grd, sql)
	}
	return tx.db.Describe(ctx, sql)
}

// stream starts a query of a read-only transaction.
func (tx *Tx) stream(ctx context.Context, sql string, args []any) (*Rows, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state == txEnded {
		return nil, tx.err
	}
	if tx.unwatch(); tx.interrupted {
		return nil, errInterrupted
	}
	tx.active = tx.db.clock.now()
	tx.reader.r.ctx = ctx
	s, err := tx.reader.prepare(sql)
	if err != nil {
		return nil, err
	}
	tx.reader.r.watch.begin(ctx)
	live, err := s.Rows(args...)
	if err != nil {
		tx.unwatch()
		return nil, tx.reader.failed(err)
	}
	rows := &Rows{tx: tx, live: live, columns: append([]sqlite.Column(nil), live.Columns()...)}
	if tx.watched = rows; live.Ended() {
		tx.unwatch()
	}
	return rows, nil
}

// unwatch ends the watch over the query that is being read, so that its context
// may end without harm to the next one. An interrupt is for all that runs on the
// connection, the snapshot included, and SQLite does not take it back before.
func (tx *Tx) unwatch() {
	tx.watched = nil
	if tx.reader.r.watch.end() {
		tx.interrupted = true
	}
}

var errInterrupted = fmt.Errorf("an earlier query was interrupted because its context had ended, and with it the transaction's snapshot: begin anew: %w", ErrTxDone)

// closeReader ends a read-only transaction.
func (tx *Tx) closeReader() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state == txEnded {
		return tx.err
	}
	tx.endReading(ErrTxDone)
	return nil
}

// endReading ends a transaction that reads. tx.mu is held.
func (tx *Tx) endReading(why error) {
	tx.state, tx.err = txEnded, why
	tx.releaseReader()
}

// releaseReader gives the snapshot back. tx.mu is held.
func (tx *Tx) releaseReader() {
	tx.reader.r.held.Store(nil)
	if tx.unwatch(); tx.interrupted {
		tx.reader.r.conn.DropSnapshot()
	}
	tx.reader.end()
}

// idle returns how long a transaction that reads has not been used; 0 while a
// statement of it runs.
func (tx *Tx) idle(now time.Duration) time.Duration {
	if !tx.mu.TryLock() {
		return 0
	}
	defer tx.mu.Unlock()
	return now - tx.active
}

// abandon ends a transaction that reads for a reason of the database's.
func (tx *Tx) abandon(why error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state != txEnded && tx.reader != nil { // it may have gone to the writer meanwhile
		tx.endReading(why)
	}
}
