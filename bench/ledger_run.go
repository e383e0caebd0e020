package bench

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// ledgerSystem is what a ledger runs on: the engine or one of its peers.
type ledgerSystem interface {
	database
	// table returns the accounts as this system declares them.
	table() dataset
	// paid returns what its transactions have waited; see waits.
	paid() (trips uint64, net, think time.Duration)
	// caller returns one caller's way to make a request. Its pick decides the
	// accounts. It is used by one goroutine.
	caller(pick picker) ledgerCaller
	// commits returns how many commits there have been, the requests' and others.
	commits() uint64
}

// ledgerCaller makes requests.
type ledgerCaller interface {
	// request makes one and returns when it is acknowledged.
	request(ctx context.Context) error
	// moved returns what the caller's acknowledged requests have changed in the
	// weighted sum of all balances.
	moved() int64
}

// ledgerRun is the callers at work.
type ledgerRun struct {
	Ledger
	system  ledgerSystem
	latency shards
	moved   atomic.Int64

	stop    context.CancelCauseFunc // ends the run; only the first reason counts
	stopped atomic.Bool             // follows stop, and is cheap to ask
}

func newLedgerRun(l Ledger, system ledgerSystem) *ledgerRun {
	return &ledgerRun{Ledger: l, system: system, latency: newShards()}
}

// work lets the callers work and returns when the last of them has its answer.
func (r *ledgerRun) work(ctx context.Context) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.stop = stop
	defer context.AfterFunc(running, func() { r.stopped.Store(true) })()
	// A request that is under way when the run is canceled is finished: a
	// context that can end would have every peer pay for watching it.
	calm := context.WithoutCancel(ctx)
	if r.Burst > 0 {
		r.burst(calm)
	} else {
		r.loop(calm)
	}
	return cmp.Or(ctx.Err(), context.Cause(running))
}

// loop has every caller ask, at least once, and again as soon as it is answered.
func (r *ledgerRun) loop(ctx context.Context) {
	var callers sync.WaitGroup
	deadline := time.Now().Add(r.Duration)
	for i := range r.Callers {
		callers.Go(func() {
			caller := r.system.caller(newPicker(r.Dist, r.Accounts, i))
			latency := r.latency.of(i)
			for now, over := time.Now(), false; !over && !r.stopped.Load(); {
				if err := caller.request(ctx); err != nil {
					r.stop(err)
					break
				}
				then := time.Now()
				latency.record(then.Sub(now))
				now, over = then, !then.Before(deadline)
			}
			r.moved.Add(caller.moved())
		})
	}
	callers.Wait()
}

// burst starts all requests at once, one goroutine each, as the article does.
func (r *ledgerRun) burst(ctx context.Context) {
	var callers sync.WaitGroup
	for i := range r.Burst {
		callers.Go(func() {
			if r.stopped.Load() {
				return
			}
			began := time.Now()
			caller := r.system.caller(newPicker(r.Dist, r.Accounts, i))
			if err := caller.request(ctx); err != nil {
				r.stop(err)
			}
			r.latency.of(i).record(time.Since(began))
			r.moved.Add(caller.moved())
		})
	}
	callers.Wait()
}
