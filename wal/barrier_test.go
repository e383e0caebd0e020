package wal

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// bed is a database whose writer stands behind a barrier, and a reader that does
// not. Every commit goes through answer, after it was applied to image: a copy of
// the database made of nothing but what the barrier was given.
type bed struct {
	t       testing.TB
	path    string
	barrier *Barrier
	writer  *sqlite.Conn
	reader  *sqlite.Conn
	answer  func(c *Commit) error
	began   func(salt1, salt2 uint32) error
	image   map[uint32][]byte
	size    uint32
	commits int
}

func newBed(t testing.TB, settings ...string) *bed {
	t.Helper()
	return newBedOn(t, "", settings...)
}

// newBedOn puts the barrier around another VFS than the default one.
func newBedOn(t testing.TB, base string, settings ...string) *bed {
	t.Helper()
	b := &bed{t: t, path: filepath.Join(t.TempDir(), "test.db"), image: map[uint32][]byte{}}
	var err error
	if b.barrier, err = NewBarrier(base, b.take, b.tell); err != nil {
		t.Fatal(err)
	}
	b.writer = open(t, b.path, b.barrier.VFS())
	for _, s := range append(settings, "PRAGMA journal_mode = wal") {
		b.exec(s)
	}
	b.exec("PRAGMA synchronous = full")
	b.exec("PRAGMA wal_autocheckpoint = 0")
	b.reader = open(t, b.path, "")
	t.Cleanup(func() {
		b.reader.Close()
		b.writer.Close()
		b.barrier.Close()
	})
	return b
}

func open(t testing.TB, path, vfs string) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, vfs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bed) exec(sql string, args ...any) {
	b.t.Helper()
	if err := b.writer.Exec(sql, args...); err != nil {
		b.t.Fatalf("%s: %v (the barrier: %v)", sql, err, b.barrier.Err())
	}
}

func (b *bed) rollback() {
	b.t.Helper()
	b.exec("ROLLBACK")
	if err := b.barrier.RolledBack(); err != nil {
		b.t.Fatal(err)
	}
}

// take is the sink.
func (b *bed) take(c *Commit) error {
	pages, n := map[uint32][]byte{}, 0
	for page, err := range c.Each() {
		if err != nil {
			return err
		}
		pages[page.Number] = append([]byte(nil), page.Data...)
		n++
	}
	if n != c.Frames() {
		b.t.Errorf("%d frames, want %d", n, c.Frames())
	}
	if b.answer != nil {
		if err := b.answer(c); err != nil {
			return err
		}
	}
	for number, data := range pages {
		b.image[number] = data
	}
	b.size = c.Pages
	b.commits++
	return nil
}

// tell is told of new runs of the WAL.
func (b *bed) tell(salt1, salt2 uint32) error {
	if b.began == nil {
		return nil
	}
	return b.began(salt1, salt2)
}

// rebuilt returns the path of a database made of what the barrier was given, on
// top of what was there when it was put up.
func (b *bed) rebuilt(base []byte) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "rebuilt.db")
	f, err := os.Create(path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(base); err != nil {
		b.t.Fatal(err)
	}
	pageSize := 0
	for number, data := range b.image {
		pageSize = len(data)
		if _, err := f.WriteAt(data, int64(number-1)*int64(len(data))); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := f.Truncate(int64(b.size) * int64(pageSize)); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// content is all that a database holds, as text.
func content(t testing.TB, c *sqlite.Conn) string {
	t.Helper()
	var out strings.Builder
	tables := c.Query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	var names []string
	for row, err := range tables {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, row.Text(0))
	}
	for _, name := range names {
		for row, err := range c.Query("SELECT rowid, length(x) || hex(substr(x, 1, 8)) || hex(substr(x, -8)) FROM " + name + " ORDER BY rowid") {
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&out, name, row.Int64(0), row.Text(1))
		}
	}
	return out.String()
}

