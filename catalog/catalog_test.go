package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

var bg = context.Background()

// openTest opens a catalog in a directory of the test's own.
func openTest(t testing.TB, opts *Options) *Catalog {
	t.Helper()
	return openIn(t, filepath.Join(t.TempDir(), "data"), opts)
}

// openIn opens a catalog that is closed with the test at the latest.
func openIn(t testing.TB, dir string, opts *Options) *Catalog {
	t.Helper()
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	c, err := Open(bg, dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return c
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}

func mustCreate(t testing.TB, c *Catalog, name string, cfg *Config) Info {
	t.Helper()
	i, err := c.Create(bg, name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func acquire(t testing.TB, c *Catalog, name string) *Handle {
	t.Helper()
	h, err := c.Acquire(bg, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Release)
	return h
}

// put writes a value into a database, get reads it.
func put(t testing.TB, c *Catalog, name, value string) {
	t.Helper()
	h, err := c.Acquire(bg, name)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	_, err = h.DB().Batch(bg,
		nearlite.Statement{SQL: "CREATE TABLE IF NOT EXISTS kept(value)"},
		nearlite.Statement{SQL: "DELETE FROM kept"},
		nearlite.Statement{SQL: "INSERT INTO kept VALUES (?)", Args: []any{value}})
	if err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, c *Catalog, name string) (value string) {
	t.Helper()
	h, err := c.Acquire(bg, name)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	err = h.DB().View(bg, func(tx *nearlite.ReadTx) (err error) {
		value, err = nearlite.One[string](tx, "SELECT value FROM kept")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func names(t testing.TB, c *Catalog) (names []string) {
	t.Helper()
	list, err := c.List(bg, "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names
}

// files returns the names in the directory of the databases.
func files(c *Catalog) (names []string) {
	list, _ := os.ReadDir(c.databases())
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func TestLifeOfADatabase(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	made := mustCreate(t, c, "app", &Config{MaxReaders: 7})
	put(t, c, "app", "one")
	forked, err := c.Fork(bg, "app", "copy")
	if err != nil {
		t.Fatal(err)
	}
	if forked.Origin != made.ID || forked.ID == made.ID || forked.Config != made.Config {
		t.Errorf("the fork is %+v, of %+v", forked, made)
	}
	put(t, c, "app", "two")
	if got := get(t, c, "copy"); got != "one" {
		t.Errorf("the fork has %q", got)
	}
	if err := c.Rename(bg, "app", "shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Acquire(bg, "app"); !errors.Is(err, ErrNotFound) {
		t.Errorf("by its old name: %v", err)
	}
	if got := get(t, c, "shop"); got != "two" {
		t.Errorf("renamed, it has %q", got)
	}
	if i, err := c.Lookup(bg, "shop"); err != nil || i.ID != made.ID || !i.Open || i.Bytes == 0 {
		t.Errorf("%+v, %v", i, err)
	}
	if err := c.Delete(bg, "shop"); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, c), []string{"copy", Main}; !slices.Equal(got, want) {
		t.Errorf("there are %q, not %q", got, want)
	}
	for _, f := range files(c) {
		if strings.HasPrefix(f, made.ID.String()) {
			t.Errorf("%s is left of the deleted database", f)
		}
	}
	again := mustCreate(t, c, "shop", nil)
	if again.ID == made.ID {
		t.Error("the name stands for the deleted database")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = openIn(t, c.Dir(), nil)
	if got := get(t, c, "copy"); got != "one" {
		t.Errorf("after a restart the fork has %q", got)
	}
	if i, err := c.Lookup(bg, "shop"); err != nil || i.ID != again.ID || !i.Created.Equal(again.Created) {
		t.Errorf("after a restart: %+v, %v; before: %+v", i, err, again)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	mustCreate(t, c, "a", nil)
	mustCreate(t, c, "b", nil)
	create := func(name string) error { _, err := c.Create(bg, name, nil); return err }
	fork := func(from, to string) error { _, err := c.Fork(bg, from, to); return err }
	for _, tt := range []struct {
		what string
		err  error
		want error
	}{
		{"create a name twice", create("a"), ErrExists},
		{"create main", create(Main), ErrExists},
		{"create no name", create(""), ErrName},
		{"create a long name", create(strings.Repeat("x", 65)), ErrName},
		{"create a path", create("../a"), ErrName},
		{"create a capital", create("App"), ErrName},
		{"create a dot file", create(".a"), ErrName},
		{"create an umlaut", create("bücher"), ErrName},
		{"fork what is not there", fork("x", "y"), ErrNotFound},
		{"fork onto another", fork("a", "b"), ErrExists},
		{"fork onto itself", fork("a", "a"), ErrExists},
		{"rename what is not there", c.Rename(bg, "x", "y"), ErrNotFound},
		{"rename onto another", c.Rename(bg, "a", "b"), ErrExists},
		{"rename to no name", c.Rename(bg, "a", "A"), ErrName},
		{"rename main", c.Rename(bg, Main, "y"), ErrMain},
		{"delete what is not there", c.Delete(bg, "x"), ErrNotFound},
		{"delete main", c.Delete(bg, Main), ErrMain},
		{"configure what is not there", c.Configure(bg, "x", Config{}), ErrNotFound},
		{"configure a share of two", c.Configure(bg, "a", Config{WriterShare: 2}), ErrConfig},
		{"configure a tiny size", c.Configure(bg, "a", Config{MaxBytes: 1}), ErrConfig},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v", tt.what, tt.err)
		}
	}
	if err := c.Rename(bg, "a", "a"); err != nil {
		t.Errorf("rename to the same name: %v", err)
	}
	if got, want := names(t, c), []string{"a", "b", Main}; !slices.Equal(got, want) {
		t.Errorf("there are %q, not %q", got, want)
	}
	if got := slices.DeleteFunc(files(c), func(f string) bool { return !strings.HasSuffix(f, ".db") }); len(got) != 3 {
		t.Errorf("there are %d files: %q", len(got), got)
	}
	for _, name := range []string{"a", "0", "a.b-c_d", strings.Repeat("x", 64)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A second catalog on the same directory learns who has it.
func TestLocked(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	_, err := Open(bg, c.Dir(), nil)
	locked := (*LockedError)(nil)
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || !errors.Is(err, ErrLocked) {
		t.Fatalf("the second one: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	openIn(t, c.Dir(), nil)
}

// Databases without the catalog that has their names are not taken over.
func TestTableMissing(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	c.Close()
	os.Remove(filepath.Join(c.Dir(), "catalog.db"))
	if _, err := Open(bg, c.Dir(), nil); err == nil || !strings.Contains(err.Error(), "catalog.db") {
		t.Fatal(err)
	}
}

// What nobody uses is closed, the one that was idle for longest first.
func TestMaxOpen(t *testing.T) {
	t.Parallel()
	c := openTest(t, &Options{MaxOpen: 3})
	for i := range 6 {
		mustCreate(t, c, fmt.Sprint("db", i), nil)
		put(t, c, fmt.Sprint("db", i), fmt.Sprint(i))
	}
	if s := c.Stats(); s.Open != 3 || s.Known != 7 || s.Opens != 6 || s.Closes != 3 {
		t.Errorf("%+v", s)
	}
	for i, want := range []bool{false, false, false, true, true, true} {
		if info, _ := c.Lookup(bg, fmt.Sprint("db", i)); info.Open != want {
			t.Errorf("db%d is open: %t", i, info.Open)
		}
	}
	a, b, d := acquire(t, c, "db0"), acquire(t, c, "db1"), acquire(t, c, "db2")
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if _, err := c.Acquire(ctx, "db3"); !errors.Is(err, ErrTooManyOpen) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a fourth one: %v", err)
	}
	got := make(chan string)
	for _, name := range []string{"db3", "db4"} { // two that wait
		go func() { got <- get(t, c, name) }()
	}
	for c.waiting.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	a.Release()
	b.Release()
	if x, y := <-got, <-got; x+y != "34" && x+y != "43" {
		t.Errorf("those that waited read %q and %q", x, y)
	}
	if err := d.DB().View(bg, func(tx *nearlite.ReadTx) error { return tx.QueryRow("SELECT 1").Err() }); err != nil {
		t.Errorf("the one that was held: %v", err)
	}
}

func TestIdleClose(t *testing.T) {
	t.Parallel()
	c := openTest(t, &Options{IdleClose: 20 * time.Millisecond})
	h := acquire(t, c, Main)
	put(t, c, Main, "x")
	c.closeUnused(time.Now().Add(time.Hour))
	if s := c.Stats(); s.Open != 1 || s.Closes != 0 {
		t.Errorf("in use: %+v", s)
	}
	h.Release()
	h.Release()
	for c.Stats().Open > 0 {
		time.Sleep(time.Millisecond)
	}
	if got := get(t, c, Main); got != "x" {
		t.Errorf("opened again it has %q", got)
	}
}

// Many who want a closed database open it once.
func TestOpenedOnce(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			h, err := c.Acquire(bg, Main)
			if err != nil {
				t.Error(err)
				return
			}
			h.Release()
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Opens != 1 {
		t.Errorf("%+v", s)
	}
}

// The users of a database that is deleted get errors, and its files go when the
// last of them has let go.
func TestDeleteInUse(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	made := mustCreate(t, c, "app", nil)
	h := acquire(t, c, "app")
	tx, err := h.DB().Begin(bg, &nearlite.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	running := make(chan error)
	began := make(chan struct{})
	go func() {
		running <- h.DB().View(bg, func(tx *nearlite.ReadTx) error {
			close(began)
			return tx.QueryRow("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r) SELECT count(*) FROM r").Err()
		})
	}()
	<-began
	if err := c.Delete(bg, "app"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Acquire(bg, "app"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
	if _, err := c.AcquireID(bg, made.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("after Delete, by id: %v", err)
	}
	if err := <-running; err == nil {
		t.Error("a query without an end came to one")
	}
	if _, err := tx.Exec(bg, "SELECT 1"); err == nil {
		t.Error("an interactive transaction goes on")
	}
	if _, err := h.DB().Exec(bg, "SELECT 1"); !errors.Is(err, nearlite.ErrClosed) {
		t.Errorf("a write: %v", err)
	}
	if !errors.Is(h.Err(), ErrDeleted) {
		t.Errorf("why: %v", h.Err())
	}
	mustCreate(t, c, "app", nil) // the name is free at once
	if _, err := os.Stat(c.path(made.ID)); err != nil {
		t.Errorf("the file, while a handle is held: %v", err)
	}
	h.Release()
	for {
		if _, err := os.Stat(c.path(made.ID)); errors.Is(err, os.ErrNotExist) {
			break
		}
		time.Sleep(time.Millisecond)
	}
}

func TestRenameInUse(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	made := mustCreate(t, c, "app", nil)
	h := acquire(t, c, "app")
	if err := c.Rename(bg, "app", "shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DB().Exec(bg, "CREATE TABLE t(a)"); err != nil || h.Name() != "shop" || h.Err() != nil {
		t.Errorf("%q, %v, %v", h.Name(), err, h.Err())
	}
	byID, err := c.AcquireID(bg, made.ID)
	if err != nil || byID.DB() != h.DB() {
		t.Fatalf("by id: %v", err)
	}
	byID.Release()
}

func TestCloseInUse(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	h := acquire(t, c, Main)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DB().Exec(bg, "CREATE TABLE t(a)"); !errors.Is(err, nearlite.ErrClosed) || !errors.Is(h.Err(), ErrClosed) {
		t.Errorf("%v, %v", err, h.Err())
	}
	h.Release()
	if _, err := c.Acquire(bg, Main); !errors.Is(err, ErrClosed) {
		t.Errorf("Acquire: %v", err)
	}
	if _, err := c.Create(bg, "x", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Create: %v", err)
	}
	if err := c.Delete(bg, "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("Delete: %v", err)
	}
}

func TestHardened(t *testing.T) {
	t.Parallel()
	c := openTest(t, &Options{MaxValueBytes: 1 << 20, Engine: nearlite.Options{OnConnect: func(c *sqlite.Conn) error {
		return c.CreateFunction("here", sqlite.FuncOptions{}, func([]sqlite.Value) (any, error) { return "yes", nil })
	}}})
	h := acquire(t, c, Main)
	for _, sql := range []string{
		"ATTACH ':memory:' AS other",
		"SELECT load_extension('x')",
		"SELECT length(randomblob(1000000000))",
		"SELECT 1" + strings.Repeat("+1", 2000),
		"SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", 600),
		"SELECT 1 LIKE '" + strings.Repeat("%a", 6000) + "'",
		"SELECT '" + strings.Repeat("a", 9<<20) + "'",
	} {
		for what, err := range map[string]error{
			"a reader":   h.DB().View(bg, func(tx *nearlite.ReadTx) error { return tx.QueryRow(sql).Err() }),
			"the writer": h.DB().Update(bg, func(tx *nearlite.WriteTx) error { return tx.QueryRow(sql).Err() }),
			"alone":      h.DB().Exclusive(bg, func(c *sqlite.Conn) error { return c.QueryRow(sql).Err() }),
		} {
			if err == nil || errors.Is(err, nearlite.ErrNoRows) {
				t.Errorf("%s let %.40q pass: %v", what, sql, err)
			}
		}
	}
	err := h.DB().Exclusive(bg, func(c *sqlite.Conn) error {
		if err := c.Exec("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema"); err == nil {
			t.Error("the schema could be written")
		}
		if err := c.Exec("VACUUM"); err == nil {
			t.Error("VACUUM attaches, and could")
		}
		ForVacuum(c)
		if err := c.Exec("VACUUM"); err != nil {
			t.Error(err)
		}
		return c.QueryRow("SELECT here()").Err()
	})
	if err != nil {
		t.Error(err)
	}
}

// A new configuration reaches those who use the database; what it cannot change
// on an open one it changes when nobody uses it.
func TestConfigure(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	mustCreate(t, c, "app", &Config{MaxBytes: 1 << 20, MaxReaders: 1})
	h := acquire(t, c, "app")
	insert := func() error {
		_, err := h.DB().Exec(bg, "INSERT INTO t VALUES (zeroblob(600000))")
		return err
	}
	if _, err := h.DB().Exec(bg, "CREATE TABLE t(a)"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(insert(), insert()); !errors.Is(err, nearlite.ErrSizeLimit) {
		t.Errorf("with 1 MiB: %v", err)
	}
	next := Config{MaxBytes: 4 << 20, MaxReaders: 2, BlockWrites: true, BlockReason: "moved"}
	if err := c.Configure(bg, "app", next); err != nil {
		t.Fatal(err)
	}
	if err := insert(); err != nil {
		t.Errorf("with 4 MiB: %v", err)
	}
	if h.Config() != next {
		t.Errorf("the handle has %+v", h.Config())
	}
	if s := c.Stats(); s.Closes != 0 {
		t.Errorf("closed in use: %+v", s)
	}
	h.Release()
	for c.Stats().Closes == 0 {
		time.Sleep(time.Millisecond)
	}
	h = acquire(t, c, "app")
	two := h.DB().View(bg, func(tx *nearlite.ReadTx) error {
		if err := tx.QueryRow("SELECT 1").Err(); err != nil {
			return err
		}
		return h.DB().View(bg, func(tx *nearlite.ReadTx) error { return tx.QueryRow("SELECT 1").Err() })
	})
	if two != nil {
		t.Errorf("two readers: %v", two)
	}
	c.Close()
	c = openIn(t, c.Dir(), nil)
	if i, err := c.Lookup(bg, "app"); err != nil || i.Config != next {
		t.Errorf("after a restart: %+v, %v", i, err)
	}
}
