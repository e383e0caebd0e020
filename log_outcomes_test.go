package nearlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/file"
	"github.com/nearlite/nearlite/wal"
)

// cellPatience is longer than a busy machine needs for the tries of one entry.
const cellPatience = 2 * time.Second

// slowStore is a store in which what happens to an entry is the test's to say.
type slowStore struct {
	storage.Store
	mu    sync.Mutex // protects the following
	entry func(create func() (storage.Info, error)) (storage.Info, error)
}

func (s *slowStore) set(entry func(create func() (storage.Info, error)) (storage.Info, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entry = entry
}

func (s *slowStore) Create(ctx context.Context, key string, c storage.Content) (storage.Info, error) {
	s.mu.Lock()
	entry := s.entry
	s.mu.Unlock()
	create := func() (storage.Info, error) { return s.Store.Create(ctx, key, c) }
	if entry == nil || !strings.HasSuffix(key, ".ltx") {
		return create()
	}
	return entry(create)
}

func failing(kind error) error {
	return &storage.Error{Op: "create", Store: "slow", Kind: kind, Err: errors.New("on purpose")}
}

// A fate is what happens to a commit's entry, and what has to come of it.
type fate struct {
	name  string
	entry func(try int, create func() (storage.Info, error)) (storage.Info, error)
	rival bool  // has the log already
	told  error // what the caller learns of an Archived commit; nil: success
	after bool  // the log has it
}

var fates = []fate{
	{name: "stored", after: true, entry: func(_ int, create func() (storage.Info, error)) (storage.Info, error) { return create() }},
	{name: "slow", after: true, entry: func(_ int, create func() (storage.Info, error)) (storage.Info, error) {
		time.Sleep(100 * time.Millisecond)
		return create()
	}},
	{name: "refused by a rival", rival: true, told: ErrFenced, entry: func(_ int, create func() (storage.Info, error)) (storage.Info, error) { return create() }},
	{name: "refused by our own earlier try", after: true, entry: func(try int, create func() (storage.Info, error)) (storage.Info, error) {
		info, err := create()
		if try == 1 {
			return storage.Info{}, failing(storage.ErrUnknown)
		}
		return info, err
	}},
	{name: "timed out but stored", after: true, told: ErrCommitUnknown, entry: func(_ int, create func() (storage.Info, error)) (storage.Info, error) {
		create()
		return storage.Info{}, failing(storage.ErrUnknown)
	}},
	{name: "timed out and not stored", told: ErrCommitUnknown, entry: func(int, func() (storage.Info, error)) (storage.Info, error) {
		return storage.Info{}, failing(storage.ErrUnknown)
	}},
	{name: "500", after: true, entry: func(try int, create func() (storage.Info, error)) (storage.Info, error) {
		if try == 1 {
			return storage.Info{}, failing(storage.ErrUnknown)
		}
		return create()
	}},
	{name: "503", after: true, entry: func(try int, create func() (storage.Info, error)) (storage.Info, error) {
		if try == 1 {
			return storage.Info{}, failing(storage.ErrUnavailable)
		}
		return create()
	}},
	{name: "503 for long", told: ErrNotCommitted, entry: func(int, func() (storage.Info, error)) (storage.Info, error) {
		return storage.Info{}, failing(storage.ErrUnavailable)
	}},
}

// situations are what the commit is, and when.
var situations = []struct {
	name   string
	before func(t *testing.T, db *DB)
	change func(db *DB) error
}{
	{"a row", nil, func(db *DB) error { _, err := db.Exec(bg, "INSERT INTO t(b) VALUES ('new')"); return err }},
	{"the first one of a new WAL", func(t *testing.T, db *DB) {
		if err := db.Checkpoint(bg); err != nil {
			t.Fatal(err)
		}
	}, func(db *DB) error { _, err := db.Exec(bg, "INSERT INTO t(b) VALUES ('new')"); return err }},
	{"one that spills", nil, func(db *DB) error {
		return db.Update(bg, func(tx *WriteTx) error {
			for range 3 {
				if _, err := tx.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200) INSERT INTO t(b) SELECT randomblob(2000) FROM n"); err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"VACUUM", nil, func(db *DB) error {
		return db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec("VACUUM") })
	}},
}

// What becomes of an entry, crossed with what the commit is, with page sizes, and
// with a crash before it is stored and after its outcome: what the caller is told,
// what can be seen, what a crash leaves, and where the log leads.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	sizes := []int{512, 1024, 2048, 4096, 8192, 16384, 32768, 65536}
	for i, o := range fates {
		for j, s := range situations {
			for k, size := range sizes {
				if !long && (i+j+k)%len(sizes) != 0 {
					continue
				}
				for _, d := range []Durability{Archived, Full, Normal} {
					if d == Normal && !long {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%d/%v", o.name, s.name, size, d), func(t *testing.T) {
						t.Parallel()
						c := &cell{t: t, o: o, d: d, root: t.TempDir()}
						c.open(size)
						if s.before != nil {
							s.before(t, c.db)
						}
						c.run(s.change)
					})
				}
			}
		}
	}
}

