package bench

import (
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets that are 1/64 of their octave wide, so
// that a percentile read from it is within 1 % of the true one at any scale,
// from a nanosecond to centuries, in 30 kB and without an allocation.
type histogram struct {
	buckets [(64 - subBits + 1) << subBits]atomic.Uint64
	max     atomic.Int64
}

// subBits is the number of bits below the leading one that tell buckets apart.
const subBits = 6

// record counts one duration. Any number of goroutines may call it.
func (h *histogram) record(d time.Duration) {
	h.buckets[bucketOf(d)].Add(1)
	for {
		longest := h.max.Load()
		if int64(d) <= longest || h.max.CompareAndSwap(longest, int64(d)) {
			return
		}
	}
}

// bucketOf returns the bucket that counts d. The first 128 hold one nanosecond
// each; then every octave has 64.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	octave := max(bits.Len64(n)-subBits-1, 0)
	return octave<<subBits + int(n>>octave)
}

// middleOf returns the duration in the middle of a bucket.
func middleOf(bucket int) time.Duration {
	octave := max(bucket>>subBits-1, 0)
	low := uint64(bucket-octave<<subBits) << octave
	return time.Duration(low + (1<<octave)/2)
}

// add counts everything that another histogram has counted.
func (h *histogram) add(other *histogram) {
	for i := range other.buckets {
		if n := other.buckets[i].Load(); n > 0 {
			h.buckets[i].Add(n)
		}
	}
	h.max.Store(max(h.max.Load(), other.max.Load()))
}

// count returns how many durations were recorded.
func (h *histogram) count() uint64 {
	var n uint64
	for i := range h.buckets {
		n += h.buckets[i].Load()
	}
	return n
}

// percentile returns the duration that p (0 to 1) of all do not exceed, and
// zero if there are none.
func (h *histogram) percentile(p float64) time.Duration {
	rank := uint64(p * float64(h.count()))
	var seen uint64
	for i := range h.buckets {
		if seen += h.buckets[i].Load(); seen > rank {
			return min(middleOf(i), time.Duration(h.max.Load()))
		}
	}
	return time.Duration(h.max.Load())
}

// shards is a histogram in several copies, so that callers on different
// processors rarely count in the same cache line, and a hundred thousand
// callers still need only a few of them.
type shards []histogram

func newShards() shards { return make(shards, 4*runtime.GOMAXPROCS(0)) }

// of returns the copy that a caller counts in.
func (s shards) of(caller int) *histogram { return &s[caller%len(s)] }

func (s shards) merged() *histogram {
	all := new(histogram)
	for i := range s {
		all.add(&s[i])
	}
	return all
}
