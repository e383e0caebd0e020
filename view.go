package nearlite

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nearlite/nearlite/sqlite"
)

// View runs fn with one snapshot of the database. The snapshot is taken when fn
// runs its first query, and holds every commit acknowledged before, by this or
// another process. It never waits for the writer and never makes it wait.
//
// A snapshot lives at most MaxSnapshotAge; after that queries fail with
// [ErrSnapshotExpired]. A View inside a View has a snapshot of its own.
func (db *DB) View(ctx context.Context, fn func(tx *ReadTx) error) error {
	r, err := db.readers.take(ctx)
	if err != nil {
		return err
	}
	tx := r.handle(ctx)
	defer tx.end()
	if err := fn(tx); err != nil {
		return err
	}
	return nil
}

// A ReadTx is one snapshot of the database. It ends with the closure it was
// given to and is used by that goroutine alone.
//
// Like a [WriteTx], a handle is one pointer and is never used twice.
type ReadTx struct {
	r *reader // nil once it has ended
}

// handle returns a fresh ReadTx; see writer.handle.
func (r *reader) handle(ctx context.Context) *ReadTx {
	if len(r.handles) == 0 {
		r.handles = make([]ReadTx, 512)
	}
	tx := &r.handles[0]
	r.handles = r.handles[1:]
	tx.r, r.ctx, r.begun = r, ctx, false
	r.watch.begin(ctx)
	return tx
}

// end gives the reader back.
func (tx *ReadTx) end() {
	r := tx.r
	tx.r = nil
	r.conn.CloseCursors()
	if r.keepsRowID {
		r.conn.SetLastInsertRowID(0)
		r.keepsRowID = false
	}
	r.db.readers.give(r)
}

// Context returns the context View was called with, inside the closure.
func (tx *ReadTx) Context() context.Context {
	if tx.r == nil {
		return context.Background()
	}
	return tx.r.ctx
}

// Position returns the commit the transaction sees. It takes the snapshot if no
// query has.
func (tx *ReadTx) Position() (Position, error) {
	if tx.r == nil {
		return Position{}, ErrTxDone
	}
	conn := tx.r.conn
	if !tx.r.begun {
		if err := conn.RefreshNow(); err != nil {
			return Position{}, tx.failed(err)
		}
		tx.r.begun = true
	}
	h := conn.Snapshot()
	tx.r.db.Position() // notes the WAL's present generation
	return tx.r.db.positions.of(&h), nil
}

// prepare returns a statement that may run now.
func (tx *ReadTx) prepare(sql string) (*sqlite.Stmt, error) {
	r := tx.r
	if r == nil {
		return nil, ErrTxDone
	}
	if tx.r.ctx.Done() != nil && tx.r.ctx.Err() != nil {
		return nil, context.Cause(tx.r.ctx)
	}
	r.grd.strict = true
	s, err := r.conn.Prepare(sql)
	if err != nil && !tx.r.begun {
		// The snapshot still held may be older than the table that is asked for.
		if err = r.conn.RefreshNow(); err == nil {
			tx.r.begun = true
			r.grd.refusal = nil
			s, err = r.conn.Prepare(sql)
		}
	}
	r.grd.strict = false
	if err != nil {
		return nil, r.grd.explain(tx.failed(err))
	}
	if s.Tag() == nil {
		if err := admit(s); err != nil {
			return nil, err
		}
	}
	if !tx.r.begun {
		tx.r.begun = true
		r.conn.Refresh()
	}
	return s, nil
}

// harmless is the tag of a statement that a reader may run.
type harmless struct{}

// admit lets a statement pass on a reader if it only reads.
func admit(s *sqlite.Stmt) error {
	if vacuums(s.SQL()) {
		return errVacuum
	}
	if !s.ReadOnly() || s.ColumnCount() == 0 {
		return fmt.Errorf("%w: a View cannot run %q; use Update, Exec or Begin", ErrReadOnly, s.SQL())
	}
	s.SetTag(harmless{})
	return nil
}

// failed turns an error of a query into the one the closure sees.
func (tx *ReadTx) failed(err error) error {
	switch {
	case errors.Is(err, sqlite.ErrRevoked) && tx.r.db.closing.Load():
		return ErrClosed
	case errors.Is(err, sqlite.ErrRevoked):
		return ErrSnapshotExpired
	case !errors.Is(err, sqlite.CodeInterrupt):
		return err
	case tx.r.ctx.Err() != nil:
		return context.Cause(tx.r.ctx)
	case tx.r.db.closing.Load():
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrSnapshotExpired, err)
}

// Query runs one query and yields its rows; a row is valid until the next.
func (tx *ReadTx) Query(sql string, args ...any) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		s, err := tx.prepare(sql)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for row, err := range s.Query(args...) {
			if err != nil {
				err = tx.failed(err)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// QueryRow runs one query and returns its first row; Row.Err is [ErrNoRows]
// when there is none. The row is valid until the closure returns.
func (tx *ReadTx) QueryRow(sql string, args ...any) Row {
	s, err := tx.prepare(sql)
	if err != nil {
		return sqlite.ErrorRow(err)
	}
	row := s.QueryRow(args...)
	if err := row.Err(); err != nil && err != ErrNoRows {
		return sqlite.ErrorRow(tx.failed(err))
	}
	return row
}

// QueryRowTail is QueryRow with the bytes of the last column, a text or blob,
// appended to *tail instead of being kept in the row, where that column then is
// NULL: the way to read a large value without an allocation.
func (tx *ReadTx) QueryRowTail(tail *[]byte, sql string, args ...any) Row {
	s, err := tx.prepare(sql)
	if err != nil {
		return sqlite.ErrorRow(err)
	}
	row := s.QueryRowTail(tail, args...)
	if err := row.Err(); err != nil && err != ErrNoRows {
		return sqlite.ErrorRow(tx.failed(err))
	}
	return row
}

// Query runs one query on a snapshot of its own and yields its rows; a row is
// valid until the next. The snapshot is held until the loop ends.
func (db *DB) Query(ctx context.Context, sql string, args ...any) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		err := db.View(ctx, func(tx *ReadTx) error {
			for row, err := range tx.Query(sql, args...) {
				if !yield(row, err) || err != nil {
					return errStopped
				}
			}
			return nil
		})
		if err != nil && err != errStopped {
			yield(Row{}, err)
		}
	}
}

var errStopped = errors.New("the loop has ended")
