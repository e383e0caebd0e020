package sqldriver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/nearlite/nearlite"
)

// Begin is BeginTx with defaults.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx starts a transaction. It waits for the writer at its first statement.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	switch level := sql.IsolationLevel(opts.Isolation); level {
	case sql.LevelDefault, sql.LevelSerializable:
	default:
		return nil, fmt.Errorf("begin: the isolation level %v is not there: every transaction is serializable", level)
	}
	if err := c.begin(ctx, opts.ReadOnly); err != nil {
		return nil, err
	}
	return &transaction{conn: c, ctx: ctx}, nil
}

// begin opens the connection's transaction.
func (c *conn) begin(ctx context.Context, readOnly bool) error {
	if c.tx != nil {
		return fmt.Errorf("begin: %w: a transaction is open on this connection already; nest with SAVEPOINT", nearlite.ErrRefused)
	}
	if c.keysOff && !readOnly {
		c.tx = newDetached(c)
		return nil
	}
	tx, err := c.db.Begin(ctx, &nearlite.TxOptions{ReadOnly: readOnly})
	if errors.Is(err, nearlite.ErrReadOnly) { // the database is, and programs begin without saying what for
		tx, err = c.db.Begin(ctx, &nearlite.TxOptions{ReadOnly: true})
	}
	if err != nil {
		return err
	}
	c.tx = tx
	return nil
}

// A unit is an open transaction: a [*nearlite.Tx], or one with the foreign keys off.
type unit interface {
	describer
	Exec(ctx context.Context, sql string, args ...any) (nearlite.Result, error)
	Commit(ctx context.Context) error
	Rollback() error
}

// transaction is one of BeginTx.
type transaction struct {
	conn *conn
	ctx  context.Context // of BeginTx
}

// Commit makes the transaction durable.
func (t *transaction) Commit() error { return reported(t.conn.end(t.ctx, commit)) }

// Rollback undoes the transaction.
func (t *transaction) Rollback() error { return t.conn.end(t.ctx, rollback) }

// end ends the connection's transaction.
func (c *conn) end(ctx context.Context, how control) error {
	tx := c.tx
	if tx == nil {
		return nearlite.ErrTxDone
	}
	c.tx, c.textual = nil, false
	if how == commit {
		return tx.Commit(ctx)
	}
	if err := tx.Rollback(); errors.Is(err, nearlite.ErrClosed) {
		return err
	}
	return nil // one that has ended by itself was rolled back too
}

// controlled runs BEGIN, COMMIT or ROLLBACK given as text.
func (c *conn) controlled(ctx context.Context, st *statement) error {
	switch {
	case st.control == begin:
		// The context of one statement is not that of the transaction.
		if err := c.begin(ctx, false); err != nil {
			return fmt.Errorf("exec %q: %w", st.text, err)
		}
		c.textual = true
		return nil
	case c.tx == nil:
		return fmt.Errorf("exec %q: %w: no transaction is open on this connection; BEGIN as text needs a *sql.Conn for all that follows, BeginTx does not", st.text, nearlite.ErrRefused)
	case !c.textual:
		return fmt.Errorf("exec %q: %w: the transaction was not begun by the text BEGIN; end it with Commit or Rollback", st.text, nearlite.ErrRefused)
	}
	return c.end(ctx, st.control)
}
