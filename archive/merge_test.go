package archive

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/storagetest"
	"github.com/nearlite/nearlite/wal"
)

// The cheapest way is found, and it is one.
func TestRoute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var objects []Object
		newest := rapid.Uint64Range(1, 12).Draw(r, "newest")
		for i := range rapid.IntRange(0, 20).Draw(r, "objects") {
			from := rapid.Uint64Range(1, newest).Draw(r, "min")
			objects = append(objects, Object{Key: fmt.Sprint(i), Min: from, Max: rapid.Uint64Range(from, newest).Draw(r, "max"), Size: rapid.Int64Range(0, 1<<20).Draw(r, "size")})
		}
		after := rapid.Uint64Range(0, newest-1).Draw(r, "after")
		best := cheapest(objects, after, newest, map[uint64]int64{})
		way, err := route(objects, after, newest)
		if (err == nil) != (best >= 0) {
			r.Fatalf("the cheapest way costs %d, but: %v", best, err)
		}
		cost, at := int64(0), after
		for _, o := range way {
			if o.Min > at+1 || o.Max <= at {
				r.Fatalf("%+v does not go on from %d", o, at)
			}
			cost, at = cost+o.Size+requestBytes, o.Max
		}
		if err == nil && (at != newest || cost != best) {
			r.Fatalf("the way leads to %d for %d, not to %d for %d", at, cost, newest, best)
		}
	})
}

// cheapest tries all ways.
func cheapest(objects []Object, at, target uint64, known map[uint64]int64) int64 {
	if at == target {
		return 0
	}
	if cost, ok := known[at]; ok {
		return cost
	}
	best := int64(-1)
	for _, o := range objects {
		if o.Min > at+1 || o.Max <= at {
			continue
		}
		if rest := cheapest(objects, o.Max, target, known); rest >= 0 && (best < 0 || rest+o.Size+requestBytes < best) {
			best = rest + o.Size + requestBytes
		}
	}
	known[at] = best
	return best
}

// More objects than can be open at a time are merged in steps.
func TestMergeInSteps(t *testing.T) {
	t.Parallel()
	h, s := newHistory(t, 4096), directory(t, t.TempDir())
	a := open(t, s, nil)
	h.exec("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO note (text) SELECT randomblob(1000) FROM n")
	count := streamsMax*2 + 5
	for range count {
		h.exec("UPDATE note SET text = randomblob(1000) WHERE id % 2 = abs(random()) % 2")
		if err := a.Append(t.Context(), h.entry()); err != nil {
			t.Fatal(err)
		}
	}
	objects := all(t, a)
	large := 0
	for _, o := range objects {
		if o.Size > smallBytes {
			large++
		}
	}
	if n := a.fitting(objects); n == len(objects) || large <= streamsMax {
		t.Fatalf("%d of %d objects fit, %d are large", n, len(objects), large)
	}
	h.holds(restored(t, s, RestoreOptions{}), count)
	h.holds(restored(t, s, RestoreOptions{TXID: uint64(count - 1)}), count-1)
}

// What breaks off in the middle is an error, at whatever byte.
func TestReadBreaksOff(t *testing.T) {
	t.Parallel()
	s := directory(t, t.TempDir())
	h := newHistory(t, 4096)
	h.exec("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO note (text) SELECT randomblob(500) FROM n")
	h.live(open(t, s, nil), 3)
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		cut := 1 + r.Int64N(pieceBytes)
		var calls atomic.Int64
		a := open(t, storagetest.Faulty(s, func(op, key string) storagetest.Fault {
			if op == "get" && calls.Add(1)%3 == 0 {
				return storagetest.Fault{Cut: cut}
			}
			return storagetest.Fault{}
		}), nil)
		got := map[uint32][]byte{}
		head, err := a.Read(t.Context(), 0, func(p wal.Page) error {
			got[p.Number] = bytes.Clone(p.Data)
			return nil
		})
		if err != nil {
			continue
		}
		for number := range head.Pages {
			if !bytes.Equal(got[number+1], h.states[3][int(number)*4096:][:4096]) {
				t.Fatalf("page %d is another", number+1)
			}
		}
	}
}

// A reader that stops leaves nothing running, and nothing open.
func TestReadStops(t *testing.T) {
	t.Parallel()
	s := directory(t, t.TempDir())
	a := open(t, s, nil)
	if err := a.Append(t.Context(), large(1<<13)); err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		_, err := a.Read(ctx, 0, func(wal.Page) error {
			if seen++; seen == n*300 {
				cancel()
			}
			return nil
		})
		cancel()
		if (err == nil) != (seen == 1<<13) {
			t.Fatal(seen, err)
		}
	}
}

var _ storage.Store = (*stopping)(nil)
