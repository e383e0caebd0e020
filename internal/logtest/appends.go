package logtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/wal"
)

func testEmpty(_ *testing.T, f *fixture) {
	l := f.open()
	f.head(l, &database{})
	head, pages := f.read(l, 0)
	if head != (nearlite.Head{}) || len(pages) > 0 {
		f.t.Fatalf("an empty log has %+v and %d pages", head, len(pages))
	}
}

func testAppendRead(_ *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	empty := d.clone()
	for i := range uint32(20) {
		before := d.clone()
		f.append(l, d.change(3+i/2, 1, 1+i%3))
		f.head(l, d)
		f.leads(l, before, d)
	}
	f.leads(l, empty, d)
	other := f.open()
	f.head(other, d)
	f.leads(other, empty, d)
	f.leads(other, d, d)
}

// Entries are numbered without a gap.
func testOrder(_ *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	first, second, third := d.change(2), d.change(2, 1), d.change(2, 1)
	f.refuses(l.Append(f.ctx, second), false)
	f.refuses(f.open().Append(f.ctx, third), false)
	f.append(l, first)
	f.refuses(l.Append(f.ctx, third), false)
	f.append(l, second)
	f.append(l, third)
	f.head(l, d)
	f.leads(l, newDatabase(4096, 1), d)
}

// The very same entry may be appended again, by who does not know that it was.
func testAgain(_ *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	for range 3 {
		e := d.change(5, 2, 3)
		f.append(l, e)
		f.append(l, e)
		f.append(f.open(), e)
		f.head(l, d)
	}
}

// Of two writers that extend the same entry one wins, and the other knows.
func testRace(t *testing.T, f *fixture) {
	d := newDatabase(512, 1)
	logs := [2]nearlite.Log{f.open(), f.open()}
	f.append(logs[0], d.change(3))
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	for round := range rounds {
		var states [2]*database
		var errs [2]error
		var both sync.WaitGroup
		for i := range logs {
			states[i] = d.clone()
			states[i].head.Epoch = uint32(1000 + i)
			e := states[i].change(3, 2)
			both.Go(func() { errs[i] = logs[i].Append(f.ctx, e) })
		}
		both.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		if errs[winner] != nil {
			t.Fatalf("round %d: nobody won: %v, %v", round, errs[0], errs[1])
		}
		f.refuses(errs[1-winner], true)
		d = states[winner]
		f.head(logs[1-winner], d)
	}
	f.leads(f.open(), newDatabase(512, 1), d)
}

// The loser learns who has the log, whenever it comes.
func testFenced(t *testing.T, f *fixture) {
	slow, quick, d := f.open(), f.open(), newDatabase(4096, 1)
	f.append(slow, d.change(3))
	lost := d.clone()
	lost.head.Epoch = 77
	f.head(quick, d)
	for i := range 5 {
		f.append(quick, d.change(3, 1))
		late := lost.clone()
		err := slow.Append(f.ctx, late.change(3, 2))
		f.refuses(err, true)
		var fenced *nearlite.FencedError
		if !errors.As(err, &fenced) || fenced.TXID != lost.head.TXID+1 || strings.TrimSpace(fenced.Who) == "" {
			t.Fatalf("%d: %v", i, err)
		}
	}
	f.leads(slow, newDatabase(4096, 1), d)
}

// An entry that nobody could read is not in the log, and the next one can be.
func testRefused(_ *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	f.append(l, d.change(4))
	before := d.clone()
	bad := before.clone()
	head := bad.change(4, 1).Head
	for name, pages := range map[string][]wal.Page{
		"beyond the end": {{Number: 5, Data: d.content()}},
		"no number":      {{Number: 0, Data: d.content()}},
		"twice":          {{Number: 2, Data: d.content()}, {Number: 2, Data: d.content()}},
		"backwards":      {{Number: 2, Data: d.content()}, {Number: 1, Data: d.content()}},
		"short":          {{Number: 2, Data: d.content()[1:]}},
	} {
		if err := l.Append(f.ctx, nearlite.NewEntry(head, pages)); !errors.Is(err, nearlite.ErrNotCommitted) {
			f.t.Errorf("%s: %v", name, err)
		}
		f.head(l, before)
	}
	head.Pages = 9 // and five new pages are missing
	f.refuses(l.Append(f.ctx, nearlite.NewEntry(head, []wal.Page{{Number: 9, Data: d.content()}})), false)
	f.append(l, d.change(5, 3))
	f.head(l, d)
	f.leads(l, before, d)
}

// A context that has ended is one of the three outcomes, and the log stays whole.
func testContext(t *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	f.append(l, d.change(4))
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	if _, err := l.Head(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("head: %v", err)
	}
	if _, err := l.Read(ctx, 0, func(wal.Page) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	next := d.clone()
	e := next.change(4, 1)
	switch err := l.Append(ctx, e); {
	case errors.Is(err, nearlite.ErrNotCommitted):
		f.head(l, d)
	case err == nil:
		f.head(l, next)
	}
	f.append(l, e)
	f.head(l, next)
}

// Page sizes do not change within a log, nor does a log take another database's
// entries.
func testAnother(_ *testing.T, f *fixture) {
	l, d := f.open(), newDatabase(4096, 1)
	f.append(l, d.change(4))
	f.append(l, d.change(4, 1))
	other := newDatabase(8192, 2)
	other.change(2)
	other.change(2)
	f.refuses(l.Append(f.ctx, other.change(2, 1)), false)
	stranger := newDatabase(4096, 3)
	f.refuses(l.Append(f.ctx, stranger.change(4)), true)
	f.head(l, d)
}
