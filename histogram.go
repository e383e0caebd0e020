package nearlite

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts values by size. Counts has one place more than Bounds: the last
// counts what was larger than every bound.
type Histogram struct {
	Bounds []float64 // upper bounds, ascending; of durations in seconds
	Counts []uint64  // of each interval alone
	Sum    float64   // of all values
}

// durations counts durations of up to 17 s in intervals that double from 16 µs on:
// to find the interval takes one instruction, and to count two additions.
type durations struct {
	counts [durationIntervals + 1]atomic.Uint64
	sum    atomic.Int64
}

const (
	durationIntervals = 21
	durationShift     = 14 // the first bound is 1<<14 ns
)

func (d *durations) add(took time.Duration) {
	took = max(took, 0)
	i := 0
	if took > 0 {
		i = min(bits.Len64(uint64(took-1)>>durationShift), durationIntervals)
	}
	d.counts[i].Add(1)
	d.sum.Add(int64(took))
}

func (d *durations) histogram() Histogram {
	h := Histogram{Bounds: make([]float64, durationIntervals), Counts: make([]uint64, durationIntervals+1)}
	for i := range h.Bounds {
		h.Bounds[i] = time.Duration(1 << (durationShift + i)).Seconds()
	}
	for i := range h.Counts {
		h.Counts[i] = d.counts[i].Load()
	}
	h.Sum = time.Duration(d.sum.Load()).Seconds()
	return h
}

// sizes counts numbers of up to 4096 in intervals that double from 1 on.
type sizes struct {
	counts [sizeIntervals + 1]atomic.Uint64
	sum    atomic.Uint64
}

const sizeIntervals = 13

func (s *sizes) add(n int) {
	if n <= 0 {
		return
	}
	s.counts[min(bits.Len64(uint64(n-1)), sizeIntervals)].Add(1)
	s.sum.Add(uint64(n))
}

func (s *sizes) histogram() Histogram {
	h := Histogram{Bounds: make([]float64, sizeIntervals), Counts: make([]uint64, sizeIntervals+1), Sum: float64(s.sum.Load())}
	for i := range h.Bounds {
		h.Bounds[i] = float64(uint64(1) << i)
	}
	for i := range h.Counts {
		h.Counts[i] = s.counts[i].Load()
	}
	return h
}
