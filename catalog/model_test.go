package catalog

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nearlite/nearlite"
)

// A model of the catalog is a map from names to values: each database keeps one.
// Handles stay with the database they were taken of, whatever happens to names.
type model struct {
	c       *Catalog
	dir     string
	opts    *Options
	there   map[string]*modelled
	handles []*held
	n       int
}

type modelled struct {
	id    ID
	name  string
	value string
	cfg   Config
	gone  bool
}

type held struct {
	h  *Handle
	of *modelled
}

func TestModel(t *testing.T) {
	t.Parallel()
	checks := "30"
	if os.Getenv("NEARLITE_LONG") != "" {
		checks = "500"
	}
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		flag.Set("rapid.checks", checks)
	}
	flag.Set("rapid.nofailfile", "true") // the seed says as much
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := &model{dir: filepath.Join(dir, fmt.Sprint(runs)), there: map[string]*modelled{}}
		m.opts = &Options{MaxOpen: rapid.IntRange(4, 6).Draw(rt, "MaxOpen")}
		m.reopen(rt)
		defer func() { m.c.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"create":    m.create,
			"fork":      m.fork,
			"rename":    m.rename,
			"delete":    m.delete,
			"write":     m.write,
			"acquire":   m.acquire,
			"release":   m.release,
			"configure": m.configure,
			"restart":   m.restart,
			"":          m.check,
		})
	})
}

// name draws one of few names, so that most have a database.
func name(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d", Main}).Draw(t, "name")
}

