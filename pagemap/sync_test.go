package pagemap

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
)

// busy is a disk beside which things happen.
type busy struct {
	*disk
	meanwhile func()
}

func (b *busy) WriteAt(p []byte, at int64) (int, error) {
	if f := b.meanwhile; f != nil {
		b.meanwhile = nil
		f()
	}
	return b.disk.WriteAt(p, at)
}

func counted(n int) []uint32 {
	pages := make([]uint32, n)
	for i := range pages {
		pages[i] = uint32(i + 1)
	}
	return pages
}

// The database becomes smaller while its numbers are written, and the machine dies
// without the commit that did it: whatever header is found, all numbers it covers
// are there.
func TestShrinkDuringSync(t *testing.T) {
	t.Parallel()
	const size = 2 * writeMost * blockPages // more than one write
	b := &busy{disk: &disk{left: -1}}
	m := &Map{f: b}
	if err := m.load(size); err != nil {
		t.Fatal(err)
	}
	m.Commit(counted(size), size, 1, Place{1, 1, 100})
	b.meanwhile = func() { m.Commit([]uint32{1}, 100, 2, Place{1, 1, 200}) }
	if err := m.Sync(); err != nil {
		t.Fatal(err)
	}
	m = &Map{f: b.disk}
	if err := m.load(0); err != nil {
		t.Fatal(err)
	}
	if pages, head := m.Changed(0); len(pages) != int(head.Pages) {
		t.Errorf("%d changed pages of %d under %+v", len(pages), head.Pages, head)
	}
}

// A failed Sync is made good by the next.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	for left := range 4 {
		d := &disk{left: -1}
		m := &Map{f: d}
		if err := m.load(2000); err != nil {
			t.Fatal(err)
		}
		m.Commit(counted(2000), 2000, 1, Place{1, 1, 100})
		d.left = left
		if err := m.Sync(); !errors.Is(err, errDied) {
			t.Fatalf("%d operations, and then %v", left, err)
		}
		d.left, d.pending = -1, nil
		if err := m.Sync(); err != nil {
			t.Fatal(err)
		}
		want := m.Head()
		m = &Map{f: &disk{safe: d.safe, left: -1}}
		if err := m.load(0); err != nil {
			t.Fatal(err)
		}
		if pages, head := m.Changed(0); head != want || len(pages) != 2000 {
			t.Errorf("%d pages under %+v, want %+v", len(pages), head, want)
		}
	}
}

// Commits, answers and syncs at the same time.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "map")
	m := open(t, path, 3000)
	var others sync.WaitGroup
	done := make(chan struct{})
	for _, do := range []func() error{
		m.Sync,
		func() error { return m.Announce(5, 6) },
		func() error { m.Changed(m.Head().Change / 2); return nil },
		func() error { m.Since(m.Head().Change/2, 10); return nil },
	} {
		others.Go(func() {
			for {
				if err := do(); err != nil {
					t.Error(err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 2000 {
		size := uint32(3000 - i%7*400)
		m.Commit([]uint32{uint32(i)%size + 1, size}, size, uint64(i), Place{1, 1, int64(i)})
		m.SetEntry(Entry{TXID: uint64(i)})
	}
	close(done)
	others.Wait()
	if err := m.Sync(); err != nil {
		t.Fatal(err)
	}
	want, head := m.Changed(0)
	again := open(t, path, 0)
	if got, h := again.Changed(0); len(got) != len(want) || h != head {
		t.Errorf("%d pages under %+v, want %d under %+v", len(got), h, len(want), head)
	}
}

// Pages that nobody listed count as changed when the database has grown by them.
func TestGrowthUnlisted(t *testing.T) {
	t.Parallel()
	m := open(t, filepath.Join(t.TempDir(), "map"), 10)
	first := m.Commit(nil, 10, 0, Place{})
	second := m.Commit(nil, 1000, 0, Place{})
	third := m.Commit([]uint32{1003, 2}, 1003, 0, Place{})
	if first != 0 || second != 1 || third != 3 {
		t.Errorf("change numbers %d, %d, %d", first, second, third)
	}
	if pages, _ := m.Changed(first); len(pages) != 994 || pages[0] != 2 || pages[1] != 11 {
		t.Errorf("%d pages: %v", len(pages), pages)
	}
	if pages, _ := m.Changed(second); len(pages) != 4 {
		t.Errorf("%v", pages)
	}
}
