package sqldriver_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqldriver"
	"github.com/nearlite/nearlite/sqlite"
)

var bg = context.Background()

// setup opens a database of the test's own.
func setup(t *testing.T, statements ...string) *sql.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "test.db"), statements...)
}

func open(t *testing.T, dsn string, statements ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open(sqldriver.Name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, s := range statements {
		exec(t, db, s)
	}
	return db
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func exec(t *testing.T, db execer, query string, args ...any) sql.Result {
	t.Helper()
	res, err := db.ExecContext(bg, query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return res
}

func value[T any](t *testing.T, db queryer, query string, args ...any) (v T) {
	t.Helper()
	if err := db.QueryRowContext(bg, query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestValues(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE v (plain, int INTEGER, name TEXT, blob BLOB, at DATETIME, day DATE, stamp TIMESTAMP(6), yes BOOLEAN)")
	at := time.Date(2026, 7, 9, 12, 30, 15, 123456789, time.FixedZone("", 2*3600))
	tests := map[string]struct {
		column string
		in     any
		want   any // of a scan into any
	}{
		"nil":                          {"plain", nil, nil},
		"integer":                      {"plain", int64(-1 << 63), int64(-1 << 63)},
		"int":                          {"plain", 7, int64(7)},
		"uint8":                        {"plain", uint8(7), int64(7)},
		"float":                        {"plain", 0.5, 0.5},
		"float32":                      {"plain", float32(0.5), 0.5},
		"bool":                         {"plain", true, int64(1)},
		"text":                         {"name", "héllo\x00wörld", "héllo\x00wörld"},
		"empty text":                   {"name", "", ""},
		"bytes":                        {"blob", []byte{0, 1, 255}, []byte{0, 1, 255}},
		"empty bytes":                  {"blob", []byte{}, []byte{}},
		"nil bytes":                    {"blob", []byte(nil), nil},
		"raw json":                     {"blob", rawText("{}"), []byte("{}")},
		"pointer":                      {"int", ptr(3), int64(3)},
		"nil pointer":                  {"int", (*int)(nil), nil},
		"valuer":                       {"int", sql.NullInt64{Int64: 9, Valid: true}, int64(9)},
		"null valuer":                  {"int", sql.NullString{}, nil},
		"named type":                   {"name", reflect.Kind(2).String(), "int"},
		"zero blob":                    {"blob", sqlite.ZeroBlob(3), []byte{0, 0, 0}},
		"time":                         {"at", at, at},
		"time in a plain column":       {"plain", at, "2026-07-09 12:30:15.123456789+02:00"},
		"UTC":                          {"at", at.UTC(), at.UTC()},
		"RFC 3339":                     {"at", "2026-07-09T12:30:15Z", time.Date(2026, 7, 9, 12, 30, 15, 0, time.UTC)},
		"RFC 3339 with a zone":         {"at", "2026-07-09T12:30:15.5+02:00", time.Date(2026, 7, 9, 10, 30, 15, 5e8, time.UTC)},
		"without a zone":               {"stamp", "2026-07-09 12:30:15.25", time.Date(2026, 7, 9, 12, 30, 15, 25e7, time.UTC)},
		"without seconds":              {"stamp", "2026-07-09 12:30", time.Date(2026, 7, 9, 12, 30, 0, 0, time.UTC)},
		"day":                          {"day", "2026-07-09", time.Date(2026, 7, 9, 0, 0, 0, 0, time.UTC)},
		"Unix seconds":                 {"at", 1783593015, time.Unix(1783593015, 0)},
		"Unix milliseconds":            {"at", int64(1783593015123), time.UnixMilli(1783593015123)},
		"no time":                      {"at", "tomorrow", "tomorrow"},
		"null time":                    {"at", nil, nil},
		"boolean":                      {"yes", true, true},
		"boolean false":                {"yes", 0, false},
		"no boolean":                   {"yes", "maybe", "maybe"},
		"null boolean":                 {"yes", nil, nil},
		"a text in an integer column":  {"int", "x", "x"},
		"a float in a boolean":         {"yes", 0.5, 0.5},
		"a number that is an integer":  {"int", "12", int64(12)},
		"a large text":                 {"name", strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<20)},
		"bytes that look like a time":  {"at", []byte("2026-07-09"), []byte("2026-07-09")},
		"time before the common epoch": {"at", time.Date(1, 2, 3, 4, 5, 6, 0, time.UTC), time.Date(1, 2, 3, 4, 5, 6, 0, time.UTC)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := exec(t, db, "INSERT INTO v ("+test.column+") VALUES (?)", test.in)
			id, _ := res.LastInsertId()
			got := value[any](t, db, "SELECT "+test.column+" FROM v WHERE rowid = ?", id)
			if want, ok := test.want.(time.Time); ok {
				if have, ok := got.(time.Time); !ok || !have.Equal(want) {
					t.Errorf("got %v, want %v", got, want)
				}
			} else if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

type rawText []byte

func ptr[T any](v T) *T { return &v }

func TestBadArguments(t *testing.T) {
	t.Parallel()
	db := setup(t)
	tests := map[string]struct {
		query string
		args  []any
		want  string
	}{
		"a channel":        {"SELECT ?", []any{make(chan int)}, "unsupported type"},
		"too large":        {"SELECT ?", []any{uint64(1 << 63)}, "high bit"},
		"too few":          {"SELECT ?, ?", []any{1}, "2 parameters, 1 given"},
		"too many":         {"SELECT ?", []any{1, 2}, "1 parameter, 2 given"},
		"an unknown name":  {"SELECT :a", []any{sql.Named("b", 1)}, `no parameter "b"`},
		"a missing name":   {"SELECT :a, :b", []any{sql.Named("a", 1)}, ":b"},
		"mixed":            {"SELECT :a, ?", []any{sql.Named("a", 1), 2}, "mixed"},
		"several":          {"SELECT 1; SELECT ?", []any{1}, "more than one statement"},
		"a failing valuer": {"SELECT ?", []any{failing{}}, "no value today"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := db.Query(test.query, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("query: got %v, want %q in it", err, test.want)
			}
			if _, err = db.Exec(test.query, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("exec: got %v, want %q in it", err, test.want)
			}
		})
	}
}

type failing struct{}

func (failing) Value() (driver.Value, error) { return nil, errors.New("no value today") }

func TestNamedParameters(t *testing.T) {
	t.Parallel()
	db := setup(t)
	for _, query := range []string{"SELECT :a - :b", "SELECT @a - @b", "SELECT $a - $b", "SELECT :a - :b -- two names"} {
		if got := value[int](t, db, query, sql.Named("b", 2), sql.Named("a", 44)); got != 42 {
			t.Errorf("%s: got %d", query, got)
		}
	}
	if got := value[int](t, db, "SELECT :a", sqlite.Named(":a", 1)); got != 1 {
		t.Errorf("sqlite.Named: got %d", got)
	}
	if got := value[int](t, db, "SELECT ?1 + ?1 + ?2", 20, 2); got != 42 {
		t.Errorf("numbered: got %d", got)
	}
}

func TestReturning(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME DEFAULT CURRENT_TIMESTAMP, on_ BOOLEAN DEFAULT TRUE)")
	for name, q := range map[string]queryer{"database": db, "transaction": beginTx(t, db)} {
		var id int64
		var at time.Time
		var on any
		if err := q.QueryRowContext(bg, "INSERT INTO t DEFAULT VALUES RETURNING id, at, on_").Scan(&id, &at, &on); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if id < 1 || time.Since(at).Abs() > time.Hour || on != true {
			t.Errorf("%s: got %v, %v, %v", name, id, at, on)
		}
		if tx, ok := q.(*sql.Tx); ok {
			tx.Commit()
		}
	}
	err := db.QueryRow("INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING RETURNING id").Scan(new(int))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Error(err)
	}
}

// beginTx begins a transaction that runs no statement until its turn.
func beginTx(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

func TestResult(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT)")
	res := exec(t, db, "INSERT INTO t (n) VALUES (1), (2), (3)")
	id, _ := res.LastInsertId()
	n, _ := res.RowsAffected()
	if id != 3 || n != 3 {
		t.Errorf("insert: id %d, rows %d", id, n)
	}
	if n, _ = exec(t, db, "UPDATE t SET n = 0 WHERE n > 1").RowsAffected(); n != 2 {
		t.Errorf("update: %d rows", n)
	}
	if n, _ = exec(t, db, "SELECT * FROM t").RowsAffected(); n != 0 {
		t.Errorf("select: %d rows", n)
	}
	if n, _ = exec(t, db, "UPDATE t SET n = 1; DELETE FROM t WHERE id < 3;").RowsAffected(); n != 5 {
		t.Errorf("script: %d rows", n)
	}
}

func TestColumnTypes(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (a INTEGER, b varchar(10), c BLOB, d DOUBLE, e DATETIME, f BOOLEAN, g, h DECIMAL(10, 2))")
	found, err := db.Query("SELECT *, a + 1 FROM t")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	types, err := found.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range types {
		got = append(got, c.Name()+" "+c.DatabaseTypeName()+" "+c.ScanType().String())
	}
	want := []string{"a INTEGER sql.NullInt64", "b VARCHAR sql.NullString", "c BLOB []uint8", "d DOUBLE sql.NullFloat64",
		"e DATETIME sql.NullTime", "f BOOLEAN sql.NullBool", "g  interface {}", "h DECIMAL interface {}", "a + 1  interface {}"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestBytesAreCopies(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (b BLOB); INSERT INTO t VALUES (x'01'), (x'02'), (x'03')")
	found, err := db.Query("SELECT b FROM t ORDER BY b")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var all [][]byte
	for found.Next() {
		var b []byte
		if err := found.Scan(&b); err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	if got := bytes.Join(all, nil); !bytes.Equal(got, []byte{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
}

// A query in progress has a snapshot: writes go on beside it and do not show in it.
func TestReadWhileWriting(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (id INTEGER PRIMARY KEY); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) INSERT INTO t SELECT i FROM n")
	found, err := db.Query("SELECT id FROM t")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	n := 0
	for found.Next() {
		if n++; n%1000 == 1 {
			exec(t, db, "INSERT INTO t DEFAULT VALUES")
		}
	}
	if n != 5000 || found.Err() != nil {
		t.Errorf("read %d rows, error %v", n, found.Err())
	}
	if got := value[int](t, db, "SELECT count(*) FROM t"); got != 5005 {
		t.Errorf("%d rows in the end", got)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE)", "INSERT INTO t VALUES (1, 1)")
	_, err := db.Exec("INSERT INTO t VALUES (2, 1)")
	var own *sqlite.Error
	if !errors.As(err, &own) || !errors.Is(err, sqlite.CodeConstraintUnique) || !strings.Contains(own.SQL, "INSERT") {
		t.Errorf("unique: %v", err)
	}
	_, err = db.Query("SELECT nothing FROM t")
	if !errors.As(err, &own) || own.Offset != len("SELECT ") {
		t.Errorf("syntax: %v", err)
	}
	if _, err = db.Prepare("SELECT FROM"); !errors.As(err, &own) {
		t.Errorf("prepare: %v", err)
	}
	if _, err = db.Prepare("SELECT 1; SELECT 2"); err == nil || !strings.Contains(err.Error(), "more than one") {
		t.Errorf("prepare two: %v", err)
	}
	found, err := db.Query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, abs(iif(i = 100000, -1 << 63, i)) FROM n")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	n := 0
	for found.Next() {
		n++
	}
	if !errors.As(found.Err(), &own) || n == 0 || n > 99_999 {
		t.Errorf("after %d rows: %v", n, found.Err())
	}
}

func TestPrepared(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT)")
	insert, err := db.Prepare("INSERT INTO t (n) VALUES (?)")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := insert.Exec(i); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	sum, err := db.Prepare("SELECT sum(n) FROM t WHERE n >= ?")
	if err != nil {
		t.Fatal(err)
	}
	defer sum.Close()
	var got int
	if err := sum.QueryRow(10).Scan(&got); err != nil || got != 145 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := sum.Query(); err == nil || !strings.Contains(err.Error(), "expected 1 arguments") {
		t.Errorf("without an argument: %v", err)
	}
	tx := beginTx(t, db)
	if _, err := tx.Stmt(insert).Exec(100); err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	exec(t, db, "ALTER TABLE t ADD COLUMN later DEFAULT 1")
	if err := sum.QueryRow(0).Scan(&got); err != nil || got != 190 {
		t.Errorf("after a change of schema: %d, %v", got, err)
	}
}

func TestNothing(t *testing.T) {
	t.Parallel()
	db := setup(t)
	for _, query := range []string{"", "  ", "-- nothing", ";", "/* nothing */;"} {
		exec(t, db, query)
		if err := db.QueryRow(query).Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("query %q: %v", query, err)
		}
	}
	if got := value[int](t, db, ";; SELECT 1; -- one"); got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	const forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
	db := setup(t, "CREATE TABLE t (n)")
	ended, end := context.WithCancel(bg)
	end()
	runs := map[string]func(ctx context.Context) error{
		"query": func(ctx context.Context) error { return db.QueryRowContext(ctx, forever).Scan(new(int)) },
		"exec":  func(ctx context.Context) error { _, err := db.ExecContext(ctx, forever); return err },
		"transaction": func(ctx context.Context) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			return tx.QueryRowContext(ctx, forever).Scan(new(int))
		},
		"read-only transaction": func(ctx context.Context) error {
			tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
			if err != nil {
				return err
			}
			defer tx.Rollback()
			return tx.QueryRowContext(ctx, forever).Scan(new(int))
		},
		"prepared": func(ctx context.Context) error {
			s, err := db.PrepareContext(ctx, forever)
			if err != nil {
				return err
			}
			defer s.Close()
			return s.QueryRowContext(ctx).Scan(new(int))
		},
	}
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			if err := run(ended); !errors.Is(err, context.Canceled) {
				t.Errorf("with a context that has ended: %v", err)
			}
			ctx, stop := context.WithTimeout(bg, 20*time.Millisecond)
			defer stop()
			if err := run(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with one that ends meanwhile: %v", err)
			}
			exec(t, db, "INSERT INTO t VALUES (1)")
		})
	}
	t.Run("waiting", func(t *testing.T) {
		tx := beginTx(t, db)
		exec(t, tx, "INSERT INTO t VALUES (2)")
		ctx, stop := context.WithTimeout(bg, 20*time.Millisecond)
		defer stop()
		if _, err := db.ExecContext(ctx, "INSERT INTO t VALUES (3)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		if got := value[int](t, db, "SELECT count(*) FROM t WHERE n = 3"); got != 0 {
			t.Error("a write that was taken back has happened")
		}
	})
}

func TestPing(t *testing.T) {
	t.Parallel()
	if err := setup(t).Ping(); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	bad := filepath.Join(dir, "text.db")
	if err := os.WriteFile(bad, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		bad:                              "not a SQLite database",
		dir:                              "directory",
		filepath.Join(dir, "no", "a.db"): "does not exist",
		filepath.Join(dir, "b.db") + "?mustexist=true": "does not exist",
	} {
		db := open(t, path)
		if err := db.Ping(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", path, err, want)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	engine, err := nearlite.Open(bg, filepath.Join(t.TempDir(), "a.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(sqldriver.NewConnector(engine))
	exec(t, db, "CREATE TABLE t (n)")
	engine.Close()
	if _, err := db.Exec("INSERT INTO t VALUES (1)"); !errors.Is(err, nearlite.ErrClosed) {
		t.Errorf("exec: %v", err)
	}
	if err := db.Ping(); !errors.Is(err, nearlite.ErrClosed) {
		t.Errorf("ping: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestSharing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	one, two := open(t, path, "CREATE TABLE t (n)"), open(t, "file:"+link)
	engine := func(db *sql.DB) *nearlite.DB {
		e, err := sqldriver.Engine(bg, db)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if engine(one) != engine(two) {
		t.Error("one file has two engines")
	}
	other := open(t, path+"?durability=normal")
	if err := other.Ping(); err == nil || !strings.Contains(err.Error(), "same options") {
		t.Errorf("with other options: %v", err)
	}
	one.Close()
	exec(t, two, "INSERT INTO t VALUES (1)")
	two.Close()
	if err := other.Ping(); err != nil {
		t.Errorf("after the others closed: %v", err)
	}
	three, four := open(t, ":memory:"), open(t, ":memory:")
	if engine(three) == engine(four) {
		t.Error("two databases in memory are one")
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	db := open(t, ":memory:", "CREATE TABLE t (n)")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { db.Exec("INSERT INTO t VALUES (?)", i) })
	}
	all.Wait()
	if got := value[int](t, db, "SELECT count(*) FROM t"); got != 50 {
		t.Errorf("the connections see %d rows of 50", got)
	}
}

func TestEngineBesideDriver(t *testing.T) {
	t.Parallel()
	db := setup(t, "CREATE TABLE t (n INT)")
	engine, err := sqldriver.Engine(bg, db)
	if err != nil {
		t.Fatal(err)
	}
	err = engine.Update(bg, func(tx *nearlite.WriteTx) error {
		_, err := tx.Exec("INSERT INTO t VALUES (42)")
		return err
	})
	if err != nil || value[int](t, db, "SELECT n FROM t") != 42 {
		t.Errorf("got %v", err)
	}
}

func TestDriverOpen(t *testing.T) {
	t.Parallel()
	c, err := (&sqldriver.Driver{}).Open(filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Prepare("CREATE TABLE t (n)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.(driver.StmtExecContext).ExecContext(bg, nil); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := (&sqldriver.Driver{}).Open("?"); err == nil {
		t.Error("a name of nothing was opened")
	}
}

func Example() {
	db, err := sql.Open("nearlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, read BOOLEAN)"); err != nil {
		fmt.Println(err)
		return
	}
	var id int64
	err = db.QueryRow("INSERT INTO book (title, read) VALUES (:title, :read) RETURNING id",
		sql.Named("title", "Ficciones"), sql.Named("read", true)).Scan(&id)
	fmt.Println(id, err)

	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true}) // one snapshot
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Rollback()
	var title string
	var read bool
	err = tx.QueryRow("SELECT title, read FROM book WHERE id = ?", id).Scan(&title, &read)
	fmt.Println(title, read, err)
	// Output:
	// 1 <nil>
	// Ficciones true <nil>
}

func ExampleNewConnector() {
	ctx := context.Background()
	engine, err := nearlite.Open(ctx, ":memory:", &nearlite.Options{Durability: nearlite.Normal})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	db := sql.OpenDB(sqldriver.NewConnector(engine))
	defer db.Close()
	var sum int
	fmt.Println(db.QueryRow("SELECT 40 + ?", 2).Scan(&sum), sum)
	// Output: <nil> 42
}