// cell is one of the matrix.
type cell struct {
	t      *testing.T
	o      fate
	d      Durability
	root   string
	store  *slowStore
	db     *DB
	before string // content
	crash  string // what a crash leaves at the moment before the entry is stored
}

// options are those that a database has before the crash and after it.
func (c *cell) options(l Log) *Options {
	return &Options{Log: l, Durability: c.d, LogDelay: time.Millisecond, CacheSize: 1, CheckpointBytes: 1 << 20, Logger: quiet}
}

func (c *cell) open(pageSize int) {
	t := c.t
	s, err := file.Open(bg, filepath.Join(c.root, "archive"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.store = &slowStore{Store: s}
	l, end, err := Archives.Open(bg, c.store, ArchiveOptions{Patience: cellPatience})
	if err != nil {
		t.Fatal(err)
	}
	opts := c.options(l)
	opts.PageSize = pageSize
	if c.db, err = Open(bg, filepath.Join(c.root, "o.db"), opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.db.Close(); end(); s.Close() })
	exec(t, c.db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
	exec(t, c.db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) INSERT INTO t(b) SELECT randomblob(1000) FROM n")
	exec(t, c.db, "DELETE FROM t WHERE a % 3 > 0")
	if err := c.db.FlushLog(bg); err != nil {
		t.Fatal(err)
	}
}

// content tells one state of the database from the next.
func (c *cell) content(db *DB) string {
	return fmt.Sprintf("%d rows, %d pages", number(c.t, db, "SELECT count(*) FROM t"), number(c.t, db, "PRAGMA page_count"))
}

// leave copies everything, as a crash would leave it now.
func (c *cell) leave() string {
	dir, err := os.MkdirTemp(c.t.TempDir(), "")
	if err == nil {
		err = os.CopyFS(filepath.Join(dir, "archive"), os.DirFS(filepath.Join(c.root, "archive")))
	}
	if err != nil {
		c.t.Error(err)
	}
	copyDatabase(c.t, c.db.Path(), dir)
	return dir
}

// rival extends the log by an entry that changes nothing.
func (c *cell) rival() {
	t := c.t
	l := archiveIn(t, filepath.Join(c.root, "archive"), ArchiveOptions{})
	head, err := l.Head(bg)
	if err != nil {
		t.Fatal(err)
	}
	var first wal.Page
	_, err = l.Read(bg, 0, func(p wal.Page) error {
		if p.Number == 1 {
			first = wal.Page{Number: 1, Data: slices.Clone(p.Data)}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	head.TXID, head.Epoch, head.WAL.Offset = head.TXID+1, 0xbadbad, 0
	if err := l.Append(bg, NewEntry(head, []wal.Page{first})); err != nil {
		t.Fatal(err)
	}
}

func (c *cell) run(change func(*DB) error) {
	t := c.t
	c.before = c.content(c.db)
	if c.o.rival {
		c.rival()
	}
	try := 0
	c.store.set(func(create func() (storage.Info, error)) (storage.Info, error) {
		if try++; try == 1 {
			c.crash = c.leave()
		}
		return c.o.entry(try, create)
	})
	err := change(c.db)
	if c.d == Archived {
		c.archived(err)
	} else {
		c.shipped(err)
	}
	if t.Failed() {
		t.Fatalf("the commit: %v", err)
	}
}

// archived is for a commit that the log decides about.
func (c *cell) archived(err error) {
	t := c.t
	now := c.content(c.db)
	switch {
	case c.o.told == nil && (err != nil || now == c.before):
		t.Errorf("stored: %v, and there is %s", err, now)
	case c.o.told != nil && (!errors.Is(err, c.o.told) || now != c.before):
		t.Errorf("want %v, got %v, and there is %s", c.o.told, err, now)
	case errors.Is(err, ErrNotCommitted) == (errors.Is(err, ErrCommitUnknown) || err == nil):
		t.Errorf("%v: certain or not?", err)
	}
	c.recover(c.crash, c.before, c.o.rival)
	want := c.before
	if c.o.after {
		want = "" // something else
	}
	c.recover(c.leave(), want, c.o.rival)
	c.store.set(nil)
	_, err = c.db.Exec(bg, "INSERT INTO t(b) VALUES ('next')")
	switch poisoned := errors.Is(c.o.told, ErrFenced) || errors.Is(c.o.told, ErrCommitUnknown); {
	case poisoned && !errors.Is(err, ErrPoisoned):
		t.Errorf("the next write: %v", err)
	case !poisoned && err != nil:
		t.Errorf("the next write: %v", err)
	case !poisoned:
		archiveHas(t, filepath.Join(c.root, "archive"), c.db)
	}
}

// shipped is for a commit that is acknowledged before the log has it.
func (c *cell) shipped(err error) {
	t := c.t
	now := c.content(c.db)
	if err != nil || now == c.before {
		t.Errorf("%v, and there is %s", err, now)
	}
	ctx, cancel := context.WithTimeout(bg, time.Second)
	defer cancel()
	err = c.db.FlushLog(ctx)
	if c.o.rival != errors.Is(err, ErrFenced) {
		t.Errorf("flush: %v", err)
	}
	if c.crash == "" {
		t.Fatal("nothing was shipped")
	}
	c.recover(c.crash, now, c.o.rival)
	c.recover(c.leave(), now, c.o.rival)
	c.store.set(nil)
	if !c.o.rival {
		exec(t, c.db, "INSERT INTO t(b) VALUES ('next')")
		archiveHas(t, filepath.Join(c.root, "archive"), c.db)
		return
	}
	kept, _ := filepath.Glob(filepath.Join(c.root, "orphaned-o.db-*.ltx"))
	if len(kept) != 1 {
		t.Errorf("kept: %v", kept)
	}
}

// recover opens what a crash has left: it has the content that it should have, "" for
// another than before, or the log is somebody else's.
func (c *cell) recover(dir, want string, lost bool) {
	t := c.t
	t.Helper()
	l, end, err := openArchive(filepath.Join(dir, "archive"), ArchiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	db, err := Open(bg, filepath.Join(dir, filepath.Base(c.db.Path())), c.options(l))
	if lost {
		if !errors.Is(err, ErrFenced) {
			t.Errorf("opened after a crash: %v", err)
		}
		return
	}
	if err != nil {
		t.Errorf("open after a crash: %v", err)
		return
	}
	defer db.Close()
	if now := c.content(db); want != "" && now != want || want == "" && now == c.before {
		t.Errorf("after a crash there is %s, and was %s", now, c.before)
	}
	exec(t, db, "INSERT INTO t(b) VALUES ('after')")
	archiveHas(t, filepath.Join(dir, "archive"), db)
	if n := number(t, db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"); n != 0 {
		t.Errorf("the integrity check finds %d problems", n)
	}
}
