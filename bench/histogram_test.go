package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestPercentilesAgainstSortedSample(t *testing.T) {
	t.Parallel()
	for name, draw := range map[string]func(*rand.Rand) float64{
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() * 50_000 },
		"wide":        func(r *rand.Rand) float64 { return math.Exp(r.Float64() * 25) },
		"nanoseconds": func(r *rand.Rand) float64 { return float64(r.IntN(100)) },
		"one value":   func(*rand.Rand) float64 { return 123_456_789 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			latency := newShards()
			sample := make([]time.Duration, 100_000)
			for i := range sample {
				sample[i] = time.Duration(draw(random))
				latency.of(i).record(sample[i])
			}
			slices.Sort(sample)
			all := latency.merged()
			if n := all.count(); n != uint64(len(sample)) {
				t.Errorf("%d durations counted, %d recorded", n, len(sample))
			}
			for _, p := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
				want := sample[min(int(p*float64(len(sample))), len(sample)-1)]
				got := all.percentile(p)
				if d := math.Abs(float64(got - want)); d > 0.01*float64(want)+1 {
					t.Errorf("percentile %v: %v, the sorted sample says %v", p, got, want)
				}
			}
		})
	}
}

func TestEveryDurationHasItsBucket(t *testing.T) {
	t.Parallel()
	for bits := range 63 {
		for _, d := range []time.Duration{1<<bits - 1, 1 << bits, 1<<bits + 1} {
			middle := middleOf(bucketOf(d))
			if off := math.Abs(float64(middle - d)); off > 0.01*float64(d) {
				t.Errorf("%d ns is counted as %d ns", d, middle)
			}
		}
	}
	if got := bucketOf(-1); got != 0 {
		t.Errorf("a clock that went back counts in bucket %d, want 0", got)
	}
	if got, size := bucketOf(math.MaxInt64), len(histogram{}.buckets); got >= size {
		t.Errorf("the longest duration has bucket %d of %d", got, size)
	}
}

func TestPercentileOfNothing(t *testing.T) {
	t.Parallel()
	if d := new(histogram).percentile(0.99); d != 0 {
		t.Errorf("percentile of nothing is %v, want 0", d)
	}
}

func TestRecordFromManyGoroutines(t *testing.T) {
	t.Parallel()
	const goroutines, each = 8, 10_000
	latency := newShards()
	var recording sync.WaitGroup
	for i := range goroutines {
		recording.Go(func() {
			for range each {
				latency.of(i).record(time.Microsecond)
			}
		})
	}
	recording.Wait()
	if n := latency.merged().count(); n != goroutines*each {
		t.Errorf("%d durations counted, want %d", n, goroutines*each)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	latency := newShards()
	if n := testing.AllocsPerRun(1000, func() { latency.of(3).record(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations for one record", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	latency := newShards()
	d := time.Microsecond
	for b.Loop() {
		latency.of(1).record(d)
		d += 17
	}
}
