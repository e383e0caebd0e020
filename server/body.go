package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// A body is a request's, read completely.
type body struct {
	buf    *[]byte
	memory *memory
	taken  int64
}

// bytes are valid until release.
func (b *body) bytes() []byte { return *b.buf }

// release gives the memory back.
func (b *body) release() {
	giveBuffer(b.buf)
	b.memory.give(b.taken)
}

// decodedFactor is how much memory a body is counted for: its bytes, and what they
// are decoded to, which for hostile ones is much more still.
const decodedFactor = 4

// readBody reads a request's body. One larger than most is refused before its end
// is awaited, and the memory of a large one is taken before it comes.
func (s *Server) readBody(c *call) (_ *body, err error) {
	r, most := c.r, s.opts.MaxBody
	if r.ContentLength > most {
		return nil, tooLarge(most)
	}
	b := &body{buf: takeBuffer(), memory: &s.memory}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	if r.ContentLength >= 0 {
		if err := b.grow(r.Context(), int(r.ContentLength)); err != nil {
			return nil, err
		}
		*b.buf = (*b.buf)[:r.ContentLength]
		if _, err := io.ReadFull(r.Body, *b.buf); err != nil {
			return nil, unread(err)
		}
		return b, nil
	}
	for {
		if len(*b.buf) == cap(*b.buf) {
			if err := b.grow(r.Context(), 2*cap(*b.buf)); err != nil {
				return nil, err
			}
		}
		n, err := r.Body.Read((*b.buf)[len(*b.buf):cap(*b.buf)])
		*b.buf = (*b.buf)[:len(*b.buf)+n]
		if int64(len(*b.buf)) > most {
			return nil, tooLarge(most)
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, unread(err)
		}
	}
}

// grow makes room for size bytes in all.
func (b *body) grow(ctx context.Context, size int) error {
	if need := min(decodedFactor*int64(size), b.memory.most) - b.taken; size > small && need > 0 {
		if err := b.memory.take(ctx, need); err != nil {
			return err
		}
		b.taken += need
	}
	if size > cap(*b.buf) {
		larger := make([]byte, len(*b.buf), size)
		copy(larger, *b.buf)
		*b.buf = larger
	}
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
