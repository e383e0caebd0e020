package nearlite

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestHistogramIntervals(t *testing.T) {
	t.Parallel()
	var d durations
	for took, want := range map[time.Duration]int{
		-1: 0, 0: 0, 1: 0, 1 << 14: 0, 1<<14 + 1: 1, 1 << 15: 1, 1<<15 + 1: 2, 1 << 34: 20, 1<<34 + 1: 21, time.Hour: 21,
	} {
		before := d.counts[want].Load()
		if d.add(took); d.counts[want].Load() != before+1 {
			t.Errorf("%v is not counted at %d: %v", took, want, d.histogram().Counts)
		}
	}
	var s sizes
	for n, want := range map[int]int{1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 4096: 12, 4097: 13, 1 << 20: 13} {
		before := s.counts[want].Load()
		if s.add(n); s.counts[want].Load() != before+1 {
			t.Errorf("%d is not counted at %d: %v", n, want, s.histogram().Counts)
		}
	}
	if h := s.histogram(); h.Bounds[0] != 1 || h.Bounds[12] != 4096 || len(h.Counts) != len(h.Bounds)+1 {
		t.Errorf("the bounds are %v", h.Bounds)
	}
}

// What many callers commit is in the histograms, each batch once.
func TestHistogramsOfBatches(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), "CREATE TABLE t (a)"); err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for range 20 {
				if _, err := db.Exec(context.Background(), "INSERT INTO t VALUES (1)"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	s := db.Stats()
	if s.BatchSize.Sum != float64(s.Transactions) || total(s.BatchSize) != s.Commits || total(s.CommitTime) != s.Commits {
		t.Errorf("%d transactions in %d commits, and histograms of %v and %v", s.Transactions, s.Commits, s.BatchSize, s.CommitTime)
	}
	if n := total(s.QueueWait); n == 0 || n > s.Transactions {
		t.Errorf("%d waits of %d transactions", n, s.Transactions)
	}
}

func total(h Histogram) (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

func BenchmarkHistogram(b *testing.B) {
	b.Run("duration", func(b *testing.B) {
		var d durations
		for i := range b.N {
			d.add(time.Duration(i))
		}
	})
	b.Run("clock and duration", func(b *testing.B) {
		var d durations
		from := time.Now()
		for range b.N {
			d.add(time.Since(from))
		}
	})
}
