package nearlite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A request is one transaction on its way through the writer: a closure, a list
// of statements, an interactive transaction, or an exclusive use of the
// connection. Exactly one of fn, batch, inter and excl is set.
type request struct {
	ctx   context.Context
	fn    func(*WriteTx) error
	batch *batch
	inter *Tx
	excl  *exclusive

	state   uint32  // waiting, then taken or cancelled; atomic, and only if cancellable
	settled bool    // err is final, whatever becomes of the batch
	err     error   // what the caller gets; written before the block says it is done
	escaped *escape // a panic or Goexit of the closure, to be continued in the caller
}

const (
	waiting uint32 = iota
	taken
	cancelled
)

// take claims the request for the writer; false: its caller has gone.
func (r *request) take() bool {
	if r.inter != nil {
		return r.inter.claim.CompareAndSwap(waiting, taken)
	}
	return r.ctx.Done() == nil || atomic.LoadUint32(&r.state) == taken || atomic.CompareAndSwapUint32(&r.state, waiting, taken)
}

// cancel takes the request back; false: the writer has it.
func (r *request) cancel() bool { return atomic.CompareAndSwapUint32(&r.state, waiting, cancelled) }

const blockLen = 64

// A block is a run of requests that share their wake-up. Requests are finished
// in order; done counts them, and whoever waits looks at it each time the
// block's channel is closed. One close wakes all 64: waking callers one by one
// costs more than their transactions. A block is used again when the writer and
// all its callers have left it.
type block struct {
	reqs [blockLen]request
	n    int // requests in use; written under the queue's lock until the block is taken

	since time.Time // when the first request came

	left atomic.Int32 // who has left it: callers, slots never used, and the writer

	done      atomic.Int32 // requests answered
	barrier   atomic.Int32 // requests whose commit has begun
	impatient atomic.Bool  // somebody's context has ended: signal the barrier
	wake      atomic.Pointer[chan struct{}]
}

// newBlock returns an empty block. q.mu is held.
func (q *queue) newBlock() *block {
	var b *block
	if n := len(q.free); n > 0 {
		b, q.free = q.free[n-1], q.free[:n-1]
	} else {
		b = &block{}
	}
	ch := make(chan struct{})
	b.wake.Store(&ch)
	return b
}

// leave is the end of a caller's interest in a block, and of whatever it keeps
// in its request.
func (q *queue) leave(b *block) { q.leaveN(b, 1) }

// answered is the end of the writer's interest.
func (q *queue) answered(b *block) { q.leaveN(b, 1+blockLen-b.n) }

func (q *queue) leaveN(b *block, n int) {
	if b.left.Add(int32(n)) < 1+blockLen {
		return
	}
	*b = block{}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.free) < freeMax {
		q.free = append(q.free, b)
	}
}

// freeMax bounds the blocks kept for use: four thousand callers make no garbage.
const freeMax = 64

// signal wakes everybody who waits on the block; last says that nobody will
// have to wait again.
func (b *block) signal(last bool) {
	old := b.wake.Load()
	if !last {
		ch := make(chan struct{})
		b.wake.Store(&ch)
	}
	close(*old)
}

// wait returns when the request at i is answered, or when its context ends and
// there is nothing certain to wait for.
func (b *block) wait(i int) error {
	r := &b.reqs[i]
	done := r.ctx.Done()
	for {
		wake := *b.wake.Load()
		switch {
		case int(b.done.Load()) > i:
			return r.err
		case done == nil && r.ctx.Done() != nil && int(b.barrier.Load()) > i:
			return fmt.Errorf("%w: %w", ErrCommitUnknown, context.Cause(r.ctx))
		case done == nil:
			<-wake
			continue
		}
		select {
		case <-wake:
		case <-done:
			if r.cancel() {
				return context.Cause(r.ctx)
			}
			// It runs: its statements see that the context has ended. Once its
			// commit has begun nobody can tell; the writer signals that.
			done = nil
			b.impatient.Store(true)
		}
	}
}

