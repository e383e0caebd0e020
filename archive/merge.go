package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/archive/internal/ltxfile"
	"github.com/nearlite/nearlite/storage"
)

// What may be open at a time: objects up to smallBytes are read into memory as a
// whole, up to smallTotal of them with what decoding takes; others are streamed. If
// there are more, some are merged into a temporary file first.
const (
	smallBytes  = 1 << 20
	smallTotal  = 96 << 20
	streamsMax  = 16
	aheadMax    = 4  // pieces of a stream
	aheadTotal  = 16 // pieces of all streams
	fetchersMax = 16 // small objects on their way
)

// A merge delivers the newest image of each page in some objects, in ascending
// order.
type merge struct {
	a       *reader
	sources []*source // in the order of their entries
	heap    []int     // of sources that have a page, the one that comes next first
	used    []int     // sources whose page was delivered, or was an older image
	temps   []*tempFile
	cancel  context.CancelFunc
	size    int64 // of all objects
}

// openMerge opens objects, of which each goes on where the one before ended. States
// say where to go on in each, and are nil to begin at the beginning.
func (a *reader) openMerge(ctx context.Context, objects []Object, states []ltxfile.State) (_ *merge, err error) {
	m := &merge{a: a}
	ctx, m.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	for _, o := range objects {
		m.size += o.Size
	}
	for left := objects; len(left) > 0; {
		n := a.fitting(left)
		switch {
		case n == len(left) && len(m.sources) == 0: // all at once
			err = m.open(ctx, left, states)
		case n == 1:
			err = m.open(ctx, left[:1], nil)
		default:
			err = m.openMerged(ctx, left[:n])
		}
		if err != nil {
			return nil, err
		}
		left = left[n:]
	}
	return m, m.start()
}

// fitting is how many of these objects can be open at a time.
func (a *reader) fitting(objects []Object) int {
	memory, streams := int64(0), 0
	for i, o := range objects {
		if o.Size <= smallBytes {
			memory += o.Size + 8<<10
		} else {
			streams++
		}
		if i > 0 && (memory > smallTotal || streams > streamsMax) {
			return i
		}
	}
	return len(objects)
}

// open opens objects, the small ones several at a time.
func (m *merge) open(ctx context.Context, objects []Object, states []ltxfile.State) error {
	opened := make([]*source, len(objects))
	errs := make([]error, len(objects))
	streams := max(1, len(slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return o.Size <= smallBytes })))
	var fetching sync.WaitGroup
	slots := make(chan struct{}, fetchersMax)
	for i, o := range objects {
		var from *ltxfile.State
		if states != nil {
			from = &states[i]
		}
		if o.Size > smallBytes {
			opened[i], errs[i] = m.a.streamed(ctx, o, from, min(aheadMax, max(1, aheadTotal/streams)))
			continue
		}
		slots <- struct{}{}
		fetching.Go(func() {
			defer func() { <-slots }()
			b, _, err := storage.ReadAll(ctx, m.a.store, o.Key)
			if err == nil {
				opened[i], err = m.a.small(o, b, from)
			}
			errs[i] = err
		})
	}
	fetching.Wait()
	for _, s := range opened {
		if s != nil {
			m.sources = append(m.sources, s)
		}
	}
	return errors.Join(errs...)
}

// openMerged merges objects into a temporary file and opens that.
func (m *merge) openMerged(ctx context.Context, objects []Object) error {
	c, err := m.a.merged(ctx, objects, 1<<62)
	if err != nil {
		return err
	}
	m.temps = append(m.temps, c.file)
	o := Object{Key: fmt.Sprintf("the entries %d to %d, merged", objects[0].Min, objects[len(objects)-1].Max),
		Min: objects[0].Min, Max: objects[len(objects)-1].Max, Size: c.size}
	d, err := ltxfile.NewDecoder(c.file.from(0, c.size))
	s, err := m.a.newSource(o, d, err, true, func() {})
	if err == nil {
		m.sources = append(m.sources, s)
	}
	return err
}

