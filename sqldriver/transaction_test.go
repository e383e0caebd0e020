package sqldriver_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqldriver"
	"github.com/nearlite/nearlite/sqlite"
)

func TestTransaction(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT)")
	tx := beginTx(t, db)
	exec(t, tx, "CREATE TABLE fresh (n INT)")
	exec(t, tx, "INSERT INTO fresh VALUES (1), (2)")
	if got := value[int](t, tx, "SELECT sum(n) FROM fresh"); got != 3 {
		t.Errorf("the transaction sees %d", got)
	}
	if err := db.QueryRow("SELECT n FROM fresh").Scan(new(int)); err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("others see it before its commit: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := value[int](t, db, "SELECT sum(n) FROM fresh"); got != 3 {
		t.Errorf("after the commit: %d", got)
	}
	if err := tx.Commit(); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("a second commit: %v", err)
	}

	tx = beginTx(t, db)
	exec(t, tx, "DELETE FROM fresh")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := value[int](t, db, "SELECT count(*) FROM fresh"); got != 2 {
		t.Errorf("after a rollback: %d rows", got)
	}
}

func TestRowsInsideTransaction(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT); INSERT INTO t VALUES (1), (2), (3)")
	tx := beginTx(t, db)
	found, err := tx.Query("SELECT n FROM t")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var n int
		if err := found.Scan(&n); err != nil {
			t.Fatal(err)
		}
		exec(t, tx, "UPDATE t SET n = n * 10 WHERE n = ?", n)
	}
	if err := tx.Commit(); err != nil || value[int](t, db, "SELECT sum(n) FROM t") != 60 {
		t.Errorf("got %v", err)
	}
}

func TestReadOnlyTransaction(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)")
	tx, err := db.BeginTx(bg, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	one := value[int](t, tx, "SELECT sum(n) FROM t")
	exec(t, db, "INSERT INTO t VALUES (1)")
	if two := value[int](t, tx, "SELECT sum(n) FROM t"); one != 1 || two != 1 {
		t.Errorf("the snapshot moved: %d, %d", one, two)
	}
	if _, err := tx.Exec("INSERT INTO t VALUES (2)"); !errors.Is(err, nearlite.ErrReadOnly) {
		t.Errorf("a write: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/a.db"
	open(t, path, "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)").Close()
	db := open(t, path+"?readonly=true")
	tx := beginTx(t, db) // as programs do that do not say what for
	if got := value[int](t, tx, "SELECT n FROM t"); got != 1 {
		t.Errorf("got %d", got)
	}
	if _, err := tx.Exec("DELETE FROM t"); !errors.Is(err, nearlite.ErrReadOnly) {
		t.Errorf("in a transaction: %v", err)
	}
	if _, err := db.Exec("DELETE FROM t"); !errors.Is(err, nearlite.ErrReadOnly) {
		t.Errorf("by itself: %v", err)
	}
}

func TestIsolationLevels(t *testing.T) {
	t.Parallel()
	db := setup(t)
	for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
		tx, err := db.BeginTx(bg, &sql.TxOptions{Isolation: level})
		if want := level == sql.LevelDefault || level == sql.LevelSerializable; (err == nil) != want {
			t.Errorf("%v: %v", level, err)
		}
		if err == nil {
			tx.Rollback()
		}
	}
}

// Many transactions that read before they write lose nothing.
func TestConcurrentTransactions(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT); INSERT INTO t VALUES (0)")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 10 {
				if err := increment(db); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := value[int](t, db, "SELECT n FROM t"); got != 160 {
		t.Errorf("%d of 160 increments are there", got)
	}
}

func increment(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRow("SELECT n FROM t").Scan(&n); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE t SET n = ?", n+1); err != nil {
		return err
	}
	return tx.Commit()
}

func TestRollbackByContext(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT)")
	ctx, cancel := context.WithCancel(bg)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO t VALUES (1)")
	cancel()
	exec(t, db, "INSERT INTO t VALUES (2)") // has to wait for the rollback
	if got := value[int](t, db, "SELECT sum(n) FROM t"); got != 2 {
		t.Errorf("got %d", got)
	}
	if err := tx.Commit(); err == nil {
		t.Error("it could be committed")
	}
}

