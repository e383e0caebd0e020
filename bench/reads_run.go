package bench

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sampleEvery is how many queries go by for each one whose time is taken:
// reading the clock twice would be a tenth of a short query.
const sampleEvery = 16

// readThreads are the threads of one measurement.
type readThreads struct {
	threads []readThread
	locked  bool // each on an operating system thread of its own
	cold    bool // the first second counts

	measuring atomic.Bool // false while warming up
	stopped   atomic.Bool
	stop      context.CancelCauseFunc // ends the run; only the first reason counts
}

// readThread is one of them. Its count is in a cache line of its own: it is
// written without end, and read once a second.
type readThread struct {
	ask     reader
	latency *histogram
	_       [64]byte
	done    atomic.Uint64
	_       [64]byte
}

// measure has n threads ask for a second that does not count, as long as it
// takes connections and caches to fill, and then for the run's duration. Of a
// cold file that second is what is measured.
func (r Reads) measure(ctx context.Context, system readSystem, n int, rows int64) (ReadFigures, error) {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t := &readThreads{threads: make([]readThread, n), locked: r.Mode == Faithful2018, cold: r.Cold, stop: stop}
	for i := range t.threads {
		ask, err := system.reader(ctx, newPicker(Uniform, max(rows, 1), i))
		if err != nil {
			return ReadFigures{}, err
		}
		t.threads[i].ask, t.threads[i].latency = ask, new(histogram)
	}
	var working sync.WaitGroup
	for i := range t.threads {
		working.Go(func() { t.work(context.WithoutCancel(ctx), &t.threads[i]) })
	}
	figures := t.watch(running, r.Duration)
	t.stopped.Store(true)
	working.Wait()
	if err := cmp.Or(ctx.Err(), context.Cause(running)); err != nil {
		return ReadFigures{}, err
	}
	t.addLatency(&figures)
	return figures, nil
}

// work asks until it is stopped.
func (t *readThreads) work(ctx context.Context, thread *readThread) {
	if t.locked {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	for !t.stopped.Load() {
		if err := t.sixteen(ctx, thread); err != nil {
			t.stop(err)
			return
		}
		thread.done.Add(sampleEvery)
	}
}

// sixteen asks sampleEvery times and takes the time of the first.
func (t *readThreads) sixteen(ctx context.Context, thread *readThread) error {
	began := time.Now()
	if err := thread.ask(ctx); err != nil {
		return err
	}
	if t.measuring.Load() {
		thread.latency.record(time.Since(began))
	}
	for range sampleEvery - 1 {
		if err := thread.ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

// watch counts what all threads do in each second. It returns early when
// running ends.
func (t *readThreads) watch(running context.Context, duration time.Duration) ReadFigures {
	tick := min(duration, time.Second)
	if !t.cold && !sleep(running, tick) {
		return ReadFigures{}
	}
	t.measuring.Store(true)
	figures := ReadFigures{N: len(t.threads)}
	began, first, disk := time.Now(), t.done(), diskUse()
	last, before := began, first
	for last.Sub(began) < duration-tick/2 {
		if !sleep(running, time.Until(last.Add(tick))) {
			return figures
		}
		// A tick may come late; what was done is divided by the time it took.
		now, done := time.Now(), t.done()
		figures.PerSecond = append(figures.PerSecond, float64(done-before)/now.Sub(last).Seconds())
		last, before = now, done
	}
	figures.Disk = diskUse().since(disk)
	figures.Best = slices.Max(figures.PerSecond)
	figures.Mean = float64(before-first) / last.Sub(began).Seconds()
	return figures
}

func (t *readThreads) done() uint64 {
	var sum uint64
	for i := range t.threads {
		sum += t.threads[i].done.Load()
	}
	return sum
}

func (t *readThreads) addLatency(figures *ReadFigures) {
	all := new(histogram)
	for i := range t.threads {
		all.add(t.threads[i].latency)
	}
	figures.P50 = micros(all.percentile(0.50))
	figures.P99 = micros(all.percentile(0.99))
}

// sleep reports whether the time passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
