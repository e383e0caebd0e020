package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// pair is a database and a copy that is given nothing but its commits.
type pair struct {
	*bed
	copy     string
	injector *Injector
	reader   *sqlite.Conn // of the copy
	synced   bool
}

func newPair(t testing.TB, settings ...string) *pair {
	t.Helper()
	b := newBed(t, settings...)
	if _, _, err := b.writer.Checkpoint(sqlite.CheckpointTruncate); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{bed: b, copy: filepath.Join(t.TempDir(), "copy.db")}
	if err := os.WriteFile(p.copy, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if p.injector, err = NewInjector(p.copy, ""); err != nil {
		t.Fatal(err)
	}
	p.reader = open(t, p.copy, "")
	t.Cleanup(func() {
		p.reader.Close()
		p.injector.Close()
	})
	b.answer = func(c *Commit) error {
		last := map[uint32]int{}
		var pages []Page
		for page, err := range c.Each() {
			if err != nil {
				return err
			}
			page.Data = append([]byte(nil), page.Data...)
			if at, ok := last[page.Number]; ok {
				pages[at] = page
				continue
			}
			last[page.Number] = len(pages)
			pages = append(pages, page)
		}
		return p.injector.Inject(pages, c.Pages, p.synced)
	}
	return p
}

func (p *pair) check() {
	p.t.Helper()
	if got, want := content(p.t, p.reader), content(p.t, p.bed.reader); got != want {
		p.t.Fatalf("the copy has\n%.300s\nwant\n%.300s", got, want)
	}
}

// A copy that is given commit after commit is equal to its original, through
// checkpoints of either and recoveries of the copy.
func TestInject(t *testing.T) {
	t.Parallel()
	for _, page := range []int{512, 4096, 65536} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("pages of %d, seed %d", page, seed), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(seed, uint64(page)))
				p := newPair(t, fmt.Sprintf("PRAGMA page_size = %d", page), "PRAGMA auto_vacuum = 2")
				p.exec("CREATE TABLE t(x)")
				checkpoints := open(t, p.copy, "")
				defer checkpoints.Close()
				for range 150 {
					p.synced = r.IntN(2) == 0
					switch r.IntN(8) {
					case 0:
						p.exec("DELETE FROM t WHERE rowid % 3 = ?", r.IntN(3))
					case 1:
						p.exec("PRAGMA incremental_vacuum(2)")
					case 2:
						mode := []sqlite.CheckpointMode{sqlite.CheckpointPassive, sqlite.CheckpointRestart, sqlite.CheckpointTruncate}[r.IntN(3)]
						if _, _, err := checkpoints.Checkpoint(mode); err != nil {
							t.Fatal(err)
						}
					case 3:
						p.check()
					default:
						p.exec("INSERT INTO t VALUES (randomblob(?))", r.IntN(3*min(page, 4096)))
					}
				}
				p.check()
				if ok := p.reader.QueryRow("PRAGMA integrity_check"); ok.Err() != nil || ok.Text(0) != "ok" {
					t.Errorf("integrity_check: %s, %v", ok.Text(0), ok.Err())
				}
				want := content(t, p.reader)
				crashed := &bed{t: t, path: p.copy}
				if got := crashed.afterCrash(); got != want {
					t.Error("after a crash the copy is not what it was")
				}
			})
		}
	}
}

// More frames than one block of the wal-index knows, and pages found by it.
func TestInjectManyFrames(t *testing.T) {
	t.Parallel()
	p := newPair(t, "PRAGMA page_size = 512")
	p.exec("CREATE TABLE t(x)")
	for i := range 40 {
		p.exec("INSERT INTO t SELECT randomblob(400) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i FROM n)")
		p.exec("UPDATE t SET x = randomblob(400) WHERE rowid % 40 = ?", i)
	}
	_ = content(t, p.reader)
	h, _, ok := p.reader.WAL()
	if frames := h.MaxFrame(); !ok || frames < 10_000 {
		t.Fatalf("only %d frames", frames)
	}
	p.check()
}

