package server

import (
	"context"
	"time"
)

// arrivals is the memory of large bodies that are on their way. They have a share of
// their own, so that clients who send them slowly keep nobody's answers waiting; and
// what a body has taken is a loan to its client.
//
// Nobody waits in a line here: it would be for those who send slowly. A body takes
// memory as it grows, and a small one soon finds what it needs.
type arrivals struct{ memory }

// arrivalRetry is how often is looked again whether there is enough.
const arrivalRetry = 10 * time.Millisecond

// take takes memory for a body, up to size bytes in all.
func (t *arrivals) take(ctx context.Context, b *body, size int64) error {
	need := min(size, t.most) - b.arriving
	if need <= 0 {
		return nil
	}
	if !t.tryTake(need) {
		if err := t.await(ctx, need); err != nil {
			return err
		}
	}
	b.arriving += need
	since := time.Now()
	if b.loan != nil {
		t.repay(b.loan)
		since = b.loan.since
	}
	if b.conn != nil {
		b.loan = t.lend(b.arriving, since, b.conn)
	}
	return nil
}

// await calls loans in until there is enough.
func (t *arrivals) await(ctx context.Context, need int64) error {
	tick := time.NewTicker(arrivalRetry)
	defer tick.Stop()
	for deadline := time.Now().Add(memoryPatience); !t.tryTake(need); {
		if time.Now().After(deadline) {
			return errMemory
		}
		t.callIn(need)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// remove gives back what a body has taken.
func (t *arrivals) remove(b *body) {
	if b.loan != nil {
		t.repay(b.loan)
		b.loan = nil
	}
	t.give(b.arriving)
	b.arriving = 0
}
