package pagemap

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"
)

// Sync puts the numbers on the disk. A checkpoint may let go of frames up to where
// Head's place was when it was called, once it has returned.
func (m *Map) Sync() error {
	m.io.Lock()
	defer m.io.Unlock()
	if err := m.sync(); err != nil {
		return fmt.Errorf("sync the page map: %w", err)
	}
	return nil
}

// SetClean is a Sync with a stamp of the database's file, which holds all there is:
// there is no WAL. A later Commit takes that back, in memory, and the next Sync on the
// disk: whoever finds the stamp on the disk, and the file as the stamp says, still has
// to look for a WAL.
func (m *Map) SetClean(s Stamp) error {
	m.io.Lock()
	defer m.io.Unlock()
	m.mu.Lock()
	m.head.Clean = s
	m.mu.Unlock()
	if err := m.sync(); err != nil {
		return fmt.Errorf("sync the page map for the last time: %w", err)
	}
	return nil
}

// Announce puts the salts of the next run of the WAL on the disk, and returns
// BEFORE that run has a frame. From then on the WAL may be at Head's place or at the
// beginning of the announced run: everything before that is in the numbers already,
// or the old run could not have ended.
func (m *Map) Announce(salt1, salt2 uint32) error {
	m.io.Lock()
	defer m.io.Unlock()
	head := m.disk
	head.Next = [2]uint32{salt1, salt2}
	m.mu.Lock()
	m.head.Next = head.Next
	m.mu.Unlock()
	if err := m.writeHeader(head); err != nil {
		return fmt.Errorf("announce a new WAL to the page map: %w", err)
	}
	return nil
}

// Reset says that continuity is lost: under a new log id every page counts as
// changed, the last one last, and no entry of the engine's log is known. A Commit
// without pages then says how large the database is and where its WAL, and the next
// Sync puts it on the disk: until then the map there is the old one.
//
// The numbers go on from where they were, so that a crash in the middle of that Sync
// leaves an old header with numbers it does not cover.
func (m *Map) Reset() {
	m.io.Lock()
	defer m.io.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renumber()
}

func (m *Map) renumber() {
	rand.Read(m.head.Log[:]) // never fails
	m.head.Entry, m.head.Clean = Entry{}, Stamp{}
	for at := range m.blocks {
		b := &m.blocks[at]
		for i := range b.changes[:m.within(at)] {
			m.head.Change++
			b.changes[i] = m.head.Change
		}
		b.newest, b.dirty = m.head.Change, true
	}
	m.plan.Store(nil)
}

// sync writes the dirty blocks, and then a header as the head was before. Numbers of
// commits that come meanwhile may be among them; the header does not cover those.
// But numbers that are cut off meanwhile are missing under a header that covers
// them, so then it begins again.
func (m *Map) sync() error {
	for {
		t := m.takeDirty()
		err := m.writeBlocks(t.blocks)
		if err == nil && m.cutSince(t) {
			continue
		}
		if err == nil {
			err = m.f.Sync()
		}
		if err == nil {
			err = m.writeHeader(t.head)
		}
		if err != nil {
			m.giveBack(t)
		}
		return err
	}
}

// taken is what is to be written, at one moment.
type taken struct {
	head   Head
	blocks []int
	cuts   int
}

// takeDirty returns the blocks to write; from now on they count as written.
func (m *Map) takeDirty() taken {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := taken{head: m.head, cuts: m.cuts}
	for at := range m.blocks {
		if m.blocks[at].dirty {
			t.blocks = append(t.blocks, at)
			m.blocks[at].dirty = false
		}
	}
	return t
}

// cutSince reports whether the database has become smaller, and if so gives the
// blocks back.
func (m *Map) cutSince(t taken) bool {
	m.mu.RLock()
	same := m.cuts == t.cuts
	m.mu.RUnlock()
	if !same {
		m.giveBack(t)
	}
	return !same
}

func (m *Map) giveBack(t taken) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range t.blocks {
		if at < len(m.blocks) {
			m.blocks[at].dirty = true
		}
	}
}

// writeMost is how many blocks are written at a time, if they are neighbours.
const writeMost = 64

func (m *Map) writeBlocks(dirty []int) error {
	raw := make([]byte, 0, min(len(dirty), writeMost)*8*blockPages)
	for len(dirty) > 0 {
		n := 1
		for n < len(dirty) && n < writeMost && dirty[n] == dirty[0]+n {
			n++
		}
		raw = m.appendBlocks(raw[:0], dirty[0], n)
		if _, err := m.f.WriteAt(raw, numbersAt(dirty[0])); err != nil {
			return err
		}
		dirty = dirty[n:]
	}
	return nil
}

// appendBlocks appends the numbers of some blocks, as far as they still exist.
func (m *Map) appendBlocks(raw []byte, from, n int) []byte {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for at := from; at < min(from+n, len(m.blocks)); at++ {
		for _, c := range m.blocks[at].changes {
			raw = binary.LittleEndian.AppendUint64(raw, c)
		}
	}
	return raw
}

// writeHeader writes over the older header. When that fails it is the older one
// that is damaged, and the next try writes there again, under another number: parts
// of the two never make a whole.
func (m *Map) writeHeader(h Head) error {
	seq := m.seq + 1 + 2*mathrand.Uint64N(1<<20)
	if _, err := m.f.WriteAt(encodeHeader(h, seq), int64(seq%2)*headerSpace/2); err != nil {
		return err
	}
	if err := m.f.Sync(); err != nil {
		return err
	}
	m.disk, m.seq = h, seq
	return nil
}