// start goes to each source's first page.
func (m *merge) start() error {
	for i, s := range m.sources {
		if s.header.PageSize != m.sources[0].header.PageSize {
			return m.a.damaged(s.object.Key, fmt.Errorf("its pages have %d bytes, and those of %s %d",
				s.header.PageSize, m.sources[0].object.Key, m.sources[0].header.PageSize))
		}
		m.used = append(m.used, i)
	}
	return nil
}

// header describes the last entry.
func (m *merge) header() ltx.Header { return m.sources[len(m.sources)-1].header }

// next returns the next page, number 0 at the end, when everything was verified.
// Its bytes are valid until the next call.
func (m *merge) next() (uint32, []byte, error) {
	for {
		if err := m.advance(); err != nil {
			return 0, nil, err
		}
		if len(m.heap) == 0 {
			return 0, nil, nil
		}
		newest := m.pop()
		number := m.sources[newest].number
		for len(m.heap) > 0 && m.sources[m.heap[0]].number == number {
			m.pop() // an older image: the newest comes first
		}
		if number <= m.header().Commit { // else the database has shrunk since
			return number, m.sources[newest].data, nil
		}
	}
}

// advance goes on in the sources whose page was used.
func (m *merge) advance() error {
	for _, i := range m.used {
		s := m.sources[i]
		if err := s.next(); err != nil {
			return m.a.explain(s.object, err)
		}
		if s.number > 0 {
			m.push(i)
		}
	}
	m.used = m.used[:0]
	return nil
}

// before is the order of the heap: by page, and of one page the newest image first.
func (m *merge) before(i, j int) bool {
	a, b := m.heap[i], m.heap[j]
	if x, y := m.sources[a].number, m.sources[b].number; x != y {
		return x < y
	}
	return a > b
}

func (m *merge) push(source int) {
	m.heap = append(m.heap, source)
	for i := len(m.heap) - 1; i > 0 && m.before(i, (i-1)/2); i = (i - 1) / 2 {
		m.heap[i], m.heap[(i-1)/2] = m.heap[(i-1)/2], m.heap[i]
	}
}

// pop takes the first from the heap, to be advanced before the next.
func (m *merge) pop() int {
	first, last := m.heap[0], len(m.heap)-1
	m.used = append(m.used, first)
	m.heap[0] = m.heap[last]
	m.heap = m.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < last && m.before(child+1, child) {
			child++
		}
		if child >= last || !m.before(child, i) {
			return first
		}
		m.heap[i], m.heap[child] = m.heap[child], m.heap[i]
		i = child
	}
}

// read is how many bytes of the objects were used.
func (m *merge) read() (n int64) {
	for _, s := range m.sources {
		n += s.before.Offset
	}
	return n
}

func (m *merge) close() {
	m.cancel()
	for _, s := range m.sources {
		s.close()
	}
	for _, f := range m.temps {
		f.remove()
	}
	m.sources, m.temps = nil, nil
}

// merged makes one file of objects, each of which goes on where the one before
// ended.
func (a *reader) merged(ctx context.Context, objects []Object, estimate int64) (*content, error) {
	m, err := a.openMerge(ctx, objects, nil)
	if err != nil {
		return nil, err
	}
	defer m.close()
	h := m.header()
	h.MinTXID = ltx.TXID(objects[0].Min)
	h.Flags, h.PreApplyChecksum = ltx.HeaderFlagNoChecksum, 0
	h.WALOffset, h.WALSize = h.WALOffset+h.WALSize, 0
	return encode(a.tempDir, h, estimate, func(page func(uint32, []byte) error) error {
		for {
			number, data, err := m.next()
			if err != nil || number == 0 {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := page(number, data); err != nil {
				return a.damaged(objects[len(objects)-1].Key, err)
			}
		}
	})
}
