package hostile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A witness is a client that means well and works beside an attack, one request
// after the other with a short rest between them.
type witness struct {
	name string
	do   func() error
	late bool // its latency is that of those it waits for, and not judged
	stop chan struct{}
	over sync.WaitGroup

	done   atomic.Int64
	took   []time.Duration
	failed []error
	slow   int // of failed, those that the server has given up for their slowness
}

// rest is the time between two requests of a witness.
const rest = 5 * time.Millisecond

// watch lets a witness work until the end of the attack.
func (x *target) watch(name string, do func(*client) error) *witness {
	c := x.client()
	w := &witness{name: name, stop: make(chan struct{}), do: func() error { return do(c) }}
	x.witnesses = append(x.witnesses, w)
	w.over.Go(func() {
		defer c.close()
		w.work(&x.set)
	})
	return w
}

func (w *witness) work(set *setting) {
	tick := time.NewTicker(rest)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
		from := time.Now()
		err := w.do()
		took := time.Since(from)
		w.took = append(w.took, took)
		w.done.Add(1)
		if err != nil {
			w.failed = append(w.failed, err)
		}
		if err != nil && set.impatient(err, took) {
			w.slow++
		}
	}
}

func (w *witness) end() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.over.Wait()
}

// quantile returns the q-quantile of the latencies.
func (w *witness) quantile(q float64) time.Duration {
	if len(w.took) == 0 {
		return 0
	}
	slices.Sort(w.took)
	return w.took[min(len(w.took)-1, int(q*float64(len(w.took))))].Round(10 * time.Microsecond)
}

// reads is a witness that reads a row by its key.
func (x *target) reads() *witness {
	return x.watch("reads", func(c *client) error {
		id := 1 + rand.IntN(1000)
		got, err := c.query("SELECT body FROM work WHERE id = ?", id)
		if want := fmt.Sprintf(`[["row %d"]]`, id); err == nil && got != want {
			err = fmt.Errorf("row %d is %s", id, got)
		}
		return err
	})
}

// writes is a witness that inserts rows, each a transaction.
func (x *target) writes() *witness {
	return x.watch("writes", func(c *client) error {
		_, err := c.query("INSERT INTO work (body) VALUES (?)", "witness")
		return err
	})
}

// connects is a witness that makes a connection for each request.
func (x *target) connects() *witness {
	return x.watch("connects", func(c *client) error {
		c.close()
		_, err := c.query("SELECT 1")
		return err
	})
}

// transacts is a witness whose transactions go from request to request. They wait for
// the transactions of others, each of which has its lease; that one is refused, or has
// waited too long, is no failure of the server's.
func (x *target) transacts() *witness {
	w := x.watch("transacts", func(c *client) error {
		err := c.transaction("UPDATE work SET body = body WHERE id = 7")
		var e *apiError
		if errors.As(err, &e) && (e.Code == "TRANSACTION_BUSY" || e.Code == "TRANSACTION_TIMEOUT") {
			return nil
		}
		return err
	})
	w.late = true
	return w
}

// bounds are what an attack may cost. Those on time, and on what is done in a time, are
// for a machine that nobody else uses; see stretch.
type bounds struct {
	memory     int           // megabytes at the peak, of the whole process
	p99        time.Duration // of each witness; 0: a second
	goroutines int           // left over; 0: a few
	failed     int           // requests of each witness that may fail
	requests   int           // each witness gets done at least; 0: 20
}

// end ends the attack: it stops the witnesses, and holds what is left against
// the bounds.
func (x *target) end(b bounds) {
	x.t.Helper()
	x.rest()
	for _, w := range x.witnesses {
		x.judge(w, b)
	}
	peak := int(x.peak.Load() >> 10)
	x.t.Logf("others have had the processors so much that things take %.1f times as long, and %v at a time", x.stretch(), time.Duration(x.gap.Load()).Round(time.Millisecond))
	x.t.Logf("memory: %d MB at the peak, %d MB now", peak, x.memory()>>10)
	if peak > b.memory {
		x.t.Errorf("the server has taken %d MB, more than %d", peak, b.memory)
	}
	if b.goroutines == 0 {
		b.goroutines = 25
	}
	left := 0
	x.await("the goroutines of the attack end", 20*time.Second, func() bool {
		left = x.goroutines() - x.calm
		return left <= b.goroutines
	})
	x.t.Logf("goroutines: %+d", left)
}

func (x *target) judge(w *witness, b bounds) {
	x.t.Helper()
	if b.p99 == 0 {
		b.p99 = time.Second
	}
	if b.requests == 0 {
		b.requests = 20
	}
	// One gap can hold up the hundredth part of few requests, and the client as well as
	// the server has them.
	b.p99, b.requests = x.stretched(b.p99)+2*time.Duration(x.gap.Load()), max(1, int(float64(b.requests)/x.stretch()))
	p99 := w.quantile(0.99)
	x.t.Logf("%s: %d requests, p50 %v, p99 %v, longest %v", w.name, len(w.took), w.quantile(0.5), p99, w.quantile(1))
	if len(w.took) < b.requests && !w.late {
		x.t.Errorf("%s: only %d requests in all this time", w.name, len(w.took))
	}
	if p99 > b.p99 && !w.late {
		x.t.Errorf("%s: p99 is %v, more than %v", w.name, p99, b.p99.Round(time.Millisecond))
	}
	if x.stretch() >= stretchSlow {
		b.failed += min(w.slow, max(2, len(w.took)/50))
	}
	if len(w.failed) > b.failed {
		x.t.Errorf("%s: %d of %d requests failed, as: %v", w.name, len(w.failed), len(w.took), w.failed[0])
	}
}
