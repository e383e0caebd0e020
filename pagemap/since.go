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
	if p == nil || number < p.from || number >= p.head.Change {
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
		if int(c.Page) <= len(m.changes) && m.changes[c.Page-1] == c.Number {
			changes = append(changes, c)
		}
	}
	return changes, p.head, true
}

// newPlan lists what changed after a number.
func (m *Map) newPlan(number uint64) *plan {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := &plan{from: number, head: m.head}
	for block, newest := range m.newest {
		if newest <= number {
			continue
		}
		for i := block * blockPages; i < min((block+1)*blockPages, len(m.changes)); i++ {
			if c := m.changes[i]; c > number {
				p.changes = append(p.changes, Change{uint32(i) + 1, c})
			}
		}
	}
	slices.SortFunc(p.changes, func(a, b Change) int { return cmp.Compare(a.Number, b.Number) })
	return p
}
