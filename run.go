package nearlite

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"

	"github.com/nearlite/nearlite/sqlite"
)

// Run runs one query and gives visit each of its rows, valid until visit returns.
// It is for callers who want the columns even of no rows: they are in the result.
// An error of visit ends the query and is returned.
func (tx *ReadTx) Run(visit func(Row) error, sql string, args ...any) (Result, error) {
	s, err := tx.prepare(sql)
	if err != nil {
		return Result{}, err
	}
	res, err := run(s, visit, args)
	if err != nil && tx.r != nil {
		err = tx.failed(err)
	}
	return res, err
}

// Run runs one statement to its end and gives visit each row it returns, valid
// until visit returns: Exec and Query in one, for callers who do not know which
// of the two a statement needs. The result has no rows. An error of visit ends the
// statement and is returned; what the statement wrote by then stays written unless
// the closure fails.
func (tx *WriteTx) Run(visit func(Row) error, sql string, args ...any) (Result, error) {
	return tx.t.run(visit, sql, args)
}

// Describe says what a statement is without running it, as the transaction sees
// the schema.
func (tx *WriteTx) Describe(sql string) (Description, error) {
	if tx.t == nil {
		return Description{}, ErrTxDone
	}
	return describe(tx.t.w.conn, &tx.t.w.grd, sql)
}

// DeferredViolation reports whether a deferred foreign key is violated at this
// moment: the transaction would fail if it ended now.
func (tx *WriteTx) DeferredViolation() bool {
	return tx.t != nil && tx.t.w.conn.DeferredViolation()
}

// Err returns [ErrTxDone] once nothing can be run any more: the closure has
// returned, or an error was one of those that make SQLite roll back everything.
func (tx *WriteTx) Err() error {
	if tx.t == nil || tx.t.w.conn.LostTransaction() {
		return ErrTxDone
	}
	return nil
}

// SetLastInsertRowID makes last_insert_rowid() return id until the next INSERT.
// It is for a caller whose transactions are to look like those of one connection.
func (tx *WriteTx) SetLastInsertRowID(id int64) {
	if tx.t != nil {
		tx.t.w.conn.SetLastInsertRowID(id)
		tx.t.keepsRowID = true
	}
}

// SetLastInsertRowID makes last_insert_rowid() return id in this transaction.
func (tx *ReadTx) SetLastInsertRowID(id int64) {
	if tx.r != nil {
		tx.r.conn.SetLastInsertRowID(id)
		tx.r.keepsRowID = id != 0
	}
}

// Run runs one statement to its end and gives visit each row it returns, valid
// until visit returns. The result has no rows. An error of visit ends the
// statement, not the transaction, and is returned. visit runs while the
// transaction is locked: let it not wait for anything.
func (tx *Tx) Run(ctx context.Context, visit func(Row) error, sql string, args ...any) (Result, error) {
	if tx.reader != nil && !tx.deferred {
		return tx.runReading(ctx, visit, sql, args)
	}
	return tx.do(ctx, visit, sql, args)
}

func (tx *Tx) runReading(ctx context.Context, visit func(Row) error, sql string, args []any) (Result, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state == txEnded {
		return Result{}, tx.err
	}
	if tx.unwatch(); tx.interrupted {
		return Result{}, errInterrupted
	}
	tx.reader.r.ctx = ctx
	tx.reader.r.watch.begin(ctx)
	defer func() {
		tx.unwatch()
		tx.active = tx.db.clock.now()
	}()
	return tx.reader.Run(visit, sql, args...)
}

// DeferredViolation reports whether a deferred foreign key is violated at this
// moment: Commit would fail, and with it the transaction would end.
func (tx *Tx) DeferredViolation() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.state == txLive && tx.reader == nil && tx.w.conn.DeferredViolation()
}

// Err returns why the transaction has ended, nil while it can be used.
func (tx *Tx) Err() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state != txEnded {
		return nil
	}
	return tx.err
}

// run prepares and runs a statement on the writing connection.
func (t *transaction) run(visit func(Row) error, sql string, args []any) (Result, error) {
	s, err := t.prepare(sql)
	if err != nil {
		return Result{}, err
	}
	var stopped error
	res, err := run(s, func(row Row) error {
		if visit != nil {
			stopped = visit(row)
		}
		return stopped
	}, args)
	if err != nil && stopped == nil {
		err = t.failed(err)
	}
	return res, err
}

// run runs a statement to its end, or to visit's first error.
func run(s *sqlite.Stmt, visit func(Row) error, args []any) (Result, error) {
	if s.ColumnCount() == 0 {
		res, err := s.Exec(args...)
		return Result{LastInsertRowID: res.LastInsertRowID, Changes: res.Changes}, err
	}
	rows, err := s.Rows(args...)
	if err != nil {
		return Result{}, err
	}
	defer rows.Close()
	for rows.Next() {
		if visit == nil {
			continue
		}
		if err := visit(rows.Row()); err != nil {
			return Result{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return Result{}, err
	}
	res := rows.Result()
	return Result{LastInsertRowID: res.LastInsertRowID, Changes: res.Changes, Columns: rows.Columns()}, nil
}

// collect runs a statement and returns all its rows.
func (t *transaction) collect(sql string, args []any) (Result, error) {
	var all [][]any
	res, err := t.run(func(row Row) error {
		all = append(all, rowValues(row))
		return nil
	}, sql, args)
	if err != nil {
		return Result{}, err
	}
	res.Rows, res.Columns = all, append([]sqlite.Column(nil), res.Columns...)
	return res, nil
}

func rowValues(r Row) []any {
	out := make([]any, r.Len())
	for i := range out {
		out[i] = r.Any(i)
	}
	return out
}

// A digest is a hash of all that a statement told its client, for the statement
// to be run again and compared.
type digest struct {
	hash  maphash.Hash
	visit func(row Row) error // of the client; nil when the statement is run again
	most  int                 // then: it ends after so many rows, 0 for all
	rows  int                 // looked at
	ended error               // by the client
}

var (
	digestSeed = maphash.MakeSeed()
	errEnough  = errors.New("the client had ended the statement here")
)

func newDigest(visit func(Row) error, most int) *digest {
	d := &digest{visit: visit, most: most}
	d.hash.SetSeed(digestSeed)
	return d
}

// take is the visit of a statement under digest.
func (d *digest) take(row Row) error {
	d.rows++
	for i := range row.Len() {
		switch t := row.Type(i); t {
		case sqlite.Integer:
			maphash.WriteComparable(&d.hash, row.Int64(i))
		case sqlite.Float:
			maphash.WriteComparable(&d.hash, math.Float64bits(row.Float64(i)))
		default:
			raw := row.RawBytes(i)
			maphash.WriteComparable(&d.hash, [2]int{int(t), len(raw)})
			d.hash.Write(raw)
		}
	}
	if d.visit != nil {
		d.ended = d.visit(row)
	} else if d.rows == d.most {
		d.ended = errEnough
	}
	return d.ended
}

// sum returns the digest of a statement that has ended so.
func (d *digest) sum(res Result, err error) uint64 {
	switch {
	case d.ended != nil:
		d.hash.WriteByte('e')
	case err != nil:
		fmt.Fprintf(&d.hash, "%v", err)
	default:
		maphash.WriteComparable(&d.hash, [3]int64{res.LastInsertRowID, res.Changes, int64(d.rows)})
	}
	return d.hash.Sum64()
}
