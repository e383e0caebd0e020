package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/archive/internal/ltxfile"
	"github.com/nearlite/nearlite/storage"
)

// A source delivers the pages of one object, in ascending order.
type source struct {
	object Object
	header ltx.Header
	pages  pages
	close  func()

	number uint32 // of the page that comes next; 0: there is none
	data   []byte
	before ltxfile.State // of that page, to go on there
}

// pages is a decoder, or one that runs ahead.
type pages interface {
	Next() (number uint32, data []byte, err error)
	State() ltxfile.State
}

// newSource makes a source of a decoder, if that has what the object's key promises.
func (a *reader) newSource(o Object, d *ltxfile.Decoder, err error, ahead bool, close func()) (*source, error) {
	if err == nil {
		err = o.describes(d.Header())
	}
	if err != nil {
		close()
		return nil, a.explain(o, err)
	}
	s := &source{object: o, header: d.Header(), pages: d, close: close}
	if ahead {
		r := runAhead(d)
		s.pages, s.close = r, func() {
			r.stop()
			close()
		}
	}
	return s, nil
}

// explain names the object that an error is about.
func (a *reader) explain(o Object, err error) error {
	var about *storage.Error
	if format := (*ltxfile.FormatError)(nil); errors.As(err, &format) || !errors.As(err, &about) {
		return a.damaged(o.Key, err)
	}
	return err
}

// next goes to the page that comes next; the one before is no longer valid.
func (s *source) next() error {
	s.before = s.pages.State()
	number, data, err := s.pages.Next()
	if err == io.EOF {
		number, err = 0, nil
	}
	s.number, s.data = number, data
	return err
}

// streamed opens a large object, which is read ahead and decoded in a goroutine.
func (a *reader) streamed(ctx context.Context, o Object, from *ltxfile.State, ahead int) (*source, error) {
	if from != nil {
		f := newFetch(ctx, a.store, o, from.Offset, ahead)
		return a.newSource(o, ltxfile.Resume(f, *from), nil, true, func() { f.Close() })
	}
	f := newFetch(ctx, a.store, o, 0, ahead)
	d, err := ltxfile.NewDecoder(f)
	return a.newSource(o, d, err, true, func() { f.Close() })
}

// small opens an object that was read into memory.
func (a *reader) small(o Object, b []byte, from *ltxfile.State) (*source, error) {
	if from == nil {
		d, err := ltxfile.NewDecoderBytes(b)
		return a.newSource(o, d, err, false, func() {})
	}
	if from.Offset > int64(len(b)) {
		return nil, a.damaged(o.Key, fmt.Errorf("it has %d bytes, and had %d", len(b), from.Offset))
	}
	return a.newSource(o, ltxfile.ResumeBytes(b[from.Offset:], *from), nil, false, func() {})
}

// ahead runs a decoder in a goroutine, some pages before the reader.
type ahead struct {
	full, empty chan *decoded
	now         *decoded
	at          int
	state       ltxfile.State // after the page that was returned last
	quit        chan struct{}
	done        sync.WaitGroup
}

// decoded is what a decoder has delivered.
type decoded struct {
	numbers []uint32
	data    []byte
	states  []ltxfile.State
	err     error // after them
}

const aheadBytes = 256 << 10 // of pages in one batch

func runAhead(d *ltxfile.Decoder) *ahead {
	const batches = 4
	r := &ahead{full: make(chan *decoded, batches), empty: make(chan *decoded, batches), state: d.State(), quit: make(chan struct{})}
	for range batches {
		r.empty <- &decoded{}
	}
	r.done.Go(func() { r.run(d) })
	return r
}

func (r *ahead) run(d *ltxfile.Decoder) {
	defer close(r.full)
	for {
		select {
		case b := <-r.empty:
			b.fill(d)
			r.full <- b
			if b.err != nil {
				return
			}
		case <-r.quit:
			return
		}
	}
}

func (b *decoded) fill(d *ltxfile.Decoder) {
	b.numbers, b.data, b.states, b.err = b.numbers[:0], b.data[:0], b.states[:0], nil
	for len(b.data) < aheadBytes {
		number, data, err := d.Next()
		if err != nil {
			b.err = err
			return
		}
		b.numbers, b.data, b.states = append(b.numbers, number), append(b.data, data...), append(b.states, d.State())
	}
}

// Next returns the next page, whose bytes are valid until the next call.
func (r *ahead) Next() (uint32, []byte, error) {
	for r.now == nil || r.at == len(r.now.numbers) {
		if r.now != nil {
			if r.now.err != nil {
				return 0, nil, r.now.err
			}
			r.empty <- r.now
		}
		r.now, r.at = <-r.full, 0
	}
	i, size := r.at, len(r.now.data)/len(r.now.numbers)
	r.at++
	r.state = r.now.states[i]
	return r.now.numbers[i], r.now.data[i*size : (i+1)*size], nil
}

// State is the decoder's after the page that was returned last.
func (r *ahead) State() ltxfile.State { return r.state }

// stop ends the goroutine.
func (r *ahead) stop() {
	close(r.quit)
	r.done.Wait()
}
