package sqldriver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// detached is a transaction of a connection with its foreign keys off, which the
// engine's own transactions cannot be: SQLite changes that setting only outside
// of one, and they share theirs. It has the writing connection to itself from its
// first statement on, so nobody else writes until it ends. A goroutine holds that
// connection and does what it is sent.
type detached struct {
	conn  *conn
	idle  time.Duration                     // how long the client may be silent, as LeaseIdle is elsewhere
	work  chan func(own *sqlite.Conn) error // ends the transaction when it returns errEnded
	ended chan struct{}                     // closed when the connection was given back
	err   error                             // why; readable when ended is closed
	begun bool
}

const detachedIdle = 5 * time.Second

// errEnded ends a detached transaction as its client wished.
var errEnded = errors.New("the transaction has ended")

func newDetached(c *conn) *detached {
	return &detached{conn: c, idle: detachedIdle, work: make(chan func(*sqlite.Conn) error), ended: make(chan struct{})}
}

// hold waits for the writing connection and starts the goroutine that has it.
func (d *detached) hold(ctx context.Context) error {
	if d.begun {
		return nil
	}
	d.begun = true
	ready := make(chan struct{})
	go func() {
		defer close(d.ended)
		d.err = d.conn.db.Exclusive(ctx, func(own *sqlite.Conn) error {
			if err := d.conn.keys(own); err != nil {
				return err
			}
			if err := own.Exec("BEGIN IMMEDIATE"); err != nil {
				return err
			}
			close(ready)
			return d.serve(own)
		})
	}()
	select {
	case <-ready:
		return nil
	case <-d.ended:
		return d.err
	}
}

// serve does what the client sends. What is not committed when it returns is
// rolled back by Exclusive.
func (d *detached) serve(own *sqlite.Conn) error {
	idle := time.NewTimer(d.idle)
	defer idle.Stop()
	for {
		select {
		case f := <-d.work:
			if err := f(own); errors.Is(err, errEnded) {
				return nil
			}
			idle.Reset(d.idle)
		case <-idle.C:
			return nearlite.ErrLeaseExpired
		}
	}
}

// do runs f with the connection and waits for it.
func (d *detached) do(ctx context.Context, f func(own *sqlite.Conn) error) error {
	if err := d.hold(ctx); err != nil {
		return err
	}
	done := make(chan error, 1)
	select {
	case d.work <- func(own *sqlite.Conn) error {
		err := f(own)
		done <- err
		return err
	}:
		return <-done
	case <-d.ended:
		if d.err != nil {
			return d.err
		}
		return nearlite.ErrTxDone
	}
}

// Exec runs one statement and collects its rows.
func (d *detached) Exec(ctx context.Context, text string, args ...any) (res nearlite.Result, err error) {
	err = d.do(ctx, func(own *sqlite.Conn) error {
		if own.AutoCommit() {
			return fmt.Errorf("%w: an earlier error has rolled it back", nearlite.ErrTxDone)
		}
		stop := own.InterruptOn(ctx)
		res, err = run(own, text, args)
		stop()
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	})
	return res, err
}

// Describe says what a statement is, as the transaction sees the schema.
func (d *detached) Describe(ctx context.Context, text string) (what nearlite.Description, err error) {
	if !d.begun {
		return d.conn.db.Describe(ctx, text)
	}
	err = d.do(ctx, func(own *sqlite.Conn) error {
		s, tail, err := own.PrepareFirst(text)
		if err != nil || s == nil {
			what = nearlite.Description{Empty: err == nil}
			return err
		}
		defer s.Finalize()
		what = nearlite.Description{ReadOnly: s.ReadOnly(), Params: append([]string(nil), s.Params()...), Columns: append([]sqlite.Column(nil), s.Columns()...), Tail: tail}
		return nil
	})
	return what, err
}

// Commit makes the transaction durable and gives the connection back.
func (d *detached) Commit(ctx context.Context) error { return d.end(ctx, "COMMIT") }

// Rollback undoes it.
func (d *detached) Rollback() error { return d.end(context.Background(), "ROLLBACK") }

func (d *detached) end(ctx context.Context, how string) error {
	if !d.begun {
		return nil
	}
	var failed error
	err := d.do(ctx, func(own *sqlite.Conn) error {
		if own.AutoCommit() {
			failed = nearlite.ErrTxDone // SQLite has rolled it back
		} else {
			failed = own.Exec(how)
		}
		return errEnded
	})
	<-d.ended
	if !errors.Is(err, errEnded) {
		return err
	}
	return errors.Join(failed, d.err)
}
