package nearlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// The writer turns a queue of transactions into few commits.
//
// A naive writer gives every transaction a BEGIN, a COMMIT and an fsync, and
// spends its life waiting for the disk. This one takes all that waits, runs it
// inside one SQLite transaction, commits once, and wakes everybody. A batch is
// whatever queued up during the one before it: one when idle, a thousand under
// load; nothing is tuned.
//
// Callers must not notice their neighbours. What holds:
//
//  1. Isolation. Transactions run one after the other, on one connection, and
//     nobody outside sees any of them before the COMMIT of their batch.
//  2. A transaction that fails leaves nothing behind. The plain way is a
//     SAVEPOINT around each, which costs a fifth of the throughput: SQLite then
//     copies every touched page once per transaction. So a savepoint goes around
//     a group of up to groupMax transactions, on the assumption that none fails;
//     when one does, the group is rolled back and each member runs again in a
//     savepoint of its own. A group that begins a batch needs none: it is taken
//     back by rolling back everything, and one who is alone never pays for any. Nor does a single statement, which is atomic by itself, and
//     one that only reads.
//  3. SQLite throws the whole transaction away for some errors (OR ROLLBACK,
//     a full disk, an I/O error, no memory). Then what ran before the culprit
//     runs again and is committed, and the culprit runs once more, alone.
//  4. A violated deferred foreign key makes its owner fail, not the batch: the
//     flag is looked at after every transaction, and is off at each boundary.
//  5. Callers are answered in the order they came, after the COMMIT that holds
//     their work has returned, and never before.
//
// By 2 and 3 a closure may run more than once before it is answered.
//
// The fields are used by whoever is the writer at the moment; see queue.
type writer struct {
	db   *DB
	q    queue
	conn *sqlite.Conn
	sql  controls
	grd  guard

	open  []*request // run in the transaction or settled since the last answer, oldest first
	group int        // index in open of the savepoint's first transaction; -1: no savepoint is open
	bare  bool       // that savepoint is the transaction itself
	inTx  bool       // a transaction is open
	dirty bool       // something in it wrote
	alone int        // so many transactions yet get a savepoint of their own

	blocks  []*block // taken from the queue and not answered completely
	next    int      // request of blocks[0] to be answered next
	todo    []*block // memory for work
	current *request // the one that runs
	single  request  // memory for inline

	price  time.Duration // of a commit, as of late
	before int           // requests in the last batch
	ended  time.Time     // when it was answered

	ops     []sqlite.BatchOp // memory for runBatch
	results []sqlite.Result

	tx        transaction      // of the closure or batch that runs
	handles   []WriteTx        // not used yet
	last      sqlite.WALHeader // of our last commit
	accepted  bool             // decide has let the commit pass that runs
	refusal   error            // or why it has not
	strangers strangers
	fullAt    time.Time // when the disk was last found full
	lockBy    time.Time // until when these requests wait for another process's write
	gated     bool      // readers run without keeping their snapshots until the next commit

	runner   atomic.Uintptr // the goroutine that is the writer now
	foreign  bool           // it runs a caller's code, which may panic or leave by Goexit
	watch    watched        // of the statement that runs
	poisoned atomic.Pointer[error]
	waking   chan []*block
	pace     pace
}

const (
	// groupMax is the number of transactions that share a savepoint. At 24 it
	// costs 3 %; with more, on large databases, what it may have to take back
	// goes to a temporary file, which costs 15 % (see initialize in sqlite).
	groupMax = 24
	// aloneAfterFailure is how many transactions get a savepoint each after one
	// failed: grouping pays while fewer than about one in 200 does.
	aloneAfterFailure = 200
	// priceMax bounds what a commit is taken to cost, and so how long more waits.
	priceMax = 20 * time.Millisecond
	// batchMax bounds what one commit holds, and so the wait of the first in it.
	batchMax = 4096
	// fullRetry is how long a full disk is left alone before a write is tried.
	fullRetry = time.Second
)

// controls are the engine's own statements on the writing connection.
type controls struct {
	begin, commit, rollback, save, release, rewind *sqlite.Stmt
}

// savepoint is the name of the engine's savepoint. Closures cannot touch it: the
// guard refuses every name that begins so.
const savepoint = "nearlite:savepoint"