func (b *bed) same(base []byte) {
	b.t.Helper()
	c := open(b.t, b.rebuilt(base), "")
	defer c.Close()
	if got, want := content(b.t, c), content(b.t, b.reader); got != want {
		b.t.Fatalf("what passed the barrier is not what is visible:\n%.300s\nwant\n%.300s", got, want)
	}
	if ok := c.QueryRow("PRAGMA integrity_check"); ok.Err() != nil || ok.Text(0) != "ok" {
		b.t.Fatalf("the rebuilt database is damaged: %s %v", ok.Text(0), ok.Err())
	}
}

// afterCrash is what somebody sees who opens copies of the files as they are.
func (b *bed) afterCrash() string {
	b.t.Helper()
	dir := b.t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(b.path + suffix)
		if err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "test.db"+suffix), data, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	c := open(b.t, filepath.Join(dir, "test.db"), "")
	defer c.Close()
	return content(b.t, c)
}

// Nobody sees a commit before the sink has agreed.
func TestInvisibleUntilAgreed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.exec("CREATE TABLE t(x)")
	before := ""
	b.answer = func(*Commit) error {
		if got := content(t, b.reader); got != before {
			t.Errorf("visible inside the barrier: %q", got)
		}
		return nil
	}
	for i := range 20 {
		b.exec("INSERT INTO t VALUES (?)", fmt.Sprint(i))
		after := content(t, b.reader)
		if after == before {
			t.Fatal("not visible behind the barrier")
		}
		before = after
	}
}

// The three answers, at any place in the WAL, and what a crash makes of them.
func TestAnswers(t *testing.T) {
	t.Parallel()
	unknown := errors.New("no answer")
	for _, where := range []string{"first commit", "in the middle", "after a restart"} {
		for _, answer := range []error{ErrRefused, fmt.Errorf("somebody was first: %w", ErrRefused), unknown} {
			t.Run(fmt.Sprintf("%s, %v", where, answer), func(t *testing.T) {
				t.Parallel()
				b := newBed(t)
				b.exec("CREATE TABLE t(x)")
				b.exec("INSERT INTO t VALUES ('first')")
				switch where {
				case "first commit", "after a restart":
					if where == "after a restart" {
						b.exec("INSERT INTO t VALUES ('second')")
					}
					if _, _, err := b.writer.Checkpoint(sqlite.CheckpointRestart); err != nil {
						t.Fatal(err)
					}
				}
				before := content(t, b.reader)
				b.answer = func(c *Commit) error {
					if err := c.Sync(); err != nil {
						return err
					}
					return answer
				}
				err := b.writer.Exec("INSERT INTO t VALUES ('refused')")
				if sqlite.Code(err) != sqlite.CodeIOErr|4<<8 {
					t.Fatalf("the commit came to %v", err)
				}
				if !errors.Is(b.barrier.Err(), answer) || b.barrier.Unknown() != (answer == unknown) {
					t.Errorf("the barrier says %v, unknown %v", b.barrier.Err(), b.barrier.Unknown())
				}
				if got := content(t, b.reader); got != before {
					t.Errorf("visible: %q", got)
				}
				crashed := b.afterCrash()
				if answer == unknown {
					if crashed == before {
						t.Error("the frames of a commit with an unknown outcome are gone")
					}
					return
				}
				if crashed != before {
					t.Errorf("a crash brings the refused commit to life: %q, want %q", crashed, before)
				}
				b.answer = nil
				b.exec("INSERT INTO t VALUES ('next')")
				if got := content(t, b.reader); got == before || got != b.afterCrash() {
					t.Errorf("after the next commit %q, and after a crash %q", got, b.afterCrash())
				}
				b.same(nil)
			})
		}
	}
}

