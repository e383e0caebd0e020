package storagetest

import (
	"bytes"
	"io"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/nearlite/nearlite/storage"
)

func testRanges(t *testing.T, f *fixture) {
	content := noise(10000)
	f.create("a", content)
	f.create("empty", nil)
	for _, test := range []struct {
		offset, length int64
		from, to       int // both -1: ErrRange
	}{
		{0, 0, 0, 10000}, {0, 1, 0, 1}, {0, 10000, 0, 10000}, {0, 10001, 0, 10000}, {0, math.MaxInt64, 0, 10000},
		{1, 0, 1, 10000}, {9999, 0, 9999, 10000}, {9999, 5, 9999, 10000}, {5, math.MaxInt64, 5, 10000}, {5000, 100, 5000, 5100},
		{-1, 0, 9999, 10000}, {-16, 0, 9984, 10000}, {-10000, 0, 0, 10000}, {-20000, 0, 0, 10000}, {-16, 4, 9984, 9988}, {-20000, 4, 0, 4},
		{10000, 0, -1, -1}, {10000, 1, -1, -1}, {20000, 1, -1, -1}, {math.MaxInt64, 0, -1, -1}, {0, -1, -1, -1}, {-5, -1, -1, -1},
	} {
		part := storage.Range{Offset: test.offset, Length: test.length}
		got, info, err := storage.ReadRange(f.ctx, f.store, "a", part)
		if test.from < 0 {
			f.fails(err, storage.ErrRange)
			continue
		}
		if err != nil || !bytes.Equal(got, content[test.from:test.to]) || info.Size != 10000 {
			t.Errorf("%+v: %d bytes, %+v, %v", part, len(got), info, err)
		}
	}
	for _, part := range []storage.Range{{Offset: 1}, {Length: 1}, {Offset: -1}} {
		_, _, err := f.store.Get(f.ctx, "empty", part)
		f.fails(err, storage.ErrRange)
	}
	f.expect("empty", nil)
	f.readHalf("a", content)
	if t.Failed() {
		return
	}
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, len(content)-1).Draw(t, "from")
		length := rapid.IntRange(1, len(content)).Draw(t, "length")
		got, _, err := storage.ReadRange(f.ctx, f.store, "a", storage.Range{Offset: int64(from), Length: int64(length)})
		if want := content[from:min(len(content), from+length)]; err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, not %d: %v", len(got), len(want), err)
		}
	})
}

// readHalf closes a body before its end.
func (f *fixture) readHalf(key string, content []byte) {
	f.t.Helper()
	r, _, err := f.store.Get(f.ctx, key, storage.All)
	if err != nil {
		f.t.Fatal(err)
	}
	half := make([]byte, len(content)/2)
	if _, err := io.ReadFull(r, half); err != nil || !bytes.Equal(half, content[:len(half)]) {
		f.t.Errorf("the first half: %v", err)
	}
	if err := r.Close(); err != nil {
		f.t.Error(err)
	}
}
