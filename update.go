package nearlite

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// Row is one row of a result; see [sqlite.Row] for how long it is valid.
type Row = sqlite.Row

// Update runs fn as one transaction: alone, on the latest state, all or nothing.
// It returns when the transaction is as durable as Options.Durability says, or
// with the error of fn, which rolls back this transaction and no other. A panic
// in fn rolls back and goes on in the caller.
//
// Transactions that arrive together are committed together, so fn may run more
// than once when a neighbour fails: let it have no effect but through tx, or one
// that bears repetition. It runs on the writer's time; everybody waits for it.
//
// If ctx ends before fn starts, nothing happens and its error is returned. While
// fn runs its statements fail, and with them fn; one that writes may go on for a
// tenth of a second more. Once the commit has begun the
// outcome is [ErrCommitUnknown].
func (db *DB) Update(ctx context.Context, fn func(tx *WriteTx) error) error {
	return db.write(request{ctx: ctx, fn: fn})
}

// write hands a request to the writer, or does the writer's work itself when
// the database is idle, and returns its outcome.
func (db *DB) write(r request) error {
	w := &db.writer
	if err := w.check(r.ctx); err != nil {
		return err
	}
	waits(r.ctx)
	b, i, err := w.q.enter(r)
	if err != nil {
		return err
	}
	var escaped *escape
	if b == nil {
		escaped, err = w.inline(r)
	} else {
		if err = b.wait(i); err == errEscaped {
			escaped = b.reqs[i].escaped
		}
		w.q.leave(b)
	}
	if escaped != nil {
		escaped.resume()
	}
	return err
}

// inline does a single transaction on the caller's goroutine.
func (w *writer) inline(from request) (escaped *escape, err error) {
	r := &w.single
	defer func() {
		if w.foreign { // Goexit in the closure
			w.forget(r)
		}
		w.runner.Store(0)
		*r = request{}
		w.q.yield()
	}()
	w.runner.Store(goroutine())
	w.lockBy = time.Time{}
	r.ctx, r.fn, r.batch, r.excl = from.ctx, from.fn, from.batch, from.excl
	w.db.stats.queueWait.add(0)
	w.step(r)
	w.commit()
	return r.escaped, r.err
}

// A WriteTx is a transaction of Update: it reads and writes the latest state. It
// ends with the closure it was given to and is used by that goroutine alone.
//
// A handle is one pointer and is never used twice, so that one kept beyond its
// closure is dead for good at a price of 8 bytes.
type WriteTx struct{ t *transaction }

// transaction is what a closure, a batch or an interactive transaction does to
// the writing connection while it runs.
type transaction struct {
	w          *writer
	ctx        context.Context
	wrote      bool     // a statement ran that may have changed something
	inserted   bool     // last_insert_rowid() and changes() are of this transaction
	keepsRowID bool     // last_insert_rowid() was set to what it is to return
	deferred   bool     // PRAGMA defer_foreign_keys is to be switched off
	cut        error    // a statement failed because the context had ended
	saves      []string // savepoints of the closure's own that are open, outermost first
}

// Context returns the context Update was called with, inside the closure.
func (tx *WriteTx) Context() context.Context {
	if tx.t == nil {
		return context.Background()
	}
	return tx.t.ctx
}

// Exec runs one statement to its end. Rows it returns are discarded; use Query
// for RETURNING.
func (tx *WriteTx) Exec(sql string, args ...any) (sqlite.Result, error) {
	s, err := tx.t.prepare(sql)
	if err != nil {
		return sqlite.Result{}, err
	}
	res, err := s.Exec(args...)
	if err != nil {
		return res, tx.t.failed(err)
	}
	return res, nil
}

