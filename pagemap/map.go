package pagemap

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// A Map has the change number of every page of one database, in memory and in a
// file of its own.
//
// The two meet at a checkpoint. Until then the frames of the newest commits are in
// the WAL, and their numbers in memory alone: they follow from the order of the
// frames. [Map.Sync] writes the numbers out BEFORE a checkpoint lets go of frames,
// and with them the place in the WAL they include. After a crash the commits behind
// that place are told again with [Map.Commit], in their order, and get the numbers
// they had. So:
//
//   - a number on the disk that the header does not cover is worth nothing: the
//     commit it was for is told again, or is lost with its frames;
//   - the header is written when the numbers are on the disk, and there are two of
//     it, used in turns, so that one is always whole.
//
// When the WAL begins again its salts are others, and who reads it after a crash has
// to know that nothing is missing in between: [Map.Announce] puts the new salts into
// the header BEFORE the new run has a frame. A WAL whose salts the header does not
// have was written by somebody who did not tell; continuity is lost, and
// [Map.Reset] says so to followers.
//
// Its methods are safe for concurrent use, and Commit does not wait for the disk.
type Map struct {
	f file

	io   sync.Mutex // held while the file is written; protects the following
	disk Head       // as in the file
	seq  uint64     // of the header in the file

	mu     sync.RWMutex // protects the following; locked within io
	head   Head
	blocks []block
	cuts   int // how often the database became smaller

	plan atomic.Pointer[plan] // of the last answer that was cut
}

// A block is what is written at a time: the numbers of blockPages pages.
type block struct {
	changes *[blockPages]uint64 // of each page; 0: not since the log began
	newest  uint64              // the largest of them, or larger
	dirty   bool                // it differs from the file
}

// Head is where a map is: what Sync has put on the disk, or what Commit has come to.
type Head struct {
	Log    [16]byte // names the history; random, of the map's making
	Change uint64   // number of the last page that was written
	Pages  uint32   // size of the database
	Hash   uint64   // of the last commit, as Commit was given it: equal positions with other hashes are a rolled-back disk
	WAL    Place    // up to where the WAL is included

	Entry Entry     // the last entry of the engine's log that the database is known to hold
	Next  [2]uint32 // salts that were announced for the run of the WAL behind the one in WAL; zeros: none
	Clean Stamp     // of the database file when it was closed cleanly; zero: it was not, or is open
}

// Place is a place in a WAL: between two commits.
type Place struct {
	Salt1, Salt2 uint32
	Offset       int64 // bytes; 0: no WAL
}

// Entry names an entry of the engine's log.
type Entry struct {
	Epoch  uint32 // of the writer
	TXID   uint64 // 0: none
	Change uint64 // the change number it includes
	Sum    uint64 // of all pages after it
}

// Stamp tells whether a file was touched.
type Stamp struct {
	Size    int64 // bytes
	ModTime int64 // nanoseconds since 1970
}

const blockPages = 512 // 4 KiB of numbers

// ErrDamaged is returned for a file that is no map, or whose headers are both
// damaged: what followers lack is not known any more. Delete it, and they begin
// anew under another log id.
var ErrDamaged = errors.New("the page map is damaged")

// Open opens the map in a file, or makes it, with a new log id, for a database of
// so many pages that all count as unchanged.
func Open(path string, pages uint32) (*Map, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the page map: %w", err)
	}
	m := &Map{f: f}
	if err := m.load(pages); err != nil {
		f.Close()
		return nil, fmt.Errorf("open the page map %s: %w", path, err)
	}
	return m, nil
}

// file is what a map needs of an [os.File]; tests have others.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
}

func (m *Map) load(pages uint32) error {
	var both [headerSpace]byte
	n, err := m.f.ReadAt(both[:], 0)
	if err != nil && err != io.EOF {
		return err
	}
	if n == 0 {
		rand.Read(m.head.Log[:]) // never fails
		m.resize(pages)
		return m.sync()
	}
	for _, at := range []int{0, headerSpace / 2} {
		if head, seq, ok := decodeHeader(both[at : at+headerSize]); ok && seq > m.seq {
			m.disk, m.seq = head, seq
		}
	}
	if m.seq == 0 {
		return ErrDamaged
	}
	m.head = m.disk
	m.resize(m.head.Pages)
	return m.read()
}

