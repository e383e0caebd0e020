package server

import (
	"fmt"
	"sync"
	"time"

	"github.com/nearlite/nearlite/hrana"
)

// A wsCursor has the entries that a batch has produced and its client has not
// fetched. When they are many the batch waits, with its snapshot or transaction,
// which the engine's bounds end if it takes long.
type wsCursor struct {
	k  *socket
	st *wsStream
	id int32

	counted bool // batchSize was taken for it; of the goroutine that works

	mu      sync.Mutex // protects the following
	room    sync.Cond  // there is some again, or the cursor is closed
	entries []hrana.CursorEntry
	size    int64   // of entries, about
	waiting []*work // fetches, and what closes the cursor after them; nil closes it silently
	done    bool    // no more entries come
	closed  bool    // nobody wants them
	failed  bool    // the batch was not begun
}

const (
	// fetchPiece is how much is kept for the client, and sent at a time.
	fetchPiece = 128 << 10
	// fetchPatience is how long a batch waits for its client.
	fetchPatience = time.Minute
	// batchesFree is how many batches of a socket may run at a time without asking
	// for memory; each more is counted for batchSize.
	batchesFree = 16
	batchSize   = 512 << 10
)

// openCursor begins a cursor; the batch runs in its stream's turn.
func (k *socket) openCursor(w *work, st *wsStream) error {
	id := w.req.CursorID
	switch {
	case st.cursor != nil:
		return violation("Stream %d already has an open cursor", st.id)
	case k.cursors[id] != nil:
		return violation("Cursor %d already exists", id)
	}
	c := &wsCursor{k: k, st: st, id: id}
	c.room.L = &c.mu
	if k.cursors == nil {
		k.cursors = map[int32]*wsCursor{}
	}
	k.cursors[id], st.cursor, w.cursor = c, c, c
	return nil
}

// onCursor fetches from a cursor or closes it, when that has been asked for.
func (k *socket) onCursor(w *work) error {
	c := k.cursors[w.req.CursorID]
	if c == nil {
		w.done()
		return violation("Cursor %d not found", w.req.CursorID)
	}
	if w.req.Kind == hrana.CloseCursor {
		k.forgetCursor(c)
	}
	c.ask(w)
	return nil
}

// forgetCursor makes room for another one.
func (k *socket) forgetCursor(c *wsCursor) {
	delete(k.cursors, c.id)
	c.st.cursor = nil
}

// ask does what is asked for when what was asked for before is done.
func (c *wsCursor) ask(w *work) {
	c.mu.Lock()
	c.waiting = append(c.waiting, w)
	served := c.serve()
	c.mu.Unlock()
	c.send(served)
}

// runCursor runs the batch of a cursor, unless there is a reason not to.
func (st *wsStream) runCursor(w *work, herr *hrana.Error) {
	c, k := w.cursor, st.k
	many := k.batches.Add(1) > batchesFree
	defer k.batches.Add(-1)
	if herr == nil && many {
		if err := k.s.memory.take(k.ctx, batchSize); err != nil {
			herr = asError(err)
		} else {
			c.counted = true
			defer k.s.memory.give(batchSize)
		}
	}
	if herr != nil {
		c.fail()
		_ = w.answer(nil, herr)
		return
	}
	_ = w.answer(&hrana.Response{Kind: hrana.OpenCursor}, nil)
	err := st.stream.Cursor(k.ctx, w.req.Batch, c.emit)
	st.after()
	if err == errAbandoned {
		c.finish(&hrana.CursorEntry{Kind: hrana.BatchError, Error: &hrana.Error{Code: "CURSOR_EXPIRED",
			Message: fmt.Sprintf("The cursor was not fetched from for %v", fetchPatience)}})
		return
	}
	c.finish(nil)
}

// errAbandoned ends a batch whose client does not fetch.
var errAbandoned = fmt.Errorf("the client does not fetch")

