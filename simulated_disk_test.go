package nearlite

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fileCall is a system call that changes a file, as it is about to be made.
type fileCall struct {
	op    callOp
	path  string // of the file; from where it is renamed
	to    string // to where
	inode uint64
	at    int64  // where a write goes; the size after a truncation
	data  []byte // that are written, or said

	modified time.Time // before the call
}

type callOp int

const (
	callWrite callOp = iota
	callTruncate
	callSync
	callCreate
	callRename
	callLink
	callUnlink
	callSay // to whoever has started the process
)

// A simDisk is what is on a disk when a process has made some calls, and what may
// be left of that when the power fails: what was synced, and of the rest of each file
// some sectors; of the names that were given, taken and changed since a directory or
// a new file was synced, the first ones.
type simDisk struct {
	root   string
	names  map[string]*simFile // as the process sees them
	safe   map[string]*simFile // names that are certainly on the disk
	ops    []func(map[string]*simFile)
	inodes map[uint64]*simFile
	said   []string // lines that the process has printed
}

type simFile struct {
	safe    []byte
	pending []simChange // since the last sync
	bound   bool        // its inode is known
	named   bool        // its name is certainly on the disk
	synced  time.Time   // when it was last modified before the last sync
}

// simChange is a write, or with nil bytes a truncation.
type simChange struct {
	at    int64
	bytes []byte
}

func newSimDisk(root string) *simDisk {
	return &simDisk{root: root, names: map[string]*simFile{}, safe: map[string]*simFile{}, inodes: map[uint64]*simFile{}}
}

// apply makes a call.
func (d *simDisk) apply(c fileCall) {
	switch c.op {
	case callSay:
		d.said = append(d.said, strings.Split(strings.TrimSuffix(string(c.data), "\n"), "\n")...)
	case callWrite:
		if f := d.file(c); f != nil {
			f.pending = append(f.pending, simChange{c.at, append([]byte{}, c.data...)})
		}
	case callTruncate:
		if f := d.file(c); f != nil {
			f.pending = append(f.pending, simChange{at: c.at})
		}
	case callSync:
		d.sync(c)
	case callCreate:
		f := &simFile{}
		d.name(func(m map[string]*simFile) { m[c.path] = f })
	case callRename:
		d.name(func(m map[string]*simFile) {
			if f := m[c.path]; f != nil {
				m[c.to] = f
				delete(m, c.path)
			}
		})
	case callLink:
		d.name(func(m map[string]*simFile) {
			if f := m[c.path]; f != nil {
				m[c.to] = f
			}
		})
	case callUnlink:
		d.name(func(m map[string]*simFile) { delete(m, c.path) })
	}
}

func (d *simDisk) name(op func(map[string]*simFile)) {
	op(d.names)
	d.ops = append(d.ops, op)
}

// file finds the one that a call is about. It is known by its name when it was made,
// and by its inode from the first call on.
func (d *simDisk) file(c fileCall) *simFile {
	if f := d.names[c.path]; f != nil && !f.bound {
		f.bound = true
		d.inodes[c.inode] = f
	}
	return d.inodes[c.inode]
}

// sync is of a file, and of its name if that is new, or of a directory.
func (d *simDisk) sync(c fileCall) {
	f := d.file(c)
	if f != nil {
		f.safe, f.pending, f.synced = f.all(), nil, c.modified
	}
	if f == nil || !f.named {
		d.safe, d.ops = maps.Clone(d.names), nil
		for _, f := range d.safe {
			f.named = true
		}
	}
}

// all is what the file holds.
func (f *simFile) all() []byte {
	data := bytes.Clone(f.safe)
	for _, ch := range f.pending {
		data = ch.apply(data)
	}
	return data
}

func (ch simChange) apply(data []byte) []byte {
	end := ch.at + int64(len(ch.bytes))
	if ch.bytes == nil {
		end = ch.at
		data = data[:min(int64(len(data)), end):min(int64(len(data)), end)]
	}
	if n := end - int64(len(data)); n > 0 {
		data = append(data, make([]byte, n)...)
	}
	copy(data[ch.at:], ch.bytes)
	return data
}

// left is what may be left of the file.
func (f *simFile) left(rng *rand.Rand) []byte {
	const sector = 512
	data := bytes.Clone(f.safe)
	keep := rng.Float64() // of the changes, so that all, some and none are likely
	for _, ch := range f.pending {
		if ch.bytes == nil {
			if rng.Float64() < keep {
				data = ch.apply(data)
			}
			continue
		}
		for at, rest := ch.at, ch.bytes; len(rest) > 0; {
			n := min(int64(len(rest)), sector-at%sector)
			if rng.Float64() < keep {
				data = simChange{at, rest[:n]}.apply(data)
			}
			at, rest = at+n, rest[n:]
		}
	}
	return data
}

// write puts into a directory what a killed process leaves or, with rng, what a
// power cut may.
func (d *simDisk) write(t testing.TB, dir string, rng *rand.Rand) {
	t.Helper()
	names := d.names
	if rng != nil {
		names = maps.Clone(d.safe)
		for _, op := range d.ops[:rng.IntN(len(d.ops)+1)] {
			op(names)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(names)) {
		f := names[path]
		data := f.all()
		if rng != nil {
			data = f.left(rng)
		}
		to := filepath.Join(dir, strings.TrimPrefix(path, d.root))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(to, data, 0o666)
		if err == nil && len(f.pending) == 0 {
			err = os.Chtimes(to, time.Time{}, f.synced)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A disk that nobody has cut the power of has everything; what was synced is never
// lost, and what was not may be.
func TestSimulatedDisk(t *testing.T) {
	t.Parallel()
	d := newSimDisk("/disk")
	write := func(path string, inode uint64, at int64, text string) {
		d.apply(fileCall{op: callWrite, path: path, inode: inode, at: at, data: []byte(text)})
	}
	d.apply(fileCall{op: callCreate, path: "/disk/a"})
	write("/disk/a", 1, 0, "one")
	d.apply(fileCall{op: callSync, path: "/disk/a", inode: 1})
	write("/disk/a", 1, 2, "two")
	d.apply(fileCall{op: callTruncate, path: "/disk/a", inode: 1, at: 4})
	d.apply(fileCall{op: callRename, path: "/disk/a", to: "/disk/b"})
	d.apply(fileCall{op: callCreate, path: "/disk/c"})
	write("/disk/c", 2, 1, "x")
	found := map[string]bool{}
	for seed := range uint64(200) {
		dir := t.TempDir()
		d.write(t, dir, rand.New(rand.NewPCG(seed, 1)))
		state := ""
		for _, name := range []string{"a", "b", "c"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				state += name + ":" + string(b) + " "
			}
		}
		found[state] = true
	}
	for state := range found {
		if !strings.HasPrefix(state, "a:on") && !strings.HasPrefix(state, "b:on") {
			t.Errorf("left: %q", state)
		}
	}
	for _, want := range []string{"a:one ", "a:ontwo ", "a:ontw ", "b:one ", "b:ontwo c: ", "b:ontw c:\x00x "} {
		if !found[want] {
			t.Errorf("never left: %q of %v", want, slices.Sorted(maps.Keys(found)))
		}
	}
	dir := t.TempDir()
	d.write(t, dir, nil)
	if b, err := os.ReadFile(filepath.Join(dir, "b")); err != nil || string(b) != "ontw" {
		t.Errorf("%q, %v", b, err)
	}
}
