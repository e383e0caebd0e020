package pagemap

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// disk is a file that can lose, at any moment, any part of what was not synced.
type disk struct {
	safe    []byte
	pending []write
	left    int // operations until the machine dies; negative: it does not
}

type write struct {
	at   int64
	data []byte
}

var errDied = errors.New("the machine has died")

func (d *disk) dies() bool {
	if d.left == 0 {
		return true
	}
	d.left--
	return false
}

func (d *disk) ReadAt(p []byte, at int64) (int, error) {
	now := d.image(func() bool { return true })
	if at >= int64(len(now)) {
		return 0, io.EOF
	}
	n := copy(p, now[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt is cut where the sectors of a disk are, which are written whole or not.
// That is finer than what a disk does to the numbers, which never lie across two.
func (d *disk) WriteAt(p []byte, at int64) (int, error) {
	died := d.dies() // the write is on its way all the same
	const sector = 64
	for rest := p; len(rest) > 0; {
		n := min(sector, len(rest))
		d.pending = append(d.pending, write{at, slices.Clone(rest[:n])})
		rest, at = rest[n:], at+int64(n)
	}
	if died {
		return 0, errDied
	}
	return len(p), nil
}

func (d *disk) Sync() error {
	if d.dies() {
		return errDied
	}
	d.safe, d.pending = d.image(func() bool { return true }), nil
	return nil
}

func (d *disk) Close() error { return nil }

// image is what the file holds when some of what was not synced is lost.
func (d *disk) image(keep func() bool) []byte {
	data := slices.Clone(d.safe)
	for _, w := range d.pending {
		if !keep() {
			continue
		}
		if end := int(w.at) + len(w.data); end > len(data) {
			data = append(data, make([]byte, end-len(data))...)
		}
		copy(data[w.at:], w.data)
	}
	return data
}

// follower is a copy that is brought up to date in parts: the version of each page.
type follower struct {
	log    [16]byte
	pages  map[uint32]int
	number uint64
}

// catchUp takes parts until there are no more; between says what the primary does
// meanwhile.
func (f *follower) catchUp(m *Map, primary map[uint32]int, most int, between func()) Head {
	if log := m.Head().Log; f.log != log {
		*f = follower{log: log, pages: map[uint32]int{}}
	}
	for {
		changes, head, done := m.Since(f.number, most)
		for _, c := range changes {
			f.pages[c.Page] = primary[c.Page]
			f.number = c.Number
		}
		if done && f.number >= m.Head().Change {
			return head
		}
		if done {
			f.number = head.Change
		}
		between()
	}
}

// engine is what a map is for: a database with a WAL, a log, and a power switch.
type engine struct {
	*rapid.T
	disk    *disk
	m       *Map
	size    uint32
	version int
	primary map[uint32]int
	wal     []step    // commits since it began again
	run     [2]uint32 // its salts
	offset  int64
	clean   bool // nothing has happened since SetClean
}

func newEngine(t *rapid.T) *engine {
	e := &engine{T: t, disk: &disk{left: -1}, size: 3, primary: map[uint32]int{1: 0, 2: 0, 3: 0}, run: [2]uint32{1, 1}}
	e.m = &Map{f: e.disk}
	if err := e.m.load(e.size); err != nil {
		t.Fatal(err)
	}
	e.must(e.m.Announce(1, 1))
	return e
}

func (e *engine) must(err error) {
	if err != nil {
		e.Fatal(err)
	}
}

func (e *engine) commit() {
	e.version++
	pages := rapid.SliceOfN(rapid.Uint32Range(1, e.size+2), 1, 4).Draw(e.T, "pages")
	if rapid.IntRange(0, 9).Draw(e.T, "many") == 0 {
		for i := range uint32(700) { // more than a block
			pages = append(pages, e.size+i+1)
		}
	}
	e.size = max(e.size, slices.Max(pages))
	if rapid.IntRange(0, 5).Draw(e.T, "shrink") == 0 {
		e.size = max(1, e.size-rapid.Uint32Range(1, 800).Draw(e.T, "by")%e.size)
	}
	for _, p := range pages {
		e.primary[p] = e.version
	}
	maps.DeleteFunc(e.primary, func(p uint32, _ int) bool { return p > e.size })
	e.offset += 100
	s := step{pages, e.size, rand.Uint64(), Place{e.run[0], e.run[1], e.offset}}
	e.wal = append(e.wal, s)
	e.m.Commit(s.pages, s.size, s.hash, s.place)
	if rapid.Bool().Draw(e.T, "logged") {
		e.m.SetEntry(Entry{9, uint64(e.version), e.m.Head().Change, uint64(e.version) * 3})
	}
	e.clean = false
}

// again begins the WAL again, which a checkpoint of all of it has made possible.
func (e *engine) again() {
	e.must(e.m.Sync())
	next := [2]uint32{e.run[0] + 1, rapid.Uint32().Draw(e.T, "salt")}
	e.must(e.m.Announce(next[0], next[1]))
	e.run, e.offset, e.wal = next, 0, nil
}

// crash makes the machine die in the middle of something that writes the map.
func (e *engine) crash() {
	what := rapid.SampledFrom([]string{"sync", "announce", "clean", "reset", "nothing"}).Draw(e.T, "what")
	if what == "announce" { // only a WAL that was copied wholly begins again
		e.must(e.m.Sync())
	}
	before := e.m.disk
	e.disk.left = rapid.IntRange(0, 8).Draw(e.T, "operations")
	attempted := before
	stamp := Stamp{4096, int64(e.version)}
	switch what {
	case "sync":
		_ = e.m.Sync()
		attempted = e.m.Head()
	case "announce": // of a run that never has a frame
		next := [2]uint32{77, rapid.Uint32().Draw(e.T, "salt")}
		_ = e.m.Announce(next[0], next[1])
		attempted.Next = next
	case "clean":
		_ = e.m.SetClean(stamp)
		attempted = e.m.Head()
	case "reset":
		e.m.Reset()
		_ = e.m.Sync()
		attempted = e.m.Head()
	}
	done := e.disk.left > 0
	keep := rapid.IntRange(0, 4).Draw(e.T, "survives")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(e.T, "seed"), 1))
	e.disk = &disk{safe: e.disk.image(func() bool { return rng.IntN(5) < keep }), left: -1}
	e.reopen()
	head := e.m.Head()
	if head != attempted && (done || head != before) {
		e.Fatalf("died in %s: the map is at %+v, before %+v, attempted %+v", what, head, before, attempted)
	}
	e.retell()
	e.clean = e.m.Head().Clean != Stamp{}
}

func (e *engine) reopen() {
	e.m = &Map{f: e.disk}
	e.must(e.m.load(999))
}

// retell tells the map again what the WAL has.
func (e *engine) retell() {
	head := e.m.Head()
	from := int64(0)
	switch e.run {
	case [2]uint32{head.WAL.Salt1, head.WAL.Salt2}:
		from = head.WAL.Offset
	case head.Next:
	default: // another run was announced before this one had a commit
		if len(e.wal) > 0 {
			e.Fatalf("nobody knows the run %v: %+v", e.run, head)
		}
	}
	for _, s := range e.wal {
		if s.place.Offset > from {
			e.m.Commit(s.pages, s.size, s.hash, s.place)
		}
	}
	if e.run != [2]uint32{e.m.Head().WAL.Salt1, e.m.Head().WAL.Salt2} {
		e.must(e.m.Announce(e.run[0], e.run[1]))
	}
}

func (e *engine) check(f *follower, between func()) {
	head := f.catchUp(e.m, e.primary, rapid.IntRange(1, 5).Draw(e.T, "most"), between)
	maps.DeleteFunc(f.pages, func(p uint32, _ int) bool { return p > head.Pages })
	for p, v := range e.primary {
		if got, ok := f.pages[p]; got != v || !ok {
			e.Fatalf("page %d of the follower is of version %d, want %d", p, got, v)
		}
	}
}

// checkChanged compares Changed with Since.
func (e *engine) checkChanged() {
	after := rapid.Uint64Range(0, e.m.Head().Change).Draw(e.T, "after")
	e.m.plan.Store(nil) // Since leaves out what has changed behind its back
	got, head := e.m.Changed(after)
	changes, want, _ := e.m.Since(after, 1<<30)
	var pages []uint32
	for _, c := range changes {
		pages = append(pages, c.Page)
	}
	slices.Sort(pages)
	if !slices.Equal(got, pages) || head != e.m.Head() || want.Log != head.Log {
		e.Fatalf("changed after %d: %v, want %v", after, got, pages)
	}
}

// Against a model with crashes: at any moment the machine dies, so that of what was
// not synced any part may be in the file; the WAL has the commits since it began.
// What followers are given brings each up to the primary, the map is always at the
// header before or the one that was being written, and the WAL is never one that it
// does not know.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := newEngine(t)
		log := e.m.Head().Log
		followers := []*follower{{log: log, pages: maps.Clone(e.primary)}, {log: log, pages: maps.Clone(e.primary)}}
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(*rapid.T) { e.commit() },
			"sync":   func(*rapid.T) { e.must(e.m.Sync()) },
			"again":  func(*rapid.T) { e.again() },
			"crash":  func(*rapid.T) { e.crash() },
			"reset":  func(*rapid.T) { e.m.Reset(); e.must(e.m.Sync()); e.clean = false },
			"close": func(*rapid.T) {
				e.must(e.m.SetClean(Stamp{4096, int64(e.version)}))
				e.clean = true
				before := e.m.Head()
				e.reopen()
				if e.m.Head() != before {
					t.Fatalf("opened at %+v, closed at %+v", e.m.Head(), before)
				}
			},
			"follow": func(t *rapid.T) {
				i := rapid.IntRange(0, len(followers)-1).Draw(t, "follower")
				busy := rapid.IntRange(0, 3).Draw(t, "meanwhile")
				e.check(followers[i], func() {
					if busy > 0 {
						busy--
						e.commit()
					}
				})
			},
			"changed": func(*rapid.T) { e.checkChanged() },
			"": func(t *rapid.T) {
				head := e.m.Head()
				if head.Pages != e.size {
					t.Fatalf("a database of %d pages, want %d", head.Pages, e.size)
				}
				if e.clean != (head.Clean != Stamp{}) {
					t.Fatalf("clean %v: %+v", e.clean, head.Clean)
				}
			},
		})
		for _, f := range followers {
			e.check(f, func() {})
		}
	})
}
