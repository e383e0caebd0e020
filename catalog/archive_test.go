package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/file"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// A flaky store can be cut off.
type flaky struct {
	storage.Store
	down atomic.Bool                           // nothing can be reached
	lose atomic.Pointer[func(key string) bool] // objects that are stored, and nobody learns of it
}

func openFlaky(t *testing.T) *flaky {
	dir, err := file.Open(bg, filepath.Join(t.TempDir(), "archive"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	f := &flaky{}
	f.Store = storagetest.Faulty(dir, func(op, key string) storagetest.Fault {
		if lose := f.lose.Load(); lose != nil && op == "create" && (*lose)(key) {
			f.down.Store(true)
			return storagetest.Fault{After: storagetest.ErrLost}
		}
		if f.down.Load() {
			return storagetest.Fault{Before: errors.New("no route to host")}
		}
		return storagetest.Fault{}
	})
	return f
}

// archived are options with an archive that gives up soon.
func archived(s storage.Store, d nearlite.Durability) *Options {
	return &Options{Archive: s, Archiving: archive.Options{Patience: 50 * time.Millisecond},
		Engine: nearlite.Options{Durability: d, LogDelay: 5 * time.Millisecond}}
}

// A server whose directory is lost begins with an empty one and the archive, and
// has every database under its last name.
func TestDirectoryLost(t *testing.T) {
	t.Parallel()
	for _, d := range []nearlite.Durability{nearlite.Full, nearlite.Normal, nearlite.Archived} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			store, source := openFlaky(t), makeSource(t)
			c := openTest(t, archived(store, d))
			put(t, c, Main, "of main")
			mustCreate(t, c, "a", &Config{MaxBytes: 1 << 20})
			put(t, c, "a", "of a")
			mustCreate(t, c, "never-written", nil)
			fork, err := c.Fork(bg, "a", "forked")
			if err != nil {
				t.Fatal(err)
			}
			put(t, c, "forked", "of the fork")
			if _, err := c.Import(bg, "imported", source, nil); err != nil {
				t.Fatal(err)
			}
			gone := mustCreate(t, c, "gone", nil)
			put(t, c, "gone", "of the deleted one")
			if err := errors.Join(c.Rename(bg, "forked", "renamed"), c.Delete(bg, "gone")); err != nil {
				t.Fatal(err)
			}
			mustCreate(t, c, "gone", nil)
			put(t, c, "gone", "of the second of that name")
			want := names(t, c)
			if n := c.Stats().Archive; n.Puts == 0 || n.Gets == 0 || n.Lists == 0 {
				t.Errorf("the archive was asked for %+v", n)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}

			c = openTest(t, archived(store, d))
			if found := names(t, c); !slices.Equal(found, want) {
				t.Errorf("found %v, not %v", found, want)
			}
			for name, value := range map[string]string{Main: "of main", "a": "of a", "renamed": "of the fork", "imported": "imported", "gone": "of the second of that name"} {
				if found := get(t, c, name); found != value {
					t.Errorf("%s has %q, not %q", name, found, value)
				}
			}
			put(t, c, "never-written", "now it is")
			info, err := c.Lookup(bg, "renamed")
			if err != nil || info.ID != fork.ID {
				t.Errorf("%v, %v: the fork was %v", info, err, fork.ID)
			}
			if info, err := c.Lookup(bg, "a"); err != nil || info.Config.MaxBytes != 1<<20 {
				t.Errorf("the configuration of a is %+v, %v", info.Config, err)
			}
			text, _, err := storage.ReadRange(bg, store, partOf(gone.ID)+"/"+ArchiveDeleted, storage.All)
			var stone Tombstone
			if err := errors.Join(err, json.Unmarshal(text, &stone)); err != nil || stone.ID != gone.ID || stone.Name != "gone" {
				t.Errorf("the tombstone is %s, %v", text, err)
			}
		})
	}
}

