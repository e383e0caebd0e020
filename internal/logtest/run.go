// Package logtest is the suite that every implementation of [nearlite.Log] passes.
package logtest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/pagemap"
	"github.com/nearlite/nearlite/wal"
)

// New makes an empty log, and returns what opens it: each call is another writer or
// reader of the same log, as another process would be. The log goes when the test
// ends, and whatever was opened is closed then.
type New func(t *testing.T) (open func() nearlite.Log)

// Run tests an implementation.
func Run(t *testing.T, logs New) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"empty":            testEmpty,
		"append and read":  testAppendRead,
		"order":            testOrder,
		"again":            testAgain,
		"race":             testRace,
		"fenced":           testFenced,
		"refused entry":    testRefused,
		"since":            testSince,
		"big":              testBig,
		"page sizes":       testPageSizes,
		"page for locks":   testLockPage,
		"context":          testContext,
		"visitor's error":  testVisitor,
		"many small":       testMany,
		"shrink and grow":  testShrink,
		"without pages":    testWithoutPages,
		"another database": testAnother,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &fixture{t: t, ctx: t.Context(), open: logs(t), another: func() func() nearlite.Log { return logs(t) }})
		})
	}
}

// fixture is an empty log.
type fixture struct {
	t       fataler
	ctx     context.Context
	open    func() nearlite.Log
	another func() (open func() nearlite.Log) // log
}

// fataler is what rapid's T and testing's have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// A database is what entries are made of, and applied to.
type database struct {
	head  nearlite.Head
	pages map[uint32][]byte
	rand  *rand.Rand
	dull  bool // most pages are the same, as a large database may be
}

func newDatabase(pageSize int, epoch uint32) *database {
	return &database{
		head:  nearlite.Head{PageSize: pageSize, Epoch: epoch},
		pages: map[uint32][]byte{},
		rand:  rand.New(rand.NewPCG(uint64(epoch), uint64(pageSize))),
	}
}

func (d *database) clone() *database {
	c := &database{head: d.head, pages: map[uint32][]byte{}, rand: rand.New(rand.NewPCG(d.rand.Uint64(), 1)), dull: d.dull}
	for number, data := range d.pages {
		c.pages[number] = data
	}
	return c
}

// lock is the page that is never stored.
func (d *database) lock() uint32 { return 1<<30/uint32(d.head.PageSize) + 1 }

// change sets the size, and returns an entry with the new pages and some others.
func (d *database) change(pages uint32, changed ...uint32) *nearlite.Entry {
	touched := map[uint32]bool{}
	for _, number := range changed {
		touched[number] = true
	}
	for number := d.head.Pages + 1; number <= pages; number++ {
		touched[number] = true
	}
	for number := pages + 1; number <= d.head.Pages; number++ {
		delete(d.pages, number)
	}
	d.head.Pages = pages
	var entry []wal.Page
	for number := uint32(1); number <= pages; number++ {
		if touched[number] && number != d.lock() {
			data := d.content()
			d.pages[number] = data
			entry = append(entry, wal.Page{Number: number, Data: data})
		}
	}
	d.head.TXID++
	d.head.Time = time.UnixMilli(1_700_000_000_000 + int64(d.head.TXID)*1000).UTC()
	start := d.head.WAL.Offset
	d.head.WAL = pagemap.Place{Salt1: 17, Salt2: d.head.Epoch, Offset: max(start, 32) + int64(len(entry)*(d.head.PageSize+24))}
	d.head.Sum = uint32(d.sum())
	e := nearlite.NewEntry(d.head, entry)
	e.Checksum, e.WALStart = d.sum(), start
	return e
}

// content is a page that compresses, but not too well.
func (d *database) content() []byte {
	if d.dull && len(d.pages) > 10 {
		return d.pages[1+d.rand.Uint32N(10)]
	}
	data := make([]byte, d.head.PageSize)
	for i := 0; i < len(data); i += 1 + d.rand.IntN(16) {
		data[i] = byte(d.rand.Uint32())
	}
	return data
}

func (d *database) sum() (sum uint64) {
	for number, data := range d.pages {
		sum ^= crc64iso.Page(number, data)
	}
	return sum
}

// apply is what a reader of the log does.
func (d *database) apply(head nearlite.Head, pages []wal.Page) {
	for _, p := range pages {
		d.pages[p.Number] = p.Data
	}
	for number := range d.pages {
		if number > head.Pages {
			delete(d.pages, number)
		}
	}
	d.head = head
}

// append appends, which has to succeed.
func (f *fixture) append(l nearlite.Log, e *nearlite.Entry) {
	f.t.Helper()
	if err := l.Append(f.ctx, e); err != nil {
		f.t.Fatalf("append entry %d: %v", e.TXID, err)
	}
}

// head expects the log to end as a database does.
func (f *fixture) head(l nearlite.Log, d *database) {
	f.t.Helper()
	head, err := l.Head(f.ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	if want := d.head; head != want {
		f.t.Fatalf("the head is %+v, not %+v", head, want)
	}
}

// read reads what came after an entry, in the order it has to come.
func (f *fixture) read(l nearlite.Log, after uint64) (nearlite.Head, []wal.Page) {
	f.t.Helper()
	var pages []wal.Page
	head, err := l.Read(f.ctx, after, func(p wal.Page) error {
		if n := len(pages); n > 0 && pages[n-1].Number >= p.Number {
			f.t.Errorf("page %d comes after page %d", p.Number, pages[n-1].Number)
		}
		pages = append(pages, wal.Page{Number: p.Number, Data: bytes.Clone(p.Data)})
		return nil
	})
	if err != nil {
		f.t.Fatalf("read after %d: %v", after, err)
	}
	return head, pages
}

// leads expects the log to lead from a state to another.
func (f *fixture) leads(l nearlite.Log, from, to *database) {
	f.t.Helper()
	head, pages := f.read(l, from.head.TXID)
	got := from.clone()
	got.apply(head, pages)
	if got.head != to.head {
		f.t.Fatalf("after entry %d: the head is %+v, not %+v", from.head.TXID, got.head, to.head)
	}
	if len(got.pages) != len(to.pages) {
		f.t.Fatalf("after entry %d: %d pages, not %d", from.head.TXID, len(got.pages), len(to.pages))
	}
	for number, data := range to.pages {
		if !bytes.Equal(got.pages[number], data) {
			f.t.Fatalf("after entry %d: page %d is another", from.head.TXID, number)
		}
	}
}

// refuses expects an error of an entry that is not in the log.
func (f *fixture) refuses(err error, fenced bool) {
	f.t.Helper()
	if !errors.Is(err, nearlite.ErrNotCommitted) || errors.Is(err, nearlite.ErrFenced) != fenced {
		f.t.Fatalf("the error is %v; fenced should be %v", err, fenced)
	}
}