func TestSavepoints(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT)")
	tx := beginTx(t, db)
	exec(t, tx, "INSERT INTO t VALUES (1)")
	exec(t, tx, "SAVEPOINT inner")
	exec(t, tx, "INSERT INTO t VALUES (2)")
	exec(t, tx, "ROLLBACK TO inner")
	exec(t, tx, "RELEASE inner")
	if err := tx.Commit(); err != nil || value[int](t, db, "SELECT sum(n) FROM t") != 1 {
		t.Errorf("got %v", err)
	}
	if _, err := db.Exec("SAVEPOINT alone"); !errors.Is(err, nearlite.ErrRefused) {
		t.Errorf("outside a transaction: %v", err)
	}
}

func TestTransactionAsText(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT)")
	sum := func() int { return value[int](t, db, "SELECT coalesce(sum(n), 0) FROM t") }
	c := connection(t, db)
	exec(t, c, "BEGIN IMMEDIATE")
	exec(t, c, "INSERT INTO t VALUES (1)")
	if got := value[int](t, c, "SELECT sum(n) FROM t"); got != 1 || sum() != 0 {
		t.Errorf("inside %d, outside %d", got, sum())
	}
	if _, err := c.ExecContext(bg, "begin"); !errors.Is(err, nearlite.ErrRefused) {
		t.Errorf("BEGIN inside BEGIN: %v", err)
	}
	if _, err := c.BeginTx(bg, nil); !errors.Is(err, nearlite.ErrRefused) {
		t.Errorf("BeginTx inside BEGIN: %v", err)
	}
	exec(t, c, "  -- done\n END TRANSACTION;")
	if sum() != 1 {
		t.Error("COMMIT did not")
	}
	exec(t, c, "BEGIN; INSERT INTO t VALUES (10)")
	exec(t, c, "INSERT INTO t VALUES (10); ROLLBACK")
	if sum() != 1 {
		t.Error("ROLLBACK did not")
	}
	exec(t, c, "BEGIN; INSERT INTO t VALUES (100);")
	c.Close()
	exec(t, db, "INSERT INTO t VALUES (2)")
	if sum() != 3 {
		t.Error("a connection went back to the pool with its transaction")
	}
	for _, end := range []string{"COMMIT", "ROLLBACK"} {
		if _, err := db.Exec(end); !errors.Is(err, nearlite.ErrRefused) {
			t.Errorf("%s of nothing: %v", end, err)
		}
		tx := beginTx(t, db)
		if _, err := tx.Exec(end); !errors.Is(err, nearlite.ErrRefused) {
			t.Errorf("%s of a sql.Tx: %v", end, err)
		}
		tx.Rollback()
	}
}

