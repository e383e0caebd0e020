package nearlite

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/wal"
)

// copyDatabase copies what a killed process would leave.
func copyDatabase(t testing.TB, path, dir string) string {
	t.Helper()
	to := filepath.Join(dir, filepath.Base(path))
	for _, suffix := range []string{"", "-wal", "-map"} {
		b, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(to+suffix, b, 0o644)
		}
		if ignoreNotExist(err) != nil {
			t.Fatal(err)
		}
	}
	return to
}

func openMapped(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(bg, path, &Options{PageMap: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// A history goes on over Close, over a crash, and over what another process does
// while we watch; it ends when continuity is lost.
func TestHistoryGoesOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		then func(t *testing.T, db *DB) *DB
		ends bool
	}{
		{"closed and opened", func(t *testing.T, db *DB) *DB {
			db.Close()
			return openMapped(t, db.Path())
		}, false},
		{"closed and opened twice", func(t *testing.T, db *DB) *DB {
			db.Close()
			openMapped(t, db.Path()).Close()
			return openMapped(t, db.Path())
		}, false},
		{"killed", func(t *testing.T, db *DB) *DB {
			return openMapped(t, copyDatabase(t, db.Path(), t.TempDir()))
		}, false},
		{"killed after a checkpoint", func(t *testing.T, db *DB) *DB {
			if err := db.Checkpoint(bg); err != nil {
				t.Fatal(err)
			}
			return openMapped(t, copyDatabase(t, db.Path(), t.TempDir()))
		}, false},
		{"killed when the WAL had begun again", func(t *testing.T, db *DB) *DB {
			if err := db.Checkpoint(bg); err != nil {
				t.Fatal(err)
			}
			exec(t, db, "INSERT INTO t VALUES (1000, 'again')")
			return openMapped(t, copyDatabase(t, db.Path(), t.TempDir()))
		}, false},
		{"another process wrote", func(t *testing.T, db *DB) *DB {
			foreign(t, db.Path(), "INSERT INTO t VALUES (2000, 'foreign')")
			exec(t, db, "INSERT INTO t VALUES (2001, 'ours')")
			return db
		}, false},
		{"another process wrote after the crash", func(t *testing.T, db *DB) *DB {
			path := copyDatabase(t, db.Path(), t.TempDir())
			dir := t.TempDir()
			keep, err := sqlite.Open(path, sqlite.OpenReadWrite, "") // so that the WAL stays
			if err != nil {
				t.Fatal(err)
			}
			defer keep.Close()
			if err := keep.Exec("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (2000, 'foreign')"); err != nil {
				t.Fatal(err)
			}
			return openMapped(t, copyDatabase(t, path, dir))
		}, false},
		{"another process began the WAL again", func(t *testing.T, db *DB) *DB {
			db.readers.dropAll()
			foreign(t, db.Path(), "INSERT INTO t VALUES (2000, 'foreign'); PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES (2001, 'unseen')")
			exec(t, db, "INSERT INTO t VALUES (2002, 'ours')")
			return db
		}, true},
		{"written to while it was closed", func(t *testing.T, db *DB) *DB {
			db.Close()
			foreign(t, db.Path(), "INSERT INTO t VALUES (2000, 'foreign')")
			return openMapped(t, db.Path())
		}, true},
		{"an older file under it", func(t *testing.T, db *DB) *DB {
			old := copyDatabase(t, db.Path(), t.TempDir())
			exec(t, db, "INSERT INTO t VALUES (3000, 'lost')")
			db.Close()
			for _, suffix := range []string{"", "-wal"} {
				b, err := os.ReadFile(old + suffix)
				if err == nil {
					err = os.WriteFile(db.Path()+suffix, b, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			return openMapped(t, db.Path())
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := openMapped(t, filepath.Join(t.TempDir(), "h.db"))
			exec(t, db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
			for i := range 20 {
				exec(t, db, "INSERT INTO t VALUES (?, ?)", i, fmt.Sprint("row ", i))
			}
			f := newFollower(t, db)
			before := db.Position()
			db = tt.then(t, db)
			after := db.Position()
			exec(t, db, "INSERT INTO t VALUES (5000, 'after')")
			now := db.Position()
			if tt.ends {
				if after.Log == before.Log && now.Log == before.Log {
					t.Fatalf("the history goes on: %v, %v, %v", before, after, now)
				}
				return
			}
			if after.Log != before.Log || after.Change < before.Change || now.Change <= before.Change {
				t.Fatalf("%v, then %v and %v", before, after, now)
			}
			f.catchUp(db)
			f.same(db)
		})
	}
}

// foreign writes to a database as another process would.
func foreign(t testing.TB, path, sql string) {
	t.Helper()
	c, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.BusyTimeout(5e9)
	if err := c.Exec(sql); err != nil {
		t.Fatal(err)
	}
}

// A follower is a copy that is fed by what has changed since it was fed last.
type follower struct {
	t     testing.TB
	log   LogID
	at    uint64
	pages [][]byte
	fed   int // pages
}

func newFollower(t testing.TB, db *DB) *follower {
	f := &follower{t: t}
	f.catchUp(db)
	return f
}

// catchUp feeds the copy, all of the database if the history is another.
func (f *follower) catchUp(db *DB) {
	f.t.Helper()
	s := &shipper{db: db, kick: make(chan struct{}, 1)}
	s.running.Store(true)
	if err := s.connect(); err != nil {
		f.t.Fatal(err)
	}
	defer s.conn.Close()
	snap, err := s.snapshot()
	if err != nil {
		f.t.Fatal(err)
	}
	head := db.history.pages.Head()
	if head.Log == f.log {
		s.last.TXID = 1 // so that not everything is sent
	}
	s.change = f.at
	numbers := s.changed(snap)
	f.pages = append(f.pages, make([][]byte, max(0, int(snap.Pages())-len(f.pages)))...)[:snap.Pages()]
	err = snap.Read(numbers, func(p wal.Page) error {
		f.pages[p.Number-1] = bytes.Clone(p.Data)
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.log, f.at = head.Log, snap.change
	f.fed += len(numbers)
	s.conn.DropSnapshot()
}

// same compares the copy with the database.
func (f *follower) same(db *DB) {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "follower.db")
	w, err := os.Create(path)
	if err != nil {
		f.t.Fatal(err)
	}
	for i, p := range f.pages {
		if p == nil && uint32(i)+1 != lockPage(db.pageSize) {
			f.t.Fatalf("page %d was never sent", i+1)
		}
		if _, err := w.Write(p); err != nil {
			f.t.Fatal(err)
		}
	}
	w.Close()
	want := filepath.Join(f.t.TempDir(), "want.db")
	if err := db.Backup(bg, want, nil); err != nil {
		f.t.Fatal(err)
	}
	if err := sameContent(path, want); err != nil {
		f.t.Error(err)
	}
}

// sameContent compares two closed databases, page by page.
func sameContent(a, b string) error {
	x, err := os.Open(a)
	if err != nil {
		return err
	}
	defer x.Close()
	y, err := os.Open(b)
	if err != nil {
		return err
	}
	defer y.Close()
	p, q := make([]byte, 512), make([]byte, 512)
	for at := 0; ; at += 512 {
		n, err1 := io.ReadFull(x, p)
		m, err2 := io.ReadFull(y, q)
		if n != m {
			return fmt.Errorf("%s and %s are not of one size", a, b)
		}
		if at == 0 { // a backup may count its own changes
			copy(p[24:28], q[24:28])
			copy(p[40:44], q[40:44])
			copy(p[92:100], q[92:100])
			copy(p[18:20], q[18:20])
		}
		if !bytes.Equal(p[:n], q[:m]) {
			return fmt.Errorf("%s and %s differ at byte %d", a, b, at)
		}
		if err1 == io.EOF && err2 == io.EOF {
			return nil
		}
	}
}

// After each of many random transactions, DDL, VACUUM and another process's among
// them, a follower that is fed now and then has the database's content.
func TestFollower(t *testing.T) {
	t.Parallel()
	rounds := 60
	if long {
		rounds = 3000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 5))
	for _, size := range []int{512, 4096, 65536} {
		db, err := Open(bg, filepath.Join(t.TempDir(), "f.db"), &Options{PageMap: true, Logger: quiet, PageSize: size, CheckpointBytes: 256 << 10, Durability: Durability(r.IntN(2))})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		f := newFollower(t, db)
		for range rounds {
			step := randomStep(t, db, r)
			if r.IntN(3) == 0 {
				f.catchUp(db)
			}
			if r.IntN(10) == 0 {
				f.catchUp(db)
				f.same(db)
			}
			if t.Failed() {
				t.Fatalf("pages of %d bytes, after %s", size, step)
			}
		}
		t.Logf("pages of %d bytes: %d sent for a database of %d", size, f.fed, len(f.pages))
	}
}

// randomStep changes a database in one of many ways.
func randomStep(t testing.TB, db *DB, r *rand.Rand) (step string) {
	t.Helper()
	table := fmt.Sprintf("t%d", r.IntN(4))
	try := func(sql string, args ...any) {
		db.Exec(bg, sql, args...) // it may fail: there may be no such table
	}
	try("CREATE TABLE IF NOT EXISTS " + table + "(a INTEGER PRIMARY KEY, b)")
	switch n := r.IntN(20); {
	case n < 8:
		step = "an insert"
		try("INSERT INTO "+table+"(b) VALUES (randomblob(?))", r.IntN(5000))
	case n < 11:
		step = "many inserts"
		try("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?) INSERT INTO "+table+"(b) SELECT randomblob(?) FROM n", r.IntN(300), r.IntN(600))
	case n < 13:
		step = "a delete"
		try("DELETE FROM "+table+" WHERE a % ? = 0", 2+r.IntN(4))
	case n < 14:
		step = "a dropped table"
		try("DROP TABLE " + table)
	case n < 15:
		step = "an index"
		try("CREATE INDEX IF NOT EXISTS i_" + table + " ON " + table + "(b)")
	case n < 16:
		step = "VACUUM"
		if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec("VACUUM") }); err != nil {
			t.Error(err)
		}
	case n < 17:
		step = "a checkpoint"
		if err := db.Checkpoint(bg); err != nil {
			t.Error(err)
		}
	case n < 18:
		step = "a rollback"
		db.Update(bg, func(tx *WriteTx) error {
			tx.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO " + table + "(b) SELECT randomblob(900) FROM n")
			return errBoom
		})
	default:
		step = "another process"
		foreign(t, db.Path(), "PRAGMA wal_autocheckpoint = 0; INSERT INTO "+table+"(b) VALUES (randomblob(1000))")
	}
	return step
}
