package sqldriver

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/nearlite/nearlite"
)

// conn is what database/sql takes for a connection. It has nothing of its own
// but a transaction, if one is open. One goroutine uses it at a time.
type conn struct {
	db         *nearlite.DB
	statements *statements
	own        *Connector // closed with it; of Driver.Open only

	tx      unit // nil when no transaction is open
	textual bool // tx was begun by the text BEGIN
	keysOff bool // PRAGMA foreign_keys = OFF was run on this connection
	closed  bool
}

var _ interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
} = (*conn)(nil)

// Ping reads, and so finds out whether the database can be read.
func (c *conn) Ping(ctx context.Context) error {
	return c.db.View(ctx, func(tx *nearlite.ReadTx) error { return tx.QueryRow("SELECT 1").Err() })
}

// CheckNamedValue turns an argument into one the engine takes.
func (c *conn) CheckNamedValue(nv *driver.NamedValue) error { return checkNamed(nv) }

// ExecContext runs one statement, or several as one transaction.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	res, err := c.execText(ctx, query, args)
	return res, reported(err)
}

func (c *conn) execText(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	st, err := c.describe(ctx, query)
	if err != nil {
		return nil, err
	}
	if st.many {
		if len(args) > 0 {
			return nil, fmt.Errorf("exec %q: arguments are given for more than one statement; run them one by one in a transaction", query)
		}
		return c.script(ctx, query)
	}
	return c.exec(ctx, st, args)
}

// exec runs one statement to its end.
func (c *conn) exec(ctx context.Context, st *statement, list []driver.NamedValue) (driver.Result, error) {
	args := arguments(list)
	switch {
	case st.empty:
		return result{}, nil
	case st.control != none && st.control != savepoint:
		return result{}, c.controlled(ctx, st)
	case c.tx != nil:
		return resultOf(c.tx.Exec(ctx, st.text, args...))
	case st.control == savepoint:
		return nil, fmt.Errorf("exec %q: %w: no transaction is open: begin one first", st.text, nearlite.ErrRefused)
	case st.reads:
		return result{}, c.discard(ctx, st, args)
	}
	return resultOf(c.write(ctx, st, args))
}

// QueryContext runs one statement and returns its rows.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	st, err := c.describe(ctx, query)
	if err != nil {
		return nil, reported(err)
	}
	found, err := c.query(ctx, st, args)
	if err != nil {
		return nil, reported(err)
	}
	return found, nil
}

func (c *conn) query(ctx context.Context, st *statement, list []driver.NamedValue) (*rows, error) {
	switch {
	case st.many:
		return nil, fmt.Errorf("query %q: it is more than one statement; query them one by one", st.text)
	case st.empty || st.control != none:
		_, err := c.exec(ctx, st, list)
		return collected(nearlite.Result{}), err
	case c.tx != nil:
		return inside(ctx, c.tx, st, arguments(list))
	case st.reads:
		return c.read(ctx, st, arguments(list))
	}
	res, err := c.write(ctx, st, arguments(list))
	return collected(res), err
}

// inside runs a query in a transaction.
func inside(ctx context.Context, tx unit, st *statement, args []any) (*rows, error) {
	if tx, ok := tx.(*nearlite.Tx); ok {
		found, err := tx.Query(ctx, st.text, args...)
		if err != nil {
			return nil, err
		}
		return streamed(found, nil), nil
	}
	res, err := tx.Exec(ctx, st.text, args...)
	return collected(res), err
}

// read runs a query on a snapshot of its own, which its rows hold.
func (c *conn) read(ctx context.Context, st *statement, args []any) (*rows, error) {
	if c.keysOff || st.alone.Load() {
		res, err := c.lone(ctx, st, args)
		return collected(res), err
	}
	tx, err := c.db.Begin(ctx, &nearlite.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	found, err := tx.Query(ctx, st.text, args...)
	if err == nil {
		return streamed(found, tx), nil
	}
	tx.Rollback()
	if !errors.Is(err, nearlite.ErrRefused) {
		return nil, err
	}
	res, err := c.refused(ctx, st, args)
	return collected(res), err
}

// discard runs a query for nothing but its errors.
func (c *conn) discard(ctx context.Context, st *statement, args []any) error {
	found, err := c.read(ctx, st, args)
	if err != nil {
		return err
	}
	defer found.Close()
	if live := found.live; live != nil {
		for live.Next() {
		}
		return live.Err()
	}
	return nil
}

// write runs one statement as a transaction of its own, or outside any if a
// transaction refuses it.
func (c *conn) write(ctx context.Context, st *statement, args []any) (nearlite.Result, error) {
	if c.keysOff || st.alone.Load() {
		return c.lone(ctx, st, args)
	}
	res, err := c.db.Exec(ctx, st.text, args...)
	if errors.Is(err, nearlite.ErrRefused) {
		return c.refused(ctx, st, args)
	}
	return res, err
}

// Prepare is PrepareContext without a context.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext checks a statement. The engine's connections keep it prepared.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	st, err := c.describe(ctx, query)
	if err != nil {
		return nil, reported(err)
	}
	if st.many {
		return nil, fmt.Errorf("prepare %q: it is more than one statement; prepare them one by one", query)
	}
	return &prepared{conn: c, st: st}, nil
}

// ResetSession is called before the connection's next use.
func (c *conn) ResetSession(context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return nil
}

// IsValid reports whether the connection may go back to the pool. One with a
// transaction open is closed instead.
func (c *conn) IsValid() bool { return !c.closed && c.tx == nil }

// Close rolls back the transaction that is open, if any.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if c.tx != nil {
		c.tx.Rollback() // it may have ended by itself
		c.tx = nil
	}
	if c.own != nil {
		return c.own.Close()
	}
	return nil
}

// prepared is a checked statement.
type prepared struct {
	conn *conn
	st   *statement
}

var _ interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
} = (*prepared)(nil)

// NumInput returns the number of parameters.
func (p *prepared) NumInput() int { return p.st.params }

// ExecContext runs the statement.
func (p *prepared) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	res, err := p.conn.exec(ctx, p.st, args)
	return res, reported(err)
}

// QueryContext runs the statement and returns its rows.
func (p *prepared) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	found, err := p.conn.query(ctx, p.st, args)
	if err != nil {
		return nil, reported(err)
	}
	return found, nil
}

// Exec is ExecContext without a context.
func (p *prepared) Exec(args []driver.Value) (driver.Result, error) {
	return p.ExecContext(context.Background(), positional(args))
}

// Query is QueryContext without a context.
func (p *prepared) Query(args []driver.Value) (driver.Rows, error) {
	return p.QueryContext(context.Background(), positional(args))
}

// Close does nothing: the statement is the engine's to keep.
func (p *prepared) Close() error { return nil }

func positional(args []driver.Value) []driver.NamedValue {
	list := make([]driver.NamedValue, len(args))
	for i, v := range args {
		list[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return list
}

// result is what a statement did.
type result struct{ id, changes int64 }

// LastInsertId returns the rowid of the last row inserted.
func (r result) LastInsertId() (int64, error) { return r.id, nil }

// RowsAffected returns the number of rows changed.
func (r result) RowsAffected() (int64, error) { return r.changes, nil }

func resultOf(res nearlite.Result, err error) (driver.Result, error) {
	if err != nil {
		return nil, err
	}
	return result{res.LastInsertRowID, res.Changes}, nil
}