// Query runs one statement and yields its rows; a row is valid until the next.
// A statement that writes has done all its writing when the first row comes.
func (tx *WriteTx) Query(sql string, args ...any) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		t := tx.t
		s, err := t.prepare(sql)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for row, err := range s.Query(args...) {
			if err != nil {
				err = t.failed(err)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// QueryRow runs one statement and returns its first row; Row.Err is
// [ErrNoRows] when there is none.
func (tx *WriteTx) QueryRow(sql string, args ...any) Row {
	s, err := tx.t.prepare(sql)
	if err != nil {
		return sqlite.ErrorRow(err)
	}
	row := s.QueryRow(args...)
	if err := row.Err(); err != nil && err != ErrNoRows {
		return sqlite.ErrorRow(tx.t.failed(err))
	}
	return row
}

// QueryRowTail is QueryRow with the bytes of the last column, a text or blob,
// appended to *tail instead of being kept in the row, where that column then is
// NULL: the way to read a large value without an allocation.
func (tx *WriteTx) QueryRowTail(tail *[]byte, sql string, args ...any) Row {
	s, err := tx.t.prepare(sql)
	if err != nil {
		return sqlite.ErrorRow(err)
	}
	row := s.QueryRowTail(tail, args...)
	if err := row.Err(); err != nil && err != ErrNoRows {
		return sqlite.ErrorRow(tx.t.failed(err))
	}
	return row
}

// prepare returns a statement that may run now, with whatever must precede it done.
func (t *transaction) prepare(sql string) (*sqlite.Stmt, error) {
	if t == nil {
		return nil, ErrTxDone
	}
	w := t.w
	if w.conn.LostTransaction() {
		return nil, fmt.Errorf("an earlier error has rolled the transaction back: %w", ErrTxDone)
	}
	// BEFORE anything else runs, the watch of the statement before it ends.
	if t.ctx.Done() != nil && (w.watch.end() || t.ctx.Err() != nil) {
		t.cut = context.Cause(t.ctx)
		return nil, t.cut
	}
	s, err := w.grd.prepare(w.conn, sql)
	if err != nil {
		return nil, err
	}
	if note, ok := s.Tag().(*note); ok {
		if err := note.before(t); err != nil {
			return nil, err
		}
	}
	if s.ReadOnly() {
		w.watch.begin(t.ctx)
	} else {
		t.wrote, t.inserted = true, true
		if err := w.save(); err != nil {
			return nil, err
		}
		w.watch.beginWrite(t.ctx)
	}
	if t.ctx.Done() != nil {
		w.db.clock.stir()
	}
	return s, nil
}

// interrupt ends the statement that runs.
func (w *writer) interrupt() { w.conn.Interrupt() }

// failed turns an error of a statement into the one the closure sees.
func (t *transaction) failed(err error) error {
	switch {
	case t.ctx.Err() != nil && sqlite.Code(err) == sqlite.CodeInterrupt:
		t.cut = context.Cause(t.ctx)
		return t.cut
	case diskFull(err):
		return t.w.db.full(err)
	}
	return err
}

// end finishes a closure's transaction and says what is to become of it.
func (t *transaction) end(r *request) verdict {
	w := t.w
	w.watch.end()
	w.conn.CloseCursors()
	if r.err == nil && r.inter == nil {
		r.err = t.cut // the closure went on as if nothing had happened
	}
	if w.conn.LostTransaction() {
		if r.err == nil {
			r.err = fmt.Errorf("an error that the closure ignored has rolled the transaction back: %w", ErrTxDone)
		}
		return lost
	}
	if r.err == nil && t.wrote && w.conn.DeferredViolation() {
		r.err = errDeferredKey
	}
	if t.deferred {
		w.must("PRAGMA defer_foreign_keys = 0")
	}
	if r.err == nil && len(t.saves) > 0 {
		w.must(`RELEASE "` + strings.ReplaceAll(t.saves[0], `"`, `""`) + `"`)
	}
	switch {
	case r.err == nil:
		return kept
	case t.wrote:
		return dirty
	}
	return clean
}

// must runs a statement of the engine's own that cannot fail for a reason of the caller's.
func (w *writer) must(sql string) {
	if err := w.conn.Exec(sql); err != nil {
		w.db.opts.Logger.Error("clean up after a transaction", "db", w.db.path, "sql", sql, "err", err)
	}
}

var errDeferredKey = fmt.Errorf("commit: %w", &sqlite.Error{Code: sqlite.CodeConstraintForeignKey, Msg: "FOREIGN KEY constraint failed", Offset: -1})

// slow reports a closure that kept everybody waiting.
func (db *DB) slow(fn any, took time.Duration) {
	place := "?"
	if f := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()); f != nil {
		file, line := f.FileLine(f.Entry())
		place = fmt.Sprintf("%s (%s:%d)", f.Name(), file, line)
	}
	db.opts.Logger.Warn("a closure held the writer for long", "db", db.path, "took", took, "closure", place)
}
