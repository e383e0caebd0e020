package logtest

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/wal"
)

// What a log gives back since any entry is what the entries after it come to.
func testSince(t *testing.T, f *fixture) {
	const pageSize = 512
	l := f.open()
	d := newDatabase(pageSize, 9)
	states := []*database{d.clone()}
	other := f.open()
	rapid.Check(t, func(r *rapid.T) {
		f := &fixture{t: r, ctx: f.ctx}
		for range rapid.IntRange(1, 5).Draw(r, "entries") {
			pages := rapid.Uint32Range(1, 40).Draw(r, "pages")
			changed := rapid.SliceOfN(rapid.Uint32Range(1, 40), 0, 10).Draw(r, "changed")
			if len(states) > 60 { // for speed: a log may be long
				break
			}
			f.append(l, d.change(pages, changed...))
			states = append(states, d.clone())
		}
		from := states[rapid.IntRange(0, len(states)-1).Draw(r, "after")]
		f.leads(l, from, d)
		f.leads(other, from, d)
		f.head(other, d)
	})
	for _, from := range states {
		f.leads(other, from, d)
	}
}

func testBig(t *testing.T, f *fixture) {
	pages := uint32(12_000) // 47 MB
	if testing.Short() {
		pages = 3000
	}
	l, d := f.open(), newDatabase(4096, 5)
	empty := d.clone()
	f.append(l, d.change(pages))
	first := d.clone()
	var every []uint32
	for number := uint32(1); number < pages; number += 3 {
		every = append(every, number)
	}
	f.append(l, d.change(pages, every...))
	f.append(l, d.change(pages/2, 1))
	f.head(l, d)
	f.leads(l, empty, d)
	f.leads(f.open(), first, d)
}

func testPageSizes(_ *testing.T, f *fixture) {
	for pageSize := 512; pageSize <= 65536; pageSize *= 2 {
		open := f.another()
		l, d := open(), newDatabase(pageSize, 2)
		empty := d.clone()
		f.append(l, d.change(5))
		f.append(l, d.change(7, 1, 3))
		f.append(l, d.change(4, 4))
		f.head(l, d)
		f.leads(l, empty, d)
		f.leads(open(), empty, d)
	}
}

// The page at one gigabyte is not stored, nor missed.
func testLockPage(t *testing.T, f *fixture) {
	if testing.Short() {
		t.Skip("a log of a gigabyte")
	}
	l, d := f.open(), newDatabase(65536, 6)
	d.dull = true
	lock := d.lock()
	f.append(l, d.change(lock-1))
	f.append(l, d.change(lock+3, 1))
	f.append(l, d.change(lock, 1)) // it may even be the last one
	f.append(l, d.change(lock+1, 2))
	var sum uint64
	var last uint32
	head, err := l.Read(f.ctx, 0, func(p wal.Page) error {
		if p.Number != last+1 && (last+1 != lock || p.Number != lock+1) {
			return fmt.Errorf("page %d comes after page %d", p.Number, last)
		}
		last = p.Number
		sum ^= crc64iso.Page(p.Number, p.Data)
		return nil
	})
	if err != nil || head != d.head || last != lock+1 || sum != d.sum() {
		t.Fatalf("%v: %+v, the last page is %d, the sum %x", err, head, last, sum)
	}
}

var errVisitor = errors.New("that was enough")

func testVisitor(t *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	f.append(l, d.change(20))
	n := 0
	_, err := l.Read(f.ctx, 0, func(wal.Page) error {
		if n++; n == 5 {
			return errVisitor
		}
		return nil
	})
	if !errors.Is(err, errVisitor) || n != 5 {
		t.Fatal(n, err)
	}
	if _, err := l.Read(f.ctx, 2, func(wal.Page) error { return nil }); err == nil {
		t.Fatal("a log of one entry was read after the second")
	}
}

func testMany(t *testing.T, f *fixture) {
	entries := 500
	if testing.Short() {
		entries = 100
	}
	l, d := f.open(), newDatabase(512, 4)
	empty := d.clone()
	for i := range uint32(entries) {
		f.append(l, d.change(10+i/10, 1+i%10))
	}
	f.head(f.open(), d)
	f.leads(l, empty, d)
}

func testShrink(_ *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	states := []*database{d.clone()}
	for _, pages := range []uint32{10, 3, 10, 1, 2, 30, 5, 5} {
		f.append(l, d.change(pages, 1))
		states = append(states, d.clone())
		for _, from := range states {
			f.leads(l, from, d)
		}
	}
}

// An entry may have no pages: the database has only become smaller, or its clock
// has gone on.
func testWithoutPages(_ *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	f.append(l, d.change(10))
	before := d.clone()
	f.append(l, d.change(8))
	f.leads(l, before, d)
	f.append(l, d.change(8))
	f.leads(l, before, d)
	f.head(f.open(), d)
}
