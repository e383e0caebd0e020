package pagemap

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
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
// Its methods are safe for concurrent use.
type Map struct {
	f *os.File

	mu      sync.RWMutex // protects the following
	head    Head
	seq     uint64   // of the header on the disk
	changes []uint64 // of page i+1; 0: not since the log began
	newest  []uint64 // the largest number in each block of changes
	dirty   []bool   // blocks of changes that differ from the file

	plan atomic.Pointer[plan] // of the last answer that was cut
}

// Head is where a map is: what Sync has put on the disk, or what Commit has come to.
type Head struct {
	Log    [16]byte // names the history; random, of the map's making
	Change uint64   // number of the last page that was written
	Pages  uint32   // size of the database
	Hash   uint64   // of the last commit, as Commit was given it: equal positions with other hashes are a rolled-back disk
	WAL    Place    // up to where the WAL is included
}

// Place is a place in a WAL: between two commits.
type Place struct {
	Salt1, Salt2 uint32
	Offset       int64 // bytes; 0: no WAL
}

const (
	magic       = "NLPGMAP1"
	headerSize  = 128
	headerSpace = 4096 // two headers, at 0 and at half of it
	blockPages  = 512  // numbers that are written at a time: 4 KiB
)

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

func (m *Map) load(pages uint32) error {
	info, err := m.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		rand.Read(m.head.Log[:]) // never fails
		m.resize(pages)
		return m.sync()
	}
	var both [headerSpace]byte
	if _, err := m.f.ReadAt(both[:], 0); err != nil && err != io.EOF {
		return err
	}
	for _, at := range []int{0, headerSpace / 2} {
		if head, seq, ok := decodeHeader(both[at : at+headerSize]); ok && seq > m.seq {
			m.head, m.seq = head, seq
		}
	}
	if m.seq == 0 {
		return ErrDamaged
	}
	m.resize(m.head.Pages)
	return m.read()
}

// read reads the numbers that the header covers.
func (m *Map) read() error {
	space := make([]byte, 8*blockPages)
	for block := range m.newest {
		raw := space
		n, err := m.f.ReadAt(raw, headerSpace+int64(block)*int64(len(raw)))
		if err != nil && err != io.EOF {
			return err
		}
		clear(raw[n:])
		for i := block * blockPages; i < min((block+1)*blockPages, len(m.changes)); i++ {
			c := binary.LittleEndian.Uint64(raw)
			raw = raw[8:]
			if c > m.head.Change {
				// Of a commit whose frames are in the WAL still, or lost with it. What
				// the page's number was before is gone: the latest is always safe.
				c, m.dirty[block] = m.head.Change, true
			}
			m.changes[i] = c
			m.newest[block] = max(m.newest[block], c)
		}
	}
	return nil
}

// resize makes room for a database of so many pages. Pages that are cut off and
// come back were written when they did, and have new numbers then.
func (m *Map) resize(pages uint32) {
	m.head.Pages = pages
	if n := int(pages) - len(m.changes); n > 0 {
		m.changes = append(m.changes, make([]uint64, n)...)
	}
	clear(m.changes[pages:])
	m.changes = m.changes[:pages]
	blocks := (int(pages) + blockPages - 1) / blockPages
	if n := blocks - len(m.newest); n > 0 {
		m.newest = append(m.newest, make([]uint64, n)...)
		m.dirty = append(m.dirty, make([]bool, n)...)
	}
	m.newest, m.dirty = m.newest[:blocks], m.dirty[:blocks]
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
func (m *Map) Commit(pages []uint32, size uint32, hash uint64, behind Place) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resize(max(size, m.head.Pages))
	for _, page := range pages {
		m.head.Change++
		if i := int(page) - 1; i >= 0 && i < len(m.changes) {
			m.changes[i] = m.head.Change
			m.newest[i/blockPages] = m.head.Change
			m.dirty[i/blockPages] = true
		}
	}
	m.resize(size)
	m.head.Hash, m.head.WAL = hash, behind
	return m.head.Change
}

// Sync puts the numbers on the disk. A checkpoint may let go of frames up to
// Head's place once it has returned.
func (m *Map) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.sync(); err != nil {
		return fmt.Errorf("sync the page map: %w", err)
	}
	return nil
}

func (m *Map) sync() error {
	raw := make([]byte, 0, 8*blockPages)
	for block, dirty := range m.dirty {
		if !dirty {
			continue
		}
		raw = raw[:0]
		for _, c := range m.changes[block*blockPages : min((block+1)*blockPages, len(m.changes))] {
			raw = binary.LittleEndian.AppendUint64(raw, c)
		}
		if _, err := m.f.WriteAt(raw, headerSpace+int64(block)*8*blockPages); err != nil {
			return err
		}
	}
	if err := m.f.Sync(); err != nil {
		return err
	}
	m.seq++
	if _, err := m.f.WriteAt(encodeHeader(m.head, m.seq), int64(m.seq%2)*headerSpace/2); err != nil {
		return err
	}
	if err := m.f.Sync(); err != nil {
		return err
	}
	clear(m.dirty)
	return nil
}

// Close closes the file. What Sync has not written is lost, and told again.
func (m *Map) Close() error { return m.f.Close() }

// encodeHeader returns
//
//	0   8   NLPGMAP1
//	8   8   sequence number: the larger one counts
//	16  16  log id
//	32  8   change number
//	40  8   hash of the last commit
//	48  8   offset in the WAL
//	56  8   the WAL's salts
//	64  4   pages of the database
//	124 4   CRC-32C of what is before, in little-endian order as all of it
func encodeHeader(h Head, seq uint64) []byte {
	b := append(make([]byte, 0, headerSize), magic...)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = append(b, h.Log[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.Change)
	b = binary.LittleEndian.AppendUint64(b, h.Hash)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.WAL.Offset))
	b = binary.LittleEndian.AppendUint32(b, h.WAL.Salt1)
	b = binary.LittleEndian.AppendUint32(b, h.WAL.Salt2)
	b = binary.LittleEndian.AppendUint32(b, h.Pages)
	b = b[:headerSize-4]
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func decodeHeader(b []byte) (h Head, seq uint64, ok bool) {
	if !bytes.HasPrefix(b, []byte(magic)) || crc32.Checksum(b[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headerSize-4:]) {
		return Head{}, 0, false
	}
	copy(h.Log[:], b[16:])
	h.Change = binary.LittleEndian.Uint64(b[32:])
	h.Hash = binary.LittleEndian.Uint64(b[40:])
	h.WAL.Offset = int64(binary.LittleEndian.Uint64(b[48:]))
	h.WAL.Salt1, h.WAL.Salt2 = binary.LittleEndian.Uint32(b[56:]), binary.LittleEndian.Uint32(b[60:])
	h.Pages = binary.LittleEndian.Uint32(b[64:])
	return h, binary.LittleEndian.Uint64(b[8:]), true
}
