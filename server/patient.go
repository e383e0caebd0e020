package server

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// patient is a listener whose connections end when their client does not read: each
// piece of an answer has WriteTimeout. http.Server's own WriteTimeout is for the whole
// answer and counts from the request, so it would end long queries as well.
//
// It serves a bounded number of connections at a time. When one more comes, those go
// that have waited longest for their client: for its next request, or for the rest of
// one. A client that means well has just sent a whole request and does not notice, or
// connects again; one that holds connections to keep others out loses them.
type patient struct {
	net.Listener
	s    *Server
	most int

	full atomic.Bool // one that has come waits for a place

	mu     sync.Mutex // protects the following
	open   map[*patientConn]struct{}
	freed  sync.Cond // open has become smaller, one of them waits, or the listener is closed
	closed bool
}

const (
	// answerPiece is how much a client has WriteTimeout to read.
	answerPiece = 1 << 20
	// answerStep is how much is written at a time, to see whether it reads at all.
	answerStep = 128 << 10
	// evicted is the part of the connections that goes to make place, one in so many:
	// to look for them takes a while.
	evicted = 100
)

func newPatient(l net.Listener, s *Server) *patient {
	p := &patient{Listener: l, s: s, most: s.opts.MaxConnections, open: map[*patientConn]struct{}{}}
	p.freed.L = &p.mu
	// The rest of the files is for databases: each reader has two.
	if files := filesMax(); files > 0 && p.most > files/4*3 {
		s.log.Info("fewer connections than asked for, since the process may not have more files open", "connections", files/4*3, "files", files)
		p.most = files / 4 * 3
	}
	return p
}

// Accept waits for a connection, and for a place for it.
func (l *patient) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &patientConn{Conn: c, listener: l}
	conn.await()
	if !l.add(conn) {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	l.s.figures.connections.Add(1)
	return conn, nil
}

// add makes a place for a connection; false: the listener was closed.
func (l *patient) add(c *patientConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.full.Store(false)
	for len(l.open) >= l.most && !l.closed {
		l.full.Store(true) // before it looks, or it would miss one that waits from now on
		victims := l.victims()
		if len(victims) == 0 {
			l.freed.Wait()
			continue
		}
		l.mu.Unlock()
		for _, v := range victims {
			_ = v.Close()
		}
		l.s.figures.evicted.Add(uint64(len(victims)))
		l.mu.Lock()
	}
	if !l.closed {
		l.open[c] = struct{}{}
	}
	return !l.closed
}

// victims returns the connections that have waited longest for their clients. l.mu
// is held.
func (l *patient) victims() []*patientConn {
	type since struct {
		c  *patientConn
		at int64
	}
	var waiting []since
	for c := range l.open {
		if at := c.waits.Load(); at != 0 {
			waiting = append(waiting, since{c, at})
		}
	}
	slices.SortFunc(waiting, func(a, b since) int { return cmp.Compare(a.at, b.at) })
	n := min(len(waiting), max(1, l.most/evicted))
	victims := make([]*patientConn, n)
	for i := range victims {
		victims[i] = waiting[i].c
	}
	return victims
}

// Close ends the listener, and the wait for a place.
func (l *patient) Close() error {
	l.mu.Lock()
	l.closed = true
	l.freed.Broadcast()
	l.mu.Unlock()
	return l.Listener.Close()
}

// state is told by net/http what becomes of a connection.
func (l *patient) state(c net.Conn, state http.ConnState) {
	conn, ok := c.(*patientConn)
	if !ok {
		return
	}
	switch state {
	case http.StateIdle:
		conn.await()
	case http.StateActive, http.StateHijacked:
		conn.work()
	}
}

type connKey struct{}

// context lets a request find its connection.
func (l *patient) context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request; nil if it did not come through a
// patient.
func connOf(ctx context.Context) *patientConn {
	c, _ := ctx.Value(connKey{}).(*patientConn)
	return c
}

type patientConn struct {
	net.Conn
	listener *patient
	waits    atomic.Int64 // since when for its client, in Unix nanoseconds; 0: it does not
	deadline atomic.Int64 // of writing, Unix nanoseconds
	closed   atomic.Bool
	moved    atomic.Int64 // when a part of something long was written, in Unix nanoseconds
}

// lastMoved is when the client took something last.
func (c *patientConn) lastMoved() time.Time { return time.Unix(0, c.moved.Load()) }

// await says that the client has to send something.
func (c *patientConn) await() {
	if c == nil {
		return
	}
	c.waits.Store(time.Now().UnixNano())
	if l := c.listener; l.full.Load() {
		l.mu.Lock()
		l.freed.Signal()
		l.mu.Unlock()
	}
}

// work says that it has.
func (c *patientConn) work() {
	if c != nil {
		c.waits.Store(0)
	}
}

// Write writes piece by piece, each with a deadline.
func (c *patientConn) Write(p []byte) (n int, err error) {
	for {
		if n%answerPiece == 0 {
			if err := c.hurry(); err != nil {
				return n, err
			}
		}
		written, err := c.Conn.Write(p[n:min(n+answerStep, len(p))])
		c.listener.s.figures.sent.Add(uint64(written))
		if n += written; err != nil || n == len(p) {
			return n, err
		}
		c.moved.Store(time.Now().UnixNano())
	}
}

// hurry sets the deadline for the next piece, unless the last one is as good: to set
// it for each write shows in a profile.
func (c *patientConn) hurry() error {
	patience := c.listener.s.opts.WriteTimeout
	d := time.Now().Add(patience)
	if d.UnixNano()-c.deadline.Load() <= int64(patience/4) {
		return nil
	}
	c.deadline.Store(d.UnixNano())
	return c.Conn.SetWriteDeadline(d)
}

// Read counts what comes.
func (c *patientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.listener.s.figures.received.Add(uint64(n))
	return n, err
}

// Close gives the place back.
func (c *patientConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		l := c.listener
		l.s.figures.connections.Add(-1)
		l.mu.Lock()
		delete(l.open, c)
		l.freed.Signal()
		l.mu.Unlock()
	}
	return c.Conn.Close()
}
