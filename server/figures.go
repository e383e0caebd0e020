package server

import (
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite"
)

// figures count what the server as a whole does.
type figures struct {
	requests    atomic.Uint64
	refused     atomic.Uint64 // with a status of 400 to 499
	broken      atomic.Uint64 // with one from 500
	limited     atomic.Uint64 // with 429
	received    atomic.Uint64 // bytes
	sent        atomic.Uint64
	connections atomic.Int64
	evicted     atomic.Uint64 // connections, to make place for others
	working     atomic.Int64  // requests at work in a transaction that is open
	sockets     atomic.Int64  // WebSockets
	wsStreams   atomic.Int64  // their streams
	wsBusy      atomic.Int64  // of them in a transaction
	slow        atomic.Uint64
}

func (f *figures) failed(status int) {
	switch {
	case status == 429:
		f.limited.Add(1)
		f.refused.Add(1)
	case status >= 500:
		f.broken.Add(1)
	case status >= 400:
		f.refused.Add(1)
	}
}

// latencyBounds are those of every histogram of durations, in seconds.
var latencyBounds = [...]float64{
	50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10,
}

// latencies are a histogram of durations that any goroutine may add to.
type latencies struct {
	counts [len(latencyBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
}

func (l *latencies) add(d time.Duration) {
	i, seconds := 0, d.Seconds()
	for i < len(latencyBounds) && seconds > latencyBounds[i] {
		i++
	}
	l.counts[i].Add(1)
	l.sum.Add(int64(d))
}

// histogram returns what was counted up to now.
func (l *latencies) histogram() nearlite.Histogram {
	h := nearlite.Histogram{Bounds: latencyBounds[:], Counts: make([]uint64, len(l.counts))}
	for i := range l.counts {
		h.Counts[i] = l.counts[i].Load()
	}
	h.Sum = time.Duration(l.sum.Load()).Seconds()
	return h
}
