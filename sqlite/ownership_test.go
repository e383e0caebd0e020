package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// second opens another connection to the same file.
func second(t testing.TB, c *Conn) *Conn {
	t.Helper()
	d, err := Open(c.Path(), OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

const numbers = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < 5000) SELECT i, 'pad' FROM r"

func TestArgumentsOfAFailedCallAreFreedOnce(t *testing.T) {
	t.Parallel()
	c := open(t)
	big := strings.Repeat("x", 100_000)
	for range 100 {
		if err := c.QueryRow("SELECT ?, ?, ?", big, big, big).Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.QueryRow("SELECT ?, ?, ?", big, struct{}{}, 1).Err(); err == nil {
			t.Fatal("a struct was accepted")
		}
	}
	s, err := c.Prepare("SELECT ?, ?")
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := c.Batch([]BatchOp{{s, []any{big, big}}, {s, []any{big, struct{}{}}}}, nil); err == nil {
			t.Fatal("a struct was accepted")
		}
		if _, err := c.Batch([]BatchOp{{s, []any{big, big}}, {s, []any{big, 1}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClosedRowsStayClosed(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, closer := range map[string]func(r *Rows){
		"rows":       func(r *Rows) { r.Close() },
		"cursors":    func(*Rows) { c.CloseCursors() },
		"connection": func(*Rows) { c.Close() },
	} {
		s, err := c.Prepare(numbers)
		if err != nil {
			c = open(t)
			s, _ = c.Prepare(numbers)
		}
		rows, err := s.Rows()
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			rows.Next()
		}
		row := rows.Row()
		closer(rows)
		if rows.Next() || rows.Row().Err() == nil {
			t.Error("closed rows went on")
		}
		func() {
			defer func() { recover() }()
			row.Int(0)
			t.Error("the row of closed rows was read")
		}()
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestColumnsOfAnEvictedStatement(t *testing.T) {
	t.Parallel()
	c := open(t)
	row := c.QueryRow("SELECT 1 AS kept")
	big := c.QueryRow("SELECT ? AS large", strings.Repeat("x", 50_000))
	for i := range 3 * DefaultCacheStatements {
		c.QueryRow(fmt.Sprintf("SELECT %d", i))
	}
	if got := row.ColumnName(0); got != "kept" {
		t.Error(got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := big.ColumnName(0); got != "large" || len(big.Text(0)) != 50_000 {
		t.Error(got)
	}
}

func TestCloseFreesStatementsOfTheCaller(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a)")
	if err := c.HoldSnapshots(true); err != nil {
		t.Fatal(err)
	}
	s, _, err := c.PrepareFirst("SELECT a AS x FROM t WHERE a = :p")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Path() + "-wal"); err == nil {
		t.Error("the WAL is still there: the connection was not closed")
	}
	if _, err := s.Exec(1); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	s.Columns()
	s.Params()
	if err := s.Finalize(); err != nil {
		t.Error(err)
	}
}

func TestUseAfterClose(t *testing.T) {
	t.Parallel()
	c := open(t)
	s, err := c.Prepare("SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Close": c.Close(), "Exec": c.Exec("SELECT 1"), "Exec again": c.Exec("SELECT 2"),
		"QueryRow": c.QueryRow("SELECT 1").Err(), "Stmt.QueryRow": s.QueryRow().Err(), "HoldSnapshots": c.HoldSnapshots(true),
		"RefreshNow": c.RefreshNow(), "SyncDatabase": c.SyncDatabase(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.AutoCommit()
	c.LostTransaction()
	c.DeferredViolation()
	c.Changes()
	c.TotalChanges()
	c.LastInsertRowID()
	c.SetLastInsertRowID(1)
	c.ReadOnlyFile("main")
	c.ReleaseMemory()
	c.BusyTimeout(time.Second)
	c.SetAuthorizer(nil)
	c.Interrupt()
	c.Refresh()
	c.DropSnapshot()
	c.Holding()
	c.CloseCursors()
	if _, _, ok := c.WAL(); ok {
		t.Error("a closed connection has a WAL")
	}
}

// A cursor keeps the connection in its snapshot. A refresh beside it must not
// take note of a newer commit, else the next one believes to have it.
func TestRefreshBesideAnOpenCursor(t *testing.T) {
	t.Parallel()
	w := open(t)
	mustExec(t, w, "CREATE TABLE t(a)")
	mustExec(t, w, "INSERT INTO t VALUES (1)")
	r := second(t, w)
	if err := r.HoldSnapshots(false); err != nil {
		t.Fatal(err)
	}
	value := func() int {
		r.Refresh()
		return r.QueryRow("SELECT a FROM t").Int(0)
	}
	if got := value(); got != 1 {
		t.Fatal(got)
	}
	s, err := r.Prepare("SELECT a FROM t, (" + numbers + ")")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Rows()
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, w, "UPDATE t SET a = 2")
	if got := value(); got != 1 {
		t.Errorf("%d beside the cursor, which sees 1", got)
	}
	rows.Close()
	if got := value(); got != 2 {
		t.Errorf("%d after a refresh, 2 was committed", got)
	}
}

func TestSnapshotOfAnEmptyDatabaseIsHeld(t *testing.T) {
	t.Parallel()
	w := open(t)
	r := second(t, w)
	if err := r.HoldSnapshots(false); err != nil {
		t.Fatal(err)
	}
	if err := r.RefreshNow(); err != nil || !r.Holding() {
		t.Fatalf("holding %t: %v", r.Holding(), err)
	}
	mustExec(t, w, "CREATE TABLE t(a)")
	if n := r.QueryRow("SELECT count(*) FROM sqlite_schema").Int(0); n != 0 {
		t.Errorf("%d tables in the snapshot of an empty database", n)
	}
}

func TestWALOfADatabaseThatHasNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rollback.db")
	c, err := Open(path, OpenReadWrite|OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mustExec(t, c, "CREATE TABLE t(a)")
	if _, _, ok := c.WAL(); ok {
		t.Error("a database in rollback mode has a WAL")
	}
	if _, err := os.Stat(path + "-shm"); err == nil {
		t.Error("asking made a file")
	}
	mustExec(t, c, "PRAGMA journal_mode=WAL")
	mustExec(t, c, "INSERT INTO t VALUES (1)")
	if _, _, ok := c.WAL(); !ok {
		t.Error("no WAL")
	}
	mustExec(t, c, "PRAGMA journal_mode=DELETE")
	if _, _, ok := c.WAL(); ok {
		t.Error("the WAL outlived its mode")
	}
}

// A statement that returned a row and is ended early commits when it is reset.
func TestErrorOfACommitAfterTheFirstRow(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "PRAGMA foreign_keys=ON")
	mustExec(t, c, "CREATE TABLE p(id INTEGER PRIMARY KEY)")
	mustExec(t, c, "CREATE TABLE f(id REFERENCES p DEFERRABLE INITIALLY DEFERRED, v)")
	for name, v := range map[string]string{"small": "v", "large": strings.Repeat("v", 100_000)} {
		err := c.QueryRow("INSERT INTO f VALUES (7, ?) RETURNING v", v).Err()
		if !errors.Is(err, CodeConstraintForeignKey) {
			t.Errorf("%s row: %v", name, err)
		}
		s, err := c.Prepare("INSERT INTO f VALUES (7, ?1), (8, ?1) RETURNING v")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.Rows(v)
		if err == nil {
			rows.Next()
			err = rows.Close()
		}
		if !errors.Is(err, CodeConstraintForeignKey) {
			t.Errorf("%s rows: %v", name, err)
		}
	}
	if n := c.QueryRow("SELECT count(*) FROM f").Int(0); n != 0 {
		t.Errorf("%d rows were committed", n)
	}
}

func TestChangesOfRowsClosedEarly(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a, b)")
	s, err := c.Prepare("INSERT INTO t " + numbers + " RETURNING a")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Rows()
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if n := rows.Result().Changes; n != 5000 {
		t.Errorf("%d changes, want 5000", n)
	}
}

func TestEmptyBlobBesideALargeValue(t *testing.T) {
	t.Parallel()
	c := open(t)
	for row, err := range c.Query("SELECT ?1, zeroblob(0), '' UNION ALL SELECT ?1, zeroblob(0), ''", strings.Repeat("x", 100_000)) {
		if err != nil {
			t.Fatal(err)
		}
		if b := row.Blob(1); b == nil || row.IsNull(1) || row.Any(2) != "" {
			t.Errorf("blob %#v, null %t, text %#v", b, row.IsNull(1), row.Any(2))
		}
	}
}

func TestRowOutlivesRevoke(t *testing.T) {
	t.Parallel()
	c := open(t)
	if err := c.HoldSnapshots(false); err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("y", 100_000)
	s, err := c.Prepare("SELECT ?1 UNION ALL SELECT ?1")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Rows(want)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	row := rows.Row()
	if !c.Revoke(time.Second) {
		t.Fatal("not revoked")
	}
	if row.Text(0) != want {
		t.Error("a row changed when the snapshot was revoked")
	}
	if rows.Next() || !errors.Is(rows.Err(), ErrRevoked) {
		t.Error(rows.Err())
	}
	if err := c.Exec("SELECT 1"); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	if _, err := c.Prepare("SELECT 2"); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	if err := c.QueryRow("SELECT ?1 UNION ALL SELECT ?1", want).Err(); err == nil {
		t.Error("a revoked connection answered")
	}
	rows.Close()
	c.Restore()
	if got := c.QueryRow("SELECT ?", want).Text(0); got != want {
		t.Error("a restored connection does not answer")
	}
}

// Revoke comes at any moment: while statements are prepared, run, fetched and freed.
func TestRevokeAtAnyMoment(t *testing.T) {
	t.Parallel()
	c := open(t)
	if err := c.HoldSnapshots(false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			c.Revoke(time.Second)
		}
	})
	revoked := 0
	for i := 0; revoked < 300; i++ {
		ok := true
		for row, err := range c.Query(fmt.Sprintf("SELECT %d, i FROM (%s)", i, numbers)) {
			switch {
			case err == nil && row.Int(0) != i:
				t.Errorf("row of %d in %d", row.Int(0), i)
			case errors.Is(err, ErrRevoked), errors.Is(err, CodeInterrupt):
				ok = false
			case err != nil:
				t.Error(err)
			}
		}
		if !ok {
			revoked++
		}
		c.Restore()
	}
	cancel()
	wg.Wait()
	c.Restore()
}
