package crc64iso

import (
	"bytes"
	"hash/crc64"
	"math/rand/v2"
	"testing"

	"github.com/superfly/ltx"
)

var table = crc64.MakeTable(crc64.ISO)

func TestUpdate(t *testing.T) {
	t.Parallel()
	r := rand.NewChaCha8([32]byte{1})
	data := make([]byte, 5000)
	_, _ = r.Read(data)
	for size := range 600 {
		start := r.Uint64()
		if got, want := Update(start, data[:size]), crc64.Update(start, table, data[:size]); got != want {
			t.Fatalf("%d bytes: %x, not %x", size, got, want)
		}
	}
	for number := range uint32(300) {
		page := data[:512<<(number%4)]
		if got, want := Page(number<<20+number, page), uint64(ltx.ChecksumPage(number<<20+number, page)); got != want {
			t.Fatalf("page %d: %x, not %x", number, got, want)
		}
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add(uint64(0), []byte("123456789"), 3)
	f.Add(^uint64(0), bytes.Repeat([]byte{255}, 300), 100)
	f.Fuzz(func(t *testing.T, start uint64, p []byte, cut int) {
		want := crc64.Update(start, table, p)
		if got := Update(start, p); got != want {
			t.Fatalf("%x, not %x", got, want)
		}
		if cut >= 0 && cut <= len(p) && Update(Update(start, p[:cut]), p[cut:]) != want {
			t.Fatal("in two parts it is another")
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	page := make([]byte, 4096)
	b.Run("this", func(b *testing.B) {
		b.SetBytes(4096)
		for b.Loop() {
			Update(1, page)
		}
	})
	b.Run("standard library", func(b *testing.B) {
		b.SetBytes(4096)
		for b.Loop() {
			crc64.Update(1, table, page)
		}
	})
}
