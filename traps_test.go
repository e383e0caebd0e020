package nearlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// within fails the test when f has not returned after a generous while, and
// says what hangs.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s hangs\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

// occupy keeps the writer busy until release is called.
func occupy(t testing.TB, db *DB) (release func()) {
	t.Helper()
	held, hold := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		first := true
		done <- db.Update(bg, func(*WriteTx) error {
			if first {
				first = false
				close(held)
				<-hold
			}
			return nil
		})
	}()
	<-held
	var once sync.Once
	return func() {
		once.Do(func() {
			close(hold)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// queued waits until n transactions wait for the writer.
func queued(t testing.TB, db *DB, n int) {
	t.Helper()
	within(t, fmt.Sprintf("a queue of %d", n), func() {
		for db.Stats().QueueDepth < n {
			runtime.Gosched()
		}
	})
}

func TestCloseDuringAnUpdate(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	release := occupy(t, db)
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	for !db.closing.Load() {
		runtime.Gosched()
	}
	for {
		db.writer.q.mu.Lock()
		c := db.writer.q.closed
		db.writer.q.mu.Unlock()
		if c {
			break
		}
	}
	release()
	within(t, "Close", func() {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// A closure that panics is run again when it shares its savepoint; only its last
// run counts.
func TestPanicOnTheFirstRunOnly(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	release := occupy(t, db)
	var wg sync.WaitGroup
	for i := range 4 {
		runs := 0
		wg.Go(func() {
			panicked, err := tryUpdate(db, func(tx *WriteTx) error {
				_, err := tx.Exec("UPDATE account SET balance = balance + 1 WHERE id = 7")
				if runs++; runs == 1 && i == 3 {
					panic("only once")
				}
				return err
			})
			if err != nil || panicked != nil {
				t.Error(i, err, panicked)
			}
		})
		queued(t, db, i+1)
	}
	release()
	wg.Wait()
	if n := number(t, db, "SELECT balance FROM account WHERE id = 7"); n != 1004 {
		t.Error(n)
	}
}

func TestBatchOfManyDifferentStatements(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	var stmts []Statement
	for i := range 3 * sqlite.DefaultCacheStatements {
		stmts = append(stmts, Statement{SQL: fmt.Sprintf("UPDATE account SET balance = balance + %d WHERE id = ?", i), Args: []any{1}})
	}
	if _, err := db.Batch(bg, stmts...); err != nil {
		t.Fatal(err)
	}
	n := int64(len(stmts))
	if got := number(t, db, "SELECT balance FROM account WHERE id = 1"); got != 1000+n*(n-1)/2 {
		t.Fatal(got)
	}
}

// hostileStruct is an argument whose conversion runs code of the caller's.
type hostileStruct struct {
	kind string
	db   *DB
}

func (h hostileStruct) Value() (driver.Value, error) {
	switch h.kind {
	case "panic":
		panic("no value")
	case "goexit":
		runtime.Goexit()
	case "nested":
		_, err := h.db.Exec(bg, "SELECT 1")
		return nil, err
	}
	return int64(1), nil
}

// The code of a driver.Valuer runs inside the engine and is as free to misbehave
// as a closure.
func TestHostileArguments(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"panic", "goexit", "nested"} {
		for _, waiting := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, waiting), func(t *testing.T) {
				t.Parallel()
				db := openTest(t, nil)
				for _, sql := range []string{"UPDATE account SET balance = ? WHERE id = 1", "SELECT ?", "UPDATE account SET balance = ? RETURNING id"} {
					release := func() {}
					if waiting {
						release = occupy(t, db)
					}
					var err error
					var panicked any
					finished := make(chan struct{})
					exited := true
					go func() {
						defer close(finished)
						defer func() { panicked = recover() }()
						_, err = db.Exec(bg, sql, hostileStruct{kind, db})
						exited = false
					}()
					neighbour := make(chan error, 1)
					if waiting {
						queued(t, db, 1)
						go func() {
							_, err := db.Exec(bg, "UPDATE account SET balance = balance + 1 WHERE id = 2")
							neighbour <- err
						}()
						queued(t, db, 2)
						release()
						if err := <-neighbour; err != nil {
							t.Error("neighbour:", err)
						}
					}
					within(t, sql, func() { <-finished })
					switch {
					case kind == "panic" && panicked != "no value",
						kind == "goexit" && (!exited || panicked != nil),
						kind == "nested" && !errors.Is(err, ErrNested):
						t.Errorf("%s: %v, panic %v, exited %v", sql, err, panicked, exited)
					}
					within(t, "the next transaction", func() { exec(t, db, "UPDATE account SET balance = 5 WHERE id = 3") })
				}
				if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 1000 {
					t.Error(n)
				}
			})
		}
	}
}

// SQLite keeps what a statement did before OR FAIL; a transaction of ours that
// failed leaves nothing, however it was sent and whoever its neighbours are.
func TestFailKeepsNothing(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		db := openTest(t, nil)
		exec(t, db, "CREATE TABLE u(a UNIQUE)")
		exec(t, db, "INSERT INTO u VALUES (3)")
		exec(t, db, "CREATE TABLE watched(a)")
		exec(t, db, "CREATE TRIGGER w BEFORE INSERT ON watched BEGIN INSERT INTO u VALUES (new.a); SELECT RAISE(FAIL, 'no more') WHERE new.a = 10; END")
		if alone { // a failed neighbour makes the engine take a savepoint for each
			release := occupy(t, db)
			var wg sync.WaitGroup
			for i := range 3 {
				wg.Go(func() {
					db.Update(bg, func(tx *WriteTx) error {
						tx.Exec("UPDATE account SET balance = 1")
						return errors.New("no")
					})
				})
				queued(t, db, i+1)
			}
			release()
			wg.Wait()
		}
		for _, sql := range []string{
			"INSERT OR FAIL INTO u VALUES (1), (2), (3), (4)",
			"INSERT OR FAIL INTO u VALUES (1), (2), (3), (4) RETURNING a",
			"INSERT INTO watched VALUES (10)",
			"INSERT INTO watched VALUES (10) RETURNING a",
			"INSERT INTO watched VALUES (8), (9), (10)",
		} {
			if _, err := db.Exec(bg, sql); !errors.Is(err, sqlite.CodeConstraint) {
				t.Error(sql, err)
			}
			if n := number(t, db, "SELECT count(*) FROM u"); n != 1 {
				t.Errorf("alone %v: %s left %d rows", alone, sql, n-1)
				exec(t, db, "DELETE FROM u WHERE a <> 3")
			}
		}
	}
}

// What a statement in a closure does to the connection must not reach the next caller.
func TestNothingOutlivesItsTransaction(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	for _, sql := range []string{
		"CREATE VIRTUAL TABLE temp.v USING fts5(a)",
		"CREATE TEMP TABLE account(id, balance)",
		"CREATE TABLE temp.account(id, balance)",
		"VACUUM", "VACUUM INTO 'copy.db'",
		"PRAGMA temp_store = 2", "PRAGMA secure_delete = 1", "PRAGMA optimize", "PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA max_page_count = 3", "PRAGMA hard_heap_limit = 1000000", "PRAGMA mmap_size = 0", "PRAGMA recursive_triggers(1)",
	} {
		err := db.Update(bg, func(tx *WriteTx) error { return errors.Join(tx.QueryRow(sql).Err()) })
		if !errors.Is(err, ErrRefused) {
			t.Errorf("Update %s: %v", sql, err)
		}
		if _, err := db.Exec(bg, sql); !errors.Is(err, ErrRefused) {
			t.Errorf("Exec %s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		"PRAGMA mmap_size = 0", "PRAGMA busy_timeout = 1", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA secure_delete = 1",
		"PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint", "PRAGMA wal_autocheckpoint = 1", "PRAGMA journal_size_limit = 0",
		"PRAGMA hard_heap_limit = 1000000000000", "PRAGMA soft_heap_limit = 1000000000000", "PRAGMA max_page_count = 10", "PRAGMA threads = 2", "PRAGMA optimize",
		"PRAGMA incremental_vacuum(1)", "PRAGMA query_only = 0", "PRAGMA query_only(0)", "PRAGMA cache_size = 1", "PRAGMA analysis_limit = 1", "PRAGMA user_version = 1",
	} {
		err := db.View(bg, func(tx *ReadTx) error { return tx.QueryRow(sql).Err() })
		if !errors.Is(err, ErrRefused) && !errors.Is(err, ErrReadOnly) {
			t.Errorf("View %s: %v", sql, err)
		}
	}
	for _, sql := range []string{"PRAGMA table_info(account)", "PRAGMA user_version", "PRAGMA quick_check", "PRAGMA foreign_key_check(account)"} {
		err := db.View(bg, func(tx *ReadTx) error { return tx.QueryRow(sql).Err() })
		if ignoreNoRows(err) != nil {
			t.Errorf("View %s: %v", sql, err)
		}
	}
}

// The time BusyTimeout allows is the queue's, not each transaction's in it, and
// a context ends the wait.
func TestForeignWriteLock(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{BusyTimeout: 300 * time.Millisecond})
	other, err := sqlite.Open(db.Path(), sqlite.OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	const n = 20
	errs := make(chan error, n)
	from := time.Now()
	for range n {
		go func() {
			_, err := db.Exec(bg, "UPDATE account SET balance = 0")
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; !errors.Is(err, sqlite.CodeBusy) {
			t.Error(err)
		}
	}
	if took := time.Since(from); took < 300*time.Millisecond || took > 3*time.Second {
		t.Errorf("%d transactions were refused after %v", n, took)
	}
	for _, waiting := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
		if waiting {
			go db.Exec(bg, "UPDATE account SET balance = 0")
		}
		from = time.Now()
		if _, err := db.Exec(ctx, "UPDATE account SET balance = 0"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(from); took > 250*time.Millisecond {
			t.Errorf("a context of 20 ms ended the wait for the lock after %v", took)
		}
		cancel()
	}
	if err := other.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE account SET balance = 1 WHERE id = 1")
}

// A context may end at any moment of an interactive transaction's way to the writer.
func TestInteractiveContextEndsWhileQueued(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{Durability: Normal})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithCancel(bg)
				go func() {
					for range (i * 7 * (g + 1)) % 1000 {
						runtime.Gosched()
					}
					cancel()
				}()
				tx, err := db.Begin(ctx, nil)
				if err != nil {
					continue
				}
				within(t, "the first statement", func() {
					_, err = tx.Exec(ctx, "UPDATE account SET balance = balance + 1 WHERE id = 1")
				})
				if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrTxDone) {
					t.Error(err)
				}
				within(t, "Rollback", func() { tx.Rollback() })
				cancel()
			}
		})
	}
	wg.Wait()
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 1000 {
		t.Error(n)
	}
}

