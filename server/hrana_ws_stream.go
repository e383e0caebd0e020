package server

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
)

// A wsStream is a stream of a socket. Its requests are done one after the other, by
// a goroutine that ends when there are none.
//
// It has the database for as long as it needs it: while it works or has a
// transaction, and for idlePatience after that, so that last_insert_rowid() and
// changes() are what they are on one connection. Its client does not notice.
type wsStream struct {
	k      *socket
	id     int32
	caller *caller     // whose limit of streams it counts for
	cursor *wsCursor   // of the goroutine that reads; nil when none is open
	busy   atomic.Bool // in a transaction

	mu      sync.Mutex // protects the following
	queue   []*work
	running bool
	used    time.Time   // when it last had something to do
	timer   *time.Timer // to give the database back; nil without one

	// Of the goroutine that works, or, while none does, under mu:
	failed *hrana.Error // to open
	seen   catalog.ID   // the database: its name may change
	known  bool         // seen is set
	handle *catalog.Handle
	stream *stream.Stream
	as     *caller      // for whom stream was made
	over   *hrana.Error // how its transaction was lost, until the client shows that it knows
}

// openStream begins a stream. Whether there is a database for it is found out in
// its own time.
func (k *socket) openStream(w *work) error {
	id := w.req.StreamID
	if k.streams[id] != nil {
		w.done()
		return violation("Stream %d already exists", id)
	}
	st := &wsStream{k: k, id: id, caller: w.auth.caller}
	if len(k.streams) >= streamsMax {
		w.done()
		return violation("More than %d streams on one WebSocket", streamsMax)
	}
	if k.streams == nil {
		k.streams = map[int32]*wsStream{}
	}
	k.streams[id] = st
	st.caller.streams.Add(1)
	k.s.figures.wsStreams.Add(1)
	st.add(w)
	return nil
}

// onStream hands a request to its stream.
func (k *socket) onStream(w *work) error {
	st := k.streams[w.req.StreamID]
	if st == nil {
		w.done()
		return violation("Stream %d not found", w.req.StreamID)
	}
	switch w.req.Kind {
	case hrana.CloseStream:
		if c := st.cursor; c != nil {
			k.forgetCursor(c)
			c.ask(nil)
		}
		delete(k.streams, st.id)
	case hrana.OpenCursor:
		if err := k.openCursor(w, st); err != nil {
			w.done()
			return err
		}
	}
	st.add(w)
	return nil
}

// add begins a request when those before it are done.
func (st *wsStream) add(w *work) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.queue = append(st.queue, w)
	if !st.running {
		st.running = true
		st.k.lanes.Go(st.work)
	}
}

// work does requests until there are none.
func (st *wsStream) work() {
	for w := st.take(); w != nil; w = st.take() {
		st.do(w)
	}
}

// take returns the next request; nil, and the goroutine is over.
func (st *wsStream) take() *work {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.queue) == 0 {
		st.queue, st.running, st.used = nil, false, time.Now()
		return nil
	}
	w := st.queue[0]
	st.queue[0] = nil
	st.queue = st.queue[1:]
	return w
}

// do does one request and answers it.
func (st *wsStream) do(w *work) {
	defer st.k.survive(w)
	switch {
	case w.req.Kind == hrana.CloseStream:
		st.end()
		_ = w.answer(&hrana.Response{Kind: hrana.CloseStream}, nil)
		return
	case st.k.ctx.Err() != nil:
		w.done()
		return
	case w.req.Kind == hrana.OpenStream:
		herr := st.open(w)
		st.failed = herr
		_ = w.answer(&hrana.Response{Kind: hrana.OpenStream}, herr)
		return
	}
	herr := st.admit(w)
	if w.cursor != nil {
		st.runCursor(w, herr)
		return
	}
	var res *hrana.Response
	if herr == nil {
		res, herr = st.stream.Do(st.k.ctx, w.req)
		if give := st.stream.Owes(); give != nil {
			defer give()
			w.result = true
		}
		st.after()
	}
	st.reply(w, res, herr)
}

// open makes sure that the database is there and the caller may read it.
func (st *wsStream) open(w *work) *hrana.Error {
	if n := st.caller.streams.Load(); n > int64(st.caller.limits.Streams) {
		return &hrana.Error{Code: "TOO_MANY_STREAMS", Message: fmt.Sprintf("More than %d streams are open with this token: close some, or have a token with a higher limit", st.caller.limits.Streams)}
	}
	return st.acquire(w.auth.caller)
}

// admit returns why a request is not done; the stream has its database otherwise.
func (st *wsStream) admit(w *work) *hrana.Error {
	if st.failed != nil { // clients that did not wait for it show only this error
		return &hrana.Error{Code: "STREAM_NOT_OPEN", Message: fmt.Sprintf("Stream %d has failed to open: %s", st.id, st.failed.Message)}
	}
	herr := st.missed(w.req)
	switch {
	case herr != nil:
		return herr
	case st.k.s.draining.Load() && !st.busy.Load():
		return asError(errDraining)
	}
	if herr := w.limited(); herr != nil {
		return herr
	}
	return st.acquire(w.auth.caller)
}

