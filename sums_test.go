package nearlite

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/superfly/ltx"
)

// Whatever is set, cut off and taken back, the total is that of the pages.
func TestSums(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	var s sums
	pages := [][]byte{}
	for step := range 2000 {
		before, total := slices.Clone(s.pages), s.total
		s.begin()
		now := slices.Clone(pages)
		size := r.IntN(40)
		now = append(now, make([][]byte, max(0, size-len(now)))...)[:size]
		s.resize(uint32(size))
		for i := range now {
			if now[i] == nil || r.IntN(3) == 0 {
				now[i] = []byte{byte(r.IntN(256)), byte(r.IntN(256))}
				s.set(uint32(i)+1, now[i])
			}
		}
		if r.IntN(3) == 0 {
			s.takeBack()
			if s.total != total || !slices.Equal(s.pages, before) {
				t.Fatalf("seed %d, step %d: taken back to %x of %d, not %x of %d", seed, step, s.total, len(s.pages), total, len(before))
			}
			continue
		}
		pages = now
		var want uint64
		for i, p := range pages {
			want ^= uint64(ltx.ChecksumPage(uint32(i)+1, p))
		}
		if s.total != want || len(s.pages) != len(pages) {
			t.Fatalf("seed %d, step %d: %x of %d pages, want %x of %d", seed, step, s.total, len(s.pages), want, len(pages))
		}
	}
}

// Kept checksums are taken once, and only those of the very database.
func TestSumsFile(t *testing.T) {
	t.Parallel()
	var s sums
	s.begin()
	s.resize(3)
	for i := range uint32(3) {
		s.set(i+1, []byte{byte(i)})
	}
	for _, tt := range []struct {
		name  string
		spoil func(b []byte) []byte
		pages uint32
		total uint64
		ok    bool
	}{
		{"kept", func(b []byte) []byte { return b }, 3, s.total, true},
		{"of another size", func(b []byte) []byte { return b }, 4, s.total, false},
		{"of another state", func(b []byte) []byte { return b }, 3, s.total + 1, false},
		{"cut off", func(b []byte) []byte { return b[:len(b)-1] }, 3, s.total, false},
		{"empty", func(b []byte) []byte { return nil }, 3, s.total, false},
		{"damaged", func(b []byte) []byte { b[20] ^= 4; return b }, 3, s.total, false},
	} {
		path := filepath.Join(t.TempDir(), "x-sums")
		if err := s.save(path); err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(path)
		if err := os.WriteFile(path, tt.spoil(b), 0o600); err != nil {
			t.Fatal(err)
		}
		var got sums
		if ok, err := got.load(path, tt.pages, tt.total); ok != tt.ok || err != nil || ok && (got.total != s.total || !slices.Equal(got.pages, s.pages)) {
			t.Errorf("%s: %v, %v", tt.name, ok, err)
		}
		if ok, err := got.load(path, tt.pages, tt.total); ok || err != nil {
			t.Errorf("%s: taken twice: %v", tt.name, err)
		}
	}
}