// A directory that had no archive gets one: what nobody opens is archived, too.
func TestArchiveLater(t *testing.T) {
	t.Parallel()
	dir, store := filepath.Join(t.TempDir(), "data"), openFlaky(t)
	c := openIn(t, dir, nil)
	for i := range 5 {
		mustCreate(t, c, fmt.Sprint("old", i), nil)
		put(t, c, fmt.Sprint("old", i), fmt.Sprint("of ", i))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = openIn(t, dir, archived(store, nearlite.Full))
	for e := range c.entries {
		soon(t, func() bool {
			return e.name.Load() == nil || *e.name.Load() == Main || e.head.Load() != nil && e.head.Load().TXID > 0
		})
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = openTest(t, archived(store, nearlite.Full))
	for i := range 5 {
		if found := get(t, c, fmt.Sprint("old", i)); found != fmt.Sprint("of ", i) {
			t.Errorf("old%d has %q", i, found)
		}
	}
}

// soon waits for something that is about to happen.
func soon(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

func write2(c *Catalog, name, value string) error {
	h, err := c.Acquire(bg, name)
	if err != nil {
		return err
	}
	defer h.Release()
	_, err = h.DB().Batch(bg, nearlite.Statement{SQL: "CREATE TABLE IF NOT EXISTS kept(value)"}, nearlite.Statement{SQL: "INSERT INTO kept VALUES (?)", Args: []any{value}})
	return err
}

// Of two servers that have one archive, the one that stores second loses: it says
// who won, goes on reading, and the other is not disturbed.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	for _, d := range []nearlite.Durability{nearlite.Full, nearlite.Archived} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			store := openFlaky(t)
			first := openTest(t, archived(store, d))
			mustCreate(t, first, "a", nil)
			put(t, first, "a", "before")
			h := acquire(t, first, "a")
			if err := h.DB().FlushLog(bg); err != nil {
				t.Fatal(err)
			}
			second := openTest(t, archived(store, d))
			put(t, second, "a", "of the second")
			flush(t, second, "a")
			mustCreate(t, second, "b", nil)

			var err error
			soon(t, func() bool { // asynchronously it learns a little later
				_, err = h.DB().Exec(bg, "INSERT INTO kept VALUES ('of the first')")
				return err != nil
			})
			if who := new(nearlite.FencedError); !errors.As(err, &who) || !strings.Contains(err.Error(), "process") {
				t.Errorf("the first is told: %v", err)
			}
			if found := get(t, first, "a"); !strings.HasPrefix(found, "before") {
				t.Errorf("the first reads %q", found)
			}
			for range 2 {
				if found := names(t, first); !slices.Equal(found, []string{"a", Main}) {
					t.Errorf("the first has %v", found)
				}
				if _, err := first.Create(bg, "c", nil); !errors.Is(err, nearlite.ErrFenced) || !strings.Contains(err.Error(), "process") {
					t.Errorf("the first may create: %v", err)
				}
			}
			h.Release()
			soon(t, func() bool { // once it is closed
				h, acquired := first.Acquire(bg, "a")
				if err = acquired; err == nil {
					h.Release()
				}
				return err != nil
			})
			if !errors.Is(err, nearlite.ErrFenced) || !strings.Contains(err.Error(), "process") {
				t.Errorf("the first opens it again: %v", err)
			}
			if found := get(t, second, "a"); found != "of the second" {
				t.Errorf("the second has %q", found)
			}
			put(t, second, "a", "still of the second")
		})
	}
}

func flush(t *testing.T, c *Catalog, name string) {
	t.Helper()
	h, err := c.Acquire(bg, name)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	if err := h.DB().FlushLog(bg); err != nil {
		t.Fatal(err)
	}
}

// While the store cannot be reached, databases are read and written, closed and
// opened, and what the catalog has to commit fails. Later all is caught up with.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	store, dir := openFlaky(t), filepath.Join(t.TempDir(), "data")
	o := archived(store, nearlite.Full)
	o.IdleClose = 10 * time.Millisecond
	c := openIn(t, dir, o)
	mustCreate(t, c, "a", nil)
	put(t, c, "a", "before")
	mustCreate(t, c, "b", nil)
	put(t, c, "b", "of b")
	soon(t, func() bool { return c.Stats().Open == 0 })

	store.down.Store(true)
	if found := get(t, c, "b"); found != "of b" {
		t.Errorf("b has %q", found)
	}
	put(t, c, "a", "meanwhile")
	if found := get(t, c, "a"); found != "meanwhile" {
		t.Errorf("a has %q", found)
	}
	if _, err := c.Create(bg, "c", nil); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a database is made that no archive knows: %v", err)
	}
	if found := names(t, c); !slices.Equal(found, []string{"a", "b", Main}) {
		t.Errorf("there are %v", found)
	}
	if _, err := Open(bg, filepath.Join(t.TempDir(), "other"), o); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a server begins without its archive: %v", err)
	}

	store.down.Store(false)
	mustCreate(t, c, "c", nil)
	soon(t, func() bool { h := acquire(t, c, "a"); defer h.Release(); return h.DB().Stats().LogLag == 0 })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = openTest(t, archived(store, nearlite.Full))
	if found := get(t, c, "a"); found != "meanwhile" {
		t.Errorf("a has %q in the archive", found)
	}
}

