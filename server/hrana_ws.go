package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket" // in the style of net/http, and no goroutine of its own for a connection

	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/token"
)

// A socket is Hrana over one WebSocket. One goroutine reads and answers what needs
// no database. A stream works in a goroutine of its own, which is there only while
// the stream has something to do. So an idle socket costs a goroutine that reads and
// two buffers of a kilobyte; an idle stream some hundred bytes, for it gives its
// database back after idlePatience.
//
// What one client can make the server keep is bounded in numbers by the constants
// below, and in bytes by the server's memory, of which a socket has pendingFree and
// outgoingFree without asking. A client that does not read is cut off after
// WriteTimeout.
type socket struct {
	s       *Server
	conn    *websocket.Conn
	tcp     *socketConn
	enc     hrana.Encoding
	version hrana.Version
	name    string // of the database

	ctx    context.Context // of what runs for the client; ends with the socket
	cancel context.CancelFunc
	lanes  sync.WaitGroup // streams at work
	slots  chan struct{}  // one for each request that waits or runs

	pending  atomic.Int64 // bytes of those requests
	outgoing atomic.Int64 // bytes of answers on their way
	batches  atomic.Int64 // of cursors, at work
	heard    atomic.Int64 // when something came last, in Unix nanoseconds
	pinged   atomic.Bool  // a pong is awaited
	greeted  atomic.Bool  // auth is set
	opened   time.Time

	// Of the goroutine that reads:
	auth    *authority // nil before the first hello
	streams map[int32]*wsStream
	cursors map[int32]*wsCursor
	texts   map[int32]string
	stored  int // bytes of texts
}

// An authority is what a hello has made known.
type authority struct {
	caller  *caller
	jwt     string
	checked time.Time // when the token was last verified
}

const (
	streamsMax   = 1024 // of one socket
	textsMax     = 150  // stored, as in sqld
	textsSizeMax = 512 << 10
	pendingMax   = 1024 // requests that wait
	pendingFree  = 16 << 10
	outgoingFree = 64 << 10
	// authEvery is how often a token is verified again while requests come: it may
	// expire, and its key may be taken away.
	authEvery = time.Second
	// reasonMax is how long the reason of a closing may be: a control frame has 125
	// bytes, 2 of them for the code.
	reasonMax = 123
)

// subprotocols are those of Hrana, the best first.
var subprotocols = []struct {
	name    string
	version hrana.Version
	enc     hrana.Encoding
}{
	{"hrana3-protobuf", hrana.V3, hrana.Protobuf},
	{"hrana3", hrana.V3, hrana.JSON},
	{"hrana2", hrana.V2, hrana.JSON},
	{"hrana1", hrana.V1, hrana.JSON},
}

// A closing is why the server ends a socket.
type closing struct {
	code   websocket.StatusCode
	reason string
}

func (e *closing) Error() string { return e.reason }

// violation is the end of a socket whose client does what no correct one does.
func violation(format string, args ...any) error {
	return &closing{websocket.StatusPolicyViolation, fmt.Sprintf(format, args...)}
}

// socket turns a request into a WebSocket, which outlives the call.
func (c *call) socket() error {
	s := c.s
	if s.draining.Load() {
		return errDraining
	}
	// The browser asks nobody whether a page may open a WebSocket.
	if origin := c.r.Header.Get("Origin"); !s.allows(origin, c.r.Host) {
		return &failure{status: http.StatusForbidden, code: "FORBIDDEN_ORIGIN",
			message: "A page of " + origin + " may not open a WebSocket here: start the server with --origin for it"}
	}
	// They cannot be ended to make place for others, so they do not get all places.
	if conn := connOf(c.r.Context()); conn != nil && s.figures.sockets.Load() >= int64(max(1, conn.listener.most/4*3)) {
		return &failure{status: http.StatusServiceUnavailable, code: "SERVER_BUSY", message: "Too many WebSockets are open", retry: time.Second}
	}
	name, err := s.chosen(c)
	if err != nil {
		return err
	}
	k := &socket{s: s, name: strings.Clone(name), version: hrana.V1, slots: make(chan struct{}, pendingMax), opened: time.Now()}
	if c.r.Header["Sec-Websocket-Protocol"] != nil && !k.agree(c.r.Header.Values("Sec-WebSocket-Protocol")) {
		return protocolError("Only these WebSocket subprotocols are supported: hrana3-protobuf hrana3 hrana2 hrana1")
	}
	w := &hijacker{ResponseWriter: c.w, s: s}
	opts := websocket.AcceptOptions{InsecureSkipVerify: true} // the origin was looked at above
	for _, p := range subprotocols {
		opts.Subprotocols = append(opts.Subprotocols, p.name)
	}
	if k.conn, err = websocket.Accept(w, c.r, &opts); err != nil {
		return nil // Accept has told the client
	}
	k.tcp = w.conn
	k.conn.SetReadLimit(s.opts.MaxBody)
	k.heard.Store(k.opened.UnixNano())
	k.ctx, k.cancel = context.WithCancel(context.Background())
	if !s.sockets.add(k) {
		k.kill()
		return nil
	}
	go k.serve()
	return nil
}

