package nearlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

const endless = "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"

// lateCancel is an argument that ends the context when it is bound, after the
// statement is under watch and before its first step, and waits until the
// clock has seen it.
type lateCancel struct {
	cancel context.CancelFunc
	watch  *watched
}

func (l lateCancel) Value() (driver.Value, error) {
	l.cancel()
	for p := l.watch.p.Load(); p != interrupted; p = l.watch.p.Load() {
		runtime.Gosched()
	}
	return int64(1), nil
}

// An interrupt that comes when no statement runs does nothing, so it has to come
// again: a statement that was about to begin would else never end.
func TestInterruptBeforeTheFirstStep(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	only := func() *reader { return db.readers.list()[0] }
	for name, run := range map[string]func(ctx context.Context, cancel context.CancelFunc) error{
		"Update": func(ctx context.Context, cancel context.CancelFunc) error {
			return db.Update(ctx, func(tx *WriteTx) error {
				return tx.QueryRow(endless, lateCancel{cancel, &db.writer.watch}).Err()
			})
		},
		"Update, with a cursor open": func(ctx context.Context, cancel context.CancelFunc) error {
			return db.Update(ctx, func(tx *WriteTx) error {
				for range tx.Query("SELECT id FROM account") {
					return tx.QueryRow(endless, lateCancel{cancel, &db.writer.watch}).Err()
				}
				return nil
			})
		},
		"View without a snapshot": func(ctx context.Context, cancel context.CancelFunc) error {
			db.readers.dropAll()
			return db.View(ctx, func(tx *ReadTx) error {
				return tx.QueryRow(endless, lateCancel{cancel, &only().watch}).Err()
			})
		},
		"View with a snapshot": func(ctx context.Context, cancel context.CancelFunc) error {
			return db.View(ctx, func(tx *ReadTx) error {
				if err := tx.QueryRow("SELECT 1").Err(); err != nil {
					return err
				}
				return tx.QueryRow(endless, lateCancel{cancel, &only().watch}).Err()
			})
		},
	} {
		within(t, name, func() {
			ctx, cancel := context.WithCancel(bg)
			if err := run(ctx, cancel); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		})
		// And it hits nobody else.
		exec(t, db, "UPDATE account SET balance = 1000 WHERE id = 1")
		if n := number(t, db, "SELECT sum(balance) FROM account"); n != 1_000_000 {
			t.Errorf("%s: %d", name, n)
		}
	}
}

