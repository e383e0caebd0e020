package nearlite

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/nearlite/nearlite/pagemap"
	"github.com/nearlite/nearlite/sqlite"
)

// Position names a commit: what a reader has seen. Positions of one log id are
// ordered by their change number. With a page map (Options.PageMap, Options.Log) a
// log goes on from one Open to the next. Without one every Open begins a log of its
// own, so that a position means nothing to another opening of the same file.
type Position struct {
	Log    LogID  // changes when the history is not continued
	Change uint64 // pages written up to and including the commit
}

// LogID names one unbroken history of a database.
type LogID [16]byte

func newLogID() (id LogID) {
	rand.Read(id[:])
	return id
}

// String returns 32 hexadecimal digits.
func (id LogID) String() string { return hex.EncodeToString(id[:]) }

// String returns the log id and the change number, 49 characters that sort in
// the order of commits within one log.
func (p Position) String() string { return fmt.Sprintf("%s-%016x", p.Log, p.Change) }

// Compare returns -1, 0 or +1 as p is before, at or after q, and false when the
// two belong to different logs and have no order.
func (p Position) Compare(q Position) (order int, ok bool) {
	switch {
	case p.Log != q.Log:
		return 0, false
	case p.Change < q.Change:
		return -1, true
	case p.Change > q.Change:
		return 1, true
	}
	return 0, true
}

// ParsePosition reads what Position.String wrote.
func ParsePosition(s string) (Position, error) {
	var p Position
	id, change, ok := strings.Cut(s, "-")
	if ok && len(id) == 32 && len(change) == 16 {
		if _, err := hex.Decode(p.Log[:], []byte(id)); err == nil {
			if p.Change, err = strconv.ParseUint(change, 16, 64); err == nil {
				return p, nil
			}
		}
	}
	return Position{}, fmt.Errorf("parse position %q: want 32 hexadecimal digits, a dash and 16 more", s)
}

// positions turns the state of the WAL into change numbers: the frames of all
// earlier generations of the WAL, plus those of the present one. Another process
// may write frames and begin a generation before anybody here looks, so between
// two generations some numbers are left out, for the states that were missed:
//
//	seen of A      missed of A   seen of B
//	1, 2 … end     end+1         end+2, end+3 …
//
// The numbers only grow, and two states that anybody was told of share one only
// if both were missed and are still in use as snapshots.
//
// With a page map nothing is missed: the history says from which number each
// generation counts before it has a frame, and numbers are the map's.
type positions struct {
	mu    sync.Mutex // protects the following
	id    LogID
	pages *pagemap.Map // nil: none
	salt  uint64       // the present generation
	now   generation
	older map[uint64]generation
	order []uint64 // salts in older, oldest first
	last  Position // once the database is closed
	ended bool
}

// generation is the life of the WAL from one start to the next.
type generation struct {
	base uint64 // its frames count from here
	seen uint32 // the highest frame that anybody looked at
}

// generationsKept is how many finished generations of the WAL a snapshot may
// still belong to.
const generationsKept = 16

// current returns the position of the database's latest commit.
func (p *positions) current(c *sqlite.Conn) Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return p.last
	}
	// Looked at under the lock, so that generations are noted in their order.
	h, _, ok := c.WAL()
	if !ok {
		return p.place(&sqlite.WALHeader{})
	}
	if h.Salt() != p.salt && p.pages == nil {
		p.begin(h.Salt())
	}
	p.now.seen = max(p.now.seen, h.MaxFrame())
	return p.place(&h)
}

// of returns the position of a snapshot that is not newer than the latest call
// of current.
func (p *positions) of(h *sqlite.WALHeader) Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.place(h)
}

func (p *positions) place(h *sqlite.WALHeader) Position {
	frame := uint64(h.MaxFrame())
	if h.Salt() == p.salt {
		return Position{p.id, p.now.base + frame}
	}
	if g, known := p.older[h.Salt()]; known {
		return Position{p.id, g.base + min(frame, uint64(g.seen)+1)}
	}
	if p.pages != nil { // of one that is about to begin
		return Position{p.id, p.pages.Head().Change}
	}
	return Position{p.id, p.now.base - 1} // of a generation that was missed altogether
}

// begin starts a generation.
func (p *positions) begin(salt uint64) {
	p.enter(salt, p.now.base+uint64(p.now.seen)+2)
}

// enter makes a generation the present one.
func (p *positions) enter(salt, base uint64) {
	if p.older == nil {
		p.older = map[uint64]generation{}
	} else {
		p.older[p.salt] = p.now
		p.order = append(p.order, p.salt)
		if len(p.order) > generationsKept {
			delete(p.older, p.order[0])
			p.order = p.order[1:]
		}
	}
	p.now = generation{base: base}
	p.salt = salt
}

// start says from which number a generation counts, which has no frame yet.
func (p *positions) start(salt, base uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.seen = math.MaxUint32 - 1 // the present one: all of it is known
	p.enter(salt, base)
}

// follow takes the numbers from a page map, which is at a place in the WAL.
func (p *positions) follow(m *pagemap.Map, place pagemap.Place, pageSize int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	head := m.Head()
	frames := uint64(max(place.Offset-walHeaderSize, 0)) / uint64(pageSize+24)
	p.pages, p.id, p.older, p.order = m, head.Log, map[uint64]generation{}, nil
	p.salt, p.now = saltOf(place.Salt1, place.Salt2), generation{base: head.Change - frames}
}

// knows reports whether the map, being at a place, knows all of a snapshot that ends
// at the byte end of the WAL: no frames of another process are in it.
func (p *positions) knows(h *sqlite.WALHeader, at pagemap.Place, end int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Salt() == saltOf(at.Salt1, at.Salt2) {
		return end <= at.Offset
	}
	_, older := p.older[h.Salt()]
	return older || h.MaxFrame() == 0
}

// saltOf is how the wal-index keeps a WAL's two salts.
func saltOf(salt1, salt2 uint32) uint64 {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], salt1)
	binary.BigEndian.PutUint32(b[4:], salt2)
	return binary.NativeEndian.Uint64(b[:])
}

// end keeps the last position for those who ask after Close.
func (p *positions) end(c *sqlite.Conn) {
	last := p.current(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.last = true, last
}
