package nearlite

import (
	"sync"

	"github.com/nearlite/nearlite/sqlite"
)

// positions turns the state of the WAL into change numbers: the frames of all
// earlier generations of the WAL, plus those of the present one. Frames that
// another process wrote and another generation buried before anybody here
// looked are not counted; the numbers still only grow, and no two states that
// anybody was told of share one.
type positions struct {
	id LogID

	mu    sync.Mutex // protects the following
	salt  uint64     // the present generation
	base  uint64     // frames of all generations before it
	frame uint32     // the highest frame seen of it
	older map[uint64]uint64
	order []uint64 // salts in older, oldest first
	last  Position // once the database is closed
	ended bool
}

// generationsKept is how many finished generations of the WAL a snapshot may
// still belong to.
const generationsKept = 16

// of returns the position of the commit with that header.
func (p *positions) of(h *sqlite.WALHeader) Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	salt, frame := h.Salt(), h.MaxFrame()
	switch base, known := p.older[salt]; {
	case salt == p.salt:
		p.frame = max(p.frame, frame)
	case known: // a snapshot of an earlier generation
		return Position{p.id, base + uint64(frame)}
	default:
		p.begin(salt, frame)
	}
	return Position{p.id, p.base + uint64(frame)}
}

// begin starts a generation.
func (p *positions) begin(salt uint64, frame uint32) {
	if p.older == nil {
		p.older = map[uint64]uint64{}
	} else {
		p.older[p.salt] = p.base
		p.order = append(p.order, p.salt)
		if len(p.order) > generationsKept {
			delete(p.older, p.order[0])
			p.order = p.order[1:]
		}
	}
	p.base += uint64(p.frame)
	p.salt, p.frame = salt, frame
}

// current returns the position of the database's latest commit.
func (p *positions) current(c *sqlite.Conn) Position {
	p.mu.Lock()
	ended, last := p.ended, p.last
	if !ended {
		h, _, ok := c.WAL() // under the lock: the connection is there until end
		p.mu.Unlock()
		if !ok {
			return Position{Log: p.id}
		}
		return p.of(&h)
	}
	p.mu.Unlock()
	return last
}

// end keeps the last position for those who ask after Close.
func (p *positions) end(c *sqlite.Conn) {
	last := p.current(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.last = true, last
}
