package nearlite

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	process "os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/wal"
)

// A replica is a database of its own into which is injected what has changed.
type replica struct {
	t    testing.TB
	path string
	inj  *wal.Injector
	at   uint64
}

func newReplica(t testing.TB, db *DB) *replica {
	t.Helper()
	r := &replica{t: t, path: filepath.Join(t.TempDir(), "replica.db"), at: db.Position().Change}
	err := db.Backup(bg, r.path, nil)
	if err == nil {
		r.inj, err = wal.NewInjector(r.path, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.inj.Close() })
	return r
}

// feed brings the replica up to date.
func (r *replica) feed(db *DB) {
	t := r.t
	t.Helper()
	s := &shipper{db: db, kick: make(chan struct{}, 1), change: r.at}
	s.last.TXID = 1 // so that not everything is sent
	s.running.Store(true)
	if err := s.connect(); err != nil {
		t.Fatal(err)
	}
	defer s.conn.Close()
	snap, err := s.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.conn.DropSnapshot()
	var pages []wal.Page
	err = snap.Read(s.changed(snap), func(p wal.Page) error {
		pages = append(pages, wal.Page{Number: p.Number, Data: bytes.Clone(p.Data)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) > 0 {
		if err := r.inj.Inject(pages, snap.Pages(), false); err != nil {
			t.Fatalf("inject %d pages: %v", len(pages), err)
		}
	}
	r.at = snap.change
}

// copy makes a file of what a reader sees.
func (r *replica) copy(to string) {
	t := r.t
	t.Helper()
	c, err := sqlite.Open(r.path, sqlite.OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := c.QueryRow("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'")
	if n.Err() != nil || n.Int(0) != 0 {
		t.Errorf("the replica's integrity check: %v, %d problems", n.Err(), n.Int(0))
	}
	other, err := Open(bg, r.path, &Options{ReadOnly: true, Logger: quiet})
	if err == nil {
		err = other.Backup(bg, to, nil)
		other.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// litestream restores by the stock program, if it is installed.
func litestream(t testing.TB, dir, to string) bool {
	t.Helper()
	program, err := filepath.Abs("bin/tools/litestream")
	if err != nil || !exists(program) {
		t.Log("no Litestream to compare with: `make litestream` installs it")
		return false
	}
	cmd := process.CommandContext(t.Context(), program, "restore", "-o", to, "file://"+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("litestream restore: %v\n%s", err, out)
	}
	return true
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// After each of many random transactions, DDL, VACUUM and another process's among
// them, the database that is rebuilt from the archive and a replica that is fed by
// what has changed are the same; and so is what stock Litestream restores.
func TestDifferential(t *testing.T) {
	t.Parallel()
	rounds, stock := 20, 7
	if long {
		rounds, stock = 1000, 20
	}
	for _, d := range []Durability{Archived, Full} {
		for _, size := range []int{512, 4096, 65536} {
			t.Run(fmt.Sprintf("%v of %d", d, size), func(t *testing.T) {
				t.Parallel()
				seed := rand.Uint64()
				rng := rand.New(rand.NewPCG(seed, 13))
				dir := t.TempDir()
				l := archiveIn(t, dir, ArchiveOptions{Maintain: true})
				db, err := Open(bg, filepath.Join(t.TempDir(), "d.db"), &Options{
					Log: l, Durability: d, LogDelay: time.Millisecond, PageSize: size, CacheSize: 64 << 10, CheckpointBytes: 256 << 10, Logger: quiet,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				r := newReplica(t, db)
				scratch := t.TempDir()
				for i := range rounds {
					step := randomStep(t, db, rng)
					archiveHas(t, dir, db)
					r.feed(db)
					want, got := filepath.Join(scratch, "want.db"), filepath.Join(scratch, "got.db")
					if err := db.Backup(bg, want, nil); err != nil {
						t.Fatal(err)
					}
					r.copy(got)
					if err := sameContent(got, want); err != nil {
						t.Errorf("the replica: %v", err)
					}
					if theirs := filepath.Join(scratch, "theirs.db"); i%stock == stock-1 && litestream(t, dir, theirs) {
						if err := sameContent(theirs, want); err != nil {
							t.Errorf("Litestream's: %v", err)
						}
						os.Remove(theirs)
					}
					os.Remove(want)
					os.Remove(got)
					if t.Failed() {
						t.Fatalf("seed %d, step %d: after %s", seed, i, step)
					}
				}
			})
		}
	}
}
