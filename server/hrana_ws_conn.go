package server

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// A hijacker gives the WebSocket a connection that is watched, and smaller buffers
// than HTTP has: there are many sockets, and most are idle.
type hijacker struct {
	http.ResponseWriter
	s    *Server
	conn *socketConn
}

const socketBuffer = 1 << 10

// Hijack takes the connection over.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	h.conn = &socketConn{Conn: conn, early: bytes.Clone(early), s: h.s}
	return h.conn, bufio.NewReadWriter(bufio.NewReaderSize(h.conn, socketBuffer), bufio.NewWriterSize(h.conn, socketBuffer)), nil
}

// A socketConn is the connection of a socket. It waits for ever between messages,
// and not for long inside of one.
type socketConn struct {
	net.Conn
	s      *Server
	early  []byte       // what came before the connection was taken over
	inside atomic.Bool  // a message has begun
	timed  atomic.Bool  // reading has a deadline
	moved  atomic.Int64 // when something was written last, in Unix nanoseconds
}

// writePiece is how much has WriteTimeout to be read by the client.
const writePiece = 64 << 10

// begin and rest tell when a message begins and ends.
func (c *socketConn) begin() { c.inside.Store(true) }

func (c *socketConn) rest() {
	c.inside.Store(false)
	if c.timed.CompareAndSwap(true, false) {
		_ = c.Conn.SetReadDeadline(time.Time{})
	}
}

// Read waits for bytes; the deadline is set only when they are not there already.
func (c *socketConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	if c.inside.Load() && c.timed.CompareAndSwap(false, true) {
		if err := c.Conn.SetReadDeadline(time.Now().Add(c.s.opts.BodyTimeout)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// lastMoved is when the client took something last.
func (c *socketConn) lastMoved() time.Time { return time.Unix(0, c.moved.Load()) }

// Write writes piece by piece, each with a deadline.
func (c *socketConn) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		if err = c.Conn.SetWriteDeadline(time.Now().Add(c.s.opts.WriteTimeout)); err != nil {
			return n, err
		}
		var written int
		written, err = c.Conn.Write(p[:min(len(p), writePiece)])
		n, p = n+written, p[written:]
		c.moved.Store(time.Now().UnixNano())
	}
	return n, err
}

// sockets are all that are open.
type sockets struct {
	mu     sync.Mutex // protects the following
	open   map[*socket]struct{}
	closed bool // no more are taken
	ended  sync.WaitGroup
	pings  atomic.Int64 // under way
	// patience is how long a client has to answer a ping; 0: pingPatience.
	patience time.Duration
}

const (
	// pingEvery is after how long of silence a client is asked whether it is there.
	pingEvery = 30 * time.Second
	// pingPatience is how long it has to answer.
	pingPatience = 15 * time.Second
	// pingsMax is how many are asked at a time.
	pingsMax = 256
	// helloPatience is how long a client has to say who it is: until then anybody
	// can take a place that others need.
	helloPatience = 10 * time.Second
)

// add takes a socket; false: the server ends.
func (t *sockets) add(k *socket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if t.open == nil {
		t.open = map[*socket]struct{}{}
	}
	t.open[k] = struct{}{}
	t.ended.Add(1)
	k.s.figures.sockets.Add(1)
	return true
}

// remove is the last thing a socket does.
func (t *sockets) remove(k *socket) {
	t.mu.Lock()
	delete(t.open, k)
	t.mu.Unlock()
	k.s.figures.sockets.Add(-1)
	t.ended.Done()
}

func (t *sockets) all() []*socket {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*socket, 0, len(t.open))
	for k := range t.open {
		all = append(all, k)
	}
	return all
}

// watch asks the silent ones whether they are there: a peer that has lost its power
// does not say so, and may have left a transaction. Those who never say who they are
// have to go.
func (t *sockets) watch(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	silent := now.Add(-pingEvery).UnixNano()
	for k := range t.open {
		if !k.greeted.Load() {
			if now.Sub(k.opened) > helloPatience {
				k.kill()
			}
			continue
		}
		if k.heard.Load() > silent || len(k.slots) > 0 || t.pings.Load() >= pingsMax {
			continue
		}
		if k.pinged.CompareAndSwap(false, true) {
			t.pings.Add(1)
			go t.ping(k)
		}
	}
}

func (t *sockets) ping(k *socket) {
	defer t.pings.Add(-1)
	defer k.pinged.Store(false)
	patience := t.patience
	if patience == 0 {
		patience = pingPatience
	}
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	err := k.conn.Ping(ctx)
	if err != nil && len(k.slots) == 0 { // one that is busy reads no pongs
		k.kill()
		return
	}
	k.heard.Store(time.Now().UnixNano())
}

// drain ends all sockets when what they asked for is answered, or ctx ends.
func (t *sockets) drain(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for t.working() {
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		break
	}
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	var farewells sync.WaitGroup
	for _, k := range t.all() {
		farewells.Go(func() { k.close(&closing{websocket.StatusGoingAway, "The server is shutting down"}) })
	}
	farewells.Wait()
}

// working says whether a request of any socket waits or runs.
func (t *sockets) working() bool {
	for _, k := range t.all() {
		if len(k.slots) > 0 {
			return true
		}
	}
	return false
}

// close ends all sockets at once.
func (t *sockets) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	for _, k := range t.all() {
		k.kill()
	}
	t.ended.Wait()
}
