package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t testing.TB) *Conn {
	t.Helper()
	c, err := Open(filepath.Join(t.TempDir(), "test.db"), OpenReadWrite|OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Exec("PRAGMA journal_mode=WAL"); err != nil {
		t.Fatal(err)
	}
	return c
}

func mustExec(t testing.TB, c *Conn, sql string, args ...any) {
	t.Helper()
	if err := c.Exec(sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestValuesRoundTrip(t *testing.T) {
	t.Parallel()
	c := open(t)
	big := strings.Repeat("x", 200_000)
	when := time.Date(2026, 11, 21, 1, 2, 3, 400, time.FixedZone("", 3600))
	for _, tc := range []struct {
		in   any
		want any
	}{
		{nil, nil}, {1, int64(1)}, {int64(-1 << 63), int64(-1 << 63)}, {uint8(7), int64(7)},
		{1.5, 1.5}, {float32(0.25), 0.25}, {true, int64(1)}, {false, int64(0)},
		{"", ""}, {"é\x00b", "é\x00b"}, {[]byte{}, []byte{}}, {[]byte(nil), nil}, {[]byte{0, 1}, []byte{0, 1}},
		{big, big}, {[]byte(big), []byte(big)}, {ZeroBlob(3), []byte{0, 0, 0}},
		{when, "2026-11-21 01:02:03.0000004+01:00"}, {time.Second, int64(time.Second)}, {(*int)(nil), nil},
	} {
		row := c.QueryRow("SELECT ?1, typeof(?1)", tc.in)
		if row.Err() != nil {
			t.Fatalf("%T: %v", tc.in, row.Err())
		}
		if got := row.Any(0); fmt.Sprintf("%T%v", got, got) != fmt.Sprintf("%T%v", tc.want, tc.want) {
			t.Errorf("%T %.20v came back as %T %.20v", tc.in, tc.in, got, got)
		}
		n := 0
		for row, err := range c.Query("SELECT ?1 UNION ALL SELECT ?1 UNION ALL SELECT ?1", tc.in) {
			if err != nil {
				t.Fatal(err)
			}
			if got := row.Any(0); fmt.Sprintf("%T%v", got, got) != fmt.Sprintf("%T%v", tc.want, tc.want) {
				t.Errorf("cursor: %T %.20v came back as %T %.20v", tc.in, tc.in, got, got)
			}
			n++
		}
		if n != 3 {
			t.Errorf("%d rows for %T", n, tc.in)
		}
	}
	for _, bad := range []any{uint64(1 << 63), struct{}{}, make(chan int), ZeroBlob(-1)} {
		if err := c.QueryRow("SELECT ?", bad).Err(); err == nil {
			t.Errorf("%T was accepted", bad)
		}
	}
}

func TestRowsOfEverySizeAndNumber(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, n := range []int{0, 1, 2, 200, 5000} {
		for _, width := range []int{0, 1, 100, 5000, 40_000} {
			if n*width > 10<<20 {
				continue
			}
			i := 0
			q := "WITH RECURSIVE r(i) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT i+1 FROM r WHERE i < ?1) SELECT i, printf('%.*c', ?2, 'y') || i, ?3 FROM r"
			for row, err := range c.Query(q, n, width, "pad") {
				if err != nil {
					t.Fatal(err)
				}
				i++
				if row.Int(0) != i || !strings.HasSuffix(row.Text(1), fmt.Sprint(i)) || row.Text(2) != "pad" || len(row.Text(1)) < width {
					t.Fatalf("n=%d width=%d row %d: %d %.10q %q", n, width, i, row.Int(0), row.Text(1), row.Text(2))
				}
				// A nested query must not disturb the outer one.
				if got := c.QueryRow("SELECT ?", i).Int(0); got != i {
					t.Fatalf("nested: %d, want %d", got, i)
				}
			}
			if i != n {
				t.Fatalf("%d rows, want %d (width %d)", i, n, width)
			}
		}
	}
}

func TestManyColumns(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, n := range []int{1, 300, 1999} {
		cols := make([]string, n)
		for i := range cols {
			cols[i] = fmt.Sprint(i)
		}
		q := "SELECT " + strings.Join(cols, ",")
		row := c.QueryRow(q)
		if row.Err() != nil || row.Len() != n || row.Int(n-1) != n-1 {
			t.Fatalf("%d columns: %v len %d", n, row.Err(), row.Len())
		}
		rows := 0
		for row, err := range c.Query(q + " UNION ALL " + q) {
			if err != nil || row.Int(n-1) != n-1 {
				t.Fatal(err)
			}
			rows++
		}
		if rows != 2 {
			t.Fatalf("%d rows", rows)
		}
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	c := open(t)
	row := c.QueryRow("SELECT :a, @b, $c, :a", Named("a", 1), Named("@b", 2), Named("c", 3))
	if row.Err() != nil || row.Int(0) != 1 || row.Int(1) != 2 || row.Int(2) != 3 || row.Int(3) != 1 {
		t.Fatal(row.Err())
	}
	for _, tc := range []struct {
		sql  string
		args []any
		want string
	}{
		{"SELECT ?", nil, "1 parameter, 0 given"},
		{"SELECT ?, ?", []any{1}, "2 parameters, 1 given"},
		{"SELECT 1", []any{1}, "0 parameters, 1 given"},
		{"SELECT :a", []any{Named("b", 1)}, `no parameter "b"; it has :a`},
		{"SELECT :a, :b", []any{Named("a", 1)}, "no argument for parameter 2 :b"},
		{"SELECT :a, :b", []any{Named("a", 1), 2}, "mixed"},
	} {
		if err := c.QueryRow(tc.sql, tc.args...).Err(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.sql, err, tc.want)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	c := open(t)
	err := c.Exec("SELECT * FORM t")
	var e *Error
	if !errors.As(err, &e) || e.Offset != 9 || !strings.Contains(err.Error(), "⟨here⟩FORM") {
		t.Fatalf("%v", err)
	}
	mustExec(t, c, "CREATE TABLE t(a UNIQUE)")
	mustExec(t, c, "INSERT INTO t VALUES (1)")
	err = c.Exec("INSERT INTO t VALUES (?)", 1)
	if !errors.Is(err, CodeConstraintUnique) || !errors.Is(err, CodeConstraint) || errors.Is(err, CodeBusy) {
		t.Fatalf("%v", err)
	}
	if Code(err) != CodeConstraintUnique {
		t.Fatal(Code(err))
	}
	_, err = Open(filepath.Join(t.TempDir(), "no", "such.db"), OpenReadWrite, "")
	if err == nil || !strings.Contains(err.Error(), "such.db") {
		t.Fatal(err)
	}
}

func TestResultCountsOnlyItsOwnChanges(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a)")
	for _, tc := range []struct {
		sql  string
		want int64
	}{
		{"INSERT INTO t VALUES (1),(2),(3)", 3}, {"CREATE TABLE u(a)", 0}, {"UPDATE t SET a=a WHERE a>1", 2},
		{"UPDATE t SET a=a WHERE a>100", 0}, {"SELECT * FROM t", 0}, {"DELETE FROM t", 3},
	} {
		s, err := c.Prepare(tc.sql)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Exec()
		if err != nil || res.Changes != tc.want {
			t.Errorf("%s: %d changes, want %d (%v)", tc.sql, res.Changes, tc.want, err)
		}
	}
}

func TestRowAfterItsTimePanics(t *testing.T) {
	t.Parallel()
	c := open(t)
	old := c.QueryRow("SELECT 'keep me'")
	big := c.QueryRow("SELECT 'large' || ?", strings.Repeat("z", 50_000))
	for range 10_000 {
		c.QueryRow("SELECT 1")
	}
	if len(big.Text(0)) != 50_005 {
		t.Fatal("a large row owns its memory")
	}
	defer func() {
		if recover() == nil {
			t.Fatal("a stale row was read")
		}
	}()
	_ = old.Text(0)
}

func TestInterruptOn(t *testing.T) {
	t.Parallel()
	c := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	stop := c.InterruptOn(ctx)
	err := c.QueryRow("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r) SELECT sum(i) FROM r").Err()
	stop()
	if !errors.Is(err, CodeInterrupt) {
		t.Fatal(err)
	}
	if got := c.QueryRow("SELECT 7").Int(0); got != 7 {
		t.Fatal("the interrupt outlived its statement")
	}
}

// A context that ends before the first step interrupts as well, and stopping
// twice is harmless.
func TestInterruptOnComesAgain(t *testing.T) {
	t.Parallel()
	c := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	stop := c.InterruptOn(ctx)
	time.Sleep(time.Millisecond) // for a first interrupt that is lost; without it the test is only weaker
	err := c.QueryRow("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n").Err()
	if !errors.Is(err, CodeInterrupt) {
		t.Error(err)
	}
	stop()
	stop()
	if err := c.QueryRow("SELECT 1").Err(); err != nil {
		t.Error(err)
	}
}

func TestCachedStatementInUseTwice(t *testing.T) {
	t.Parallel()
	c := open(t)
	const q = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < 1000) SELECT i FROM r"
	n := 0
	for outer, err := range c.Query(q) {
		if err != nil {
			t.Fatal(err)
		}
		if outer.Int(0) > 3 {
			break
		}
		for inner, err := range c.Query(q) {
			if err != nil {
				t.Fatal(err)
			}
			n += inner.Int(0)
		}
	}
	if n != 3*500500 {
		t.Fatal(n)
	}
}

func TestSchemaChangeUnderCachedStatement(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a)")
	mustExec(t, c, "INSERT INTO t VALUES (1)")
	if row := c.QueryRow("SELECT * FROM t"); row.Len() != 1 {
		t.Fatal(row.Len())
	}
	mustExec(t, c, "ALTER TABLE t ADD COLUMN b INT DEFAULT 5")
	row := c.QueryRow("SELECT * FROM t")
	if row.Len() != 2 || row.Int(1) != 5 || row.ColumnName(1) != "b" || row.DeclType(1) != "INT" {
		t.Fatalf("%d columns %v", row.Len(), row.Columns())
	}
}

func BenchmarkPointRead(b *testing.B) {
	c := open(b)
	mustExec(b, c, "CREATE TABLE account(id PRIMARY KEY, balance INT)")
	mustExec(b, c, "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM r WHERE i < 9999) INSERT INTO account SELECT i, i FROM r")
	if err := c.HoldSnapshots(true); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Refresh()
		row := c.QueryRow("SELECT balance FROM account WHERE id = ?", i%10000)
		if row.Int(0) != i%10000 {
			b.Fatal(row.Err())
		}
		i++
	}
}

func BenchmarkUpdate(b *testing.B) {
	c := open(b)
	mustExec(b, c, "CREATE TABLE account(id PRIMARY KEY, balance INT)")
	mustExec(b, c, "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM r WHERE i < 9999) INSERT INTO account SELECT i, i FROM r")
	b.ReportAllocs()
	mustExec(b, c, "BEGIN")
	i := 0
	for b.Loop() {
		s, _ := c.Prepare("UPDATE account SET balance=balance+? WHERE id=?")
		if _, err := s.Exec(100, i%10000); err != nil {
			b.Fatal(err)
		}
		i++
	}
	mustExec(b, c, "COMMIT")
}

func TestVerb(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"": "", ";": "", "-- VACUUM": "", "/* VACUUM": "", "1": "", "SELECT 1": "SELECT", "vacuum": "VACUUM", "VACUUM;": "VACUUM",
		"\ufeff ;/* x */-- y\n vacuum/**/into 'x'": "VACUUM", "EXPLAIN VACUUM": "EXPLAIN", "VACUUM_x": "VACUUM_X", "with(x) AS": "WITH",
	} {
		if got := Verb(sql); got != want {
			t.Errorf("%q: %q, want %q", sql, got, want)
		}
	}
}
