package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// imageOf is what SQLite itself copies out of a connection's transaction.
func imageOf(t testing.TB, c *sqlite.Conn, page int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.db")
	to := open(t, path, "")
	defer to.Close()
	for _, sql := range []string{fmt.Sprintf("PRAGMA page_size = %d", page), "PRAGMA synchronous = off"} {
		if err := to.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	backup, err := sqlite.NewBackup(to, c)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := backup.Step(-1); err != nil || !done {
		t.Fatalf("backup: %v, done %v", err, done)
	}
	if err := backup.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// forgetVersions clears what a backup changes on page 1: the journal mode, the change
// counter, the schema's cookie, and which version of SQLite wrote it when.
func forgetVersions(page []byte) {
	for _, r := range [][2]int{{18, 20}, {24, 28}, {40, 44}, {92, 100}} {
		clear(page[r[0]:r[1]])
	}
}

// read reads some pages of a snapshot, about so many in a hundred, and compares.
func (s *Snapshot) compare(t testing.TB, r *rand.Rand, image []byte, percent int) {
	t.Helper()
	if int(s.Pages())*s.size != len(image) {
		t.Fatalf("%d pages, want %d", s.Pages(), len(image)/s.size)
	}
	var numbers []uint32
	for n := range s.Pages() {
		if r.IntN(100) < percent {
			numbers = append(numbers, n+1)
		}
	}
	seen := 0
	if err := s.Read(numbers, func(p Page) error {
		if p.Number != numbers[seen] {
			t.Fatalf("page %d, want %d", p.Number, numbers[seen])
		}
		seen++
		got, want := bytes.Clone(p.Data), bytes.Clone(image[int(p.Number-1)*s.size:][:s.size])
		if p.Number == 1 {
			forgetVersions(got)
			forgetVersions(want)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("page %d of %d differs (all in the file: %v)", p.Number, s.Pages(), s.inFile)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if seen != len(numbers) {
		t.Fatalf("%d pages, want %d", seen, len(numbers))
	}
}

func take(t testing.TB, c *sqlite.Conn) *Snapshot {
	t.Helper()
	s, err := TakeSnapshot(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// writeAll does whatever changes a database, until it is told to stop.
func writeAll(path string, seed uint64, page int, stop <-chan struct{}) error {
	c, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
	if err != nil {
		return err
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(seed, 2))
	size := min(page, 4096)
	for _, sql := range []string{"PRAGMA busy_timeout = 5000", "PRAGMA synchronous = off", "PRAGMA wal_autocheckpoint = 0", "PRAGMA cache_size = 20"} {
		if err := c.Exec(sql); err != nil {
			return err
		}
	}
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		switch r.IntN(12) {
		case 0:
			err = c.Exec("DELETE FROM t WHERE rowid % 3 = ?", r.IntN(3))
		case 1:
			err = c.Exec("VACUUM")
		case 2:
			_, _, err = c.Checkpoint(sqlite.CheckpointPassive)
		case 3, 4, 5:
			err = c.Exec("UPDATE t SET x = randomblob(length(x)) WHERE rowid % 7 = ?", r.IntN(7))
		default:
			err = c.Exec("INSERT INTO t SELECT randomblob(?) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n)", 1+r.IntN(3*size), 1+r.IntN(20))
		}
		if err != nil && sqlite.Code(err)&0xff != sqlite.CodeBusy {
			return err
		}
	}
}

// checkpointAll copies the WAL back in every mode.
func checkpointAll(path string, seed uint64, stop <-chan struct{}) error {
	c, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
	if err != nil {
		return err
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(seed, 3))
	if err := c.Exec("SELECT 1 FROM sqlite_schema"); err != nil {
		return err
	}
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		mode := []sqlite.CheckpointMode{sqlite.CheckpointPassive, sqlite.CheckpointRestart, sqlite.CheckpointTruncate}[r.IntN(3)]
		if _, _, err := c.Checkpoint(mode); err != nil && sqlite.Code(err)&0xff != sqlite.CodeBusy {
			return err
		}
	}
}

// Beside writers and checkpoints of every kind each page of a snapshot is what SQLite
// copies out of the same transaction, before and after.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	for _, page := range []int{512, 1024, 4096, 65536} {
		t.Run(fmt.Sprint(page), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, fmt.Sprintf("PRAGMA page_size = %d", page))
			b.exec("CREATE TABLE t(x)")
			stop, done := make(chan struct{}), make(chan error)
			go func() { done <- writeAll(b.path, uint64(page), page, stop) }()
			go func() { done <- checkpointAll(b.path, uint64(page), stop) }()
			r := rand.New(rand.NewPCG(1, uint64(page)))
			fromFile := 0
			for range 60 {
				s := take(t, b.reader)
				image := imageOf(t, b.reader, page)
				s.compare(t, r, image, 1+r.IntN(100))
				s.compare(t, r, image, 100)
				if s.inFile {
					fromFile++
				}
				if err := b.reader.Exec("ROLLBACK"); err != nil {
					t.Fatal(err)
				}
			}
			close(stop)
			if err := errors.Join(<-done, <-done); err != nil {
				t.Error(err)
			}
			t.Logf("%d of 60 snapshots were wholly in the file", fromFile)
		})
	}
}

// A snapshot of which all frames were copied already holds no mark: the WAL begins
// again under it.
func TestSnapshotOutlivesWAL(t *testing.T) {
	t.Parallel()
	for _, mode := range []sqlite.CheckpointMode{sqlite.CheckpointPassive, sqlite.CheckpointRestart, sqlite.CheckpointTruncate} {
		b := newBed(t)
		b.exec("CREATE TABLE t(x)")
		for i := range 30 {
			b.exec("INSERT INTO t VALUES (randomblob(?))", 100*i)
		}
		b.checkpoint(mode)
		s := take(t, b.reader)
		s1, s2, offset := s.Place()
		image := imageOf(t, b.reader, 4096)
		r := rand.New(rand.NewPCG(1, 1))
		s.compare(t, r, image, 50)
		if mode != sqlite.CheckpointTruncate && s.inFile {
			t.Error("the WAL stands")
		}
		for range 30 {
			b.exec("UPDATE t SET x = randomblob(length(x))")
		}
		s.compare(t, r, image, 100)
		if !s.inFile {
			t.Error("the WAL has not begun again")
		}
		if a1, a2, again := s.Place(); a1 != s1 || a2 != s2 || again != offset {
			t.Errorf("its place was %x %x %d, and is %x %x %d", s1, s2, offset, a1, a2, again)
		}
		if err := b.reader.Exec("ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// A checkpoint that goes as far as a snapshot leaves out the pages that were written
// again since: the file does not have them though all frames count as copied.
func TestSnapshotWhenAllIsCopied(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.exec("CREATE TABLE t(x)")
	b.exec("INSERT INTO t VALUES (1)")
	var end int64
	b.answer = func(c *Commit) error { end = c.End; return nil }
	b.exec("UPDATE t SET x = 2")
	s := take(t, b.reader)
	image := imageOf(t, b.reader, 4096)
	if _, _, offset := s.Place(); offset != end {
		t.Errorf("it ends at %d, want %d", offset, end)
	}
	frames := uint32(end-headerSize) / (4096 + frameHeader)
	b.exec("UPDATE t SET x = 3")
	b.checkpoint(sqlite.CheckpointPassive)
	h, copied, _ := b.writer.WAL()
	if copied != frames || h.MaxFrame() <= frames {
		t.Fatalf("%d of %d frames copied", copied, h.MaxFrame())
	}
	s.compare(t, rand.New(rand.NewPCG(1, 1)), image, 100)
	if err := b.reader.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}

// More frames than one block of the wal-index knows, and more pages than are looked
// for at a time.
func TestSnapshotManyFrames(t *testing.T) {
	t.Parallel()
	b := newBed(t, "PRAGMA page_size = 512")
	b.exec("CREATE TABLE t(x)")
	for i := range 20 {
		b.exec("INSERT INTO t SELECT randomblob(400) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) SELECT i FROM n)")
		b.exec("UPDATE t SET x = randomblob(400) WHERE rowid % 40 = ?", i)
	}
	s := take(t, b.reader)
	if s.frames < 10_000 {
		t.Fatalf("only %d frames", s.frames)
	}
	image := imageOf(t, b.reader, 512)
	r := rand.New(rand.NewPCG(1, 1))
	s.compare(t, r, image, 100)
	s.compare(t, r, image, 30)
	page := make([]byte, 512)
	if err := s.Page(77, page); err != nil || !bytes.Equal(page, image[76*512:77*512]) {
		t.Errorf("page 77 differs (%v)", err)
	}
	if err := b.reader.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotRefuses(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.exec("CREATE TABLE t(x)")
	s := take(t, b.reader)
	if salt1, salt2, offset := s.Place(); offset == 0 || salt1 == 0 || salt2 == 0 || s.PageSize() != 4096 || s.Pages() != 2 {
		t.Errorf("%x %x %d, %d pages of %d bytes", salt1, salt2, offset, s.Pages(), s.PageSize())
	}
	for _, number := range []uint32{0, 3} {
		if err := s.Page(number, make([]byte, 4096)); err == nil {
			t.Errorf("page %d, no error", number)
		}
	}
	if err := s.Page(1, make([]byte, 512)); err == nil {
		t.Error("a short buffer, no error")
	}
	cause := errors.New("enough")
	if err := s.Read([]uint32{1, 2}, func(Page) error { return cause }); !errors.Is(err, cause) {
		t.Errorf("the visitor's error: %v", err)
	}
	header, _, _ := b.reader.WAL()
	b.exec("INSERT INTO t VALUES (zeroblob(100000))")
	other := open(t, b.path, "")
	defer other.Close()
	if err := other.Exec("BEGIN; SELECT 1 FROM t"); err != nil {
		t.Fatal(err)
	}
	if _, err := NewSnapshot(other, header); !errors.Is(err, ErrSnapshot) {
		t.Errorf("an older header: %v", err)
	}
	if _, err := TakeSnapshot(other); err == nil {
		t.Error("in a transaction, no error")
	}
	rollback := open(t, filepath.Join(t.TempDir(), "rollback.db"), "")
	defer rollback.Close()
	if err := rollback.Exec("CREATE TABLE t(x)"); err != nil {
		t.Fatal(err)
	}
	if _, err := TakeSnapshot(rollback); err == nil || !rollback.AutoCommit() {
		t.Errorf("not in WAL mode: %v", err)
	}
	if err := b.reader.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkSnapshotRead(b *testing.B) {
	for _, where := range []string{"file", "WAL"} {
		bed := newBed(b)
		bed.exec("CREATE TABLE t(x)")
		bed.exec("INSERT INTO t SELECT randomblob(100000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i FROM n)")
		if where == "file" {
			bed.checkpoint(sqlite.CheckpointTruncate)
		}
		s := take(b, bed.reader)
		for _, every := range []uint32{1, 10} {
			var numbers []uint32
			for n := uint32(1); n <= s.Pages(); n += every {
				numbers = append(numbers, n)
			}
			b.Run(fmt.Sprintf("%s, every %d. page", where, every), func(b *testing.B) {
				b.SetBytes(int64(len(numbers)) * 4096)
				for b.Loop() {
					if err := s.Read(numbers, func(Page) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
