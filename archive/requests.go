package archive

import (
	"context"
	"io"
	"iter"
	"sync/atomic"

	"github.com/nearlite/nearlite/storage"
)

// Requests counts what was asked of the storage. An object stored in parts counts
// as so many Puts as it has pieces of 8 MiB, and two more, as S3 bills it.
type Requests struct {
	Puts, Lists, Gets, Deletes int64
	Sent, Received             int64 // bytes
}

// Price is what they cost at S3's public price: $5 for a million of Puts or Lists,
// $0.40 for a million of Gets. Deletes, and bytes inside a region, are free.
func (r Requests) Price() (dollars float64) {
	return float64(r.Puts+r.Lists)*5e-6 + float64(r.Gets)*0.4e-6
}

// meter is a store whose requests are counted.
type meter struct {
	storage.Store
	puts, lists, gets, deletes, sent, received atomic.Int64
}

func (m *meter) requests() Requests {
	return Requests{
		Puts: m.puts.Load(), Lists: m.lists.Load(), Gets: m.gets.Load(), Deletes: m.deletes.Load(),
		Sent: m.sent.Load(), Received: m.received.Load(),
	}
}

func (m *meter) put(size int64) {
	const part = 8 << 20
	n := int64(1)
	if size > part {
		n = (size+part-1)/part + 2
	}
	m.puts.Add(n)
	m.sent.Add(max(size, 0))
}

// Create counts.
func (m *meter) Create(ctx context.Context, key string, c storage.Content) (storage.Info, error) {
	m.put(c.Size())
	return m.Store.Create(ctx, key, c)
}

// Replace counts.
func (m *meter) Replace(ctx context.Context, key string, c storage.Content, old storage.Version) (storage.Info, error) {
	m.put(c.Size())
	return m.Store.Replace(ctx, key, c, old)
}

// Get counts, and counts the bytes as they are read.
func (m *meter) Get(ctx context.Context, key string, part storage.Range) (io.ReadCloser, storage.Info, error) {
	m.gets.Add(1)
	r, info, err := m.Store.Get(ctx, key, part)
	if err != nil {
		return nil, info, err
	}
	return &countedBody{r, &m.received}, info, nil
}

// Stat counts.
func (m *meter) Stat(ctx context.Context, key string) (storage.Info, error) {
	m.gets.Add(1)
	return m.Store.Stat(ctx, key)
}

// List counts pages of a thousand.
func (m *meter) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		n := 0
		for info, err := range m.Store.List(ctx, prefix, after) {
			if n%1000 == 0 {
				m.lists.Add(1)
			}
			n++
			if !yield(info, err) {
				return
			}
		}
		if n == 0 {
			m.lists.Add(1)
		}
	}
}

// Delete counts.
func (m *meter) Delete(ctx context.Context, keys ...string) error {
	m.deletes.Add(int64(len(keys)))
	return m.Store.Delete(ctx, keys...)
}

type countedBody struct {
	io.ReadCloser
	bytes *atomic.Int64
}

// Read counts.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	return n, err
}