// A queue holds the requests that wait for the writer, and says who the writer
// is: the goroutine that set busy. That is usually the writer's own goroutine;
// a caller who finds the database idle does the work itself, since handing a
// single transaction to another goroutine and waiting for it would double its
// price.
//
// Interactive transactions wait in a line of their own, since each may keep the
// writer until a lease ends: one is taken at a time, behind all other requests that
// wait, so those never have to sit out more than one lease.
type queue struct {
	mu     sync.Mutex // protects the following
	blocks []*block
	guests []guest  // interactive transactions
	free   []*block // to be used again
	depth  int      // requests in blocks and guests
	max    int
	busy   bool // somebody is the writer
	inline bool // the last batch was a single transaction: callers may be the writer
	never  bool // not even then: a caller must be able to leave while a log is asked, or the writer rests
	closed bool

	contended atomic.Int32  // depth, for those who only want to know
	wake      chan struct{} // capacity 1: the writer goroutine has work
}

// enter either makes the caller the writer (block nil, err nil) or puts the
// request at the end of its line; an interactive transaction gets no block.
func (q *queue) enter(r request) (b *block, i int, err error) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil, 0, ErrClosed
	}
	if !q.busy && q.inline && q.depth == 0 && r.inter == nil {
		q.busy = true
		q.mu.Unlock()
		return nil, 0, nil
	}
	if q.depth >= q.max {
		depth := q.depth
		q.mu.Unlock()
		return nil, 0, &QueueFullError{Depth: depth}
	}
	if r.inter != nil {
		q.guests = append(q.guests, guest{r.ctx, r.inter, time.Now()})
	} else {
		b, i = q.place(r, time.Time{})
	}
	q.depth++
	q.contended.Store(int32(q.depth))
	start := !q.busy
	q.busy = true
	q.mu.Unlock()
	if start {
		q.wake <- struct{}{}
	}
	return b, i, nil
}

// A guest is an interactive transaction that waits.
type guest struct {
	ctx   context.Context
	inter *Tx
	since time.Time
}

// place puts a request that waits since then, or now, into the last block. q.mu
// is held.
func (q *queue) place(r request, since time.Time) (b *block, i int) {
	if n := len(q.blocks); n > 0 && q.blocks[n-1].n < blockLen {
		b = q.blocks[n-1]
	} else {
		if since.IsZero() {
			since = time.Now()
		}
		b = q.newBlock()
		b.since = since
		q.blocks = append(q.blocks, b)
	}
	i = b.n
	slot := &b.reqs[i]
	slot.ctx, slot.fn, slot.batch, slot.inter, slot.excl = r.ctx, r.fn, r.batch, r.inter, r.excl
	b.n++
	return b, i
}

// take returns what waits, in order: of the interactive transactions one. When
// there is nothing the taker is no longer the writer.
func (q *queue) take(last int) []*block {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inline = last <= 1 && !q.never
	if q.depth == 0 {
		q.busy = false
		return nil
	}
	return q.empty(nil)
}

// takeMore returns what has come since, in order; the taker stays the writer.
func (q *queue) takeMore(into []*block) []*block {
	into = into[:0]
	if q.contended.Load() == 0 {
		return into
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.empty(into)
}

// empty moves all blocks out, and one guest. q.mu is held.
func (q *queue) empty(into []*block) []*block {
	if len(q.guests) > 0 {
		g := &q.guests[0]
		b, _ := q.place(request{ctx: g.ctx, inter: g.inter}, g.since)
		b.left.Add(1) // a guest waits for its transaction, not on the block
		*g = guest{}
		if q.guests = q.guests[1:]; len(q.guests) == 0 {
			q.guests = nil
		}
	}
	into = append(into, q.blocks...)
	clear(q.blocks)
	q.blocks = q.blocks[:0]
	q.depth = len(q.guests)
	q.contended.Store(int32(q.depth))
	return into
}

// yield ends a caller's turn as the writer.
func (q *queue) yield() {
	q.mu.Lock()
	q.busy = q.depth > 0 || q.closed // the writer's goroutine has to end
	start := q.busy
	q.mu.Unlock()
	if start {
		q.wake <- struct{}{}
	}
}

// forbidInline says whether callers may be the writer at all.
func (q *queue) forbidInline(never bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.never, q.inline = never, !never
}

// drained reports whether the queue is closed and empty, and nobody is the writer.
func (q *queue) drained() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && q.depth == 0 && !q.busy
}

// close refuses further requests. What waits is still done.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	start := !q.busy
	q.busy = true
	q.mu.Unlock()
	if start {
		q.wake <- struct{}{}
	}
}
