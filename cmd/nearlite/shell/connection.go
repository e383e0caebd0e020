package shell

import (
	"context"
	"iter"
	"slices"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// A connection is where a statement runs: on the engine, inside the transaction
// that BEGIN opened, or on the writing connection itself.
type connection interface {
	// describe says what a statement is, without running it.
	describe(ctx context.Context, sql string) (nearlite.Description, error)
	// query runs a statement that has columns and yields its rows.
	query(ctx context.Context, sql string, args ...any) iter.Seq2[[]any, error]
	// exec runs a statement that has none and returns how many rows it changed.
	exec(ctx context.Context, sql string, args ...any) (changes int64, err error)
}

// values copies a row.
func values(row sqlite.Row) []any {
	out := make([]any, row.Len())
	for i := range out {
		out[i] = row.Any(i)
	}
	return out
}

// engine runs each statement in a transaction of its own: what only reads on a
// reader, the rest on the writer. SQLite tells which is which, not the text.
type engine struct{ db *nearlite.DB }

func (e engine) describe(ctx context.Context, sql string) (nearlite.Description, error) {
	return e.db.Describe(ctx, sql)
}

func (e engine) query(ctx context.Context, sql string, args ...any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		d, err := e.db.Describe(ctx, sql)
		if err != nil {
			yield(nil, err)
			return
		}
		if !d.ReadOnly {
			e.returning(ctx, sql, args, yield)
			return
		}
		for row, err := range e.db.Query(ctx, sql, args...) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(values(row), nil) {
				return
			}
		}
	}
}

// returning runs a statement that writes and has rows.
func (e engine) returning(ctx context.Context, sql string, args []any, yield func([]any, error) bool) {
	result, err := e.db.Exec(ctx, sql, args...)
	if err != nil {
		yield(nil, err)
		return
	}
	for _, row := range result.Rows {
		if !yield(row, nil) {
			return
		}
	}
}

func (e engine) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	result, err := e.db.Exec(ctx, sql, args...)
	return result.Changes, err
}

// transaction runs statements between BEGIN and COMMIT.
type transaction struct{ tx *nearlite.Tx }

func (t transaction) describe(ctx context.Context, sql string) (nearlite.Description, error) {
	return t.tx.Describe(ctx, sql)
}

func (t transaction) query(ctx context.Context, sql string, args ...any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		rows, err := t.tx.Query(ctx, sql, args...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if !yield(rows.Values(), nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}

func (t transaction) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	result, err := t.tx.Exec(ctx, sql, args...)
	return result.Changes, err
}

// direct runs statements on the writing connection outside the engine's
// transactions, where SQLite allows everything.
type direct struct{ conn *sqlite.Conn }

func (d direct) describe(_ context.Context, sql string) (nearlite.Description, error) {
	stmt, tail, err := d.conn.PrepareFirst(sql)
	if err != nil || stmt == nil {
		return nearlite.Description{Empty: stmt == nil}, err
	}
	defer stmt.Finalize()
	return nearlite.Description{
		ReadOnly: stmt.ReadOnly(),
		Params:   slices.Clone(stmt.Params()),
		Columns:  slices.Clone(stmt.Columns()),
		Tail:     tail,
	}, nil
}

func (d direct) query(ctx context.Context, sql string, args ...any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		defer d.conn.InterruptOn(ctx)()
		for row, err := range d.conn.Query(sql, args...) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(values(row), nil) {
				return
			}
		}
	}
}

func (d direct) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	defer d.conn.InterruptOn(ctx)()
	before := d.conn.TotalChanges()
	if err := d.conn.Exec(sql, args...); err != nil {
		return 0, err
	}
	if d.conn.TotalChanges() == before {
		return 0, nil // Changes would still tell of the statement before
	}
	return d.conn.Changes(), nil
}
