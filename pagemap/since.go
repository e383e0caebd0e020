package pagemap

import (
	"cmp"
	"slices"
)

// Change is a page and the number of the change that last touched it.
type Change struct {
	Page   uint32
	Number uint64
}

// A plan is the list of what had changed after a number when somebody first asked.
// A follower that takes it in parts asks again with the number it has come to, and
// is served from the list: what changed meanwhile has a larger number than
// everything in it.
type plan struct {
	from    uint64 // exclusive
	head    Head   // when it was made
	changes []Change
}

// Since returns what changed after a number, in the order of the numbers, and the
// head of when the list was made. At most so many, or a few more: after a crash
// several pages may have one number, and those are not parted. The last number is
// what to ask with for the next; done says that there is none, and that the
// follower is where the head is. A page that changes
// again while its follower is served in parts is left out here and comes later,
// under its new number.
//
// Read the pages from a snapshot that holds what Commit was called for: an image
// that is newer than its number is harmless, since the newer number is still to
// come, but an older one would be missed for good.
func (m *Map) Since(number uint64, most int) (changes []Change, head Head, done bool) {
	if most < 1 {
		most = 1
	}
	p := m.plan.Load()
	if p == nil || number < p.from || number >= p.head.Change || p.head.Log != m.Head().Log {
		p = m.newPlan(number)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, _ := slices.BinarySearchFunc(p.changes, number+1, func(c Change, n uint64) int { return cmp.Compare(c.Number, n) })
	for ; at < len(p.changes); at++ {
		c := p.changes[at]
		if len(changes) >= most && changes[len(changes)-1].Number != c.Number {
			m.plan.Store(p)
			return changes, p.head, false
		}
		if m.number(c.Page) == c.Number {
			changes = append(changes, c)
		}
	}
	return changes, p.head, true
}

// number returns the number of a page; 0 if it is beyond the end.
func (m *Map) number(page uint32) uint64 {
	i := page - 1
	if i >= m.head.Pages {
		return 0
	}
	return m.blocks[i/blockPages].changes[i%blockPages]
}

// newPlan lists what changed after a number.
func (m *Map) newPlan(number uint64) *plan {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := &plan{from: number, head: m.head}
	m.after(number, func(page uint32, n uint64) { p.changes = append(p.changes, Change{page, n}) })
	slices.SortFunc(p.changes, func(a, b Change) int { return cmp.Compare(a.Number, b.Number) })
	return p
}

// after calls visit with every page that was changed after a number, in ascending
// order.
func (m *Map) after(number uint64, visit func(page uint32, number uint64)) {
	for at := range m.blocks {
		b := &m.blocks[at]
		if b.newest <= number {
			continue
		}
		for i, c := range b.changes[:m.within(at)] {
			if c > number {
				visit(uint32(at*blockPages+i)+1, c)
			}
		}
	}
}

// Changed returns the pages that were changed after a number, in ascending order,
// and the head at that moment. The page that SQLite never uses, at 1 GiB, may be
// among them. What [Map.Since] says of reading the pages holds here.
func (m *Map) Changed(after uint64) (pages []uint32, head Head) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	m.after(after, func(page uint32, _ uint64) { pages = append(pages, page) })
	return pages, m.head
}
