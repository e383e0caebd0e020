package bench

import (
	"sync/atomic"
	"time"
)

// waits are the two kinds of waiting that a ledger can add to its transactions.
// They are told apart because they belong to different parties:
//
//   - A round trip is the network's. A client of a server pays one for every
//     statement, BEGIN and COMMIT among them. A database in the same process has
//     no network, so that nothing of it ever calls trip.
//   - Thinking is the application's: what it does between two statements of a
//     transaction. Everybody pays it. It hurts most who lets one transaction
//     write at a time, for then all others wait for it too.
type waits struct {
	net, think time.Duration
	sleep      func(time.Duration)

	trips, thoughts atomic.Uint64
}

func newWaits(l Ledger) *waits {
	return &waits{net: l.Net, think: l.Think, sleep: time.Sleep}
}

// trip is one statement's way to a server and back.
func (w *waits) trip() {
	w.trips.Add(1)
	if w.net > 0 {
		w.sleep(w.net)
	}
}

// between is what the application does after one statement of a transaction and
// before the next.
func (w *waits) between() {
	if w.think > 0 {
		w.thoughts.Add(1)
		w.sleep(w.think)
	}
}

// paid returns what has been waited so far, in all transactions together.
func (w *waits) paid() (trips uint64, net, think time.Duration) {
	trips = w.trips.Load()
	return trips, time.Duration(trips) * w.net, time.Duration(w.thoughts.Load()) * w.think
}