func connection(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(bg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestScripts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		rows   int    // in t afterwards
		fails  string // text of the error, "" if there is none
	}{
		"two":                   {"CREATE TABLE t (n); INSERT INTO t VALUES (1), (2)", 2, ""},
		"with comments":         {"-- up\nCREATE TABLE t (n);\n\n/* ; */ INSERT INTO t VALUES (';');\n-- end", 1, ""},
		"a trigger":             {"CREATE TABLE t (n); CREATE TRIGGER tr AFTER INSERT ON t WHEN new.n < 3 BEGIN INSERT INTO t VALUES (9); SELECT 1; END; INSERT INTO t VALUES (1)", 2, ""},
		"a failure in the end":  {"CREATE TABLE t (n); INSERT INTO t VALUES (1); INSERT INTO nowhere VALUES (1)", -1, "statement 3 of several: no such table"},
		"a syntax error":        {"CREATE TABLE t (n); INSRT", -1, "statement 2"},
		"explicit":              {"BEGIN; CREATE TABLE t (n); INSERT INTO t VALUES (1); COMMIT;", 1, ""},
		"two explicit":          {"BEGIN; CREATE TABLE t (n); COMMIT; BEGIN; INSERT INTO t VALUES (1); COMMIT", 1, ""},
		"explicit, rolled back": {"CREATE TABLE t (n); INSERT INTO t VALUES (1); COMMIT", -1, "not begun by the text BEGIN"},
		"begin too late":        {"CREATE TABLE t (n); BEGIN; INSERT INTO t VALUES (1); COMMIT", -1, "BEGIN must come before"},
		"a PRAGMA before":       {"PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1)", 1, ""},
		"a PRAGMA in between":   {"CREATE TABLE t (n); PRAGMA cache_size = 10; INSERT INTO t VALUES (1)", -1, "reaches beyond the transaction"},
		"a query":               {"CREATE TABLE t (n); SELECT * FROM t; INSERT INTO t VALUES (1)", 1, ""},
		"user_version":          {"CREATE TABLE t (n); PRAGMA user_version = 3; INSERT INTO t VALUES (1)", 1, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := setup(t)
			_, err := db.Exec(test.script)
			if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("got %v, want %q in it", err, test.fails)
			}
			if test.rows < 0 {
				if err := db.QueryRow("SELECT count(*) FROM t").Scan(new(int)); err == nil {
					t.Error("some of it is there")
				}
			} else if got := value[int](t, db, "SELECT count(*) FROM t"); got != test.rows {
				t.Errorf("%d rows, want %d", got, test.rows)
			}
			exec(t, db, "CREATE TABLE after (n); INSERT INTO after VALUES (1)")
		})
	}
}

func TestScriptInTransaction(t *testing.T) {
	t.Parallel()
	db := setup(t)
	tx := beginTx(t, db)
	exec(t, tx, "CREATE TABLE t (n); INSERT INTO t VALUES (1)")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow("SELECT n FROM t").Scan(new(int)); err == nil {
		t.Error("a script in a transaction was committed")
	}
}

func TestOutsideTransactions(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)")
	for range 2 { // the second time from memory
		exec(t, db, "VACUUM")
		exec(t, db, "PRAGMA optimize")
		exec(t, db, "PRAGMA busy_timeout = 1000")
		exec(t, db, "PRAGMA foreign_keys = ON")
		if got := value[string](t, db, "PRAGMA journal_mode = WAL"); got != "wal" {
			t.Errorf("journal_mode is %s", got)
		}
		exec(t, db, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	if got := value[int](t, db, "PRAGMA foreign_keys"); got != 1 {
		t.Errorf("foreign_keys is %d", got)
	}
	exec(t, db, "PRAGMA user_version = 7")
	if got := value[int](t, db, "PRAGMA user_version"); got != 7 {
		t.Errorf("user_version is %d", got)
	}
	for _, query := range []string{"PRAGMA query_only = 1", "ATTACH ':memory:' AS other",
		"PRAGMA ignore_check_constraints(1)", "CREATE TEMP TABLE x (n)", "CREATE TEMP TABLE x AS SELECT n FROM t"} {
		if _, err := db.Exec(query); !errors.Is(err, sqldriver.ErrNotKept) {
			t.Errorf("%s: %v", query, err)
		}
		tx := beginTx(t, db)
		if _, err := tx.Exec(query); !errors.Is(err, nearlite.ErrRefused) {
			t.Errorf("%s in a transaction: %v", query, err)
		}
		tx.Rollback()
	}
	for _, query := range []string{"VACUUM", "PRAGMA journal_mode = DELETE", "DETACH main"} {
		tx := beginTx(t, db)
		for range 2 {
			if _, err := tx.Exec(query); !errors.Is(err, nearlite.ErrRefused) || !strings.Contains(err.Error(), "Exclusive") {
				t.Errorf("%s in a transaction: %v", query, err)
			}
			if err := tx.QueryRow(query).Scan(new(any)); !errors.Is(err, nearlite.ErrRefused) {
				t.Errorf("%s as a query in a transaction: %v", query, err)
			}
		}
		tx.Rollback()
	}
	exec(t, db, "INSERT INTO t VALUES (2)")
}

// A refused ATTACH must not make the file that it names.
func TestRefusedAttachMakesNoFile(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT)")
	made := filepath.Join(t.TempDir(), "made.db")
	for range 2 {
		if _, err := db.Exec("/* y */ ATTACH '" + made + "' AS y"); !errors.Is(err, sqldriver.ErrNotKept) {
			t.Errorf("attach: %v", err)
		}
	}
	if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it has made the file: %v", err)
	}
}