// Readers are never blocked and never see half a commit.
func TestInjectBesideReaders(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.exec("CREATE TABLE t(x)")
	p.exec("CREATE TABLE u(x)")
	p.exec("BEGIN")
	for range 50 {
		p.exec("INSERT INTO t VALUES (0)")
		p.exec("INSERT INTO u VALUES (0)")
	}
	p.exec("COMMIT")
	var stop atomic.Bool
	done := make(chan error, 2)
	for range cap(done) {
		go func() {
			c, err := sqlite.Open(p.copy, sqlite.OpenReadOnly, "")
			if err != nil {
				done <- err
				return
			}
			defer c.Close()
			for n := 0; !stop.Load() || n < 10; n++ {
				row := c.QueryRow("SELECT (SELECT sum(x) FROM t), (SELECT sum(x) FROM u), (SELECT count(DISTINCT x) FROM t)")
				if err := row.Err(); err != nil {
					done <- err
					return
				}
				if row.Int64(0) != row.Int64(1) || row.Int64(2) != 1 {
					done <- fmt.Errorf("half a commit: %d and %d", row.Int64(0), row.Int64(1))
					return
				}
			}
			done <- nil
		}()
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		p.exec("BEGIN")
		p.exec("UPDATE t SET x = x + 1")
		p.exec("UPDATE u SET x = x + 1")
		p.exec("COMMIT")
	}
	stop.Store(true)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	p.check()
}

func TestInjectRefuses(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.exec("CREATE TABLE t(x)")
	p.exec("INSERT INTO t VALUES (1)")
	before := content(t, p.reader)
	page := make([]byte, 4096)
	for name, c := range map[string]struct {
		pages []Page
		size  uint32
	}{
		"no page":                   {nil, 2},
		"no size":                   {[]Page{{1, page}}, 0},
		"page 0":                    {[]Page{{0, page}}, 2},
		"a page beyond the end":     {[]Page{{3, page}}, 2},
		"a page twice":              {[]Page{{2, page}, {2, page}}, 2},
		"a page too short":          {[]Page{{2, page[:512]}}, 2},
		"a gap":                     {[]Page{{9, page}}, 9},
		"the page of locks":         {[]Page{{1<<30/4096 + 1, page}}, 1<<30/4096 + 1},
		"grown without its content": {[]Page{{1, page}}, 7},
	} {
		if err := p.injector.Inject(c.pages, c.size, false); !errors.Is(err, ErrPages) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := content(t, p.reader); got != before {
		t.Errorf("a refused commit has changed something: %q", got)
	}
	p.exec("INSERT INTO t VALUES (2)")
	p.check()
	if _, err := NewInjector(filepath.Join(t.TempDir(), "none.db"), ""); err == nil {
		t.Error("no file, no error")
	}
	rollback := filepath.Join(t.TempDir(), "rollback.db")
	c := open(t, rollback, "")
	if err := errors.Join(c.Exec("CREATE TABLE t(x)"), c.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := NewInjector(rollback, ""); err == nil {
		t.Error("not in WAL mode, no error")
	}
}

// While another program writes, an injection waits, and then gives up.
func TestInjectBesideWriter(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.exec("CREATE TABLE t(x)")
	other := open(t, p.copy, "")
	defer other.Close()
	if err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := p.injector.conn.Exec("PRAGMA busy_timeout = 10"); err != nil {
		t.Fatal(err)
	}
	if err := p.injector.Inject([]Page{{1, make([]byte, 4096)}}, 1, false); sqlite.Code(err) != sqlite.CodeBusy {
		t.Errorf("beside a writer: %v", err)
	}
}

func BenchmarkInject(b *testing.B) {
	p := newPair(b)
	p.exec("CREATE TABLE t(x)")
	var pages []Page
	for i := range 5 {
		pages = append(pages, Page{uint32(i + 1), make([]byte, 4096)})
	}
	first, err := os.ReadFile(p.copy)
	if err != nil {
		b.Fatal(err)
	}
	copy(pages[0].Data, first)
	for b.Loop() {
		if err := p.injector.Inject(pages, 5, false); err != nil {
			b.Fatal(err)
		}
	}
}
