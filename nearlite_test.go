package nearlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

var bg = context.Background()

// openTest opens a database for one test, with a table of accounts.
func openTest(t testing.TB, opts *Options) *DB {
	t.Helper()
	db, err := Open(bg, filepath.Join(t.TempDir(), "test.db"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	exec(t, db, "CREATE TABLE account(id PRIMARY KEY, balance INT)")
	exec(t, db, "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM r WHERE i < 999) INSERT INTO account SELECT i, 1000 FROM r")
	return db
}

func exec(t testing.TB, db *DB, sql string, args ...any) Result {
	t.Helper()
	res, err := db.Exec(bg, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return res
}

func number(t testing.TB, db *DB, sql string, args ...any) (n int64) {
	t.Helper()
	err := db.View(bg, func(tx *ReadTx) error {
		row := tx.QueryRow(sql, args...)
		if row.Err() == nil {
			n = row.Int64(0)
		}
		return row.Err()
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func TestUpdateAndView(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	err := db.Update(bg, func(tx *WriteTx) error {
		if _, err := tx.Exec("UPDATE account SET balance = balance - 100 WHERE id = ?", 1); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE account SET balance = balance + 100 WHERE id = ?", 2)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 2"); n != 1100 {
		t.Fatal(n)
	}
	boom := errors.New("boom")
	err = db.Update(bg, func(tx *WriteTx) error {
		tx.Exec("DELETE FROM account")
		return boom
	})
	if err != boom {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Fatal(n)
	}
}

// Many callers, some of whom fail, panic or lose the transaction: everybody gets
// their own outcome and the database holds exactly what succeeded.
func TestNeighboursDoNotNotice(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{Durability: Normal})
	exec(t, db, "CREATE TABLE parent(id INTEGER PRIMARY KEY)")
	exec(t, db, "CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
	exec(t, db, "CREATE TABLE seen(caller, round, UNIQUE(caller, round))")
	const callers, rounds = 64, 50
	var wg sync.WaitGroup
	var mu sync.Mutex
	want := int64(0)
	boom := errors.New("boom")
	for c := range callers {
		wg.Go(func() {
			for i := range rounds {
				kind := (c*7 + i) % 23
				panicked, err := tryUpdate(db, func(tx *WriteTx) error {
					if _, err := tx.Exec("INSERT INTO seen VALUES (?, ?)", c, i); err != nil {
						return err
					}
					switch kind {
					case 0:
						return boom
					case 1:
						panic("ouch")
					case 2:
						_, err := tx.Exec("INSERT OR ROLLBACK INTO account VALUES (1, 1)")
						return err
					case 3:
						_, err := tx.Exec("INSERT INTO child VALUES (NULL, 999999)")
						return err
					case 4:
						_, err := tx.Exec("INSERT INTO account VALUES (1, 1)")
						return err
					}
					return nil
				})
				bad := ""
				switch kind {
				case 0:
					if err != boom {
						bad = "want boom"
					}
				case 1:
					if panicked != "ouch" {
						bad = "want a panic"
					}
				case 2, 4:
					if !errors.Is(err, sqlite.CodeConstraintPrimaryKey) && !errors.Is(err, sqlite.CodeConstraintUnique) {
						bad = "want a unique violation"
					}
				case 3:
					if !errors.Is(err, sqlite.CodeConstraintForeignKey) {
						bad = "want a foreign key violation"
					}
				default:
					if err != nil || panicked != nil {
						bad = "want success"
					}
					mu.Lock()
					want++
					mu.Unlock()
				}
				if bad != "" {
					t.Errorf("kind %d: %v %v, %s", kind, err, panicked, bad)
				}
				// Single statements in between.
				if kind == 5 {
					if _, err := db.Exec(bg, "INSERT INTO child VALUES (NULL, 5)"); !errors.Is(err, sqlite.CodeConstraintForeignKey) {
						t.Errorf("single statement with an open deferred key: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := number(t, db, "SELECT count(*) FROM seen"); n != want {
		t.Fatalf("%d rows, want %d", n, want)
	}
	if n := number(t, db, "SELECT count(*) FROM child"); n != 0 {
		t.Fatalf("%d orphans", n)
	}
	s := db.Stats()
	t.Logf("%d transactions in %d commits, %d reruns", s.Transactions, s.Commits, s.Reruns)
}

func tryUpdate(db *DB, fn func(*WriteTx) error) (panicked any, err error) {
	defer func() { panicked = recover() }()
	return nil, db.Update(bg, fn)
}

func TestGoexitInClosure(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	for range 20 {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				db.Update(bg, func(tx *WriteTx) error {
					tx.Exec("UPDATE account SET balance = balance + 1 WHERE id = 0")
					if i%4 == 0 {
						runtime.Goexit()
					}
					return nil
				})
			})
		}
		wg.Wait()
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 0"); n != 1000+20*6 {
		t.Fatal(n)
	}
}

func TestNestedUpdateIsAnError(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	var inner error
	if err := db.Update(bg, func(tx *WriteTx) error {
		inner = db.Update(bg, func(tx *WriteTx) error { return nil })
		return nil
	}); err != nil || !errors.Is(inner, ErrNested) {
		t.Fatal(err, inner)
	}
	// Also in a batch, on the writer's goroutine.
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			var inner error
			err := db.Update(bg, func(tx *WriteTx) error {
				_, inner = db.Exec(bg, "SELECT 1")
				return nil
			})
			if err != nil || !errors.Is(inner, ErrNested) {
				t.Error(err, inner)
			}
		})
	}
	wg.Wait()
}

func TestRefusedInClosures(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	for _, sql := range []string{
		"COMMIT", "END", "ROLLBACK", "BEGIN", "ATTACH ':memory:' AS x", "CREATE TEMP TABLE x(a)", "CREATE TEMP VIEW x AS SELECT 1",
		"PRAGMA foreign_keys = OFF", "PRAGMA journal_mode = DELETE", "PRAGMA query_only = 1", "PRAGMA wal_checkpoint",
		"PRAGMA cache_size = 10", `SAVEPOINT "nearlite:savepoint"`, `RELEASE "nearlite:savepoint"`,
	} {
		for range 2 { // the second time from the cache
			err := db.Update(bg, func(tx *WriteTx) error {
				_, err := tx.Exec(sql)
				return err
			})
			if !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	for _, sql := range []string{"PRAGMA user_version = 7", "PRAGMA table_info(account)", "PRAGMA journal_mode", "PRAGMA foreign_keys"} {
		if err := db.Update(bg, func(tx *WriteTx) error { _, err := tx.Exec(sql); return err }); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestUserSavepoints(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	run := func(stmts ...string) error {
		return db.Update(bg, func(tx *WriteTx) error {
			for _, s := range stmts {
				if _, err := tx.Exec(s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := run("UPDATE account SET balance = 1 WHERE id = 1", "SAVEPOINT a", "UPDATE account SET balance = 2 WHERE id = 1",
		"ROLLBACK TO a", "SAVEPOINT b", "UPDATE account SET balance = 3 WHERE id = 2"); err != nil {
		t.Fatal(err)
	}
	if err := run("ROLLBACK TO b"); err == nil {
		t.Fatal("a savepoint outlived its closure")
	}
	if a, b := number(t, db, "SELECT balance FROM account WHERE id = 1"), number(t, db, "SELECT balance FROM account WHERE id = 2"); a != 1 || b != 3 {
		t.Fatal(a, b)
	}
}

func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	exec(t, db, "CREATE TABLE n(a)")
	exec(t, db, "INSERT INTO n VALUES (1), (2)")
	err := db.Update(bg, func(tx *WriteTx) error {
		for _, sql := range []string{"SELECT last_insert_rowid()", "SELECT changes()"} {
			if row := tx.QueryRow(sql); row.Err() != nil || row.Int64(0) != 0 {
				t.Errorf("%s: %v %v", sql, row.Any(0), row.Err())
			}
		}
		tx.Exec("INSERT INTO n VALUES (3)")
		if got := tx.QueryRow("SELECT last_insert_rowid() + changes()").Int(0); got != 4 {
			t.Error(got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBatchAndReturning(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	res, err := db.Batch(bg,
		Statement{SQL: "CREATE TABLE b(id INTEGER PRIMARY KEY, x)"},
		Statement{SQL: "INSERT INTO b(x) VALUES (?), (?)", Args: []any{"one", "two"}},
		Statement{SQL: "UPDATE b SET x = x || '!' RETURNING id, x"})
	if err != nil || len(res) != 3 || res[1].Changes != 2 || res[1].LastInsertRowID != 2 || len(res[2].Rows) != 2 || res[2].Rows[1][1] != "two!" {
		t.Fatalf("%v %+v", err, res)
	}
	_, err = db.Batch(bg,
		Statement{SQL: "INSERT INTO b(x) VALUES ('three')"},
		Statement{SQL: "INSERT INTO b(id, x) VALUES (1, 'again')"})
	if err == nil || !strings.Contains(err.Error(), "statement 2 of 2") {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT count(*) FROM b"); n != 2 {
		t.Fatal(n)
	}
}

func TestCancelledBeforeItStarts(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	hold, held := make(chan struct{}), make(chan struct{})
	go db.Update(bg, func(tx *WriteTx) error {
		close(held)
		<-hold
		return nil
	})
	<-held
	ctx, cancel := context.WithCancel(bg)
	ran := false
	errc := make(chan error)
	go func() { errc <- db.Update(ctx, func(tx *WriteTx) error { ran = true; return nil }) }()
	for db.Stats().QueueDepth == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-errc; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(hold)
	exec(t, db, "UPDATE account SET balance = 5 WHERE id = 1")
	if ran {
		t.Fatal("a cancelled closure ran")
	}
}

func TestInteractive(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	tx, err := db.Begin(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(bg, "UPDATE account SET balance = 7 WHERE id = ?", 1); err != nil {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 1000 {
		t.Fatal("seen before its commit", n)
	}
	rows, err := tx.Query(bg, "SELECT balance FROM account WHERE id = 1")
	if err != nil || !rows.Next() || rows.Values()[0] != int64(7) {
		t.Fatal(err)
	}
	if err := tx.Commit(bg); err != nil {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 7 {
		t.Fatal(n)
	}
	if _, err := tx.Exec(bg, "SELECT 1"); !errors.Is(err, ErrTxDone) {
		t.Fatal(err)
	}
	tx, _ = db.Begin(bg, nil)
	tx.Exec(bg, "DELETE FROM account")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Fatal(n)
	}
}

func TestInteractiveLease(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{LeaseContended: 50 * time.Millisecond})
	tx, _ := db.Begin(bg, nil)
	if _, err := tx.Exec(bg, "UPDATE account SET balance = 7 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE account SET balance = 8 WHERE id = 2") // waits for the lease to end
	if _, err := tx.Exec(bg, "SELECT 1"); !errors.Is(err, ErrLeaseExpired) {
		t.Fatal(err)
	}
	if err := tx.Commit(bg); !errors.Is(err, ErrLeaseExpired) {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 1000 {
		t.Fatal(n)
	}
}

// An idle client does not keep its neighbours waiting, and notices nothing.
func TestInteractiveSetAside(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	hold := make(chan struct{})
	started := make(chan struct{})
	go db.Update(bg, func(tx *WriteTx) error { close(started); <-hold; return nil })
	<-started
	done := make(chan error, 1)
	go func() { _, err := db.Exec(bg, "UPDATE account SET balance = 1 WHERE id = 1"); done <- err }()
	for db.Stats().QueueDepth < 1 {
		runtime.Gosched()
	}
	tx, _ := db.Begin(bg, nil)
	first := make(chan error, 1)
	go func() {
		_, err := tx.Exec(bg, "UPDATE account SET balance = balance + 1 WHERE id = 1 RETURNING balance")
		first <- err
	}()
	for db.Stats().QueueDepth < 2 {
		runtime.Gosched()
	}
	close(hold)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	select { // the neighbour is acknowledged while the transaction is open
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(3 * time.Second):
		t.Fatal("the neighbour waits for the client")
	}
	if _, err := tx.Exec(bg, "UPDATE account SET balance = balance + 1 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(bg); err != nil {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 3 {
		t.Fatal(n)
	}
}

func TestExclusive(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	other := filepath.Join(t.TempDir(), "other.db")
	err := db.Exclusive(bg, func(c *sqlite.Conn) error {
		if err := c.Exec("ATTACH ? AS other", other); err != nil {
			return err
		}
		return c.Exec("CREATE TABLE other.t AS SELECT * FROM account; VACUUM; BEGIN; DELETE FROM account")
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Fatal("a transaction left open was committed", n)
	}
	if err := db.Update(bg, func(tx *WriteTx) error { return tx.QueryRow("SELECT count(*) FROM other.t").Err() }); err == nil {
		t.Fatal("an attached database stayed")
	}
}

func TestReadersSeeWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{Durability: Normal, CheckpointBytes: 256 << 10})
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for i := range 300 {
				exec(t, db, "UPDATE account SET balance = ? WHERE id = ?", i, c)
				if n := number(t, db, "SELECT balance FROM account WHERE id = ?", c); n != int64(i) {
					t.Errorf("read %d after %d was acknowledged", n, i)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%+v", db.Stats())
}

func TestWriteInViewIsRefused(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	for _, sql := range []string{"DELETE FROM account", "BEGIN", "PRAGMA journal_mode=DELETE", "ATTACH 'x' AS y", "INSERT INTO account VALUES(1,2) RETURNING id"} {
		err := db.View(bg, func(tx *ReadTx) error { return tx.QueryRow(sql).Err() })
		if !errors.Is(err, ErrReadOnly) && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestSnapshotExpires(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{MaxSnapshotAge: 50 * time.Millisecond})
	err := db.View(bg, func(tx *ReadTx) error {
		for range 1000 {
			if err := tx.QueryRow("SELECT count(*) FROM account").Err(); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
		}
		return nil
	})
	if !errors.Is(err, ErrSnapshotExpired) {
		t.Fatal(err)
	}
	err = db.View(bg, func(tx *ReadTx) error {
		return tx.QueryRow("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r) SELECT sum(i) FROM r").Err()
	})
	if !errors.Is(err, ErrSnapshotExpired) {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Fatal(n)
	}
}

func TestViewContext(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	ctx, cancel := context.WithTimeout(bg, 30*time.Millisecond)
	defer cancel()
	err := db.View(ctx, func(tx *ReadTx) error {
		return tx.QueryRow("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r) SELECT sum(i) FROM r").Err()
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(bg, 30*time.Millisecond)
	defer cancel()
	err = db.Update(ctx, func(tx *WriteTx) error {
		return tx.QueryRow("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r) SELECT sum(i) FROM r").Err()
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Fatal(n)
	}
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{QueueMax: 1})
	hold, held := make(chan struct{}), make(chan struct{})
	go db.Update(bg, func(tx *WriteTx) error { close(held); <-hold; return nil })
	<-held
	go db.Exec(bg, "SELECT 1")
	for db.Stats().QueueDepth == 0 {
		runtime.Gosched()
	}
	_, err := db.Exec(bg, "SELECT 1")
	var full *QueueFullError
	if !errors.Is(err, ErrQueueFull) || !errors.As(err, &full) || full.Depth != 1 {
		t.Fatal(err)
	}
	close(hold)
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	path := db.Path()
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked := int64(0)
	for c := range 32 {
		wg.Go(func() {
			for i := range 1000 {
				_, err := db.Exec(bg, "INSERT INTO account VALUES (?, 0)", fmt.Sprint(c, "-", i))
				switch {
				case err == nil:
					mu.Lock()
					acked++
					mu.Unlock()
				case errors.Is(err, ErrClosed):
					return
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	db, err := Open(bg, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000+acked {
		t.Fatalf("%d rows, %d acknowledged", n-1000, acked)
	}
	if err := db.View(bg, func(*ReadTx) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// Whoever ran again because of a neighbour is counted, however it came about.
func TestRerunsAreCounted(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	var runs, started atomic.Int64
	var wg sync.WaitGroup
	fail := errors.New("as it should")
	for i := range 64 {
		wg.Go(func() {
			started.Add(1)
			err := db.Update(bg, func(tx *WriteTx) error {
				for i == 0 && started.Load() < 64 {
					runtime.Gosched() // so that the others queue up for one batch
				}
				runs.Add(1)
				if _, err := tx.Exec("UPDATE account SET balance = balance WHERE id = 1"); err != nil || i%2 == 0 {
					return errors.Join(err, fail)
				}
				return nil
			})
			if (i%2 == 0) != errors.Is(err, fail) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n, want := db.Stats().Reruns, uint64(runs.Load()-64); n != want {
		t.Errorf("%d reruns counted of %d", n, want)
	}
}