// Asking what a statement is must not run it: SQLite runs some PRAGMAs when they
// are prepared.
func TestDescribingChangesNothing(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT CHECK (n > 0))")
	for _, query := range []string{"PRAGMA query_only = 0", "PRAGMA ignore_check_constraints = 1", "PRAGMA foreign_keys = 0"} {
		s, err := db.Prepare(query)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if _, err := db.Exec("INSERT INTO t VALUES (-1)"); !errors.Is(err, sqlite.CodeConstraintCheck) {
		t.Errorf("a check: %v", err)
	}
	if got := value[int](t, db, "PRAGMA foreign_keys"); got != 1 {
		t.Errorf("foreign_keys is %d", got)
	}
	if got := value[int](t, db, "PRAGMA query_only"); got != 1 {
		t.Errorf("a reader may write")
	}
}

// To make a table anew that others refer to, foreign keys are switched off on one
// connection, which SQLite cannot do inside a transaction.
func TestForeignKeysOff(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (p REFERENCES parent ON DELETE CASCADE)",
		"INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1), (2)")
	c := connection(t, db)
	exec(t, c, "PRAGMA foreign_keys = OFF")
	if got := value[int](t, c, "PRAGMA foreign_keys"); got != 0 {
		t.Errorf("they are %d on the connection", got)
	}
	tx, err := c.BeginTx(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "CREATE TABLE fresh (id INTEGER PRIMARY KEY, more); INSERT INTO fresh SELECT id, 0 FROM parent")
	exec(t, tx, "DROP TABLE parent")
	exec(t, tx, "ALTER TABLE fresh RENAME TO parent")
	if got := value[int](t, tx, "UPDATE parent SET more = ? WHERE id = 1 RETURNING more", 7); got != 7 {
		t.Errorf("RETURNING gives %d", got)
	}
	if _, err := tx.Exec("INSERT INTO nowhere VALUES (1)"); !errors.Is(err, sqlite.CodeError) {
		t.Errorf("a bad statement: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "BEGIN; DELETE FROM parent; ROLLBACK")
	exec(t, c, "INSERT INTO child VALUES (3)")
	if got := value[int](t, db, "SELECT count(*) FROM child JOIN parent ON id = p"); got != 2 {
		t.Errorf("%d children have parents", got)
	}
	if _, err := db.Exec("INSERT INTO child VALUES (4)"); !errors.Is(err, sqlite.CodeConstraintForeignKey) {
		t.Errorf("on another connection: %v", err)
	}
	exec(t, c, "PRAGMA foreign_keys = ON")
	if _, err := c.ExecContext(bg, "INSERT INTO child VALUES (4)"); !errors.Is(err, sqlite.CodeConstraintForeignKey) {
		t.Errorf("switched on again: %v", err)
	}
	exec(t, c, "PRAGMA foreign_keys = OFF; BEGIN; INSERT INTO child VALUES (5); COMMIT; PRAGMA foreign_keys = ON")
	if _, err := c.ExecContext(bg, "INSERT INTO child VALUES (4)"); !errors.Is(err, sqlite.CodeConstraintForeignKey) {
		t.Errorf("after a script: %v", err)
	}
}

// A connection with its foreign keys off has no engine's transaction, and is
// as easily given up.
func TestForeignKeysOffAbandoned(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n)")
	c := connection(t, db)
	exec(t, c, "PRAGMA foreign_keys = OFF")
	ctx, cancel := context.WithCancel(bg)
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO t VALUES (1)")
	cancel()
	exec(t, db, "INSERT INTO t VALUES (2)")
	exec(t, c, "BEGIN; INSERT INTO t VALUES (3)")
	c.Close()
	exec(t, db, "INSERT INTO t VALUES (4)")
	if got := value[int](t, db, "SELECT sum(n) FROM t"); got != 6 {
		t.Errorf("the sum is %d", got)
	}
}
