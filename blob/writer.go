package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/nearlite/nearlite"
)

// A Writer takes the content of one object as a stream whose length nobody has
// to know. Nothing is to be seen of the object, and what it replaces is there,
// until Close has returned nil.
//
// Its rows are written as they fill up, as a loose content (see loose.go) that
// gets a name at the end. Up to one row nothing is written before Close.
type Writer struct {
	s    *Store
	op   string
	info Info
	err  error // what every further call returns

	// do runs one step: in the transaction of Create, or in one of its own.
	do func(fn func(tx *nearlite.WriteTx) error) error

	buf    []byte // what is not written yet
	bufMax int    // bytes it may have, whole rows; it begins with one
	id     int64  // of the loose content; 0 before there is one
	seq    int64  // rows written
	hash   hash.Hash
	sum    [sha256.Size]byte // of the whole, if summed
	summed bool              // on trust
	want   [sha256.Size]byte // what sum has to be, unless zero
}

var errWriterClosed = errors.New("the writer is closed")

// Create returns a writer of the object called name, for use within the
// transaction. The object replaces what was there when the writer is closed; a
// writer that never is leaves nothing that can be seen, and what it has written
// goes with the next [Store.Sweep].
//
// The transaction holds the database's only writer, and a closure given to
// Update may run twice: content that arrives over a network, or can be read only
// once, is a case for [Store.Upload].
func (s *Store) Create(tx *nearlite.WriteTx, name string, opts *PutOptions) (*Writer, error) {
	if err := CheckName(name); err != nil {
		return nil, failed("create", name, err)
	}
	return s.newWriter("create", name, opts, s.rowSize, within(tx))
}

// within runs a writer's steps in a transaction that is open.
func within(tx *nearlite.WriteTx) func(func(tx *nearlite.WriteTx) error) error {
	return func(fn func(tx *nearlite.WriteTx) error) error { return fn(tx) }
}

func (s *Store) newWriter(op, name string, opts *PutOptions, bufMax int, do func(func(*nearlite.WriteTx) error) error) (*Writer, error) {
	info, err := opts.info(name, s.now())
	if err != nil {
		return nil, failed(op, name, err)
	}
	w := &Writer{s: s, op: op, info: info, do: do, hash: sha256.New(), buf: make([]byte, 0, s.rowSize), bufMax: bufMax}
	w.want, _ = opts.sum()
	return w, nil
}

// Write takes the next bytes of the content.
func (w *Writer) Write(p []byte) (n int, err error) {
	for w.err == nil {
		k := copy(w.buf[len(w.buf):cap(w.buf)], p[n:])
		w.buf = w.buf[:len(w.buf)+k]
		if n += k; n == len(p) {
			return n, nil
		}
		w.makeRoom()
	}
	return n, w.err
}

// makeRoom is for a full buffer when there is more to come.
func (w *Writer) makeRoom() {
	if cap(w.buf) == w.bufMax {
		w.flush()
		return
	}
	w.buf = append(make([]byte, 0, min(4*cap(w.buf), w.bufMax)), w.buf...)
}

// ReadFrom takes all of r.
func (w *Writer) ReadFrom(r io.Reader) (n int64, err error) {
	for empty := 0; w.err == nil; {
		if len(w.buf) == cap(w.buf) {
			// Only if there is more: an object of exactly one row is one row.
			var next [1]byte
			k, err := io.ReadFull(r, next[:])
			if k == 0 {
				return n, ended(err)
			}
			n++
			if _, err := w.Write(next[:]); err != nil {
				return n, err
			}
			continue
		}
		k, err := r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+k]
		n += int64(k)
		if err != nil {
			return n, ended(err)
		}
		if empty++; k > 0 {
			empty = 0
		} else if empty == 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, w.err
}

// ended is the error of a reader that has come to its end.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// Close makes the object visible. On an error there is no object, or the old one.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if w.err = w.finish(); w.err != nil {
		w.err = failed(w.op, w.info.Name, w.err)
		return w.err
	}
	w.err = errWriterClosed
	w.buf = nil
	return nil
}

// Info returns what is known of the object; its size and SHA-256, once Close has
// returned nil.
func (w *Writer) Info() Info { return w.info }

func (w *Writer) finish() error {
	content := w.buf
	w.count(content)
	copy(w.info.SHA256[:], w.hash.Sum(nil))
	if w.summed {
		w.info.SHA256 = w.sum
	}
	if w.want != [sha256.Size]byte{} && w.info.SHA256 != w.want {
		return ErrChecksum
	}
	return w.do(func(tx *nearlite.WriteTx) error {
		if w.id == 0 && len(content) <= w.s.rowSize {
			return w.s.putRow(tx, w.info, content)
		}
		id, err := w.put(tx, content)
		if err != nil {
			return err
		}
		return w.s.settle(tx, entry{Info: w.info, id: id, chunk: int64(w.s.rowSize)})
	})
}

// count takes content into the size and the sum.
func (w *Writer) count(content []byte) {
	w.info.Size += int64(len(content))
	if !w.summed {
		w.hash.Write(content)
	}
}

// flush writes the buffer out.
func (w *Writer) flush() {
	id := w.id
	w.err = w.do(func(tx *nearlite.WriteTx) (err error) { // perhaps more than once
		id, err = w.put(tx, w.buf)
		return err
	})
	if w.err != nil {
		w.err = failed(w.op, w.info.Name, w.err)
		return
	}
	w.id = id
	w.seq += int64(len(w.buf) / w.s.rowSize)
	w.count(w.buf)
	w.buf = w.buf[:0]
}

// put adds rows to the loose content, and makes one if there is none. It changes
// nothing in the writer, so that it can run again.
func (w *Writer) put(tx *nearlite.WriteTx, content []byte) (id int64, err error) {
	if w.id == 0 {
		id, err = w.s.stage(tx)
	} else {
		id, err = w.id, w.s.touch(tx, w.id)
	}
	size := w.s.rowSize
	for seq := w.seq; err == nil && len(content) > 0; seq++ {
		if seq == seqMax {
			return 0, ErrTooLarge
		}
		n := min(size, len(content))
		_, err = tx.Exec(w.s.sql.addChunk, chunkKey(id, seq), content[:n])
		content = content[n:]
	}
	return id, err
}

// discard gives up what has been written so far.
func (w *Writer) discard(ctx context.Context, db *nearlite.DB) {
	if w.id == 0 {
		return
	}
	// Best effort: whatever made the upload fail may make this fail, too, and
	// then Sweep finds it by its age.
	_ = db.Update(ctx, func(tx *nearlite.WriteTx) error {
		_, err := tx.Exec(w.s.sql.abandon, w.id)
		return err
	})
	_, _ = w.s.Sweep(ctx, db)
}