func prepareControls(c *sqlite.Conn) (s controls, err error) {
	for _, p := range []struct {
		stmt **sqlite.Stmt
		sql  string
	}{
		{&s.begin, "BEGIN IMMEDIATE"}, {&s.commit, "COMMIT"}, {&s.rollback, "ROLLBACK"},
		{&s.save, `SAVEPOINT "` + savepoint + `"`}, {&s.release, `RELEASE "` + savepoint + `"`},
		{&s.rewind, `ROLLBACK TO "` + savepoint + `"`},
	} {
		if *p.stmt, _, err = c.PrepareFirst(p.sql); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *controls) finalize() {
	for _, stmt := range []*sqlite.Stmt{s.begin, s.commit, s.rollback, s.save, s.release, s.rewind} {
		stmt.Finalize()
	}
}

// verdict says how a transaction's run went.
type verdict int

const (
	kept  verdict = iota // it succeeded
	clean                // it failed and has changed nothing
	dirty                // it failed and its changes are to be undone
	lost                 // SQLite has thrown away the whole transaction
)

// loop is the writer's goroutine. It ends when the queue is closed and empty.
func (w *writer) loop() {
	defer w.survive()
	for range w.q.wake {
		for last := 0; ; {
			w.pace.rest()
			blocks := w.q.take(last)
			if len(blocks) == 0 {
				break // and from here on somebody else may be the writer
			}
			w.blocks = blocks
			last = w.pace.measured(w.work)
		}
		if w.q.drained() {
			close(w.db.written)
			return
		}
	}
}

// survive keeps the database writing when a closure ends the writer's goroutine
// with runtime.Goexit, as t.FailNow does. What was taken and not answered runs
// again, without the closure; that one's caller exits as it wished.
func (w *writer) survive() {
	if !w.foreign {
		return
	}
	w.forget(w.current)
	go func() {
		func() { // not around loop, which survives by itself
			defer w.survive()
			w.work()
		}()
		w.q.wake <- struct{}{} // there may be more by now
		w.loop()
	}()
}

// forget settles a request whose closure has left by Goexit, and undoes the
// open transaction.
func (w *writer) forget(r *request) {
	w.foreign = false
	w.runner.Store(0)
	w.watch.end()
	if r.excl != nil {
		w.afterExclusive(nil)
	}
	w.rollback()
	w.open = w.open[:0]
	r.err, r.settled = errEscaped, true
}

// work does all requests of the taken blocks, and those that come meanwhile as
// long as it pays, commits and answers them, and returns their number.
func (w *writer) work() (n int) {
	w.runner.Store(goroutine())
	w.lockBy = time.Time{}
	from := time.Now()
	if from.Sub(w.ended) > w.price {
		w.before = 0 // they are not on their way back
	}
	first, now := w.next, from
	for todo := append(w.todo[:0], w.blocks...); len(todo) > 0; todo, now = w.more(todo, from, n) {
		for _, b := range todo {
			if first == 0 {
				w.db.stats.queueWait.add(now.Sub(b.since))
			}
			// Answered to its end a block may be somebody else's, so n is read before.
			for i, end := first, b.n; i < end; i++ {
				if r := &b.reqs[i]; r.settled {
					w.open = append(w.open, r)
				} else {
					w.step(r)
				}
				n++
			}
			first = 0
		}
		w.todo = todo
	}
	w.commit()
	if w.q.contended.Load() == 0 {
		w.lowerGate() // who it was raised for has gone
	}
	w.before, w.ended = n, time.Now()
	if clear(w.todo[:cap(w.todo)]); cap(w.todo) > 64 {
		w.todo = nil
	}
	w.runner.Store(0)
	return n
}

// more takes what has come since into the open batch. A commit has a price that
// hardly depends on its size; the batch goes on while that price is more than an
// eighth of what it has cost so far. When nobody waits it ends at once, unless
// the batch before it was larger: then its callers are on their way back, and to
// commit before they arrive would make every other batch a tiny one. It waits
// for them no longer than a commit takes.
func (w *writer) more(todo []*block, from time.Time, n int) (_ []*block, now time.Time) {
	todo = todo[:0]
	idle := time.Since(from)
	spent := idle
	for ; n < batchMax && spent < 8*w.price; spent = time.Since(from) {
		todo = w.q.takeMore(todo)
		if len(todo) > 0 || n >= w.before-w.before/16 || spent-idle > w.price {
			break
		}
		runtime.Gosched()
	}
	w.blocks = append(w.blocks, todo...)
	return todo, from.Add(spent)
}

// step does one request.
func (w *writer) step(r *request) {
	switch {
	case r.inter != nil && r.inter.lent:
		w.interactAgain(r)
	case !r.take():
		w.settle(r, r.ctx.Err())
	case r.ctx.Done() != nil && r.ctx.Err() != nil:
		w.refuse(r, context.Cause(r.ctx))
	case r.excl != nil:
		w.commit()
		runs(r.ctx)
		w.settle(r, w.exclusive(r))
		w.answer()
	case r.inter != nil:
		w.interact(r)
	default:
		runs(r.ctx)
		w.try(r)
	}
}

// settle gives a request its final answer, to be delivered in its turn.
func (w *writer) settle(r *request, err error) {
	r.err, r.settled = err, true
	w.open = append(w.open, r)
}

// refuse settles a request that has not begun. After a wait for another process
// it is answered at once: those behind it may have to wait longer.
func (w *writer) refuse(r *request, err error) {
	w.settle(r, err)
	if r.inter != nil {
		r.inter.finish(err)
		close(r.inter.granted)
	}
	if !w.inTx && !w.lockBy.IsZero() {
		w.commit()
	}
}

// try runs a request in the open transaction, as a member of a group or alone.
func (w *writer) try(r *request) {
	if err := w.begin(r.ctx); err != nil {
		w.refuse(r, err)
		return
	}
	if w.alone > 0 || w.group >= 0 && len(w.open)-w.group >= groupMax {
		w.endGroup()
	}
	switch w.run(r) {
	case kept:
		w.open = append(w.open, r)
	case clean:
		w.settle(r, r.err)
	case lost:
		w.recover(r)
	case dirty:
		w.undo(r)
	}
	if w.alone > 0 {
		w.alone--
		w.endGroup()
	}
}

// undo takes a failed request's changes back. Its neighbours of the group, which
// go with them, run again.
func (w *writer) undo(r *request) {
	if w.group < 0 { // no savepoint to go back to: a statement by itself, by its deferred key
		w.rollback()
		w.recover(r)
		return
	}
	first := w.group
	again := append([]*request(nil), w.open[first:]...)
	w.open = w.open[:first]
	if !w.rewind() {
		w.bringBack()
	}
	if len(again) == 0 {
		w.settle(r, r.err)
		return
	}
	w.alone = aloneAfterFailure
	w.redo(append(again, r))
}

// redo runs requests anew, each in a savepoint of its own.
func (w *writer) redo(list []*request) {
	w.alone = max(w.alone, len(list))
	for _, r := range list {
		if r.settled {
			w.open = append(w.open, r)
			continue
		}
		w.db.stats.reruns.Add(1)
		if r.inter != nil {
			w.replay(r)
		} else {
			w.try(r)
		}
	}
}

// recover goes on after the transaction was lost at r: what had run before it
// runs again and is committed, then r by itself.
func (w *writer) recover(r *request) {
	w.bringBack()
	w.commit()
	w.solo(r)
	w.commit()
}

// bringBack runs again what was lost with the transaction.
func (w *writer) bringBack() {
	again := append([]*request(nil), w.open...)
	w.open, w.group, w.bare, w.inTx, w.dirty = w.open[:0], -1, false, false, false
	w.redo(again)
}

// solo runs a request in a transaction of its own and settles it if it fails.
func (w *writer) solo(r *request) {
	if r.ctx.Err() != nil {
		w.settle(r, r.ctx.Err())
		return
	}
	if err := w.begin(r.ctx); err != nil {
		w.settle(r, err)
		return
	}
	w.db.stats.reruns.Add(1)
	if v := w.run(r); v == kept {
		w.open = append(w.open, r)
		return
	}
	w.rollback()
	w.settle(r, r.err)
}

// run runs a request once.
func (w *writer) run(r *request) verdict {
	t := &w.tx
	*t = transaction{w: w, ctx: r.ctx, saves: t.saves[:0]}
	w.current, w.foreign = r, true
	if r.batch != nil {
		r.err = guarded(r, func() error { return w.runBatch(t, r.batch) })
		w.foreign = false
		return t.end(r)
	}
	from := w.db.clock.now()
	r.err = guarded(r, func() error {
		tx := w.handle()
		defer func() { tx.t = nil }() // also on a panic and Goexit
		tx.t = t
		return r.fn(tx)
	})
	w.foreign = false
	if took := w.db.clock.now() - from; took >= w.db.opts.MaxClosure {
		w.db.slow(r.fn, took)
	}
	return t.end(r)
}

// handle returns a fresh WriteTx. They are made many at a time.
func (w *writer) handle() *WriteTx {
	if len(w.handles) == 0 {
		w.handles = make([]WriteTx, 512)
	}
	tx := &w.handles[0]
	w.handles = w.handles[1:]
	return tx
}

// begin opens the batch's transaction if none is open.
func (w *writer) begin(ctx context.Context) error {
	if w.inTx {
		return nil
	}
	if p := w.poisoned.Load(); p != nil {
		return *p
	}
	if !w.fullAt.IsZero() && time.Since(w.fullAt) < fullRetry {
		return ErrDiskFull
	}
	if w.db.ship != nil {
		if err := w.waitForLog(ctx); err != nil {
			return err
		}
	}
	if err := w.lock(ctx); err != nil {
		return err
	}
	w.inTx, w.dirty, w.group, w.bare = true, false, -1, false
	return nil
}

// save opens the group's savepoint before its first write.
func (w *writer) save() error {
	first := !w.dirty && len(w.open) == 0 && w.alone == 0
	w.dirty = true
	switch {
	case w.group >= 0:
		return nil
	case first:
		w.bare = true
	default:
		if _, err := w.sql.save.Exec(); err != nil {
			return err
		}
	}
	w.group = len(w.open)
	return nil
}

// endGroup closes the savepoint and keeps what was done in it.
func (w *writer) endGroup() {
	if w.group < 0 {
		return
	}
	w.group = -1
	if w.bare {
		w.bare = false
		return
	}
	if _, err := w.sql.release.Exec(); err != nil {
		w.conn.CloseCursors() // the only thing that can be in the way
		if _, err = w.sql.release.Exec(); err != nil {
			w.db.opts.Logger.Error("release savepoint", "db", w.db.path, "err", err)
		}
	}
}

// rewind undoes what was done in the savepoint and closes it. It reports false
// when all that is open had to go with it; see bringBack.
func (w *writer) rewind() bool {
	w.group = -1
	if !w.bare {
		if _, err := w.sql.rewind.Exec(); err == nil {
			if _, err = w.sql.release.Exec(); err == nil {
				return true
			}
		}
	}
	w.rollback()
	return false
}

// rollback ends the transaction, if SQLite has not ended it already.
func (w *writer) rollback() {
	w.conn.CloseCursors()
	if w.inTx && !w.conn.AutoCommit() {
		if _, err := w.sql.rollback.Exec(); err != nil {
			w.db.opts.Logger.Error("rollback", "db", w.db.path, "err", err)
		}
	}
	if h := w.db.history; h != nil {
		if err := h.barrier.RolledBack(); err != nil {
			w.db.opts.Logger.Error("cut a commit out of the write-ahead log that was rolled back", "db", w.db.path, "err", err)
		}
	}
	w.inTx, w.dirty, w.group, w.bare = false, false, -1, false
}

// escape is a panic or a runtime.Goexit on its way from a closure to its caller.
type escape struct {
	value  any
	goexit bool
}

// guarded runs what a caller gave us. A panic is caught, to be continued in the
// caller; for Goexit, which cannot be caught, see survive.
func guarded(r *request, fn func() error) (err error) {
	returned := false
	r.escaped = nil // of an earlier run
	defer func() {
		if returned {
			return
		}
		v := recover()
		r.escaped = &escape{value: v, goexit: v == nil}
		err = errEscaped
	}()
	err = fn()
	returned = true
	return err
}

var errEscaped = errors.New("the closure did not return")

// resume continues an escape in the caller's goroutine.
func (e *escape) resume() {
	if e.goexit {
		runtime.Goexit()
	}
	panic(e.value)
}

// check reports why a request cannot be queued at all.
func (w *writer) check(ctx context.Context) error {
	if w.db.opts.ReadOnly {
		return fmt.Errorf("write to %s: %w: it was opened with Options.ReadOnly", w.db.path, ErrReadOnly)
	}
	if w.runner.Load() == goroutine() {
		return ErrNested
	}
	if ctx.Done() != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