// read reads the numbers that the header covers.
func (m *Map) read() error {
	space := make([]byte, 8*blockPages)
	for at := range m.blocks {
		n, err := m.f.ReadAt(space, numbersAt(at))
		if err != nil && err != io.EOF {
			return err
		}
		clear(space[n:])
		b := &m.blocks[at]
		for i := range b.changes[:m.within(at)] {
			c := binary.LittleEndian.Uint64(space[8*i:])
			if c > m.head.Change {
				// Of a commit whose frames are in the WAL still, or lost with it. What
				// the page's number was before is gone: the latest is always safe.
				c, b.dirty = m.head.Change, true
			}
			b.changes[i] = c
			b.newest = max(b.newest, c)
		}
	}
	return nil
}

// numbersAt returns where in the file a block is.
func numbersAt(block int) int64 { return headerSpace + int64(block)*8*blockPages }

// within returns how many pages of the database a block has.
func (m *Map) within(block int) int { return min(blockPages, int(m.head.Pages)-block*blockPages) }

// resize makes room for a database of so many pages. Those that are new, or were
// cut off before, have the number 0.
func (m *Map) resize(pages uint32) {
	m.head.Pages = pages
	need := (int(pages) + blockPages - 1) / blockPages
	if n := need - len(m.blocks); n > 0 {
		space := make([][blockPages]uint64, n)
		for i := range space {
			m.blocks = append(m.blocks, block{changes: &space[i]})
		}
		return
	}
	m.cuts++
	clear(m.blocks[need:])
	m.blocks = m.blocks[:need]
	if need > 0 {
		clear(m.blocks[need-1].changes[m.within(need-1):])
	}
}

// Head returns where the map is.
func (m *Map) Head() Head {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.head
}

// Commit takes in the pages that one commit wrote, in the order of its frames, the
// size of the database after it, a hash of it, and the place behind it. It returns
// the commit's number. Call it inside the barrier once the commit is certain, and,
// after Open, for each commit that the WAL has behind Head's place.
//
// Pages by which the database grows count as changed, whether they are listed or
// not. (The page that SQLite never uses, at 1 GiB, is such a page.)
func (m *Map) Commit(pages []uint32, size uint32, hash uint64, behind Place) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.head.Pages
	if size != before {
		m.resize(size)
	}
	change := m.head.Change
	for _, page := range pages {
		change++
		if i := page - 1; i < size { // there is no page 0
			b := &m.blocks[i/blockPages]
			b.changes[i%blockPages], b.newest, b.dirty = change, change, true
		}
	}
	m.head.Change = change
	if size > before {
		m.fill(before, len(pages) == 0)
	}
	m.head.Hash, m.head.WAL, m.head.Clean = hash, behind, Stamp{}
	if m.head.Next == [2]uint32{behind.Salt1, behind.Salt2} {
		m.head.Next = [2]uint32{}
	}
	return m.head.Change
}

// fill gives the pages from an old size on that have no number the last one, or, if
// nobody was given that by this commit, a new one.
func (m *Map) fill(from uint32, anew bool) {
	for i := from; i < m.head.Pages; i++ {
		b := &m.blocks[i/blockPages]
		if b.changes[i%blockPages] != 0 {
			continue
		}
		if anew {
			m.head.Change++
			anew = false
		}
		b.changes[i%blockPages], b.newest, b.dirty = m.head.Change, m.head.Change, true
	}
}

// SetEntry remembers which entry of the engine's log the database holds. It is on
// the disk with the next Sync.
func (m *Map) SetEntry(e Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head.Entry = e
}

// Close closes the file. What Sync has not written is lost, and told again.
func (m *Map) Close() error {
	m.io.Lock()
	defer m.io.Unlock()
	return m.f.Close()
}