// agree chooses the subprotocol: the best that is offered.
func (k *socket) agree(offers []string) bool {
	for _, p := range subprotocols {
		for offer := range strings.SplitSeq(strings.Join(offers, ","), ",") {
			if strings.EqualFold(strings.TrimSpace(offer), p.name) {
				k.version, k.enc = p.version, p.enc
				return true
			}
		}
	}
	return false
}

// serve reads until the client or the server ends the socket.
func (k *socket) serve() {
	defer k.s.sockets.remove(k)
	var err error
	for err == nil {
		err = k.next()
	}
	k.end()
	k.farewell(err)
}

// end stops what runs, rolls back what is open, and gives everything back.
func (k *socket) end() {
	k.cancel()
	for _, c := range k.cursors {
		c.close()
	}
	k.lanes.Wait()
	for _, st := range k.streams {
		st.end()
	}
	k.s.texts.give(int64(k.stored))
}

// farewell closes the connection, and says why if that was the server's doing.
func (k *socket) farewell(err error) {
	var c *closing
	if !errors.As(err, &c) {
		_ = k.conn.CloseNow()
		return
	}
	_ = k.conn.Close(c.code, cutReason(c.reason))
}

func cutReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) > reasonMax {
		reason = reason[:reasonMax]
		for !utf8.ValidString(reason) {
			reason = reason[:len(reason)-1]
		}
	}
	return reason
}

// close ends the socket from outside of the goroutine that reads, which then does
// the rest. It returns when the client has answered, or after some seconds.
func (k *socket) close(c *closing) {
	k.cancel()
	_ = k.conn.Close(c.code, cutReason(c.reason))
}

// kill is close without a word.
func (k *socket) kill() {
	k.cancel()
	_ = k.tcp.Close()
}

// next reads a message and begins what it asks for.
func (k *socket) next() error {
	typ, r, err := k.conn.Reader(context.Background())
	if err != nil {
		return err
	}
	k.heard.Store(time.Now().UnixNano())
	switch {
	case typ == websocket.MessageText && k.enc != hrana.JSON:
		return &closing{websocket.StatusUnsupportedData, "Received a text WebSocket message, which is not supported in this encoding"}
	case typ == websocket.MessageBinary && k.enc == hrana.JSON:
		return &closing{websocket.StatusUnsupportedData, "Received a binary WebSocket message, which is not supported in this encoding"}
	}
	select {
	case k.slots <- struct{}{}:
	case <-k.ctx.Done():
		return k.ctx.Err()
	}
	w := &work{k: k}
	defer k.survive(w)
	m, err := k.receive(w, r)
	if err == nil && m.Request == nil {
		err = k.hello(m.JWT)
	} else if err == nil {
		w.id, w.req = m.RequestID, m.Request
		return k.begin(w)
	}
	w.done()
	return err
}

// A work is a request and what it takes.
type work struct {
	k      *socket
	id     int32
	req    *hrana.Request
	auth   *authority
	cursor *wsCursor // that it opens
	size   int64     // of k.pending
	taken  int64     // of the server's memory
	result bool      // its result has taken memory
	over   bool      // all that was given back
}

// survive is the end of a socket, and of no other, when one of its goroutines panics
// with a request. That is a mistake of ours.
func (k *socket) survive(w *work) {
	v := recover()
	if v == nil {
		return
	}
	k.s.log.Error("a WebSocket made the server panic", "panic", v, "stack", string(debug.Stack()))
	k.kill()
	w.done()
}

// done gives back what a request has taken, once.
func (w *work) done() {
	if w.over {
		return
	}
	w.over = true
	w.k.pending.Add(-w.size)
	w.k.s.memory.give(w.taken)
	<-w.k.slots
}

