package nearlite

import (
	"context"
	"iter"

	"github.com/nearlite/nearlite/sqlite"
)

// Rows are the result of a query of an interactive transaction, in its order.
// Close them; a read-only transaction holds a cursor for each.
type Rows struct {
	columns []sqlite.Column
	err     error

	// Streamed:
	tx   *Tx
	live *sqlite.Rows

	// Or collected:
	values [][]any
	result Result
	at     int
}

// Columns describes the columns.
func (r *Rows) Columns() []sqlite.Column { return r.columns }

// Next moves to the next row and reports whether there is one.
func (r *Rows) Next() bool {
	if r.tx == nil {
		r.at = min(r.at+1, len(r.values))
		return r.at < len(r.values)
	}
	r.tx.mu.Lock()
	defer r.tx.mu.Unlock()
	if r.tx.state == txEnded && r.err == nil {
		r.err = r.tx.err
	}
	if r.err != nil {
		return false
	}
	r.tx.active = r.tx.db.clock.now()
	if r.live.Next() {
		return true
	}
	if err := r.live.Err(); err != nil {
		r.err = r.tx.reader.failed(err)
	}
	r.unwatch()
	return false
}

// Values returns the current row, each value nil, int64, float64, string or
// []byte; nil if the last Next did not return true. The slice and its bytes are
// the caller's.
func (r *Rows) Values() []any {
	if r.tx == nil {
		if r.at < 0 || r.at >= len(r.values) {
			return nil
		}
		return r.values[r.at]
	}
	r.tx.mu.Lock()
	defer r.tx.mu.Unlock()
	row := r.live.Row()
	if row.Err() != nil {
		return nil
	}
	return rowValues(row)
}

// Result returns the changes of an INSERT, UPDATE or DELETE … RETURNING.
func (r *Rows) Result() Result { return r.result }

// Err returns the error that ended the rows early.
func (r *Rows) Err() error { return r.err }

// Close ends the query. Closing twice is harmless.
func (r *Rows) Close() error {
	if r.tx == nil {
		r.at = len(r.values)
		return nil
	}
	r.tx.mu.Lock()
	defer r.tx.mu.Unlock()
	if r.tx.state != txEnded {
		r.live.Close()
		r.unwatch()
	}
	return nil
}

// unwatch lets the query's context end. r.tx.mu is held.
func (r *Rows) unwatch() {
	if r.tx.watched == r {
		r.tx.unwatch()
	}
}

// Querier is what the helpers One and All read from: a *ReadTx or a *WriteTx.
type Querier interface {
	Query(sql string, args ...any) iter.Seq2[Row, error]
}

// One returns the first row of a query as a T: a struct filled by column name
// (see [sqlite.Row.ScanStruct]), or any other type from its only column. The
// error is [ErrNoRows] when there is none.
func One[T any](q Querier, sql string, args ...any) (T, error) {
	var v T
	for row, err := range q.Query(sql, args...) {
		if err == nil {
			err = row.ScanInto(&v)
		}
		return v, err
	}
	return v, ErrNoRows
}

// All returns all rows of a query, each as One returns the first.
func All[T any](q Querier, sql string, args ...any) ([]T, error) {
	var all []T
	for row, err := range q.Query(sql, args...) {
		if err != nil {
			return all, err
		}
		var v T
		if err := row.ScanInto(&v); err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// Description says what a statement is.
type Description struct {
	ReadOnly bool            // it cannot change the database, by SQLite's own judgement
	Empty    bool            // there is no statement, only blanks and comments
	Params   []string        // names with their prefix, "" for a plain ?
	Columns  []sqlite.Column // none for a statement that returns no rows
	Tail     string          // what follows the first statement

	AsksRowID   bool // it calls last_insert_rowid()
	AsksChanges bool // it calls changes() or total_changes()
}

// Describe says what the first statement of sql is without running it. What no
// transaction would run is refused, since SQLite acts on some of it (a PRAGMA's
// new value) as soon as it is prepared.
func (db *DB) Describe(ctx context.Context, sql string) (d Description, err error) {
	if ctx.Err() != nil {
		return d, context.Cause(ctx)
	}
	err = db.View(ctx, func(tx *ReadTx) error {
		if err := tx.r.conn.RefreshNow(); err != nil { // at once: the schema is part of it
			return tx.failed(err)
		}
		tx.r.begun = true
		d, err = describe(tx.r.conn, &tx.r.grd, sql)
		return err
	})
	return d, err
}

func describe(c *sqlite.Conn, g *guard, sql string) (Description, error) {
	g.strict, g.refusal, g.note = true, nil, note{}
	s, tail, err := c.PrepareFirst(sql)
	g.strict = false
	if err != nil || s == nil {
		return Description{Empty: err == nil, ReadOnly: true}, g.explain(err)
	}
	defer s.Finalize()
	return Description{ReadOnly: s.ReadOnly(), Params: append([]string(nil), s.Params()...),
		Columns: append([]sqlite.Column(nil), s.Columns()...), Tail: tail,
		AsksRowID: g.note.readsRowID, AsksChanges: g.note.readsCount || g.note.readsTotal}, nil
}
