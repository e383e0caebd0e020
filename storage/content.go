package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// Content is what is to be stored. The zero value is an object without bytes.
type Content struct {
	bytes  []byte
	stream io.Reader // nil: bytes
	size   int64     // of the stream; negative: not known
	sum    *Sum      // nil: not known
}

// A Sum is the SHA-256 of a content.
type Sum = [sha256.Size]byte

// Bytes makes a content of a slice, which must not change while it is stored.
func Bytes(b []byte) Content { return Content{bytes: b} }

// Stream makes a content of what r delivers until its end: size bytes, or any
// number if size is negative. It is read once, and a store keeps a few megabytes
// of it in memory at a time. Nothing is stored if r fails, or ends early or late.
func Stream(r io.Reader, size int64) Content { return Content{stream: r, size: size} }

// WithSum returns the content with the sum it must turn out to have: bytes that
// were damaged on their way to the store are refused with ErrContent.
func (c Content) WithSum(sum Sum) Content {
	c.sum = &sum
	return c
}

// Size is the length in bytes, negative if it is not known.
func (c Content) Size() int64 {
	if c.stream == nil {
		return int64(len(c.bytes))
	}
	return c.size
}

// Slice returns the content's bytes if it was made of a slice. Whoever does not
// read them through Reader has to compare their sum.
func (c Content) Slice() ([]byte, bool) { return c.bytes, c.stream == nil }

// Sum returns the sum the content must have, or nil.
func (c Content) Sum() *Sum { return c.sum }

// Reader returns the content as a stream that ends in ErrContent unless it has
// the size and the sum that it should have. It fails with ErrContent as well when
// the underlying reader does, and with the cause of ctx when that ends. A content
// made of a stream has only one.
func (c Content) Reader(ctx context.Context) io.Reader {
	r := &contentReader{ctx: ctx, r: c.stream, size: c.Size(), want: c.sum}
	if c.stream == nil {
		r.r = bytes.NewReader(c.bytes)
	}
	if c.sum != nil {
		r.hash = sha256.New()
	}
	return r
}

// contentReader checks what it hands on.
type contentReader struct {
	ctx  context.Context
	r    io.Reader
	size int64 // negative: any
	read int64
	hash hash.Hash // nil: no sum to check
	want *Sum
}

// Read checks everything when the end has come.
func (r *contentReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	n, err := r.r.Read(p)
	r.read += int64(n)
	if r.hash != nil {
		r.hash.Write(p[:n])
	}
	switch {
	case r.size >= 0 && r.read > r.size:
		return 0, fmt.Errorf("%w: it goes on after the %d bytes it should have", ErrContent, r.size)
	case err == io.EOF:
		return n, r.end()
	case err != nil:
		return n, fmt.Errorf("%w: read it: %w", ErrContent, err)
	}
	return n, nil
}

func (r *contentReader) end() error {
	if r.size >= 0 && r.read < r.size {
		return fmt.Errorf("%w: it ends after %d of the %d bytes it should have", ErrContent, r.read, r.size)
	}
	if r.hash != nil && Sum(r.hash.Sum(nil)) != *r.want {
		return fmt.Errorf("%w: its SHA-256 is %x and should be %x", ErrContent, r.hash.Sum(nil), *r.want)
	}
	return io.EOF
}