// A sink that panics has said nothing: the outcome is unknown.
func TestPanic(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.exec("CREATE TABLE t(x)")
	b.answer = func(*Commit) error { panic("at the barrier") }
	if err := b.writer.Exec("INSERT INTO t VALUES (1)"); err == nil {
		t.Error("committed")
	}
	if err := b.barrier.Err(); !b.barrier.Unknown() || err == nil || !strings.Contains(err.Error(), "at the barrier") {
		t.Errorf("unknown %v, %v", b.barrier.Unknown(), err)
	}
	b.answer = nil
}

// Whatever transactions do (spill out of the cache, roll back in part or wholly,
// change the size of the file, write page 1 twice), what passes the barrier is
// what readers see, and what a crash leaves.
func TestRandom(t *testing.T) {
	t.Parallel()
	seeds := []uint64{1, 2, 3, 4}
	for _, seed := range seeds {
		for _, page := range []int{512, 4096, 65536} {
			t.Run(fmt.Sprintf("seed %d, pages of %d", seed, page), func(t *testing.T) {
				t.Parallel()
				random(t, rand.New(rand.NewPCG(seed, uint64(page))), page)
			})
		}
	}
}

func random(t *testing.T, r *rand.Rand, page int) {
	b := newBed(t, fmt.Sprintf("PRAGMA page_size = %d", page), "PRAGMA auto_vacuum = 2", "PRAGMA cache_size = 5", "PRAGMA cache_spill = 1")
	if _, _, err := b.writer.Checkpoint(sqlite.CheckpointTruncate); err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	refused := false
	b.answer = func(c *Commit) error {
		if refused = r.IntN(6) == 0; refused {
			return ErrRefused
		}
		return checkViews(b, c)
	}
	write := func(sql string, args ...any) {
		t.Helper()
		if err := b.writer.Exec(sql, args...); err != nil && !refused {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for !b.has("t") {
		write("CREATE TABLE IF NOT EXISTS t(x)")
	}
	something := func() {
		switch r.IntN(5) {
		case 0, 1:
			b.exec("INSERT INTO t SELECT randomblob(?) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n)", r.IntN(3*min(page, 4096)), 1+r.IntN(30))
		case 2:
			b.exec("UPDATE t SET x = randomblob(length(x) + ?) WHERE rowid % 7 = ?", r.IntN(20), r.IntN(7))
		case 3:
			b.exec("DELETE FROM t WHERE rowid % 3 = ?", r.IntN(3))
		case 4:
			b.exec("PRAGMA user_version = " + fmt.Sprint(r.IntN(1000)))
		}
	}
	for range 40 {
		before := content(t, b.reader)
		refused = false
		b.exec("BEGIN IMMEDIATE")
		for range 1 + r.IntN(4) {
			if r.IntN(3) == 0 {
				b.exec("SAVEPOINT s")
				something()
				if r.IntN(2) == 0 {
					b.exec("ROLLBACK TO s")
				}
				b.exec("RELEASE s")
				continue
			}
			something()
		}
		if r.IntN(4) == 0 {
			b.rollback()
		} else if err := b.writer.Exec("COMMIT"); err != nil {
			if !refused {
				t.Fatal(err)
			}
			if got := content(t, b.reader); got != before {
				t.Fatal("a refused commit is visible")
			}
		}
		if got, want := b.afterCrash(), content(t, b.reader); got != want {
			t.Fatal("a crash leaves something else than what is visible")
		}
		switch r.IntN(6) {
		case 0:
			if _, _, err := b.writer.Checkpoint(sqlite.CheckpointRestart); err != nil {
				t.Fatal(err)
			}
		case 1:
			write("PRAGMA incremental_vacuum(3)")
		}
	}
	if b.commits < 10 {
		t.Errorf("only %d commits", b.commits)
	}
	b.same(base)
}

func (b *bed) has(table string) bool {
	return b.reader.QueryRow("SELECT 1 FROM sqlite_schema WHERE name = ?", table).Err() == nil
}

// A commit larger than what is read at a time comes in order and whole.
func TestHuge(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.exec("CREATE TABLE t(x)")
	largest := 0
	b.answer = func(c *Commit) error {
		largest = max(largest, c.Frames())
		return nil
	}
	b.exec("INSERT INTO t SELECT randomblob(100000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i FROM n)")
	if largest < 4*partSize/4096 {
		t.Fatalf("a commit of only %d frames", largest)
	}
	b.same(nil)
}

// A read error inside the barrier leaves the outcome open.
func TestNoSuchVFS(t *testing.T) {
	t.Parallel()
	if _, err := NewBarrier("there-is-none", nil, nil); err == nil || !strings.Contains(err.Error(), "there-is-none") {
		t.Errorf("a barrier around nothing: %v", err)
	}
}

// Marks read what the barrier was given, commit by commit, also of a WAL that a
// program without a barrier has written.
func TestMarks(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	var ends []int64
	var sums []uint64
	b.answer = func(c *Commit) error {
		ends, sums = append(ends, c.End), append(sums, c.Sum())
		return nil
	}
	b.exec("CREATE TABLE t(x)")
	for i := range 20 {
		b.exec("INSERT INTO t VALUES (zeroblob(?))", 3000*i)
	}
	other := open(t, b.path, "")
	defer other.Close()
	if err := other.Exec("INSERT INTO t VALUES ('by another')"); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(b.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Begin(f)
	if err != nil {
		t.Fatal(err)
	}
	image, begin := map[uint32][]byte{}, m
	for i := 0; ; i++ {
		next, err := m.Next(f)
		if err == io.EOF {
			if i != len(ends)+1 {
				t.Fatalf("%d commits, want %d", i, len(ends)+1)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if i < len(ends) && next.Offset != ends[i] {
			t.Fatalf("commit %d ends at %d, want %d", i, next.Offset, ends[i])
		}
		if i < len(ends) && next.Sum() != sums[i] {
			t.Errorf("commit %d has the sum %x, want %x", i, next.Sum(), sums[i])
		}
		if to, err := begin.To(f, next.Offset); err != nil || to != next {
			t.Errorf("to byte %d: %v, %v", next.Offset, to, err)
		}
		for _, between := range []int64{next.Offset - 1, next.Offset - 24} {
			if _, err := m.To(f, between); !errors.Is(err, ErrNoCommit) {
				t.Errorf("to byte %d: %v", between, err)
			}
		}
		m = next
	}
	if _, err := begin.To(f, m.Offset+1); !errors.Is(err, ErrNoCommit) {
		t.Errorf("behind the end: %v", err)
	}
	if end, err := begin.End(f); err != nil || end != m {
		t.Errorf("the end is %v (%v), want %v", end, err, m)
	}
	if err := Pages(f, begin, m, func(p Page) error {
		image[p.Number] = append([]byte(nil), p.Data...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b.image, b.size = image, m.Pages
	b.same(nil)
}

func BenchmarkCommit(b *testing.B) {
	for _, with := range []bool{false, true} {
		name := map[bool]string{false: "no barrier, synchronous normal", true: "barrier that reads all and syncs nothing"}[with]
		b.Run(name, func(b *testing.B) {
			path, vfs := filepath.Join(b.TempDir(), "b.db"), ""
			if with {
				barrier, err := NewBarrier("", func(c *Commit) error {
					for _, err := range c.Each() {
						if err != nil {
							return err
						}
					}
					return nil
				}, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer barrier.Close()
				vfs = barrier.VFS()
			}
			c := open(b, path, vfs)
			defer c.Close()
			synchronous := map[bool]string{false: "normal", true: "full"}[with]
			for _, sql := range []string{"PRAGMA journal_mode = wal", "PRAGMA synchronous = " + synchronous, "CREATE TABLE t(x)"} {
				if err := c.Exec(sql); err != nil {
					b.Fatal(err)
				}
			}
			stmt, err := c.Prepare("INSERT INTO t VALUES (?)")
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for i := range b.N {
				if _, err := stmt.Exec(i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
