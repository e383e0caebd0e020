package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/sqlite"
)

// own is the writing connection while the stream has it to itself: for VACUUM, and
// for a stream with its foreign keys off, which a transaction shared with others
// cannot have.
type own struct {
	ctx  context.Context
	conn *sqlite.Conn

	asksRowID, asksChanges bool // the statement that is being prepared does
}

// exclusively runs f with the writing connection outside any transaction.
func (s *Stream) exclusively(ctx context.Context, f func(*own) error) error {
	return s.db.Exclusive(ctx, func(conn *sqlite.Conn) error {
		if s.keysOff {
			if err := conn.Exec("PRAGMA foreign_keys = OFF"); err != nil {
				return err
			}
		}
		conn.SetLastInsertRowID(s.rowID)
		o := &own{ctx: ctx, conn: conn}
		conn.SetAuthorizer(o.judge)
		return f(o)
	})
}

// judge refuses on the stream's own connection what the engine refuses elsewhere.
// That goes for PRAGMAs, too: behind EXPLAIN, and for Describe, they are none by
// their text, and act when they are prepared, some of them for the whole process.
func (o *own) judge(a sqlite.Action) sqlite.Decision {
	switch a.Op {
	case sqlite.OpPragma:
		name := strings.ToLower(a.A)
		if freePragmas[name] || name == "optimize" || toldPragmas[name] && !a.HasB {
			return sqlite.Allow
		}
		return sqlite.Deny
	case sqlite.OpFunction:
		switch strings.ToLower(a.B) {
		case "last_insert_rowid":
			o.asksRowID = true
		case "changes", "total_changes":
			o.asksChanges = true
		}
	case sqlite.OpAttach:
		if a.A == "" { // VACUUM's own
			return sqlite.Allow
		}
		return sqlite.Deny
	case sqlite.OpCreateTempTable, sqlite.OpCreateTempView, sqlite.OpCreateTempTrigger, sqlite.OpCreateTempIndex:
		return sqlite.Deny
	case sqlite.OpCreateTable, sqlite.OpCreateVTable, sqlite.OpCreateView, sqlite.OpCreateTrigger, sqlite.OpCreateIndex:
		if a.Schema == "temp" {
			return sqlite.Deny
		}
	}
	return sqlite.Allow
}

// Run runs one statement.
func (o *own) Run(visit func(nearlite.Row) error, sql string, args ...any) (res nearlite.Result, err error) {
	ctx, cancel := timed(o.ctx)
	defer cancel()
	defer o.conn.InterruptOn(ctx)()
	s, _, err := o.conn.PrepareFirst(sql)
	if err != nil || s == nil {
		return res, o.failed(err)
	}
	defer s.Finalize()
	rows, err := s.Rows(args...)
	if err != nil {
		return res, o.failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		if visit == nil {
			continue
		}
		if err := visit(rows.Row()); err != nil {
			return res, err
		}
	}
	if err := rows.Err(); err != nil {
		return res, o.failed(err)
	}
	done := rows.Result()
	return nearlite.Result{LastInsertRowID: done.LastInsertRowID, Changes: done.Changes, Columns: rows.Columns()}, nil
}

func (o *own) failed(err error) error {
	if err != nil && o.ctx.Err() != nil {
		return context.Cause(o.ctx)
	}
	return err
}

// Describe says what a statement is.
func (o *own) Describe(sql string) (nearlite.Description, error) {
	o.asksRowID, o.asksChanges = false, false
	s, tail, err := o.conn.PrepareFirst(sql)
	if err != nil || s == nil {
		return nearlite.Description{Empty: err == nil}, err
	}
	defer s.Finalize()
	return nearlite.Description{ReadOnly: s.ReadOnly(), Params: append([]string(nil), s.Params()...),
		Columns: append([]sqlite.Column(nil), s.Columns()...), Tail: tail,
		AsksRowID: o.asksRowID, AsksChanges: o.asksChanges}, nil
}

// DeferredViolation and Err make it look like the engine's transactions.
func (o *own) DeferredViolation() bool { return o.conn.DeferredViolation() }

func (o *own) Err() error {
	if o.conn.AutoCommit() {
		return nearlite.ErrTxDone
	}
	return nil
}

// keysOffWrite runs the statement as a transaction of its own, without foreign keys.
func (s *Stream) keysOffWrite(ctx context.Context) error {
	return s.exclusively(ctx, func(o *own) error {
		if err := o.conn.Exec("BEGIN IMMEDIATE"); err != nil {
			return err
		}
		err := s.run.in(o)
		if err != nil && !(s.run.c.keeps && errors.Is(err, sqlite.CodeConstraint)) || o.Err() != nil {
			return err // what is open is rolled back
		}
		return errors.Join(err, o.conn.Exec("COMMIT"))
	})
}

