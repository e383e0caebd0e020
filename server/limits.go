package server

import (
	"math"
	"sync"
	"time"
)

// Limits are what one token may ask for; without tokens, what everybody may ask
// for together. The zero value of each field is the default it names.
type Limits struct {
	// Rate is how many requests a second it may send for long, Burst how many at
	// once. More are answered with 429 and the time to wait. 0: no limit; a Burst of
	// 0 is a second's worth.
	Rate  float64
	Burst int
	// Streams is how many streams may be open at a time: transactions over HTTP,
	// and streams of any kind over WebSockets; 10,000.
	Streams int
	// Rows and Bytes bound the result of one statement; 1,000,000 rows and 10 MiB.
	Rows  int
	Bytes int64
	// Time is how long one statement may run; 30 s.
	Time time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Burst == 0 {
		l.Burst = max(1, int(math.Ceil(l.Rate)))
	}
	if l.Streams == 0 {
		l.Streams = 10_000
	}
	if l.Rows == 0 {
		l.Rows = 1_000_000
	}
	if l.Bytes == 0 {
		l.Bytes = 10 << 20
	}
	if l.Time == 0 {
		l.Time = 30 * time.Second
	}
	return l
}

// A bucket holds the right to requests: burst of them at most, rate more each second.
type bucket struct {
	rate  float64
	burst float64

	mu   sync.Mutex // protects the following
	left float64
	last time.Time
}

func newBucket(rate float64, burst int, now time.Time) *bucket {
	return &bucket{rate: rate, burst: float64(burst), left: float64(burst), last: now}
}

// take takes the right to one request, or says how long to wait for it. A bucket
// without a rate has no end.
func (b *bucket) take(now time.Time) (wait time.Duration) {
	if b.rate <= 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if past := now.Sub(b.last); past > 0 {
		b.left, b.last = min(b.burst, b.left+past.Seconds()*b.rate), now
	}
	if b.left >= 1 {
		b.left--
		return 0
	}
	return time.Duration(math.Ceil((1 - b.left) / b.rate * float64(time.Second)))
}
