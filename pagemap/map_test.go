package pagemap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func open(t testing.TB, path string, pages uint32) *Map {
	t.Helper()
	m, err := Open(path, pages)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// step is a commit that happens before the WAL begins again.
type step struct {
	pages []uint32
	size  uint32
	hash  uint64
	place Place
}

// The numbers of a WAL told again are the numbers it had.
func TestNumbersComeBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "map")
	m := open(t, path, 10)
	steps := []step{{[]uint32{1, 5}, 10, 11, Place{1, 2, 100}}, {[]uint32{7, 1}, 12, 12, Place{1, 2, 200}}, {[]uint32{12}, 12, 13, Place{1, 2, 300}}}
	for i, s := range steps {
		m.Commit(s.pages, s.size, s.hash, s.place)
		if i == 0 {
			if err := m.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, head, _ := m.Since(0, 100)
	m.Close()
	m = open(t, path, 0)
	for _, s := range steps[1:] {
		m.Commit(s.pages, s.size, s.hash, s.place)
	}
	got, again, done := m.Since(0, 100)
	if !slices.Equal(got, want) || again != head || !done {
		t.Errorf("after telling again %v, %v, want %v, %v", got, again, want, head)
	}
	if m.Head().Hash != 13 || m.Head().WAL != steps[2].place {
		t.Errorf("head %+v", m.Head())
	}
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "map")
	m := open(t, path, 1000)
	m.Commit([]uint32{3}, 1000, 1, Place{})
	if err := m.Sync(); err != nil {
		t.Fatal(err)
	}
	log := m.Head().Log
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one := slices.Clone(whole)
	one[20] ^= 1
	write(one)
	if m := open(t, path, 0); m.Head().Log != log {
		t.Error("one good header is enough")
	}
	one[headerSpace/2+20] ^= 1
	write(one)
	if _, err := Open(path, 0); !errors.Is(err, ErrDamaged) {
		t.Errorf("without a good header: %v", err)
	}
	write(whole[:headerSpace+10])
	if m := open(t, path, 0); m.Head().Pages != 1000 {
		t.Errorf("cut short: %+v", m.Head())
	}
}

// The fields of a header are where they are documented to be, and come back.
func FuzzHeader(f *testing.F) {
	f.Add(bytes.Repeat([]byte{7}, headerSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != headerSize {
			if _, _, ok := decodeHeader(b); ok {
				t.Fatalf("%d bytes are a header", len(b))
			}
			return
		}
		if _, _, ok := decodeHeader(b); ok { // the fuzzer does not find a checksum, but a seed may have one
			t.Skip()
		}
		copy(b, magic)
		clear(b[120:])
		binary.LittleEndian.PutUint32(b[headerSize-4:], crc32.Checksum(b[:headerSize-4], castagnoli))
		head, seq, ok := decodeHeader(b)
		if !ok {
			t.Fatal("refused")
		}
		if again := encodeHeader(head, seq); !bytes.Equal(again, b) {
			t.Fatalf("%x comes back as %x", b, again)
		}
		b[len(b)/2] ^= 1
		if _, _, ok := decodeHeader(b); ok {
			t.Fatal("a wrong bit is not found")
		}
	})
}

func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "map")
	m, err := Open(path, 700)
	if err != nil {
		f.Fatal(err)
	}
	m.Commit([]uint32{3, 699}, 700, 1, Place{1, 2, 3})
	if err := m.Sync(); err != nil {
		f.Fatal(err)
	}
	m.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		path := filepath.Join(t.TempDir(), "map")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(path, 1)
		if err != nil {
			return
		}
		defer m.Close()
		if pages, _ := m.Changed(0); !slices.IsSorted(pages) {
			t.Fatalf("not in order: %v", pages)
		}
		changes, head, _ := m.Since(0, 1<<20)
		for _, c := range changes {
			if c.Number > head.Change || c.Page > head.Pages {
				t.Fatalf("%v is beyond %v", c, head)
			}
		}
	})
}

func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("%d pages", n), func(b *testing.B) {
			const size = 25 << 20 // 100 GB
			m := open(b, filepath.Join(b.TempDir(), "map"), size)
			pages := make([]uint32, 1<<20)
			for i := range pages {
				pages[i] = 1 + rand.Uint32N(size)
			}
			b.ReportAllocs()
			at := 0
			for b.Loop() {
				if at += n; at+n > len(pages) {
					at = 0
				}
				m.Commit(pages[at:at+n], size, 0, Place{})
			}
		})
	}
}

func BenchmarkChanged(b *testing.B) {
	const size = 25 << 20
	m := open(b, filepath.Join(b.TempDir(), "map"), size)
	m.Commit([]uint32{7}, size, 0, Place{})
	from := m.Head().Change
	for range 100 {
		m.Commit([]uint32{1 + rand.Uint32N(size)}, size, 0, Place{})
	}
	for b.Loop() {
		if c, _ := m.Changed(from); len(c) < 90 {
			b.Fatal(len(c))
		}
	}
}

func BenchmarkSince(b *testing.B) {
	m := open(b, filepath.Join(b.TempDir(), "map"), 25<<20) // 100 GB
	all := make([]uint32, 25<<20)
	for i := range all {
		all[i] = uint32(i + 1)
	}
	m.Commit(all, 25<<20, 0, Place{})
	from := m.Head().Change
	for range 100 {
		m.Commit([]uint32{1 + rand.Uint32N(25<<20)}, 25<<20, 0, Place{})
	}
	for b.Loop() {
		if c, _, done := m.Since(from, 1000); len(c) < 90 || !done {
			b.Fatal(len(c))
		}
	}
}