// emit keeps an entry until it is fetched, and waits when there are many.
func (c *wsCursor) emit(e *hrana.CursorEntry) error {
	c.mu.Lock()
	c.entries = append(c.entries, *e)
	c.size += sizeOfEntry(e)
	served := c.serve()
	c.mu.Unlock()
	c.send(served)
	return c.await()
}

// await waits for room.
func (c *wsCursor) await() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size < fetchPiece && !c.closed {
		return nil
	}
	if c.counted { // from now on it is for the client, and not for the batch
		defer c.k.s.memory.repay(c.k.s.memory.lend(batchSize, time.Now(), c.k.tcp))
	}
	abandoned := false
	timer := time.AfterFunc(fetchPatience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		abandoned = true
		c.room.Broadcast()
	})
	defer timer.Stop()
	for c.size >= fetchPiece && !c.closed && !abandoned {
		c.room.Wait()
	}
	switch {
	case c.closed:
		return errUnheard
	case c.size >= fetchPiece:
		return errAbandoned
	}
	return nil
}

// A serving is a request and its answer.
type serving struct {
	w    *work
	res  *hrana.Response
	herr *hrana.Error
}

// serve takes the requests that can be answered. c.mu is held; whoever holds it sends
// the answers when he has given it back.
func (c *wsCursor) serve() (served []serving) {
	for len(c.waiting) > 0 {
		w := c.waiting[0]
		if w == nil || w.req.Kind == hrana.CloseCursor {
			c.closed, c.done = true, true
			c.entries, c.size = nil, 0
		} else if !c.enough(w) {
			break
		}
		c.waiting = c.waiting[1:]
		switch {
		case w == nil:
		case w.req.Kind == hrana.CloseCursor:
			served = append(served, serving{w, &hrana.Response{Kind: hrana.CloseCursor}, nil})
		default:
			served = append(served, serving{w, c.cut(w), c.failure()})
		}
		c.room.Broadcast()
	}
	return served
}

// enough says whether a fetch need not wait.
func (c *wsCursor) enough(w *work) bool {
	return c.done || len(c.entries) >= wanted(w) || c.size >= fetchPiece
}

func wanted(w *work) int { return int(min(w.req.MaxCount, 1<<30)) }

// cut takes the entries for a fetch.
func (c *wsCursor) cut(w *work) *hrana.Response {
	n := min(wanted(w), len(c.entries))
	res := &hrana.Response{Kind: hrana.FetchCursor, Entries: c.entries[:n:n]}
	for i := range res.Entries {
		c.size -= sizeOfEntry(&res.Entries[i])
	}
	if c.entries = c.entries[n:]; len(c.entries) == 0 {
		c.entries = nil
	}
	res.Done = c.done && c.entries == nil
	return res
}

// send sends answers.
func (c *wsCursor) send(served []serving) {
	for _, s := range served {
		_ = s.w.answer(s.res, s.herr)
	}
}

// failure is what fetches are told if the batch was not begun.
func (c *wsCursor) failure() *hrana.Error {
	if !c.failed {
		return nil
	}
	return &hrana.Error{Code: "CURSOR_NOT_OPEN", Message: fmt.Sprintf("Cursor %d has failed to open", c.id)}
}

// finish is the end of the batch.
func (c *wsCursor) finish(last *hrana.CursorEntry) {
	c.mu.Lock()
	if c.done = true; last != nil {
		c.entries = append(c.entries, *last)
		c.size += sizeOfEntry(last)
	}
	served := c.serve()
	c.mu.Unlock()
	c.send(served)
}

// fail is finish for a batch that was not begun.
func (c *wsCursor) fail() {
	c.mu.Lock()
	c.failed, c.done = true, true
	served := c.serve()
	c.mu.Unlock()
	c.send(served)
}

// close is the end of a cursor whose socket has ended.
func (c *wsCursor) close() {
	c.mu.Lock()
	c.done = true
	c.mu.Unlock()
	c.ask(nil)
}

func sizeOfEntry(e *hrana.CursorEntry) int64 {
	return 128 + sizeOfRows([][]hrana.Value{e.Row})
}
