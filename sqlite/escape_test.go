package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"math/big"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Not parallel: the count is the process's. The arguments are such that boxing
// them in the heap would show.
func TestArgumentsAllocateNothing(t *testing.T) {
	if asan {
		t.Skip("the sanitizer moves variables into the heap")
	}
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a, b)")
	type status int
	id, when, blob, text := 1000, time.Now(), []byte("some bytes"), strings.Repeat("t", 100)
	update, err := c.Prepare("UPDATE t SET a = ? WHERE b = ?")
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"int":      func() { id++; c.QueryRow("SELECT ?", id) },
		"float":    func() { c.QueryRow("SELECT ?", float64(id)+0.5) },
		"string":   func() { c.QueryRow("SELECT ?", text[id%50:]) },
		"bytes":    func() { c.QueryRow("SELECT ?", blob[id%5:]) },
		"time":     func() { c.QueryRow("SELECT ?", when.Add(time.Duration(id))) },
		"named":    func() { c.QueryRow("SELECT ?", status(id)) },
		"pointer":  func() { c.QueryRow("SELECT ?", &id) },
		"zeroblob": func() { c.QueryRow("SELECT ?", ZeroBlob(id)) },
		"exec":     func() { update.Exec(id, text[id%50:]) },
	} {
		f()
		if n := testing.AllocsPerRun(500, f); n > 0 && !(name == "pointer" && n == 1) {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if kept != "" {
		t.Errorf("an argument was kept: %q", kept)
	}
}

// The Valuers below do the worst they may: they make the stack move, let the
// collector run, and keep what they were given.
var keptValuers = struct {
	sync.Mutex
	all []any
}{}

func disturb(keep any, depth int) int {
	var frame [1 << 10]byte
	if depth > 0 {
		return disturb(keep, depth-1) + int(frame[depth])
	}
	keptValuers.Lock()
	keptValuers.all = append(keptValuers.all, keep)
	keptValuers.Unlock()
	runtime.GC()
	return 0
}

type (
	byValue    struct{ a, b string }
	byPointer  struct{ a, b string }
	oneWord    struct{ p *byPointer }
	oneElement [1]*byPointer
	mapped     map[string]string
	wrappedMap struct{ M mapped }
	secretMap  struct{ mapped }
	locked     struct {
		sync.Mutex
		s string
	}
	calls func() string
)

func (v byValue) Value() (driver.Value, error)    { disturb(v, 64); return v.a + v.b, nil }
func (v *byPointer) Value() (driver.Value, error) { disturb(v, 64); return v.a + v.b, nil }
func (v oneWord) Value() (driver.Value, error)    { disturb(v, 64); return v.p.a + v.p.b, nil }
func (v oneElement) Value() (driver.Value, error) { disturb(v, 64); return v[0].a + v[0].b, nil }
func (v mapped) Value() (driver.Value, error)     { disturb(v, 64); return v["a"] + v["b"], nil }
func (v wrappedMap) Value() (driver.Value, error) { disturb(v, 64); return v.M["a"] + v.M["b"], nil }
func (v *locked) Value() (driver.Value, error)    { return v.s, nil }
func (v calls) Value() (driver.Value, error)      { return v(), nil }

func TestValuersMayKeepWhatTheyAreGiven(t *testing.T) {
	t.Parallel()
	c := open(t)
	// Each runs on a fresh, small stack, with arguments the compiler left on it.
	run := func(name, a, b string, f func(a, b string) Row) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			row := f(strings.Clone(a), strings.Clone(b))
			if err := row.Err(); err != nil || row.Text(0) != a+b {
				t.Errorf("%s: %v, got %q", name, err, row.Text(0))
			}
		}()
		<-done
	}
	for range 20 {
		run("value", "alpha", "beta", func(a, b string) Row { return c.QueryRow("SELECT ?", byValue{a + "", b}) })
		run("concatenated", "x", "y", func(a, b string) Row { return c.QueryRow("SELECT ?", byValue{a + b, ""}) })
		run("pointer to value", "alpha", "beta", func(a, b string) Row { return c.QueryRow("SELECT ?", &byValue{a, b}) })
		run("pointer", "alpha", "beta", func(a, b string) Row { return c.QueryRow("SELECT ?", &byPointer{a, b}) })
		run("one word", "alpha", "beta", func(a, b string) Row { return c.QueryRow("SELECT ?", oneWord{&byPointer{a, b}}) })
		run("one element", "alpha", "beta", func(a, b string) Row { return c.QueryRow("SELECT ?", oneElement{&byPointer{a, b}}) })
		run("map", "alpha", "beta", func(a, b string) Row { return c.QueryRow("SELECT ?", mapped{"a": a, "b": b}) })
		run("wrapped map", "alpha", "beta", func(a, b string) Row { return c.QueryRow("SELECT ?", wrappedMap{mapped{"a": a, "b": b}}) })
		run("sql.NullString", "alpha", "beta", func(a, b string) Row {
			return c.QueryRow("SELECT ?", sql.NullString{String: a + b, Valid: true})
		})
		run("sql.Null", "alpha", "beta", func(a, b string) Row {
			return c.QueryRow("SELECT ?", sql.Null[string]{V: a + b, Valid: true})
		})
	}
	all := keptValuers.all
	keptValuers.all = nil
	for _, kept := range all {
		got, err := kept.(driver.Valuer).Value()
		if err != nil || got != "alphabeta" && got != "xy" {
			t.Fatalf("a Valuer that was kept now says %q: %v", got, err)
		}
	}
}

func TestValuersThatCannotBeCopied(t *testing.T) {
	t.Parallel()
	c := open(t)
	for name, v := range map[string]any{"lock": &locked{s: "x"}, "function": calls(func() string { return "x" }), "map": secretMap{mapped{}}} {
		if err := c.QueryRow("SELECT ?", v).Err(); err == nil || !strings.Contains(err.Error(), "pass what its Value returns") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, v := range []any{(*byPointer)(nil), (*byValue)(nil), sql.NullInt64{}, (*int)(nil), (*big.Int)(nil)} {
		if row := c.QueryRow("SELECT ?", v); row.Err() == nil && !row.IsNull(0) && row.Text(0) != "" {
			t.Errorf("%T: %q", v, row.Text(0))
		}
	}
}
