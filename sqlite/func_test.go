package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
)

func mustCreate(t testing.TB, c *Conn, name string, nargs int, f Function) {
	t.Helper()
	if err := c.CreateFunction(name, FuncOptions{NArgs: nargs}, f); err != nil {
		t.Fatal(err)
	}
}

func TestFunctionValues(t *testing.T) {
	t.Parallel()
	c := open(t)
	var seen []Type
	mustCreate(t, c, "same", 1, func(args []Value) (any, error) {
		seen = append(seen, args[0].Type())
		return args[0].Any(), nil
	})
	big := strings.Repeat("x", 300_000)
	for _, v := range []any{nil, int64(0), int64(math.MinInt64), 0.5, "", "é\x00", []byte{}, []byte{0, 1}, big, []byte(big)} {
		row := c.QueryRow("SELECT same(?1), same(?1) IS ?1, typeof(same(?1)) = typeof(?1)", v)
		if row.Err() != nil || !row.Bool(1) || !row.Bool(2) || fmt.Sprint(row.Any(0)) != fmt.Sprint(v) {
			t.Errorf("%T %.10v came back as %T %.10v: %v", v, v, row.Any(0), row.Any(0), row.Err())
		}
	}
	if len(seen) != 30 || seen[0] != Null || seen[3] != Integer || seen[9] != Float || seen[12] != Text || seen[18] != Blob {
		t.Errorf("types %v", seen)
	}
	mustCreate(t, c, "convert", -1, func(args []Value) (any, error) {
		v := args[0]
		return fmt.Sprintf("%d %d %v %v %q %q %q %v", len(args), v.Int(), v.Float64(), v.Bool(), v.Text(), v.Blob(), v.RawBytes(), v.IsNull()), nil
	})
	if got := c.QueryRow("SELECT convert('12x', 1, 2)").Text(0); got != `3 12 12 true "12x" "12x" "12x" false` {
		t.Error(got)
	}
}

func TestFunctionResults(t *testing.T) {
	t.Parallel()
	c := open(t)
	var result any
	mustCreate(t, c, "give", 0, func([]Value) (any, error) { return result, nil })
	type status int
	for _, tc := range []struct {
		in   any
		want any
	}{
		{status(7), int64(7)}, {true, int64(1)}, {ZeroBlob(3), []byte{0, 0, 0}}, {(*int)(nil), nil}, {uint8(1), int64(1)},
		{time.Date(2026, 11, 21, 1, 2, 3, 0, time.UTC), "2026-11-21 01:02:03+00:00"},
	} {
		result = tc.in
		if got := c.QueryRow("SELECT give()"); got.Err() != nil || fmt.Sprint(got.Any(0)) != fmt.Sprint(tc.want) {
			t.Errorf("%T: %v, %v", tc.in, got.Err(), tc.want)
		}
	}
	result = struct{}{}
	if err := c.QueryRow("SELECT give()").Err(); err == nil || !strings.Contains(err.Error(), "a struct {} is neither") {
		t.Error(err)
	}
	result = strings.Repeat("x", 2_000_000_000/1000)
	if err := c.QueryRow("SELECT length(give())").Err(); err != nil {
		t.Error(err)
	}
}

func TestFunctionErrorsAndPanics(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a UNIQUE)")
	boom := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
	mustCreate(t, c, "fail", 1, func(args []Value) (any, error) {
		switch args[0].Text() {
		case "error":
			return nil, boom
		case "long":
			return nil, errors.New(strings.Repeat("e", 100_000))
		case "panic":
			panic(boom)
		case "index":
			return args[7], nil
		case "sql":
			return nil, c.Exec("INSERT INTO t VALUES (1), (1)")
		}
		return 1, nil
	})
	for _, s := range []string{"SELECT fail(?)", "INSERT INTO t VALUES (fail(?))", "SELECT 1 UNION ALL SELECT fail(?)"} {
		var pathErr *fs.PathError
		if err := c.Exec(s, "error"); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &pathErr) || Code(err) != CodeError {
			t.Errorf("%s: %v", s, err)
		}
		var p *PanicError
		err := c.Exec(s, "panic")
		if !errors.As(err, &p) || p.Value != boom || !bytes.Contains(p.Stack, []byte("func_test.go")) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", s, err)
		}
		if !strings.Contains(err.Error(), "the function fail panicked: open x") {
			t.Error(err)
		}
	}
	if err := c.QueryRow("SELECT fail('index')").Err(); err == nil || !strings.Contains(err.Error(), "index out of range") {
		t.Error(err)
	}
	if err := c.QueryRow("SELECT fail('long')").Err(); err == nil || len(err.Error()) < 100_000 {
		t.Error("a long message was cut")
	}
	if err := c.QueryRow("SELECT fail('sql')").Err(); !errors.Is(err, CodeConstraintUnique) {
		t.Errorf("the error of a nested statement: %v", err)
	}
	if err := c.Exec("SELECT nonsense"); errors.Is(err, fs.ErrNotExist) || err == nil {
		t.Errorf("another error has the cause of an older one: %v", err)
	}
	if n := c.QueryRow("SELECT fail('fine')").Int(0); n != 1 {
		t.Error("the connection does not work any more")
	}
}