// want fails unless err is one of the wanted, nil among them.
func want(t *rapid.T, err error, conditions map[error]bool) (ok bool) {
	for wanted, condition := range conditions {
		if condition {
			if !errors.Is(err, wanted) {
				t.Fatalf("got %v, not %v", err, wanted)
			}
			return false
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func (m *model) reopen(t *rapid.T) {
	c, err := Open(bg, m.dir, m.opts)
	if err != nil {
		t.Fatal(err)
	}
	m.c = c
	if m.there[Main] == nil {
		i, err := c.Lookup(bg, Main)
		if err != nil {
			t.Fatal(err)
		}
		m.there[Main] = &modelled{id: i.ID, name: Main}
	}
}

func (m *model) create(t *rapid.T) {
	n := name(t)
	cfg := Config{MaxReaders: rapid.IntRange(0, 9).Draw(t, "MaxReaders")}
	i, err := m.c.Create(bg, n, &cfg)
	if want(t, err, map[error]bool{ErrExists: m.there[n] != nil}) {
		m.there[n] = &modelled{id: i.ID, name: n, cfg: cfg}
	}
}

func (m *model) fork(t *rapid.T) {
	from, to := name(t), name(t)
	if m.inUse() >= m.opts.MaxOpen {
		t.Skip()
	}
	i, err := m.c.Fork(bg, from, to)
	source := m.there[from]
	if source == nil {
		want(t, err, map[error]bool{ErrNotFound: true})
	} else if want(t, err, map[error]bool{ErrExists: m.there[to] != nil}) {
		m.there[to] = &modelled{id: i.ID, name: to, value: source.value, cfg: source.cfg}
	}
}

func (m *model) rename(t *rapid.T) {
	from, to := name(t), name(t)
	err := m.c.Rename(bg, from, to)
	switch d := m.there[from]; {
	case from == Main:
		want(t, err, map[error]bool{ErrMain: true})
	case d == nil:
		want(t, err, map[error]bool{ErrNotFound: true})
	case want(t, err, map[error]bool{ErrExists: from != to && m.there[to] != nil}):
		delete(m.there, from)
		d.name, m.there[to] = to, d
	}
}

func (m *model) delete(t *rapid.T) {
	n := name(t)
	err := m.c.Delete(bg, n)
	d := m.there[n]
	if n == Main {
		want(t, err, map[error]bool{ErrMain: true})
	} else if want(t, err, map[error]bool{ErrNotFound: d == nil}) {
		d.gone = true
		delete(m.there, n)
	}
}

// write writes through a handle that is held, or through one of its own.
func (m *model) write(t *rapid.T) {
	m.n++
	value := fmt.Sprint("v", m.n)
	if len(m.handles) > 0 && rapid.Bool().Draw(t, "held") {
		h := rapid.SampledFrom(m.handles).Draw(t, "handle")
		err := write(h.h, value)
		if h.of.gone { // it is being closed
			want(t, err, map[error]bool{nearlite.ErrClosed: err != nil})
		} else if want(t, err, nil) {
			h.of.value = value
		}
		return
	}
	n := name(t)
	d := m.there[n]
	if d != nil && !m.holds(d) && m.inUse() >= m.opts.MaxOpen {
		t.Skip()
	}
	h, err := m.c.Acquire(bg, n)
	if want(t, err, map[error]bool{ErrNotFound: d == nil}) {
		defer h.Release()
		if err := write(h, value); err != nil {
			t.Fatal(err)
		}
		d.value = value
	}
}

func write(h *Handle, value string) error {
	_, err := h.DB().Batch(bg,
		nearlite.Statement{SQL: "CREATE TABLE IF NOT EXISTS kept(value)"},
		nearlite.Statement{SQL: "DELETE FROM kept"},
		nearlite.Statement{SQL: "INSERT INTO kept VALUES (?)", Args: []any{value}})
	return err
}

func read(h *Handle) (value string, err error) {
	err = h.DB().View(bg, func(tx *nearlite.ReadTx) error {
		there, err := nearlite.One[int](tx, "SELECT count(*) FROM sqlite_schema")
		if err == nil && there > 0 {
			value, err = nearlite.One[string](tx, "SELECT value FROM kept")
		}
		return err
	})
	return value, err
}

func (m *model) acquire(t *rapid.T) {
	n := name(t)
	d := m.there[n]
	if len(m.handles) > 6 || d != nil && !m.holds(d) && m.inUse() >= m.opts.MaxOpen {
		t.Skip()
	}
	h, err := m.c.Acquire(bg, n)
	if want(t, err, map[error]bool{ErrNotFound: d == nil}) {
		m.handles = append(m.handles, &held{h, d})
	}
}

func (m *model) release(t *rapid.T) {
	if len(m.handles) == 0 {
		t.Skip()
	}
	i := rapid.IntRange(0, len(m.handles)-1).Draw(t, "handle")
	m.handles[i].h.Release()
	m.handles = slices.Delete(m.handles, i, i+1)
}

func (m *model) configure(t *rapid.T) {
	n := name(t)
	cfg := Config{MaxReaders: rapid.IntRange(0, 9).Draw(t, "MaxReaders"), MaxBytes: rapid.SampledFrom([]int64{0, 1 << 20}).Draw(t, "MaxBytes")}
	if want(t, m.c.Configure(bg, n, cfg), map[error]bool{ErrNotFound: m.there[n] == nil}) {
		m.there[n].cfg = cfg
	}
}

func (m *model) restart(t *rapid.T) {
	if err := m.c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, h := range m.handles {
		h.h.Release()
	}
	m.handles = nil
	m.reopen(t)
}

// holds reports whether a handle is held of a database, inUse of how many.
func (m *model) holds(d *modelled) bool {
	return slices.ContainsFunc(m.handles, func(h *held) bool { return h.of == d })
}

func (m *model) inUse() int {
	used := map[*modelled]bool{}
	for _, h := range m.handles {
		used[h.of] = true
	}
	return len(used)
}

func (m *model) check(t *rapid.T) {
	list, err := m.c.List(bg, "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range list {
		got = append(got, i.Name)
		if d := m.there[i.Name]; d == nil || d.id != i.ID || d.cfg != i.Config {
			t.Fatalf("the list has %+v, the model %+v", i, d)
		}
	}
	if want := slices.Sorted(maps.Keys(m.there)); !slices.Equal(got, want) {
		t.Fatalf("there are %q, not %q", got, want)
	}
	for _, h := range m.handles {
		value, err := read(h.h)
		if want(t, err, map[error]bool{nearlite.ErrClosed: h.of.gone && err != nil}) && !h.of.gone && (value != h.of.value || h.h.Name() != h.of.name || h.h.Config() != h.of.cfg) {
			t.Fatalf("a handle has %q, %q, %+v; the model %+v", value, h.h.Name(), h.h.Config(), h.of)
		}
		if gone := errors.Is(h.h.Err(), ErrDeleted); gone != h.of.gone {
			t.Fatalf("the handle of %q says %v", h.of.name, h.h.Err())
		}
	}
	for _, d := range m.there {
		if !m.holds(d) && m.inUse() >= m.opts.MaxOpen {
			continue
		}
		h, err := m.c.AcquireID(bg, d.id)
		if err != nil {
			t.Fatal(err)
		}
		value, err := read(h)
		h.Release()
		if err != nil || value != d.value {
			t.Fatalf("%q has %q, not %q: %v", d.name, value, d.value, err)
		}
	}
	m.checkFiles(t)
}

// checkFiles looks for files of databases that are gone and nobody holds.
func (m *model) checkFiles(t *rapid.T) {
	gone := slices.ContainsFunc(m.handles, func(h *held) bool { return h.of.gone })
	if gone {
		return // theirs may be there, or just not any more
	}
	left := map[string]bool{}
	for _, d := range m.there {
		left[d.id.String()] = true
	}
	var stray string
	for range 1000 { // one that was held may be on its way
		stray = ""
		for _, f := range files(m.c) {
			if id, _, _ := strings.Cut(f, "."); !left[id] {
				stray = f
			}
		}
		if stray == "" {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s is of no database", stray)
}
