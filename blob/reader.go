package blob

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/nearlite/nearlite"
)

// A Reader reads the content of one object: from its start, from anywhere, or
// all of it into a writer. It keeps one row of it in memory. What [Store.Open]
// returns ends with its transaction, like a query's rows; it need not be closed.
//
// Its object is the one that was opened: an object of one row was read then, and
// a larger one is read by an id that no other content ever has.
type Reader struct {
	info  Info
	id    int64
	chunk int64 // bytes in a row

	// load appends a row to dst. It fails with [ErrGone] where there is none.
	load func(dst []byte, key int64) ([]byte, error)

	mu  sync.Mutex // protects the following
	off int64      // of Read
	at  int64      // which row is in buf; -1: none
	buf []byte
}

var (
	_ io.ReadSeeker = (*Reader)(nil)
	_ io.ReaderAt   = (*Reader)(nil)
	_ io.WriterTo   = (*Reader)(nil)
)

// Open returns a reader of an object, for use within the transaction. q is a
// *nearlite.ReadTx or a *nearlite.WriteTx.
func (s *Store) Open(q nearlite.Querier, name string) (*Reader, error) {
	return s.open(q, name, func(dst []byte, key int64) ([]byte, error) {
		return s.loadChunk(q, dst, key)
	})
}

func (s *Store) open(q nearlite.Querier, name string, load func([]byte, int64) ([]byte, error)) (*Reader, error) {
	e, err := s.find(q, name)
	if err != nil {
		return nil, s.failedRead("open", name, err)
	}
	if e.Size < 0 || e.chunk < 0 || e.chunk > growMax || e.chunk == 0 && e.Size > growMax {
		return nil, failed("open", name, ErrDamaged)
	}
	r := &Reader{info: e.Info, id: e.id, chunk: e.chunk, load: load, at: -1}
	if e.chunk != 0 {
		return r, nil
	}
	r.buf = make([]byte, 0, e.Size)
	if err := queryTail(q, &r.buf, s.sql.content, e.id).Err(); err != nil {
		return nil, failed("open", name, err)
	}
	if int64(len(r.buf)) != e.Size {
		return nil, failed("open", name, ErrDamaged)
	}
	r.at, r.chunk = 0, max(1, e.Size)
	return r, nil
}

func (s *Store) loadChunk(q nearlite.Querier, dst []byte, key int64) ([]byte, error) {
	err := queryTail(q, &dst, s.sql.chunk, key).Err()
	if errors.Is(err, nearlite.ErrNoRows) {
		err = ErrGone
	}
	return dst, err
}

// Info returns what is known of the object.
func (r *Reader) Info() Info { return r.info }

// Size returns the number of bytes of the content.
func (r *Reader) Size() int64 { return r.info.Size }

// Read reads the next bytes.
func (r *Reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.readAt(p, r.off)
	r.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt reads len(p) bytes from an offset on, or fails.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off < 0 {
		return 0, failed("read", r.info.Name, fmt.Errorf("negative offset %d", off))
	}
	return r.readAt(p, off)
}

func (r *Reader) readAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= r.info.Size {
			return n, io.EOF
		}
		i, from := off/r.chunk, off%r.chunk
		var k int
		if want := r.length(i); from == 0 && i != r.at && int64(len(p)-n) >= want {
			k, err = r.fill(p[n:n+int(want)], i) // a whole row: no need to keep it
		} else if err = r.keep(i); err == nil {
			k = copy(p[n:], r.buf[from:])
		}
		if err != nil {
			return n, failed("read", r.info.Name, err)
		}
		n += k
		off += int64(k)
	}
	return n, nil
}

// length returns how many bytes row i has.
func (r *Reader) length(i int64) int64 { return min(r.chunk, r.info.Size-i*r.chunk) }

// fill reads row i into p, which is as long as that should be.
func (r *Reader) fill(p []byte, i int64) (int, error) {
	got, err := r.load(p[:0:len(p)], chunkKey(r.id, i))
	if err == nil && len(got) != len(p) {
		err = ErrDamaged
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// keep makes row i the one in the buffer.
func (r *Reader) keep(i int64) error {
	if r.at == i {
		return nil
	}
	r.at = -1
	if r.buf == nil {
		r.buf = make([]byte, r.length(0))
	}
	r.buf = r.buf[:r.length(i)]
	if _, err := r.fill(r.buf, i); err != nil {
		return err
	}
	r.at = i
	return nil
}

// Seek sets where the next Read begins. It may be beyond the end.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.off
	case io.SeekEnd:
		offset += r.info.Size
	default:
		return 0, failed("seek in", r.info.Name, fmt.Errorf("whence is %d", whence))
	}
	if offset < 0 {
		return 0, failed("seek in", r.info.Name, fmt.Errorf("negative offset %d", offset))
	}
	r.off = offset
	return offset, nil
}

// WriteTo writes the rest of the content to w, row by row.
func (r *Reader) WriteTo(w io.Writer) (written int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.off < r.info.Size {
		if err := r.keep(r.off / r.chunk); err != nil {
			return written, failed("read", r.info.Name, err)
		}
		n, err := w.Write(r.buf[r.off%r.chunk:])
		r.off += int64(n)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}