// detached is an open transaction of a stream with its foreign keys off. It has the
// writer to itself from its first statement on, under the same leases as others: a
// goroutine holds it and does what it is sent.
type detached struct {
	s     *Stream
	work  chan func(*own) error
	ended chan struct{} // closed when the connection was given back
	err   error         // why; readable when ended is closed
	begun bool
}

// The leases of the engine, which it does not know of here.
const (
	detachedIdle      = 5 * time.Second
	detachedContended = 500 * time.Millisecond
	detachedTotal     = 30 * time.Second
	detachedCheck     = 50 * time.Millisecond
)

// errEnded ends a detached transaction as its client wished.
var errEnded = errors.New("the transaction has ended")

func newDetached(s *Stream) *detached {
	return &detached{s: s, work: make(chan func(*own) error), ended: make(chan struct{})}
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
		defer func() {
			if v := recover(); v != nil { // it must not end the process; the engine has rolled back
				d.err = &hrana.Error{Code: CodeInternal, Message: fmt.Sprintf("the statement made the server panic: %v", v)}
			}
		}()
		d.err = d.s.exclusively(ctx, func(o *own) error {
			if err := o.conn.Exec("BEGIN IMMEDIATE"); err != nil {
				return err
			}
			close(ready)
			return d.serve(o)
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
// rolled back.
func (d *detached) serve(o *own) error {
	began := time.Now()
	used := began
	check := time.NewTicker(detachedCheck)
	defer check.Stop()
	for {
		select {
		case f := <-d.work:
			if err := f(o); errors.Is(err, errEnded) {
				return nil
			}
			used = time.Now()
		case now := <-check.C:
			idle := now.Sub(used)
			if idle > detachedIdle || now.Sub(began) > detachedTotal || idle > detachedContended && d.s.db.Stats().QueueDepth > 0 {
				return nearlite.ErrLeaseExpired
			}
		}
	}
}

// do runs f with the connection and waits for it.
func (d *detached) do(ctx context.Context, f func(*own) error) error {
	if err := d.hold(ctx); err != nil {
		return err
	}
	done := make(chan error, 1)
	select {
	case d.work <- func(o *own) error {
		o.ctx = ctx
		err := f(o)
		done <- err
		return err
	}:
	case <-d.ended:
		return d.Err()
	}
	select {
	case err := <-done:
		return err
	case <-d.ended:
	}
	select {
	case err := <-done: // its last
		return err
	default:
		return d.Err()
	}
}

// Run runs one statement.
func (d *detached) Run(ctx context.Context, visit func(nearlite.Row) error, sql string, args ...any) (res nearlite.Result, err error) {
	err = d.do(ctx, func(o *own) error {
		if err := o.Err(); err != nil {
			return fmt.Errorf("%w: an earlier error has rolled it back", err)
		}
		res, err = o.Run(visit, sql, args...)
		if err != nil && o.Err() != nil {
			return errors.Join(err, errEnded)
		}
		return err
	})
	if errors.Is(err, errEnded) {
		<-d.ended
	}
	return res, err
}

// Describe says what a statement is, as the transaction sees the schema.
func (d *detached) Describe(ctx context.Context, sql string) (what nearlite.Description, err error) {
	if !d.begun {
		return d.s.db.Describe(ctx, sql)
	}
	err = d.do(ctx, func(o *own) error {
		what, err = o.Describe(sql)
		return err
	})
	return what, err
}

// DeferredViolation is false: foreign keys are off.
func (d *detached) DeferredViolation() bool { return false }

// Commit makes the transaction durable and gives the connection back.
func (d *detached) Commit(ctx context.Context) error { return d.end(ctx, "COMMIT") }

// Rollback undoes it.
func (d *detached) Rollback() error { return d.end(context.Background(), "ROLLBACK") }

func (d *detached) end(ctx context.Context, how string) error {
	if !d.begun {
		return nil
	}
	var failed error
	err := d.do(ctx, func(o *own) error {
		if o.Err() == nil {
			failed = o.conn.Exec(how)
		}
		return errEnded
	})
	<-d.ended
	if !errors.Is(err, errEnded) {
		return err
	}
	return errors.Join(failed, d.err)
}

// Err returns why the transaction has ended.
func (d *detached) Err() error {
	select {
	case <-d.ended:
		if d.err != nil {
			return d.err
		}
		return nearlite.ErrTxDone
	default:
		return nil
	}
}
