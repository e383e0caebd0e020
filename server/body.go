package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// A body is a request's, read completely. While it comes, its memory is counted as
// arriving; see arrivals. Then it is counted for what it will be decoded to.
type body struct {
	s        *Server
	buf      *[]byte
	conn     io.Closer    // that it comes from; nil: nobody knows
	arriving int64        // taken of s.arriving
	loan     *loan        // the same
	fresh    int          // bytes that came since moved
	moved    atomic.Int64 // Unix nanoseconds; see came
	taken    int64        // taken of s.memory
}

// bytes are valid until release.
func (b *body) bytes() []byte { return *b.buf }

// release gives the memory back.
func (b *body) release() {
	giveBuffer(b.buf)
	b.arrive()
	b.s.memory.give(b.taken)
}

// arrive gives back what was counted while the body came.
func (b *body) arrive() {
	if b.arriving > 0 {
		b.s.arriving.remove(b)
	}
}

const (
	// decodedFactor is how much memory a body is counted for: its bytes, the texts
	// and blobs that are made of them, and what SQLite is given.
	decodedFactor = 4
	// partSize is what one part of a body may take besides, be it a request, a
	// statement, a condition or a value.
	partSize = 128
)

// parts returns how many parts a body has at most, about: in JSON each begins with a
// brace or ends with a comma, and in protobuf each takes two bytes and mostly four.
func (b *body) parts(protobuf bool) int {
	if protobuf {
		return len(*b.buf) / 4
	}
	return bytes.Count(*b.buf, []byte("{")) + bytes.Count(*b.buf, []byte(","))
}

// count takes the memory that a body needs which has come.
func (b *body) count(ctx context.Context, protobuf bool) error {
	need := decodedFactor*int64(len(*b.buf)) + partSize*int64(b.parts(protobuf))
	if need <= small {
		return nil
	}
	if partSize*int64(b.parts(protobuf)) > b.s.memory.most && !protobuf { // whose decoder has a bound of its own
		return &failure{status: http.StatusRequestEntityTooLarge, code: "BODY_TOO_LARGE",
			message: fmt.Sprintf("The body of %d bytes has %d parts, and to decode it would take more memory than there is: send less at a time", len(*b.buf), b.parts(false))}
	}
	need = min(need, b.s.memory.most)
	if err := b.s.memory.take(ctx, need); err != nil {
		return err
	}
	b.taken = need
	b.arrive()
	return nil
}

// readBody reads a request's body. One larger than most is refused before its end
// is awaited.
func (s *Server) readBody(c *call) (_ *body, err error) {
	if c.r.ContentLength > s.opts.MaxBody {
		return nil, tooLarge(s.opts.MaxBody)
	}
	b := &body{s: s, buf: takeBuffer()}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	if err := b.read(c); err != nil {
		return nil, err
	}
	return b, b.count(c.r.Context(), c.dialect == protobufDialect)
}

// read reads the body from its connection, which the server may end meanwhile if it
// needs the place.
func (b *body) read(c *call) error {
	conn := connOf(c.r.Context())
	if conn != nil {
		b.conn = conn
	}
	conn.await()
	defer conn.work()
	for {
		if err := b.grow(c.r.Context(), c.r.ContentLength); err != nil {
			return err
		}
		n, err := c.r.Body.Read((*b.buf)[len(*b.buf):cap(*b.buf)])
		*b.buf = (*b.buf)[:len(*b.buf)+n]
		b.came(n)
		switch size := int64(len(*b.buf)); {
		case size > b.s.opts.MaxBody:
			return tooLarge(b.s.opts.MaxBody)
		case err == io.EOF, err == nil && size == c.r.ContentLength:
			c.takeTime()
			return nil
		case err != nil:
			return unread(err)
		}
	}
}

// takeTime ends the deadline of the request's body, which has come: net/http would
// take its expiry for the end of the client, and the answer may take its time.
func (c *call) takeTime() {
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{}) // a test's server may have none
}

// grow makes room for more when there is none. Beyond what is small it is taken as the
// bytes come, since a client can announce as many as it likes.
func (b *body) grow(ctx context.Context, announced int64) error {
	if len(*b.buf) < cap(*b.buf) {
		return nil
	}
	size := int64(2 * cap(*b.buf))
	if announced >= 0 && announced <= max(size, small) {
		size = max(announced, int64(len(*b.buf))+1)
	}
	if size > small {
		if err := b.s.arriving.take(ctx, b, size); err != nil {
			return err
		}
	}
	larger := make([]byte, len(*b.buf), size)
	copy(larger, *b.buf)
	*b.buf = larger
	return nil
}

func tooLarge(most int64) error {
	return &failure{status: http.StatusRequestEntityTooLarge, code: "BODY_TOO_LARGE",
		message: fmt.Sprintf("The body is larger than %d bytes: send less at a time, or start the server with a larger --max-body", most)}
}

// unread is the failure of a body that did not come.
func unread(err error) error {
	if timeout := (interface{ Timeout() bool })(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return &failure{status: http.StatusRequestTimeout, code: "BODY_TIMEOUT", message: "The body did not come in time: send it faster, or in smaller requests"}
	}
	return &failure{status: http.StatusBadRequest, code: "BODY_INCOMPLETE", message: "The body ended too early: " + err.Error()}
}
