package sqlite

import (
	"math"
	"testing"
)

// What a Row converts by itself must come out as SQLite's own CAST has it.
func FuzzConversions(f *testing.F) {
	for _, s := range []string{"", "12", " 12abc", "-", "+5", ".5", "1e3", "1e", "-1.5e-3x", "0x10", "9223372036854775807", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999e-10", "1e400", "-1e400", "Inf", "nan", "1_000", "\v1", "\u00a01", "1.", "1.e2", "00000000000000000000001",
		"123456789012345678901234567890.5e-20", "4.9e-324", "1.7976931348623157e308", "2.2250738585072014e-308"} {
		f.Add([]byte(s), 0.0)
	}
	for _, x := range []float64{0, 1, -1, 0.1, 1e15, 1e16, 1e20, 1e21, 1e-5, 1.5e-7, 123456789.125, 0.1 + 0.2, 1 / 3.0, 2 / 3.0, 100000, 5e-324, math.MaxFloat64,
		math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 9223372036854775807, -9223372036854775808, 1e300, 12345678901234567890} {
		f.Add([]byte(nil), x)
	}
	c := open(f)
	f.Fuzz(func(t *testing.T, text []byte, x float64) {
		row := c.QueryRow("SELECT CAST(?1 AS INTEGER), CAST(?1 AS REAL)", text)
		if row.Err() != nil {
			t.Fatal(row.Err())
		}
		if got, want := leadingInt(text), row.Int64(0); got != want {
			t.Errorf("%q as an integer: %d, SQLite says %d", text, got, want)
		}
		// SQLite reads 19 digits of a longer number, Go reads all.
		if got, want := leadingFloat(text), row.Float64(1); got != want && math.Nextafter(got, want) != want {
			t.Errorf("%q as a float: %v, SQLite says %v", text, got, want)
		}
		if math.IsNaN(x) {
			return // stored as NULL
		}
		row = c.QueryRow("SELECT CAST(?1 AS TEXT), CAST(?1 AS INTEGER)", x)
		if got, want := formatFloat(x), row.Text(0); got != want {
			t.Errorf("%v as text: %s, SQLite says %s", x, got, want)
		}
		if got, want := floatToInt(x), row.Int64(1); got != want {
			t.Errorf("%v as an integer: %d, SQLite says %d", x, got, want)
		}
	})
}

// Where a statement ends is for SQLite to say; onlyComments may only agree.
func FuzzExecText(f *testing.F) {
	for _, s := range []string{"", ";", "SELECT 1", "SELECT 1;", "SELECT 1; -- end", "SELECT 1; /* end */ ; ", "SELECT 1; /* open", "SELECT 1; /*", "SELECT 1; /**/",
		"SELECT 1; /*/", "SELECT 1; --", "SELECT 1; -", "SELECT 1; SELECT 2", "-- only\n", "/* only */", "SELECT ';'; ", "SELECT 1\u00a0", "SELECT 1; \u00a0", "SELECT 1;\v",
		"SELECT 1; \ufeff", "CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END; SELECT 2", "SELECT \"a;b\"; x", "SELECT 1;\f\r\n\t ;;"} {
		f.Add(s)
	}
	c, err := Open(":memory:", OpenReadWrite, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	mustExec(f, c, "CREATE TABLE t(a)")
	f.Fuzz(func(t *testing.T, sql string) {
		s, tail, err := c.PrepareFirst(sql)
		if err != nil {
			return
		}
		if s == nil {
			if !onlyComments(sql) {
				t.Fatalf("%q holds no statement", sql)
			}
			return
		}
		s.Finalize()
		if Verb(sql) == "" {
			t.Fatalf("%q begins with no word", sql)
		}
		next, _, err := c.PrepareFirst(tail)
		if nothing := next == nil && err == nil; nothing != onlyComments(tail) {
			t.Errorf("behind %q: %q; SQLite finds nothing: %t (%v)", sql, tail, nothing, err)
		}
		if next != nil {
			next.Finalize()
		}
		if cached, err := c.Prepare(sql); (err == nil) != onlyComments(tail) {
			t.Errorf("%q as one statement: %v", sql, err)
		} else if err == nil && cached.SQL() != sql {
			t.Errorf("the cache gave %q for %q", cached.SQL(), sql)
		}
	})
}