// A function that uses its own connection must not disturb the statement that calls it.
func TestFunctionUsesItsConnection(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE node(id INTEGER PRIMARY KEY, parent, name)")
	mustExec(t, c, "INSERT INTO node VALUES (1, NULL, 'top'), (2, 1, 'usr'), (3, 2, 'bin'), (4, 3, ?)", strings.Repeat("n", 100_000))
	// path calls itself through SQL, with the same text.
	mustCreate(t, c, "path", 1, func(args []Value) (any, error) {
		if args[0].IsNull() {
			return "", nil
		}
		row := c.QueryRow("SELECT path(parent) || '/' || name FROM node WHERE id = ?", args[0].Int64())
		return row.Text(0), row.Err()
	})
	if got := c.QueryRow("SELECT path(3)").Text(0); got != "/top/usr/bin" {
		t.Error(got)
	}
	if got := c.QueryRow("SELECT path(parent) || '/' || name FROM node WHERE id = ?", 4).Text(0); len(got) != 100_013 {
		t.Errorf("%d bytes", len(got))
	}
	// busy runs many statements: more than the cache and the ring hold.
	n := 0
	mustCreate(t, c, "busy", 1, func(args []Value) (any, error) {
		want := args[0].Text()
		for i := range 2 * DefaultCacheStatements {
			n++
			if got := c.QueryRow(fmt.Sprintf("SELECT ? || %d", i), "x").Text(0); got != fmt.Sprint("x", i) {
				return nil, fmt.Errorf("nested: %q", got)
			}
		}
		for row, err := range c.Query(numbers + " LIMIT 1200") {
			if err != nil || row.Text(1) != "pad" {
				return nil, fmt.Errorf("nested rows: %w", err)
			}
		}
		if got := args[0].Text(); got != want {
			return nil, fmt.Errorf("the argument changed to %q", got)
		}
		return want, nil
	})
	for range 20 {
		arg := fmt.Sprintf("argument %d", n)
		if row := c.QueryRow("SELECT busy(?1), ?1 || '!', busy(?1)", arg); row.Err() != nil || row.Text(0) != arg || row.Text(1) != arg+"!" || row.Text(2) != arg {
			t.Fatalf("%v: %q", row.Err(), row.Text(1))
		}
	}
	i := 0
	for row, err := range c.Query("SELECT i, ?2, CASE WHEN i % 1000 = 0 THEN busy(?1) END FROM ("+numbers+")", "a", "b") {
		if i++; err != nil || row.Int(0) != i || row.Text(1) != "b" {
			t.Fatalf("row %d: %v", i, err)
		}
	}
	s, err := c.Prepare("INSERT INTO node(name) VALUES (busy(?) || ?)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Batch([]BatchOp{{s, []any{"a", "b"}}, {s, []any{"c", "d"}}}, nil); err != nil {
		t.Fatal(err)
	}
	if got := c.QueryRow("SELECT group_concat(name) FROM node WHERE id > 4").Text(0); got != "ab,cd" && got != "ab" {
		t.Error(got)
	}
}

func TestFunctionCannotPullTheRugAway(t *testing.T) {
	t.Parallel()
	c := open(t)
	var outer *Stmt
	var rows *Rows
	var errs []error
	mustCreate(t, c, "saw", 1, func(args []Value) (any, error) {
		errs = append(errs, c.Close(), outer.Finalize())
		if rows != nil {
			errs = append(errs, rows.Close())
		}
		_, err := outer.Exec(1)
		c.CloseCursors()
		errs = append(errs, err, outer.QueryRow(1).Err())
		return args[0].Int64(), nil
	})
	outer, _, err := c.PrepareFirst("SELECT i, saw(i) FROM (" + numbers + ") WHERE i > ?")
	if err != nil {
		t.Fatal(err)
	}
	if rows, err = outer.Rows(0); err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		if n++; rows.Row().Int(1) != n {
			t.Fatalf("row %d is %d", n, rows.Row().Int(1))
		}
	}
	if n != 5000 || rows.Close() != nil {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
	if err := outer.Finalize(); err != nil {
		t.Error(err)
	}
	for _, err := range errs {
		if err == nil {
			t.Fatal("a statement in use was taken away")
		}
	}
}