// A read that is interrupted in one statement of a closure does not cost its
// neighbours the batch when the closure goes on to write.
func TestInterruptDoesNotHitTheNextStatement(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	ctx, cancel := context.WithCancel(bg)
	err := db.Update(ctx, func(tx *WriteTx) error {
		if _, err := tx.Exec("UPDATE account SET balance = 0 WHERE id = 1"); err != nil {
			return err
		}
		for range tx.Query("SELECT id FROM account") { // open, and under watch
			tx.QueryRow("SELECT ?", lateCancel{cancel, &db.writer.watch})
			if _, err := tx.Exec("UPDATE account SET balance = 0 WHERE id = 2"); !errors.Is(err, context.Canceled) {
				t.Errorf("a write after the context's end: %v", err)
			}
		}
		return nil // as if nothing had happened
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := db.Stats().Reruns; n != 0 {
		t.Errorf("%d batches had to be run again", n)
	}
	if n := number(t, db, "SELECT sum(balance) FROM account"); n != 1_000_000 {
		t.Error(n)
	}
}

// The context of a query may end when its rows have been read; the transaction's
// other queries have theirs. One that ends earlier interrupts the snapshot, and
// nobody who gets the same connection later.
func TestContextsOfAReadOnlyTx(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	const many = "SELECT id FROM account, (SELECT 1 UNION SELECT 2)"
	watch := &db.readers.list()[0].watch
	begin := func() *Tx {
		t.Helper()
		tx, err := db.Begin(bg, &TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	tx := begin()
	for _, how := range []string{"small", "to the end", "closed"} {
		ctx, cancel := context.WithCancel(bg)
		sql := many
		if how == "small" {
			sql = "SELECT 1"
		}
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		rows.Next()
		if watched := watch.p.Load() != nil; watched != (how != "small") {
			t.Errorf("%s: under watch: %t", how, watched)
		}
		for how == "to the end" && rows.Next() {
		}
		if how == "closed" {
			rows.Close()
		}
		cancel()
		if watch.p.Load() != nil || rows.Err() != nil {
			t.Errorf("%s: still under watch, %v", how, rows.Err())
		}
	}
	ctx, cancel := context.WithTimeout(bg, 4*tick)
	defer cancel()
	if _, err := tx.Query(ctx, endless, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	_, queried := tx.Query(bg, "SELECT 1")
	_, described := tx.Describe(bg, "SELECT 1")
	if !errors.Is(queried, ErrTxDone) || !errors.Is(described, ErrTxDone) {
		t.Error(queried, described)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	number(t, db, "SELECT count(*) FROM account")
	tx = begin() // and interrupted by the last that happens in it
	ctx, cancel = context.WithCancel(bg)
	rows, err := tx.Query(ctx, many)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	within(t, "the interrupt", func() {
		for watch.p.Load() != interrupted {
			runtime.Gosched()
		}
	})
	if err := errors.Join(rows.Close(), tx.Rollback()); err != nil {
		t.Error(err)
	}
	number(t, db, "SELECT count(*) FROM account")
}

// The clock sleeps when nothing is going on. A statement that runs alone for
// long, or begins when it sleeps, is something.
func TestClockIsAwakeWhileAStatementRuns(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"it falls asleep meanwhile": 3 * idleTicks / 2 * tick, "it sleeps already": tick} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openTest(t, nil)
			within(t, "the statement", func() {
				err := db.Update(bg, func(tx *WriteTx) error {
					for wait == tick && !db.clock.asleep.Load() {
						runtime.Gosched()
					}
					ctx, cancel := context.WithTimeout(bg, wait)
					defer cancel()
					tx.t.ctx = ctx
					return tx.QueryRow(endless, 1).Err()
				})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		})
	}
}

// Neither a checkpoint nor an exclusive use of the connection is a transaction.
func TestWhatCountsAsATransaction(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	before := db.Stats()
	exec(t, db, "UPDATE account SET balance = 1")
	if err := db.Checkpoint(bg); err != nil {
		t.Fatal(err)
	}
	if err := db.Exclusive(bg, func(*sqlite.Conn) error { return nil }); err != nil {
		t.Fatal(err)
	}
	after := db.Stats()
	if n := after.Transactions - before.Transactions; n != 1 {
		t.Errorf("%d transactions", n)
	}
	if n := after.Commits - before.Commits; n != 1 {
		t.Errorf("%d commits", n)
	}
	if n := after.Checkpoints - before.Checkpoints; n != 1 {
		t.Errorf("%d checkpoints", n)
	}
}

// A write without end is interrupted a moment after its context; it costs its
// neighbours a rerun, and nothing of what they did.
func TestEndlessWrite(t *testing.T) {
	t.Parallel()
	const forever = "INSERT INTO account(balance) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n WHERE i < 0"
	for name, run := range map[string]func(ctx context.Context, db *DB) error{
		"Exec": func(ctx context.Context, db *DB) error {
			_, err := db.Exec(ctx, forever)
			return err
		},
		"Batch": func(ctx context.Context, db *DB) error {
			_, err := db.Batch(ctx, Statement{SQL: "DELETE FROM account"}, Statement{SQL: forever})
			return err
		},
		"Update": func(ctx context.Context, db *DB) error {
			return db.Update(ctx, func(tx *WriteTx) error {
				_, err := tx.Exec(forever)
				return err
			})
		},
		"RETURNING": func(ctx context.Context, db *DB) error {
			return db.Update(ctx, func(tx *WriteTx) error { return tx.QueryRow(forever + " RETURNING id").Err() })
		},
		"Tx": func(ctx context.Context, db *DB) error {
			tx, err := db.Begin(bg, nil)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, forever)
			if after := tx.Err(); !errors.Is(after, ErrTxDone) {
				t.Errorf("the transaction goes on: %v", after)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openTest(t, nil)
			stop, stopped := make(chan struct{}), make(chan int)
			go func() {
				n := 0
				for ; ; n++ {
					select {
					case <-stop:
						stopped <- n
						return
					default:
						exec(t, db, "UPDATE account SET balance = balance + 1 WHERE id = 1")
					}
				}
			}()
			within(t, name, func() {
				ctx, cancel := context.WithTimeout(bg, 4*tick)
				defer cancel()
				if err := run(ctx, db); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v", err)
				}
			})
			close(stop)
			if n := <-stopped; number(t, db, "SELECT sum(balance) FROM account") != int64(1_000_000+n) {
				t.Errorf("%d, after %d updates", number(t, db, "SELECT sum(balance) FROM account"), n)
			}
		})
	}
}
