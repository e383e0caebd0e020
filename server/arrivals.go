package server

import (
	"context"
	"io"
	"time"
)

// arrivals is the memory of large bodies that are on their way. They have a share of
// their own, so that clients who send them slowly keep nobody's answers waiting; and
// what a body has taken is a loan to its client.
//
// Nobody waits in a line here: it would be for those who send slowly. A body takes
// memory as it grows, and for small ones a quarter is kept.
type arrivals struct{ memory }

// A sender is the client of a body.
type sender struct {
	io.Closer
	body *body
}

// lastMoved is when it has sent something last, of some size.
func (s sender) lastMoved() time.Time { return time.Unix(0, s.body.moved.Load()) }

// sentMin is how much it has to be.
const sentMin = 32 << 10

// came notes that n bytes of the body have come.
func (b *body) came(n int) {
	if b.fresh += n; b.fresh >= sentMin {
		b.fresh = 0
		b.moved.Store(time.Now().UnixNano())
	}
}

const (
	// arrivalRetry is how often is looked again whether there is enough.
	arrivalRetry = 10 * time.Millisecond
	// arrivalSmall is what a small body has at most.
	arrivalSmall = 256 << 10
)

// take takes memory for a body, up to size bytes in all.
func (t *arrivals) take(ctx context.Context, b *body, size int64) error {
	need := min(size, t.most) - b.arriving
	if need <= 0 {
		return nil
	}
	part := t.most
	if size > arrivalSmall && size <= t.most/4*3 {
		part = t.most / 4 * 3
	}
	if !t.tryTakeOf(need, part) {
		if err := t.await(ctx, b.loan, need, part); err != nil {
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
		b.loan = t.lend(b.arriving, since, sender{b.conn, b})
	}
	return nil
}

// await calls loans in until there is enough, or own is.
func (t *arrivals) await(ctx context.Context, own *loan, need, part int64) error {
	tick := time.NewTicker(arrivalRetry)
	defer tick.Stop()
	for deadline := time.Now().Add(memoryPatience); !t.tryTakeOf(need, part); {
		if time.Now().After(deadline) || own != nil && own.called.Load() {
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
