package pagemap

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func open(t testing.TB, path string, pages uint32) *Map {
	t.Helper()
	m, err := Open(path, pages)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// follower is a copy that is brought up to date in parts: the version of each page.
type follower struct {
	pages  map[uint32]int
	number uint64
}

// catchUp takes parts until there are no more; between says what the primary does
// meanwhile.
func (f *follower) catchUp(m *Map, primary map[uint32]int, most int, between func()) Head {
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

// step is a commit that happens before the WAL begins again.
type step struct {
	pages []uint32
	size  uint32
	hash  uint64
	place Place
}

// Against a model with crashes: at any moment the process dies, and the machine
// with it, so that of what was not synced any part may be in the file; the WAL has
// the commits since the last checkpoint, or, if they were not durable, fewer. What
// followers are given brings each up to the primary, and the log id never changes.
func TestModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, string(rune('a'+n%26))+"map")
		os.Remove(path)
		m, err := Open(path, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { m.Close() }()
		log := m.Head().Log
		size, version := uint32(3), 0
		primary := map[uint32]int{1: 0, 2: 0, 3: 0}
		followers := []*follower{{pages: maps.Clone(primary)}, {pages: maps.Clone(primary)}}
		var wal []step
		offset := int64(0)
		commit := func() {
			version++
			pages := rapid.SliceOfN(rapid.Uint32Range(1, size+2), 1, 4).Draw(t, "pages")
			size = max(size, slices.Max(pages))
			if rapid.IntRange(0, 5).Draw(t, "shrink") == 0 {
				size = max(1, size-1)
			}
			for _, p := range pages {
				primary[p] = version
			}
			maps.DeleteFunc(primary, func(p uint32, _ int) bool { return p > size })
			offset += 100
			s := step{pages, size, rand.Uint64(), Place{1, 2, offset}}
			wal = append(wal, s)
			m.Commit(s.pages, s.size, s.hash, s.place)
		}
		check := func(f *follower, between func()) {
			head := f.catchUp(m, primary, rapid.IntRange(1, 5).Draw(t, "most"), between)
			maps.DeleteFunc(f.pages, func(p uint32, _ int) bool { return p > head.Pages })
			for p, v := range primary {
				if f.pages[p] != v {
					t.Fatalf("page %d of the follower is of version %d, want %d", p, f.pages[p], v)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(*rapid.T) { commit() },
			"checkpoint": func(t *rapid.T) {
				if err := m.Sync(); err != nil {
					t.Fatal(err)
				}
				wal = nil
			},
			"follow": func(t *rapid.T) {
				i := rapid.IntRange(0, len(followers)-1).Draw(t, "follower")
				busy := rapid.IntRange(0, 3).Draw(t, "meanwhile")
				check(followers[i], func() {
					if busy > 0 {
						busy--
						commit()
					}
				})
			},
			"crash": func(t *rapid.T) {
				before, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if rapid.Bool().Draw(t, "in the middle of a sync") {
					m.mu.Lock()
					_ = m.sync()
					m.mu.Unlock()
				}
				after, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				m.Close()
				// The header is written last: when it is new, all is. Else any part is.
				disk := slices.Clone(after)
				headers := min(len(before), headerSpace)
				if rapid.Bool().Draw(t, "header lost") {
					copy(disk, before[:headers])
					for i := headerSpace; i+8 <= len(before) && i+8 <= len(disk); i += 8 {
						if rapid.Bool().Draw(t, "number lost") {
							copy(disk[i:i+8], before[i:i+8])
						}
					}
				}
				if err := os.WriteFile(path, disk, 0o600); err != nil {
					t.Fatal(err)
				}
				if m, err = Open(path, 999); err != nil {
					t.Fatal(err)
				}
				if m.Head().Log != log {
					t.Fatal("the log id has changed")
				}
				for _, s := range wal {
					if s.place.Offset > m.Head().WAL.Offset {
						m.Commit(s.pages, s.size, s.hash, s.place)
					}
				}
			},
			"": func(t *rapid.T) {
				if got := m.Head(); got.Pages != size {
					t.Fatalf("a database of %d pages, want %d", got.Pages, size)
				}
			},
		})
		for _, f := range followers {
			check(f, func() {})
		}
	})
}

// The numbers of a WAL told again are the numbers it had.
func TestNumbersComeBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "map")
	m := open(t, path, 10)
	steps := []step{{[]uint32{1, 5}, 10, 11, Place{1, 2, 100}}, {[]uint32{7, 1}, 12, 12, Place{1, 2, 200}}, {[]uint32{12}, 12, 13, Place{1, 2, 300}}}
	for i, s := range steps {
		m.Commit(s.pages, s.size, s.hash, s.place)
		if i == 0 {
			if err := m.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, head, _ := m.Since(0, 100)
	m.Close()
	m = open(t, path, 0)
	for _, s := range steps[1:] {
		m.Commit(s.pages, s.size, s.hash, s.place)
	}
	got, again, done := m.Since(0, 100)
	if !slices.Equal(got, want) || again != head || !done {
		t.Errorf("after telling again %v, %v, want %v, %v", got, again, want, head)
	}
	if m.Head().Hash != 13 || m.Head().WAL != steps[2].place {
		t.Errorf("head %+v", m.Head())
	}
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "map")
	m := open(t, path, 1000)
	m.Commit([]uint32{3}, 1000, 1, Place{})
	if err := m.Sync(); err != nil {
		t.Fatal(err)
	}
	log := m.Head().Log
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one := slices.Clone(whole)
	one[20] ^= 1
	write(one)
	if m := open(t, path, 0); m.Head().Log != log {
		t.Error("one good header is enough")
	}
	one[headerSpace/2+20] ^= 1
	write(one)
	if _, err := Open(path, 0); !errors.Is(err, ErrDamaged) {
		t.Errorf("without a good header: %v", err)
	}
	write(whole[:headerSpace+10])
	if m := open(t, path, 0); m.Head().Pages != 1000 {
		t.Errorf("cut short: %+v", m.Head())
	}
}

func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "map")
	m, err := Open(path, 700)
	if err != nil {
		f.Fatal(err)
	}
	m.Commit([]uint32{3, 699}, 700, 1, Place{1, 2, 3})
	if err := m.Sync(); err != nil {
		f.Fatal(err)
	}
	m.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		path := filepath.Join(t.TempDir(), "map")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(path, 1)
		if err != nil {
			return
		}
		defer m.Close()
		changes, head, _ := m.Since(0, 1<<20)
		for _, c := range changes {
			if c.Number > head.Change || c.Page > head.Pages {
				t.Fatalf("%v is beyond %v", c, head)
			}
		}
	})
}

func BenchmarkCommit(b *testing.B) {
	m := open(b, filepath.Join(b.TempDir(), "map"), 1<<20)
	pages := make([]uint32, 10)
	for b.Loop() {
		for i := range pages {
			pages[i] = 1 + rand.Uint32N(1<<20)
		}
		m.Commit(pages, 1<<20, 0, Place{})
	}
}

func BenchmarkSince(b *testing.B) {
	m := open(b, filepath.Join(b.TempDir(), "map"), 25<<20) // 100 GB
	all := make([]uint32, 25<<20)
	for i := range all {
		all[i] = uint32(i + 1)
	}
	m.Commit(all, 25<<20, 0, Place{})
	from := m.Head().Change
	for range 100 {
		m.Commit([]uint32{1 + rand.Uint32N(25<<20)}, 25<<20, 0, Place{})
	}
	for b.Loop() {
		if c, _, done := m.Since(from, 1000); len(c) < 90 || !done {
			b.Fatal(len(c))
		}
	}
}
