package logtest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/wal"
)

// memoryLog is the simplest log there is.
type memoryLog struct {
	mu      sync.Mutex // guards entries
	entries []memoryEntry
}

type memoryEntry struct {
	head  nearlite.Head
	pages []wal.Page
}

func (e memoryEntry) same(o memoryEntry) bool {
	return e.head == o.head && slices.EqualFunc(e.pages, o.pages, func(a, b wal.Page) bool {
		return a.Number == b.Number && bytes.Equal(a.Data, b.Data)
	})
}

func (l *memoryLog) Head(ctx context.Context) (nearlite.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head(), ctx.Err()
}

func (l *memoryLog) head() nearlite.Head {
	if len(l.entries) == 0 {
		return nearlite.Head{}
	}
	return l.entries[len(l.entries)-1].head
}

func (l *memoryLog) Append(ctx context.Context, e *nearlite.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := l.head()
	entry, err := collect(e, head)
	switch n := uint64(len(l.entries)); {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", nearlite.ErrNotCommitted, ctx.Err())
	case err != nil:
		return fmt.Errorf("%w: %w", nearlite.ErrNotCommitted, err)
	case e.TXID == n && entry.same(l.entries[n-1]):
		return nil
	case e.TXID <= n:
		return &nearlite.FencedError{TXID: e.TXID, Who: "another writer"}
	case e.TXID > n+1, n > 0 && e.PageSize != head.PageSize:
		return fmt.Errorf("%w: the log ends with %d", nearlite.ErrNotCommitted, n)
	}
	l.entries = append(l.entries, entry)
	return nil
}

// collect copies an entry that makes sense.
func collect(e *nearlite.Entry, before nearlite.Head) (memoryEntry, error) {
	entry := memoryEntry{head: e.Head}
	last, fresh := uint32(0), uint32(0)
	err := e.Each(func(p wal.Page) error {
		if p.Number <= last || p.Number > e.Pages || len(p.Data) != e.PageSize {
			return fmt.Errorf("page %d", p.Number)
		}
		last = p.Number
		if p.Number > before.Pages {
			fresh++
		}
		entry.pages = append(entry.pages, wal.Page{Number: p.Number, Data: bytes.Clone(p.Data)})
		return nil
	})
	lock := 1<<30/uint32(e.PageSize) + 1
	if before.Pages < lock && e.Pages >= lock {
		fresh++
	}
	if err == nil && e.TXID == before.TXID+1 && e.Pages > before.Pages && fresh < e.Pages-before.Pages {
		err = fmt.Errorf("new pages are missing")
	}
	return entry, err
}

func (l *memoryLog) Read(ctx context.Context, after uint64, visit func(wal.Page) error) (nearlite.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := l.head()
	if err := ctx.Err(); err != nil || after > head.TXID {
		return nearlite.Head{}, cmp.Or(err, fmt.Errorf("the log ends with %d", head.TXID))
	}
	newest := map[uint32][]byte{}
	for _, e := range l.entries[after:] {
		for _, p := range e.pages {
			newest[p.Number] = p.Data
		}
	}
	for number := uint32(1); number <= head.Pages; number++ {
		if data, ok := newest[number]; ok {
			if err := visit(wal.Page{Number: number, Data: data}); err != nil {
				return nearlite.Head{}, err
			}
		}
	}
	return head, nil
}

func TestMemory(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) func() nearlite.Log {
		l := &memoryLog{}
		return func() nearlite.Log { return l }
	})
}