// lateContext ends at the moment somebody asks it.
type lateContext struct {
	context.Context
	once sync.Once
	done chan struct{}
}

func (c *lateContext) Done() <-chan struct{} { return c.done }

func (c *lateContext) Err() error {
	c.once.Do(func() { close(c.done) })
	return context.Canceled
}

// The writer has claimed the transaction, and then sees that its context has ended.
func TestInteractiveContextEndsAtTheLastMoment(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	tx, err := db.Begin(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the first statement", func() {
		_, err := tx.Exec(&lateContext{Context: bg, done: make(chan struct{})}, "DELETE FROM account")
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	if err := tx.Commit(bg); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Error(n)
	}
}

// Close does not wait for a client that holds a snapshot and does nothing.
func TestCloseWithOpenTransactions(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{LeaseContended: 50 * time.Millisecond})
	reading, err := db.Begin(bg, &TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reading.Exec(bg, "SELECT * FROM account"); err != nil {
		t.Fatal(err)
	}
	writing, err := db.Begin(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writing.Exec(bg, "DELETE FROM account"); err != nil {
		t.Fatal(err)
	}
	within(t, "Close", func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := reading.Query(bg, "SELECT 1"); err == nil {
		t.Error("a query after Close")
	}
	if err := writing.Commit(bg); err == nil {
		t.Error("a commit after Close")
	}
	writing.Rollback()
	reading.Rollback()
}

// Whoever comes behind an interactive transaction that still waits goes first, and
// is not kept waiting by its client.
func TestOthersGoBeforeATransactionThatWaits(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{LeaseIdle: time.Hour, LeaseTotal: time.Hour, LeaseContended: time.Hour})
	release := occupy(t, db)
	tx, err := db.Begin(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, behind := make(chan error, 1), make(chan error, 1)
	go func() { _, err := tx.Exec(bg, "DELETE FROM account WHERE balance <> 1"); first <- err }()
	queued(t, db, 1)
	go func() { _, err := db.Exec(bg, "UPDATE account SET balance = 1 WHERE id = 1"); behind <- err }()
	queued(t, db, 2)
	release()
	within(t, "the transaction behind", func() {
		if err := errors.Join(<-first, <-behind, tx.Commit(bg)); err != nil {
			t.Error(err)
		}
	})
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1 {
		t.Errorf("%d accounts are left: the transaction has not seen the one behind it", n)
	}
}

func TestCloseInsideATransaction(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	within(t, "Close in Update", func() {
		err := db.Update(bg, func(tx *WriteTx) error {
			if err := db.Close(); !errors.Is(err, ErrNested) {
				t.Error(err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	exec(t, db, "UPDATE account SET balance = 1")
}

// Those who only read share no savepoint with those who fail, and do not run
// again with each of them.
func TestFailuresDoNotMultiply(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	const n = 300
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		db.Update(bg, func(*WriteTx) error { once.Do(func() { close(held); <-hold }); return nil })
	})
	<-held
	var runs atomic.Int64
	for range n {
		wg.Go(func() {
			db.Update(bg, func(tx *WriteTx) error { runs.Add(1); return tx.QueryRow("SELECT 1").Err() })
		})
	}
	for db.writer.q.contended.Load() < n {
		runtime.Gosched()
	}
	for range n {
		wg.Go(func() {
			db.Update(bg, func(tx *WriteTx) error {
				runs.Add(1)
				tx.Exec("UPDATE account SET balance = 0")
				return errBoom
			})
		})
	}
	for db.writer.q.contended.Load() < 2*n {
		runtime.Gosched()
	}
	close(hold)
	within(t, "the callers", wg.Wait)
	if r := runs.Load(); r > 4*n {
		t.Errorf("%d transactions ran %d times", 2*n, r)
	}
}

// An error that says the connection is closed may be a function's own.
func TestBatchRunsOnce(t *testing.T) {
	t.Parallel()
	calls := 0
	db := openTest(t, &Options{OnConnect: func(c *sqlite.Conn) error {
		return c.CreateFunction("fails_once", sqlite.FuncOptions{}, func([]sqlite.Value) (any, error) {
			if calls++; calls == 1 {
				return nil, fmt.Errorf("something else: %w", sqlite.ErrClosed)
			}
			return int64(7), nil
		})
	}})
	exec(t, db, "CREATE TABLE once(x)")
	_, err := db.Batch(bg, Statement{SQL: "INSERT INTO once VALUES (1)"}, Statement{SQL: "INSERT INTO once VALUES (fails_once())"})
	if err == nil || number(t, db, "SELECT count(*) FROM once") != 0 {
		t.Errorf("%v, %d rows", err, number(t, db, "SELECT count(*) FROM once"))
	}
}
