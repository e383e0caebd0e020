package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/archive/internal/ltxfile"
	"github.com/nearlite/nearlite/storage"
)

// inMemory is how many bytes of pages are encoded in memory; more go to a
// temporary file.
const inMemory = 32 << 20

// A content is an LTX file on its way into the store: it can be stored as often as
// it takes.
type content struct {
	buf  *bytes.Buffer // nil: in the file
	file *tempFile
	size int64
	hash *storage.Sum // nil: not computed yet
}

var (
	encoders = sync.Pool{New: func() any { return ltxfile.NewEncoder() }}
	buffers  = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

// encode makes the content of the pages that fill hands to its argument.
func encode(tempDir string, h ltx.Header, estimate int64, fill func(page func(uint32, []byte) error) error) (_ *content, err error) {
	c := &content{}
	var out io.Writer
	var flush func() error
	if estimate <= inMemory {
		c.buf = buffers.Get().(*bytes.Buffer)
		c.buf.Reset()
		out, flush = c.buf, func() error { return nil }
	} else {
		if c.file, err = newTempFile(tempDir); err != nil {
			return nil, err
		}
		w := bufio.NewWriterSize(c.file, 1<<20)
		out, flush = w, w.Flush
	}
	defer func() {
		if err != nil {
			c.release()
		}
	}()
	e := encoders.Get().(*ltxfile.Encoder)
	if err := e.Begin(out, h); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := fill(e.Page); err != nil {
		_, _ = e.End() // whatever it says, the encoder is free
		encoders.Put(e)
		return nil, err
	}
	if c.size, err = e.End(); err == nil {
		err = flush()
	}
	encoders.Put(e)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return c, nil
}

// get is what a store takes.
func (c *content) get() storage.Content {
	if c.buf != nil {
		return storage.Bytes(c.buf.Bytes())
	}
	return storage.Stream(c.file.from(0, c.size), c.size)
}

// sum tells it from every other.
func (c *content) sum() (storage.Sum, error) {
	if c.hash == nil {
		h := sha256.New()
		if c.buf != nil {
			h.Write(c.buf.Bytes())
		} else if _, err := io.Copy(h, c.file.from(0, c.size)); err != nil {
			return storage.Sum{}, err
		}
		sum := storage.Sum(h.Sum(nil))
		c.hash = &sum
	}
	return *c.hash, nil
}

func (c *content) release() {
	if c.buf != nil && c.buf.Cap() <= inMemory+inMemory/4 {
		buffers.Put(c.buf)
	}
	if c.file != nil {
		c.file.remove()
	}
	c.buf, c.file = nil, nil
}

// tempFile is a file that goes with its process, where the system can do that.
type tempFile struct {
	*os.File
	gone bool
}

func newTempFile(dir string) (*tempFile, error) {
	f, err := os.CreateTemp(dir, "nearlite-archive-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	return &tempFile{File: f, gone: os.Remove(f.Name()) == nil}, nil
}

func (f *tempFile) from(offset, size int64) io.Reader {
	return io.NewSectionReader(f, offset, size-offset)
}

func (f *tempFile) remove() {
	_ = f.Close()
	if !f.gone {
		_ = os.Remove(f.Name())
	}
}
