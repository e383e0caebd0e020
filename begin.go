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
