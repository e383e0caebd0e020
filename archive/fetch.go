package archive

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/nearlite/nearlite/storage"
)

// A fetch reads an object from an offset to its end in pieces, some of them ahead.
// A single connection to S3 delivers less than the network can.
type fetch struct {
	cancel context.CancelFunc
	pieces chan chan piece // in order
	done   sync.WaitGroup
	now    piece
	at     int // in the piece that is being read
	err    error
}

// A piece is a part of an object that has arrived, or did not.
type piece struct {
	buf *[]byte
	err error
}

const pieceBytes = 4 << 20

var pieceBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, pieceBytes)
	return &b
}}

// newFetch begins to read; ahead pieces are in memory at a time.
func newFetch(ctx context.Context, s storage.Store, o Object, offset int64, ahead int) *fetch {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetch{cancel: cancel, pieces: make(chan chan piece, max(ahead-1, 1))}
	f.done.Go(func() {
		defer close(f.pieces)
		for at := offset; at < o.Size; at += pieceBytes {
			result := make(chan piece, 1)
			select {
			case f.pieces <- result:
			case <-ctx.Done():
				return
			}
			f.done.Go(func() { result <- fetchPiece(ctx, s, o, at) })
		}
	})
	return f
}

func fetchPiece(ctx context.Context, s storage.Store, o Object, offset int64) piece {
	size := min(pieceBytes, o.Size-offset)
	r, _, err := s.Get(ctx, o.Key, storage.Range{Offset: offset, Length: size})
	if errors.Is(err, storage.ErrRange) {
		return piece{err: io.ErrUnexpectedEOF} // it is shorter than it was listed
	} else if err != nil {
		return piece{err: err}
	}
	defer r.Close()
	buf := pieceBuffers.Get().(*[]byte)
	*buf = (*buf)[:size]
	if _, err := io.ReadFull(r, *buf); err != nil {
		pieceBuffers.Put(buf)
		return piece{err: err}
	}
	return piece{buf: buf}
}

// Read waits for the piece that comes next.
func (f *fetch) Read(p []byte) (int, error) {
	for f.err == nil && (f.now.buf == nil || f.at == len(*f.now.buf)) {
		f.giveBack()
		if result, ok := <-f.pieces; ok {
			f.now, f.at = <-result, 0
			f.err = f.now.err
		} else {
			f.err = io.EOF
		}
	}
	if f.err != nil {
		return 0, f.err
	}
	n := copy(p, (*f.now.buf)[f.at:])
	f.at += n
	return n, nil
}

func (f *fetch) giveBack() {
	if f.now.buf != nil {
		pieceBuffers.Put(f.now.buf)
		f.now.buf = nil
	}
}

// Close gives up what is on its way.
func (f *fetch) Close() error {
	f.cancel()
	for result := range f.pieces {
		if p := <-result; p.buf != nil {
			pieceBuffers.Put(p.buf)
		}
	}
	f.done.Wait()
	f.giveBack()
	f.err = errClosed
	return nil
}
