package wal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// wellFormed returns a WAL of some commits.
func wellFormed(t testing.TB, page int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.db")
	c := open(t, path, "")
	defer c.Close()
	for _, sql := range []string{"PRAGMA page_size = " + map[int]string{512: "512", 4096: "4096"}[page], "PRAGMA journal_mode = wal",
		"CREATE TABLE t(x)", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (zeroblob(2000))"} {
		if err := c.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A WAL that was cut or changed anywhere ends at the commit before, as it does
// for SQLite itself.
func TestTornWAL(t *testing.T) {
	t.Parallel()
	whole := wellFormed(t, 512)
	begin, err := Begin(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	var ends []int64
	for m := begin; ; {
		if m, err = m.Next(bytes.NewReader(whole)); err != nil {
			break
		}
		ends = append(ends, m.Offset)
	}
	if err != io.EOF || len(ends) != 3 || ends[2] != int64(len(whole)) {
		t.Fatalf("commits end at %d (%v), the WAL at %d", ends, err, len(whole))
	}
	reachable := func(at int) (end int64) {
		end = headerSize
		for _, e := range ends {
			if e <= int64(at) {
				end = e
			}
		}
		return end
	}
	for at := headerSize; at < len(whole); at += 7 {
		if m, err := begin.End(bytes.NewReader(whole[:at])); err != nil || m.Offset != reachable(at) {
			t.Fatalf("cut at %d: it ends at %d (%v), want %d", at, m.Offset, err, reachable(at))
		}
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x10
		if m, err := begin.End(bytes.NewReader(flipped)); err != nil || m.Offset != reachable(at) {
			t.Fatalf("a bit of byte %d: it ends at %d (%v), want %d", at, m.Offset, err, reachable(at))
		}
	}
	for at := range headerSize {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x10
		if _, err := Begin(bytes.NewReader(flipped)); !errors.Is(err, ErrNoWAL) {
			t.Errorf("a bit of byte %d of the header: %v", at, err)
		}
		if _, err := Begin(bytes.NewReader(whole[:at])); !errors.Is(err, ErrNoWAL) {
			t.Errorf("a header of %d bytes: %v", at, err)
		}
	}
}

// A rolled back transaction that had left the cache, and then a commit of another
// program in the same place and exactly as long: the next commit is its own only.
func TestForeignCommitOverRolledBack(t *testing.T) {
	t.Parallel()
	b := newBed(t, "PRAGMA cache_size = 2", "PRAGMA cache_spill = 1")
	b.exec("CREATE TABLE t(x)")
	b.exec("CREATE TABLE u(x)")
	other := open(t, b.path, "")
	defer other.Close()
	if err := other.Exec("INSERT INTO u VALUES (1)"); err != nil { // its first reads the schema
		t.Fatal(err)
	}
	for size := range 12 {
		b.exec("BEGIN IMMEDIATE")
		b.exec("INSERT INTO t VALUES (zeroblob(40000))")
		b.rollback()
		if err := other.Exec("INSERT INTO u VALUES (zeroblob(?))", 4000*size); err != nil {
			t.Fatal(err)
		}
		frames := 0
		b.answer = func(c *Commit) error {
			frames = c.Frames()
			return nil
		}
		b.exec("INSERT INTO t VALUES (1)")
		if frames != 1 {
			t.Errorf("after a foreign commit of %d bytes: a commit of %d frames, want 1", 4000*size, frames)
		}
	}
}

func FuzzMarks(f *testing.F) {
	f.Add(wellFormed(f, 512))
	f.Add(wellFormed(f, 4096))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wal []byte) {
		r := bytes.NewReader(wal)
		begin, err := Begin(r)
		if err != nil {
			return
		}
		end, err := begin.End(r)
		if err != nil {
			t.Fatal(err)
		}
		if end.Offset < headerSize || end.Offset > int64(len(wal)) {
			t.Fatalf("it ends at %d of %d", end.Offset, len(wal))
		}
		n := int64(0)
		if err := Pages(r, begin, end, func(p Page) error {
			n += int64(frameHeader + len(p.Data))
			return nil
		}); err != nil || n != end.Offset-headerSize {
			t.Fatalf("%d bytes of frames up to %d: %v", n, end.Offset, err)
		}
	})
}
