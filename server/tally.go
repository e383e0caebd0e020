package server

import (
	"slices"

	"github.com/nearlite/nearlite"
)

// A tally is what was counted about one database, or about several together.
type tally struct {
	counters   [countersEnd]float64
	histograms [histogramsEnd]nearlite.Histogram
}

// The counters of a tally.
const (
	countTransactions = iota
	countCommits
	countReruns
	countCheckpoints
	countExpired
	countRows
	countFailed
	countersEnd
)

// The histograms of a tally.
const (
	spreadBatch = iota
	spreadCommit
	spreadQueue
	spreadWrites
	spreadReads
	histogramsEnd
)

// plus adds another tally, sign times.
func (t tally) plus(u tally, sign float64) tally {
	for i := range t.counters {
		t.counters[i] += sign * u.counters[i]
	}
	for i := range t.histograms {
		t.histograms[i] = add(t.histograms[i], u.histograms[i], sign)
	}
	return t
}

func add(h, g nearlite.Histogram, sign float64) nearlite.Histogram {
	if h.Bounds == nil {
		h = nearlite.Histogram{Bounds: g.Bounds, Counts: make([]uint64, len(g.Counts))}
	}
	h.Counts = slices.Clone(h.Counts)
	for i, n := range g.Counts {
		if sign < 0 {
			n = -n // as two's complement: the sum is right again
		}
		h.Counts[i] += n
	}
	h.Sum += sign * g.Sum
	return h
}

// count returns how many values a histogram holds.
func count(h nearlite.Histogram) (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// engineTally is what the engine counted since the database was opened.
func engineTally(s *nearlite.Stats) (t tally) {
	t.counters[countTransactions] = float64(s.Transactions)
	t.counters[countCommits] = float64(s.Commits)
	t.counters[countReruns] = float64(s.Reruns)
	t.counters[countCheckpoints] = float64(s.Checkpoints)
	t.counters[countExpired] = float64(s.ExpiredSnapshot)
	t.histograms[spreadBatch] = s.BatchSize
	t.histograms[spreadCommit] = s.CommitTime
	t.histograms[spreadQueue] = s.QueueWait
	return t
}