// With LogLag writes wait for the archive, and fail when it does not come.
func TestStoreDownBlocks(t *testing.T) {
	t.Parallel()
	store := openFlaky(t)
	o := archived(store, nearlite.Full)
	o.Engine.LogLag, o.Engine.BusyTimeout = 20*time.Millisecond, 50*time.Millisecond
	c := openTest(t, o)
	put(t, c, Main, "before")
	flush(t, c, Main)
	store.down.Store(true)
	var err error
	soon(t, func() bool { err = write2(c, Main, "meanwhile"); return err != nil })
	if !errors.Is(err, nearlite.ErrLogBehind) {
		t.Errorf("writes fail with %v", err)
	}
	store.down.Store(false)
	soon(t, func() bool { return write2(c, Main, "after") == nil })
}

// When nobody knows whether a database was made, its maker is told so; and when
// the store can be reached again, it is there or it is not, on both sides.
func TestCatalogUnsure(t *testing.T) {
	t.Parallel()
	store, dir := openFlaky(t), filepath.Join(t.TempDir(), "data")
	c := openIn(t, dir, archived(store, nearlite.Full))
	mustCreate(t, c, "a", nil)
	lose := func(n int64) {
		f := func(key string) bool { return strings.HasPrefix(key, "catalog/") && atomic.AddInt64(&n, -1) == 0 }
		store.lose.Store(&f)
	}
	for _, verb := range []struct {
		name  string
		entry int64 // of the catalog, whose answer is lost
		do    func() error
		after []string
	}{
		{"rename", 1, func() error { return c.Rename(bg, "a", "b") }, []string{"b", Main}},
		{"create", 2, func() error { _, err := c.Create(bg, "c", nil); return err }, []string{"b", "c", Main}},
		{"delete", 1, func() error { return c.Delete(bg, "b") }, []string{"c", Main}},
		{"half", 1, func() error { _, err := c.Create(bg, "d", nil); return err }, []string{"c", Main}},
	} {
		lose(verb.entry)
		if err := verb.do(); !errors.Is(err, nearlite.ErrCommitUnknown) {
			t.Errorf("%s: %v", verb.name, err)
		}
		store.lose.Store(nil)
		if found := names(t, c); len(found) == 0 {
			t.Errorf("%s: nothing is there any more", verb.name)
		}
		if err := c.Configure(bg, Main, Config{}); err == nil {
			t.Errorf("%s: the catalog commits without its archive", verb.name)
		}
		store.down.Store(false)
		if err := c.Configure(bg, Main, Config{}); err != nil {
			t.Errorf("%s: the catalog does not recover: %v", verb.name, err)
		}
		if found := names(t, c); !slices.Equal(found, verb.after) {
			t.Errorf("%s: there are %v, not %v", verb.name, found, verb.after)
		}
		for _, name := range verb.after {
			if err := write2(c, name, verb.name); err != nil {
				t.Errorf("%s: %v", verb.name, err)
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = openTest(t, archived(store, nearlite.Full))
	if found := names(t, c); !slices.Equal(found, []string{"c", Main}) {
		t.Errorf("the archive has %v", found)
	}
}

// Without its archive a catalog is not opened: it could never go on with it.
func TestArchiveLeftOut(t *testing.T) {
	t.Parallel()
	dir, store := filepath.Join(t.TempDir(), "data"), openFlaky(t)
	c := openIn(t, dir, archived(store, nearlite.Full))
	put(t, c, Main, "archived")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bg, dir, nil); !errors.Is(err, ErrArchived) {
		t.Errorf("opened without its archive: %v", err)
	}
	c = openIn(t, dir, archived(store, nearlite.Full))
	if found := get(t, c, Main); found != "archived" {
		t.Errorf("main has %q", found)
	}
}

// Archived needs an archive, and a directory whose names are lost finds them there.
func TestArchiveOptions(t *testing.T) {
	t.Parallel()
	if _, err := Open(bg, t.TempDir(), &Options{Engine: nearlite.Options{Durability: nearlite.Archived}}); err == nil {
		t.Error("commits are archived nowhere")
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := Open(ctx, t.TempDir(), archived(openFlaky(t), nearlite.Full)); !errors.Is(err, context.Canceled) {
		t.Errorf("opened with a context that has ended: %v", err)
	}
}