// receive reads and decodes a message. Memory for a large one, or for one more of
// many, is taken first.
func (k *socket) receive(w *work, r io.Reader) (*hrana.ClientMsg, error) {
	buf := takeBuffer()
	defer func() { giveBuffer(buf) }()
	b := &body{s: k.s, buf: buf, conn: k.tcp}
	defer b.arrive()
	err := k.read(b, r)
	if err == nil {
		err = b.count(k.ctx, k.enc == hrana.Protobuf)
	}
	buf, w.taken, w.size = b.buf, b.taken, int64(len(*b.buf))
	if k.pending.Add(w.size) > pendingFree && err == nil && w.taken == 0 {
		if err = k.s.memory.take(k.ctx, decodedFactor*w.size); err == nil {
			w.taken = min(decodedFactor*w.size, k.s.memory.most)
		}
	}
	if errors.Is(err, errMemory) {
		return nil, &closing{websocket.StatusTryAgainLater, err.Error()}
	}
	if f := (*failure)(nil); errors.As(err, &f) {
		return nil, &closing{websocket.StatusMessageTooBig, f.message}
	}
	if err != nil {
		return nil, err
	}
	m, err := k.enc.DecodeClientMsg(*buf)
	if err != nil {
		return nil, &closing{websocket.StatusInvalidFramePayloadData, undecoded(k.enc, err).Error()}
	}
	return m, nil
}

