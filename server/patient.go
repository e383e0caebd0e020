package server

import (
	"net"
	"sync/atomic"
	"time"
)

// patient is a listener whose connections end when their client does not read:
// each write has writePatience. http.Server's own WriteTimeout is for the whole
// answer and counts from the request, so it would end long queries as well.
//
// It serves a bounded number of connections at a time; one more waits to be
// accepted.
type patient struct {
	net.Listener
	places  chan struct{}
	figures *figures
}

const (
	// writePatience is how long a client may take to read a piece of an answer.
	writePatience = 30 * time.Second
	// writeRenew is how old a deadline may be before it is set anew: to set it for
	// each write shows in a profile.
	writeRenew = writePatience / 4
)

func newPatient(l net.Listener, most int, f *figures) *patient {
	return &patient{Listener: l, places: make(chan struct{}, most), figures: f}
}

// Accept waits for a connection, and for a place for it.
func (l *patient) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	l.figures.connections.Add(1)
	return &patientConn{Conn: c, listener: l}, nil
}

type patientConn struct {
	net.Conn
	listener *patient
	deadline atomic.Int64 // of writing, Unix nanoseconds
	closed   atomic.Bool
}

// Write writes with a deadline.
func (c *patientConn) Write(p []byte) (int, error) {
	now := time.Now()
	if d := now.Add(writePatience); d.UnixNano()-c.deadline.Load() > int64(writeRenew) {
		c.deadline.Store(d.UnixNano())
		if err := c.Conn.SetWriteDeadline(d); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Write(p)
	c.listener.figures.sent.Add(uint64(n))
	return n, err
}

// Read counts what comes.
func (c *patientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.listener.figures.received.Add(uint64(n))
	return n, err
}

// Close gives the place back.
func (c *patientConn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.listener.figures.connections.Add(-1)
		<-c.listener.places
	}
	return c.Conn.Close()
}