// missed returns the error of a request whose transaction was lost before it came:
// done alone, it would be committed. Nobody can tell whether its client knew of that
// when it sent the request, unless the request begins a transaction, or ends the one
// that is none any more.
func (st *wsStream) missed(req *hrana.Request) *hrana.Error {
	herr := st.over
	if herr == nil || req.Kind == hrana.GetAutocommit {
		return nil
	}
	switch bounds(req) {
	case "BEGIN", "ROLLBACK":
		st.over = nil
		return nil
	case "COMMIT":
		st.over = nil
	}
	return herr
}

// bounds is [stream.Bounds] of what a request does first.
func bounds(req *hrana.Request) string {
	sql := req.SQL
	switch {
	case req.Stmt != nil:
		sql = req.Stmt.SQL
	case req.Batch != nil && len(req.Batch.Steps) > 0:
		sql = req.Batch.Steps[0].Stmt.SQL
	}
	if sql == nil || req.Kind == hrana.Describe {
		return ""
	}
	return stream.Bounds(*sql)
}

// errTransactionOver is said of a transaction that has ended by itself, and whose
// stream has gone since.
var errTransactionOver = &hrana.Error{Code: "TRANSACTION_TIMEOUT", Message: "Transaction timed out"}

// acquire gets the database, unless the stream has it, and a stream on it that may do
// what this caller may do now: the database may have got another name, or another
// configuration, since the last request.
func (st *wsStream) acquire(caller *caller) *hrana.Error {
	if st.handle != nil && (st.handle.Err() != nil || st.as != caller && st.stream.Idle()) {
		st.letGo()
	}
	if st.handle == nil {
		h, err := st.find(caller)
		if err != nil {
			return asError(err)
		}
		st.handle, st.seen, st.known = h, h.ID(), true
	}
	if err := caller.mayRead(st.handle.Name()); err != nil {
		if st.stream == nil {
			st.letGo()
		}
		return asError(err)
	}
	opts := st.k.s.streamOptions(caller, st.handle)
	if st.as = caller; st.stream != nil {
		st.stream.SetOptions(opts)
		return nil
	}
	st.stream = stream.New(st.handle.DB(), opts)
	st.keep()
	return nil
}

// find returns the database by its id, or, the first time, by its name.
func (st *wsStream) find(caller *caller) (*catalog.Handle, error) {
	if st.known {
		return st.k.s.cat.AcquireID(st.k.ctx, st.seen)
	}
	// It is not even opened for others, who are not told either whether it is there.
	if err := caller.mayRead(st.k.name); err != nil {
		return nil, err
	}
	return st.k.s.cat.Acquire(st.k.ctx, st.k.name)
}

// after notes what a request has left.
func (st *wsStream) after() {
	busy := !st.stream.Idle()
	if st.busy.CompareAndSwap(!busy, busy) {
		if busy {
			st.k.s.figures.wsBusy.Add(1)
		} else {
			st.k.s.figures.wsBusy.Add(-1)
		}
	}
	if lost := st.stream.Lost(); lost != nil {
		st.over = lost
	}
}

// reply answers with a result, whose memory is counted until it is sent.
func (st *wsStream) reply(w *work, res *hrana.Response, herr *hrana.Error) {
	if herr != nil && herr.Code == stream.CodeProtocol {
		w.done()
		st.k.lanes.Go(func() { st.k.close(&closing{websocket.StatusPolicyViolation, herr.Message}) })
		return
	}
	_ = w.answer(res, herr)
}

// keep has the database given back when it is not used for a while.
func (st *wsStream) keep() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.timer == nil {
		st.timer = time.AfterFunc(idlePatience, st.rest)
	}
}

// rest gives the database back if the stream is idle and has been for a while. A
// transaction that has ended by itself is told to the next request.
func (st *wsStream) rest() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.timer == nil {
		return
	}
	idle := time.Since(st.used)
	switch {
	case st.running:
		st.timer.Reset(idlePatience)
	case idle < idlePatience:
		st.timer.Reset(idlePatience - idle)
	case st.stream.Idle():
		st.letGo()
		st.timer = nil
	case st.stream.Err() != nil && idle >= transactionPatience:
		st.over = errTransactionOver
		st.letGo()
		st.timer = nil
	default:
		st.timer.Reset(idlePatience)
	}
}

// letGo rolls back what is open and gives the database back.
func (st *wsStream) letGo() {
	if st.stream != nil {
		st.stream.Close()
		st.stream = nil
	}
	if st.handle != nil {
		st.handle.Release()
		st.handle = nil
	}
	if st.busy.CompareAndSwap(true, false) {
		st.k.s.figures.wsBusy.Add(-1)
	}
}

// end is the end of the stream. The goroutine that works calls it, or one that knows
// that none does.
func (st *wsStream) end() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.timer != nil {
		st.timer.Stop()
		st.timer = nil
	}
	st.letGo()
	st.caller.streams.Add(-1)
	st.k.s.figures.wsStreams.Add(-1)
}