func TestFunctionOfARevokedReader(t *testing.T) {
	t.Parallel()
	c := open(t)
	started := make(chan struct{})
	mustCreate(t, c, "wait", 0, func([]Value) (any, error) {
		c.QueryRow("SELECT 1") // must not give the turn back
		close(started)
		time.Sleep(5 * time.Millisecond) // gives Revoke the chance to do wrong
		return 1, c.QueryRow("SELECT 2").Err()
	})
	if err := c.HoldSnapshots(false); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		<-started
		done <- c.Revoke(10 * time.Second)
	}()
	err := c.QueryRow("SELECT wait() FROM (" + numbers + ") WHERE i < 2 OR i > 4999").Err()
	if !<-done {
		t.Error("not revoked")
	}
	if err != nil && !errors.Is(err, CodeInterrupt) {
		t.Error(err)
	}
}

func TestFunctionOptions(t *testing.T) {
	t.Parallel()
	c := open(t)
	one := func([]Value) (any, error) { return 1, nil }
	for name, opts := range map[string]FuncOptions{"plain": {}, "pure": {Deterministic: true}, "direct": {DirectOnly: true}, "innocuous": {Innocuous: true}} {
		if err := c.CreateFunction(name, opts, one); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, c, "CREATE TABLE t(a)")
	if err := c.Exec("CREATE INDEX i ON t(plain() + a)"); err == nil {
		t.Error("an index on a function that is not deterministic")
	}
	mustExec(t, c, "CREATE INDEX i ON t(pure() + a)")
	mustExec(t, c, "CREATE VIEW v AS SELECT direct()")
	if err := c.Exec("SELECT * FROM v"); err == nil || !strings.Contains(err.Error(), "unsafe use") {
		t.Error(err)
	}
	mustExec(t, c, "SELECT direct(), innocuous()")
	if err := c.CreateFunction("plain", FuncOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("SELECT plain()"); err == nil || !strings.Contains(err.Error(), "no such function") {
		t.Error(err)
	}
	if err := c.CreateFunction(strings.Repeat("long", 100), FuncOptions{}, one); Code(err) != CodeMisuse {
		t.Error(err)
	}
	if err := c.CreateFunction("plain", FuncOptions{NArgs: 5000}, one); Code(err) != CodeMisuse {
		t.Error(err)
	}
	c.Close()
	if err := c.CreateFunction("plain", FuncOptions{}, one); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// median is an aggregate that needs all values.
type median struct{ values []float64 }

func (m *median) Step(args []Value) error {
	switch v := args[0]; {
	case v.Text() == "error":
		return errors.New("not a number")
	case v.Text() == "panic":
		panic("not a number")
	case !v.IsNull():
		m.values = append(m.values, v.Float64())
	}
	return nil
}

func (m *median) Final() (any, error) {
	if len(m.values) == 0 {
		return nil, nil
	}
	if len(m.values) > 99 {
		return nil, errors.New("too many")
	}
	return m.values[len(m.values)/2], nil
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	c := open(t)
	if err := c.CreateAggregate("median", FuncOptions{NArgs: 1}, func() Aggregate { return &median{} }); err != nil {
		t.Fatal(err)
	}
	mustExec(t, c, "CREATE TABLE t(g, v)")
	mustExec(t, c, "INSERT INTO t VALUES ('a', 1), ('a', 2), ('a', 3), ('b', 7), ('c', NULL)")
	got := ""
	for row, err := range c.Query("SELECT g, median(v) FROM t GROUP BY g") {
		if err != nil {
			t.Fatal(err)
		}
		got += row.Text(0) + row.Text(1) + " "
	}
	if got != "a2.0 b7.0 c " {
		t.Error(got)
	}
	if row := c.QueryRow("SELECT median(v) FROM t WHERE 0"); row.Err() != nil || !row.IsNull(0) {
		t.Errorf("no rows: %v", row.Err())
	}
	for _, bad := range []string{"error", "panic"} {
		if err := c.QueryRow("SELECT median(?) FROM t", bad).Err(); err == nil || !strings.Contains(err.Error(), "not a number") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := c.QueryRow("SELECT median(i) FROM (" + numbers + ")").Err(); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Error(err)
	}
	if err := c.CreateAggregate("median", FuncOptions{NArgs: 1}, nil); err != nil {
		t.Error(err)
	}
}

func TestCollation(t *testing.T) {
	t.Parallel()
	c := open(t)
	byLength := func(a, b []byte) int {
		if bytes.Contains(a, []byte("panic")) || bytes.Contains(b, []byte("panic")) {
			panic("cannot compare")
		}
		return (len(a) - len(b)) * 1_000_000_000
	}
	if err := c.CreateCollation("length", byLength); err != nil {
		t.Fatal(err)
	}
	mustExec(t, c, "CREATE TABLE t(a COLLATE length UNIQUE)")
	mustExec(t, c, "INSERT INTO t VALUES ('xxx'), (''), ('x'), ('xx')")
	got := ""
	for row := range c.Query("SELECT a FROM t ORDER BY a") {
		got += fmt.Sprint(len(row.Text(0)))
	}
	if got != "0123" {
		t.Error(got)
	}
	if err := c.Exec("INSERT INTO t VALUES ('yyy')"); !errors.Is(err, CodeConstraintUnique) {
		t.Error(err)
	}
	for _, s := range []string{"INSERT INTO t VALUES ('a panic')", "SELECT a FROM t WHERE a > 'panic'", "SELECT 'panic' < 'x' COLLATE length"} {
		var p *PanicError
		if err := c.Exec(s); !errors.As(err, &p) || p.Func != "the collation length" {
			t.Errorf("%s: %v", s, err)
		}
		if err := c.QueryRow(s + " -- again").Err(); !errors.As(err, &p) {
			t.Errorf("%s: %v", s, err)
		}
	}
	if err := c.Exec("SELECT count(*) FROM t"); err != nil {
		t.Error(err)
	}
	if err := c.CreateCollation("length", nil); err != nil {
		t.Error(err)
	}
	if err := c.Exec("SELECT a FROM t ORDER BY a"); err == nil || !strings.Contains(err.Error(), "no such collation") {
		t.Error(err)
	}
}

func TestAuthorizerThatPanics(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a)")
	c.SetAuthorizer(func(a Action) Decision {
		if a.Op == OpDelete {
			panic("no")
		}
		return Allow
	})
	var p *PanicError
	if err := c.Exec("DELETE FROM t"); !errors.Is(err, CodeAuth) || !errors.As(err, &p) {
		t.Error(err)
	}
	mustExec(t, c, "SELECT 1")
	c.SetAuthorizer(nil)
}

// A Goexit cannot be held up; the connection it tears through is given up whole.
func TestFunctionThatExits(t *testing.T) {
	t.Parallel()
	if asan {
		t.Skip("the sanitizer does not see that frames of C are gone")
	}
	c := open(t)
	mustCreate(t, c, "exit", 0, func([]Value) (any, error) { runtime.Goexit(); return nil, nil })
	mustCreate(t, c, "nested", 0, func([]Value) (any, error) { return nil, c.Exec("SELECT exit()") })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range c.Query("SELECT 1 UNION ALL SELECT nested() FROM (" + numbers + ")") {
			t.Log("a row")
		}
	}()
	<-done
	if err := c.Exec("SELECT 1"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	c.CloseCursors()
	c.Interrupt()
	if err := c.Close(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestFunctionsAreReleased(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	released := make(chan struct{}, 100)
	func() {
		c := open(t)
		make1 := func() *bytes.Buffer {
			b := &bytes.Buffer{}
			runtime.AddCleanup(b, func(int) { released <- struct{}{} }, 0)
			return b
		}
		for range 3 {
			b := make1()
			mustCreate(t, c, "f", 0, func([]Value) (any, error) { return b.Len(), nil })
		}
		b := make1()
		c.CreateCollation("k", func(_, _ []byte) int { return b.Len() })
		d := make1()
		c.CreateFunction(strings.Repeat("long", 100), FuncOptions{}, func([]Value) (any, error) { return d.Len(), nil })
		e := make1()
		c.SetAuthorizer(func(Action) Decision { _ = e.Len(); return Allow })
		f := make1()
		c.SetBusyHandler(func(int) bool { return f.Len() > 0 })
		c.BusyTimeout(time.Second)
		g := make1()
		c.SetWALHook(func(string, int) { g.Len() })
		mustExec(t, c, "SELECT f()")
		c.Close()
	}()
	for n := 0; n < 8; n++ {
		runtime.GC()
		select {
		case <-released:
		case <-ctx.Done():
			t.Fatalf("%d of 8 were released", n)
		}
	}
}

func BenchmarkFunction(b *testing.B) {
	c := open(b)
	mustCreate(b, c, "half", 1, func(args []Value) (any, error) { return args[0].Int64() / 2, nil })
	b.ReportAllocs()
	const rows = 5000
	for b.Loop() {
		if err := c.QueryRow("SELECT sum(half(i)) FROM (" + numbers + ")").Err(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/call")
}
