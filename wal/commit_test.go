package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"testing"
)

// checkViews compares the ways to look at a commit with the plain one.
func checkViews(b *bed, c *Commit) error {
	last, numbers := map[uint32][]byte{}, []uint32(nil)
	for p, err := range c.Each() {
		if err != nil {
			return err
		}
		last[p.Number] = bytes.Clone(p.Data)
		numbers = append(numbers, p.Number)
	}
	if got := c.Numbers(); !slices.Equal(got, numbers) {
		b.t.Errorf("numbers %v, want %v", got, numbers)
	}
	for range 2 { // what is kept for the second time is the same
		n, before := 0, uint32(0)
		for p, err := range c.Sorted() {
			if err != nil {
				return err
			}
			if p.Number <= before {
				b.t.Errorf("page %d after %d", p.Number, before)
			}
			if !bytes.Equal(p.Data, last[p.Number]) {
				b.t.Errorf("page %d is not what its last frame says", p.Number)
			}
			before = p.Number
			n++
		}
		if n != len(last) {
			b.t.Errorf("%d pages, want %d", n, len(last))
		}
	}
	checkHeader(b, c)
	return nil
}

// checkHeader compares with the file.
func checkHeader(b *bed, c *Commit) {
	f, err := os.Open(b.path + "-wal")
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	var header [headerSize]byte
	var frame [frameHeader]byte
	if _, err := f.ReadAt(header[:], 0); err != nil {
		b.t.Error(err)
	}
	if _, err := f.ReadAt(frame[:], c.End-c.frameSize()); err != nil {
		b.t.Error(err)
	}
	s1, s2 := c.Salts()
	if want1, want2 := salts(header[:]); s1 != want1 || s2 != want2 {
		b.t.Errorf("salts %x %x, want %x %x", s1, s2, want1, want2)
	}
	if want := binary.BigEndian.Uint64(frame[16:]); c.Sum() != want {
		b.t.Errorf("sum %x, want %x", c.Sum(), want)
	}
	m, err := Begin(f)
	if err != nil {
		b.t.Fatal(err)
	}
	if end, err := m.End(f); err != nil || end.Offset != c.End {
		b.t.Errorf("the WAL ends at %d (%v), the commit at %d", end.Offset, err, c.End)
	}
}

// A commit much larger than what is in memory, most pages of which left the cache
// early, some of them twice.
func TestSortedHuge(t *testing.T) {
	t.Parallel()
	for _, page := range []int{512, 4096, 65536} {
		t.Run(fmt.Sprint(page), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, fmt.Sprintf("PRAGMA page_size = %d", page), "PRAGMA cache_size = 20", "PRAGMA cache_spill = 1")
			b.exec("CREATE TABLE t(x)")
			b.exec("CREATE TABLE u(x)")
			frames, size := 0, 0
			b.answer = func(c *Commit) error {
				frames, size = c.Frames(), int(c.End-c.Start)
				return checkViews(b, c)
			}
			b.exec("BEGIN")
			for i := range 40 {
				b.exec("INSERT INTO t SELECT randomblob(1000 + ?) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT i FROM n)", i)
				b.exec("INSERT INTO u VALUES (randomblob(500))")
				b.exec("UPDATE t SET x = randomblob(1000) WHERE rowid % 50 = ?", i)
			}
			b.exec("COMMIT")
			if size < 2*partSize {
				t.Errorf("a commit of only %d frames, %d bytes", frames, size)
			}
			b.same(nil)
			if b.barrier.Err() != nil {
				t.Error(b.barrier.Err())
			}
		})
	}
}

// Two connections behind one barrier: the second opens while the first is in the
// middle of a transaction, and commits beside it as well.
func TestTwoConnections(t *testing.T) {
	t.Parallel()
	b := newBed(t, "PRAGMA cache_size = 2", "PRAGMA cache_spill = 1")
	b.answer = func(c *Commit) error { return checkViews(b, c) }
	b.exec("CREATE TABLE t(x)")
	b.exec("BEGIN IMMEDIATE")
	b.exec("INSERT INTO t VALUES (zeroblob(100000))")
	second := open(t, b.path, b.barrier.VFS())
	defer second.Close()
	_ = content(t, second)
	b.exec("COMMIT")
	b.same(nil)
	for _, sql := range []string{"PRAGMA synchronous = full", "INSERT INTO t VALUES ('by the second')"} {
		if err := second.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	b.exec("INSERT INTO t VALUES ('by the first')")
	b.same(nil)
}

// The connection was opened when the WAL was empty, and another one, without a
// barrier, has written its header.
func TestForeignHeader(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.exec("CREATE TABLE t(x)")
	if err := b.writer.Close(); err != nil {
		t.Fatal(err)
	}
	b.reader.Close() // the last one: the WAL is gone
	b.writer, b.reader = open(t, b.path, b.barrier.VFS()), open(t, b.path, "")
	b.exec("PRAGMA synchronous = full")
	_ = content(t, b.writer)
	other := open(t, b.path, "")
	defer other.Close()
	if err := other.Exec("INSERT INTO t VALUES ('by another')"); err != nil {
		t.Fatal(err)
	}
	before := b.commits
	b.answer = func(c *Commit) error { return checkViews(b, c) }
	b.exec("INSERT INTO t VALUES ('by the first')")
	if b.commits != before+1 {
		t.Error("a commit has passed the barrier unasked")
	}
}

func BenchmarkSorted(b *testing.B) {
	bed := newBed(b)
	bed.exec("CREATE TABLE t(x)")
	bed.answer = func(c *Commit) error {
		b.Run(fmt.Sprintf("%d frames", c.Frames()), func(b *testing.B) {
			for b.Loop() {
				c.order = nil
				for _, err := range c.Sorted() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		return nil
	}
	for _, size := range []int{1, 400_000, 40_000_000} {
		bed.exec("INSERT INTO t VALUES (zeroblob(?))", size)
	}
}