// read reads a whole message. Once it has begun it has to come in time.
func (k *socket) read(b *body, r io.Reader) error {
	k.tcp.begin()
	defer k.tcp.rest()
	for {
		if err := b.grow(k.ctx, -1); err != nil {
			return err
		}
		n, err := r.Read((*b.buf)[len(*b.buf):cap(*b.buf)])
		*b.buf = (*b.buf)[:len(*b.buf)+n]
		b.came(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// hello takes a token. Another one may follow.
func (k *socket) hello(jwt *string) error {
	if k.auth != nil && k.version < hrana.V2 {
		return violation("Repeated hello message is only supported in protocol version hrana2 and higher")
	}
	a := &authority{checked: time.Now()}
	if jwt != nil {
		a.jwt = *jwt
	}
	var err error
	if a.caller, err = k.s.callers.verified(a.jwt); err != nil {
		herr := unauthenticated(err)
		return errors.Join(k.send(&hrana.ServerMsg{Kind: hrana.HelloError, Error: herr}, false), &closing{websocket.StatusNormalClosure, herr.Message})
	}
	k.auth = a
	k.greeted.Store(true)
	return k.send(&hrana.ServerMsg{Kind: hrana.HelloOK}, false)
}

func unauthenticated(err error) *hrana.Error {
	herr := &hrana.Error{Message: "Authentication failed: " + err.Error(), Code: "AUTH_FAILED"}
	if e := (*token.Error)(nil); errors.As(err, &e) {
		herr.Code = e.Code
	}
	return herr
}

// authorize says who sent a request, whose token has to be good still.
func (k *socket) authorize(w *work) error {
	if k.auth == nil {
		return violation("Received a request before hello message")
	}
	w.auth = k.auth
	now := time.Now()
	if now.Sub(k.auth.checked) < authEvery {
		return nil
	}
	k.auth.checked = now
	if _, err := k.s.callers.verified(k.auth.jwt); err != nil {
		return violation("%s", unauthenticated(err).Message)
	}
	return nil
}

// begin does what needs no database, and hands the rest to the stream. Every error
// ends the socket.
func (k *socket) begin(w *work) error {
	err := k.authorize(w)
	if err == nil {
		err = k.supported(w.req)
	}
	if err == nil {
		err = k.resolve(w.req)
	}
	if err != nil {
		w.done()
		return err
	}
	switch w.req.Kind {
	case hrana.OpenStream:
		return k.openStream(w)
	case hrana.StoreSQL:
		return k.store(w)
	case hrana.CloseSQL:
		size := len(k.texts[*w.req.SQLID])
		k.stored -= size
		k.s.texts.give(int64(size))
		delete(k.texts, *w.req.SQLID)
		return w.answer(&hrana.Response{Kind: hrana.CloseSQL}, nil)
	case hrana.FetchCursor, hrana.CloseCursor:
		return k.onCursor(w)
	}
	return k.onStream(w)
}

// supported refuses what the version does not have.
func (k *socket) supported(req *hrana.Request) error {
	if err := supported([]hrana.Request{*req}, k.version); err != nil {
		return violation("%s", err.Error())
	}
	return nil
}

// resolve replaces the numbers of stored texts by the texts, now: the client may
// close them as soon as the request is sent.
func (k *socket) resolve(req *hrana.Request) error {
	switch {
	case req.Kind == hrana.Sequence || req.Kind == hrana.Describe:
		return k.text(&req.SQL, &req.SQLID)
	case req.Stmt != nil:
		return k.text(&req.Stmt.SQL, &req.Stmt.SQLID)
	case req.Batch != nil:
		for i := range req.Batch.Steps {
			stmt := &req.Batch.Steps[i].Stmt
			if err := k.text(&stmt.SQL, &stmt.SQLID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *socket) text(sql **string, id **int32) error {
	switch {
	case *id == nil || *sql != nil: // the stream refuses both
		return nil
	case k.version < hrana.V2:
		return violation("`sql_id` is only supported in protocol version hrana2 and higher")
	}
	text, ok := k.texts[**id]
	if !ok {
		return violation("SQL text %d not found", **id)
	}
	*sql, *id = &text, nil
	return nil
}

// store keeps a text. The numbers are the client's, and of the whole socket.
func (k *socket) store(w *work) error {
	id, sql := *w.req.SQLID, *w.req.SQL
	if _, exists := k.texts[id]; exists {
		w.done()
		return violation("SQL text %d already exists", id)
	}
	if len(k.texts) >= textsMax {
		return w.answer(nil, &hrana.Error{Code: "SQL_STORE_TOO_MANY", Message: fmt.Sprintf("The server already stores %d SQL texts, it cannot store more", len(k.texts))})
	}
	if k.stored+len(sql) > textsSizeMax {
		return w.answer(nil, &hrana.Error{Code: "SQL_STORE_TOO_LARGE", Message: fmt.Sprintf("The stored SQL texts would take more than %d bytes: send this one with each request", textsSizeMax)})
	}
	if !k.s.texts.tryTake(int64(len(sql))) {
		return w.answer(nil, &hrana.Error{Code: "SERVER_BUSY", Message: "The memory for stored SQL texts is in use: send this one with each request"})
	}
	if k.texts == nil {
		k.texts = map[int32]string{}
	}
	k.texts[id] = sql
	k.stored += len(sql)
	return w.answer(&hrana.Response{Kind: hrana.StoreSQL}, nil)
}

// answer sends a response or an error, and is the end of the request.
func (w *work) answer(res *hrana.Response, herr *hrana.Error) error {
	defer w.done()
	if herr != nil {
		return w.k.send(&hrana.ServerMsg{Kind: hrana.ResponseError, RequestID: w.id, Error: herr}, w.result)
	}
	return w.k.send(&hrana.ServerMsg{Kind: hrana.ResponseOK, RequestID: w.id, Response: res}, w.result)
}

// send writes a message. Any goroutine may; what waits behind others, beyond
// outgoingFree, is counted in the server's memory. A result that has taken memory must
// not wait for more: those who have that may wait for what it has. An error is the end
// of the socket.
func (k *socket) send(m *hrana.ServerMsg, result bool) (err error) {
	buf := takeBuffer()
	defer giveBuffer(buf)
	*buf = k.enc.AppendServerMsg(*buf, m)
	n := min(int64(len(*buf)), k.s.memory.most)
	defer k.outgoing.Add(-n)
	switch out := k.outgoing.Add(n); {
	case result || n > outgoingFree:
		k.s.memory.owe(n)
		defer k.s.memory.give(n)
	case out > outgoingFree:
		if err = k.s.memory.take(k.ctx, n); err == nil {
			defer k.s.memory.give(n)
		}
	}
	// A client that does not read keeps also the requests that wait behind this answer.
	kept := n
	if waiting := k.pending.Load(); waiting > pendingFree {
		kept += decodedFactor * waiting
	}
	if kept > small {
		defer k.s.memory.repay(k.s.memory.lend(kept, time.Now(), k.tcp))
	}
	if err == nil {
		typ := websocket.MessageText
		if k.enc == hrana.Protobuf {
			typ = websocket.MessageBinary
		}
		err = k.conn.Write(context.Background(), typ, *buf)
	}
	if err != nil {
		k.kill()
	}
	return err
}

// asError is what a failure of ours is to a stream's client.
func asError(err error) *hrana.Error {
	f := asFailure(err)
	return &hrana.Error{Code: f.code, Message: f.message}
}

// limited returns an error when the caller sends too many requests.
func (w *work) limited() *hrana.Error {
	if err := w.auth.caller.limit(); err != nil {
		f := asFailure(err)
		return &hrana.Error{Code: f.code, Message: fmt.Sprintf("%s; wait %d ms", f.message, int(math.Ceil(f.retry.Seconds()*1000)))}
	}
	return nil
}
