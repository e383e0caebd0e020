package nearlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/nearlite/nearlite/sqlite"
)

// Statement is one statement of a Batch with its arguments.
type Statement struct {
	SQL  string
	Args []any
}

// Result is what a statement that ran to its end says of itself.
type Result struct {
	LastInsertRowID int64 // of the transaction's last INSERT up to and including this statement
	Changes         int64 // rows this statement changed
	Columns         []sqlite.Column
	Rows            [][]any // of RETURNING and SELECT: nil, int64, float64, string or []byte
}

// batch is a list of statements on its way through the writer.
type batch struct {
	stmts   []Statement
	results []Result
}

// single is the batch of Exec, with the memory of its one statement.
type single struct {
	batch
	stmt   [1]Statement
	result [1]Result
}

// Exec runs one statement as a transaction of its own; it joins the batch of its
// neighbours as Update does, and costs less than an Update around it.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	b := &single{}
	b.stmt[0] = Statement{sql, args}
	b.stmts, b.results = b.stmt[:], b.result[:0]
	if err := db.write(request{ctx: ctx, batch: &b.batch}); err != nil {
		return Result{}, err
	}
	return b.results[0], nil
}

// Batch runs statements as one transaction, all or nothing, without a closure:
// for work whose statements are known beforehand it is the fastest way to write.
// It returns a result per statement. An error names the statement by its number.
func (db *DB) Batch(ctx context.Context, stmts ...Statement) ([]Result, error) {
	if len(stmts) == 0 {
		return nil, nil
	}
	b := &batch{stmts: stmts, results: make([]Result, 0, len(stmts))}
	if err := db.write(request{ctx: ctx, batch: b}); err != nil {
		return nil, err
	}
	return b.results, nil
}

// runBatch runs a list of statements once: in one crossing into C when none of
// them has rows to return.
func (w *writer) runBatch(t *transaction, b *batch) error {
	b.results = b.results[:0]
	ops, plain, err := w.prepareBatch(t, b)
	if err != nil {
		return err
	}
	if plain {
		err = w.runPlain(t, b, ops)
		var failed *sqlite.Error
		if !errors.Is(err, sqlite.ErrClosed) || len(b.results) > 0 || errors.As(err, &failed) {
			return err
		}
		// The cache gave up a statement for one behind it; nothing has run yet.
	}
	return runRows(t, b)
}

// prepareBatch prepares statements for runPlain. It reports plain false when
// one returns rows, needs something done before it, or cannot be prepared yet
// because it is about what an earlier one creates.
func (w *writer) prepareBatch(t *transaction, b *batch) (ops []sqlite.BatchOp, plain bool, err error) {
	w.ops = w.ops[:0]
	writes := 0
	for i, st := range b.stmts {
		s, err := w.grd.prepare(w.conn, st.SQL)
		if err != nil {
			if i > 0 {
				return nil, false, nil
			}
			return nil, false, numbered(b, 0, err)
		}
		if s.Tag() != nil || s.ColumnCount() > 0 {
			return nil, false, nil
		}
		if !s.ReadOnly() {
			writes++
		}
		w.ops = append(w.ops, sqlite.BatchOp{Stmt: s, Args: st.Args})
	}
	// A single statement is atomic without a savepoint, unless its deferred
	// foreign keys are to be taken back.
	if writes > 0 {
		t.inserted = true
		if writes > 1 || w.alone > 0 {
			t.wrote = true
			if err := w.save(); err != nil {
				return nil, false, err
			}
		}
		w.dirty = true
	}
	return w.ops, true, nil
}

func (w *writer) runPlain(t *transaction, b *batch, ops []sqlite.BatchOp) error {
	var err error
	if t.ctx.Done() != nil {
		w.watch.beginWrite(t.ctx)
		w.db.clock.stir()
	}
	w.results, err = w.conn.Batch(ops, w.results[:0])
	w.watch.end()
	for _, res := range w.results {
		b.results = append(b.results, Result{LastInsertRowID: res.LastInsertRowID, Changes: res.Changes})
	}
	clear(w.ops)
	if err != nil {
		// OR FAIL and RAISE(FAIL) keep what was done before; a failed transaction does not.
		t.wrote = t.wrote || w.conn.Changed()
		return numbered(b, len(w.results), t.failed(err))
	}
	if w.conn.DeferredViolation() {
		t.wrote = true
	}
	return nil
}

// runRows runs the statements one by one and keeps their rows.
func runRows(t *transaction, b *batch) error {
	for i, st := range b.stmts {
		res, err := t.collect(st.SQL, st.Args)
		if err != nil {
			return numbered(b, i, err)
		}
		b.results = append(b.results, res)
	}
	return nil
}

func numbered(b *batch, i int, err error) error {
	if len(b.stmts) == 1 {
		return err
	}
	return fmt.Errorf("statement %d of %d: %w", i+1, len(b.stmts), err)
}
