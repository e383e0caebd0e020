package archive

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// requestBytes is what a request costs beside the bytes that come with it, in bytes.
const requestBytes = 32 << 10

// route chooses objects that lead from the state after the entry after to the one
// after target, in order, so that as little as possible is read. Each begins at or
// before the entry that follows the one before it; that it has some pages twice
// then is no harm, for what comes later counts.
func route(objects []Object, after, target uint64) ([]Object, error) {
	if after >= target {
		return nil, nil
	}
	w := newWays(objects, after, target)
	last := w.find(target)
	if last < 0 {
		return nil, w.gap(after, target)
	}
	var way []Object
	for i := last; w.places[i].from >= 0; i = w.places[i].from {
		way = append(way, w.places[i].by)
	}
	slices.Reverse(way)
	return way, nil
}

// ways are the cheapest ways from one entry to all others.
type ways struct {
	objects []Object // by Max
	places  []place  // by at; the first is the start
}

// A place is an entry that can be reached.
type place struct {
	at   uint64
	cost int64
	from int // the place before; -1 at the start
	by   Object
}

// newWays finds them by taking the objects in the order of where they lead: a
// place's cost is settled before anything goes on from there.
func newWays(objects []Object, after, most uint64) *ways {
	w := &ways{places: []place{{at: after, from: -1}}}
	for _, o := range objects {
		if o.Max > after && o.Max <= most {
			w.objects = append(w.objects, o)
		}
	}
	slices.SortFunc(w.objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Max, b.Max), cmp.Compare(b.Level, a.Level))
	})
	for _, o := range w.objects {
		w.add(o)
	}
	return w
}

// add extends a way by an object, if it is the best so far to where it leads.
func (w *ways) add(o Object) {
	best := -1
	for i := w.first(o.Min - 1); i < len(w.places) && w.places[i].at < o.Max; i++ {
		if best < 0 || w.places[i].cost < w.places[best].cost {
			best = i
		}
	}
	if best < 0 {
		return
	}
	p := place{at: o.Max, cost: w.places[best].cost + o.Size + requestBytes, from: best, by: o}
	switch last := &w.places[len(w.places)-1]; {
	case last.at < o.Max:
		w.places = append(w.places, p)
	case p.cost < last.cost:
		*last = p
	}
}

// first is the index of the first place that is not before an entry.
func (w *ways) first(at uint64) int {
	return sort.Search(len(w.places), func(i int) bool { return w.places[i].at >= at })
}

// find is the index of a place, or -1.
func (w *ways) find(at uint64) int {
	if i := w.first(at); i < len(w.places) && w.places[i].at == at {
		return i
	}
	return -1
}

// gap says what is missing on the way to the target.
func (w *ways) gap(after, target uint64) error {
	end := w.places[len(w.places)-1].at
	next := uint64(0)
	for _, o := range w.objects {
		if o.Min > end+1 && (next == 0 || o.Min < next) {
			next = o.Min
		}
	}
	switch {
	case next > 0 && end == after && after == 0:
		return fmt.Errorf("%w: there is no snapshot, and the first entry there is has the number %d", ErrIncomplete, next)
	case next > 0:
		return fmt.Errorf("%w: no object has the entries %d to %d", ErrIncomplete, end+1, next-1)
	}
	return fmt.Errorf("%w: no object ends with entry %d; the last before it that can be had is %d", ErrIncomplete, target, end)
}

// withoutStrays leaves out what a writer may have stored that did not know that its
// entry was in the log already, merged and deleted. Single entries are deleted from
// the first on, so that those which are left are next to each other up to the
// newest, and were stored in that order; an object below them is a stray, if a
// merged one has its entry.
func withoutStrays(objects []Object) []Object {
	var single, merged []Object
	for _, o := range objects {
		switch {
		case o.Level == 0:
			single = append(single, o)
		case o.Level <= levelTop:
			merged = append(merged, o)
		}
	}
	byMin := func(a, b Object) int { return cmp.Compare(a.Min, b.Min) }
	slices.SortFunc(single, byMin)
	slices.SortFunc(merged, byMin)
	run := len(single) - 1
	for ; run > 0; run-- {
		before, o := single[run-1], single[run]
		if before.Max+1 != o.Min || before.Time.After(o.Time.Add(time.Hour)) {
			break
		}
	}
	strays := map[string]bool{}
	has := covers(merged)
	for _, o := range single[:max(run, 0)] {
		if o.Min > 1 && has(o.Max) {
			strays[o.Key] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return strays[o.Key] })
}

// covers returns a function that tells whether an object has an entry. It has to be
// asked in ascending order.
func covers(byMin []Object) func(txid uint64) bool {
	next, most := 0, uint64(0)
	return func(txid uint64) bool {
		for ; next < len(byMin) && byMin[next].Min <= txid; next++ {
			most = max(most, byMin[next].Max)
		}
		return most >= txid
	}
}
