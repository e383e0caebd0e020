package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nearlite/nearlite/storage"
)

// mergeEvery is how long after the first new object of a level they are merged into
// one of the next.
var mergeEvery = [levelTop]time.Duration{30 * time.Second, 5 * time.Minute, time.Hour}

const (
	pruneEvery  = time.Hour // while entries come in
	againAfter  = time.Minute
	snapshotMin = 1 << 20 // bytes of entries that a snapshot is worth, however small it is
)

// maintenance keeps an archive small, and quick to restore, while entries come in.
// It asks for nothing while none do. It belongs to the keeper's goroutine.
//
// Two may maintain one archive: all they create is created if there is none, what
// they make of the same objects is as good, and what they delete is no longer
// needed by any plan.
type maintenance struct {
	a     *Archive
	merge [levelTop]time.Time // when a level is merged into the next; zero: nothing is new
	prune time.Time           // when retention is applied; zero: nothing is new
	tops  [levelTop + 1]top
	base  Object // the newest object with all pages
	since int64  // bytes of entries after it
}

// top is where the objects of a level end.
type top struct {
	txid  uint64
	known bool
}

func newMaintenance(a *Archive) *maintenance { return &maintenance{a: a} }

// appended takes note of entries.
func (m *maintenance) appended(n news, now time.Time) {
	if !m.a.opts.Maintain || n.entries == 0 {
		return
	}
	m.since += n.bytes
	arm(&m.merge[0], now, mergeEvery[0])
	arm(&m.prune, now, pruneEvery)
}

// arm sets a time, if it is not set.
func arm(t *time.Time, now time.Time, after time.Duration) {
	if t.IsZero() {
		*t = now.Add(after)
	}
}

// idle reports whether the next entry is one to begin with.
func (m *maintenance) idle() bool { return m.a.opts.Maintain && m.merge[0].IsZero() }

// due is when there is something to do, zero if nothing is.
func (m *maintenance) due() time.Time {
	next := m.prune
	for _, t := range m.merge {
		next = sooner(next, t)
	}
	return next
}

// run does what is due. What fails is tried again later.
func (m *maintenance) run(ctx context.Context, now time.Time) {
	for level := range m.merge {
		if t := &m.merge[level]; !t.IsZero() && !now.Before(*t) {
			*t = time.Time{}
			err := m.step(ctx, level, now)
			if m.failed(ctx, fmt.Sprintf("merge level %d", level), err) {
				arm(t, now, againAfter)
			}
		}
	}
	if !m.prune.IsZero() && !now.Before(m.prune) {
		m.prune = time.Time{}
		if _, err := m.a.Prune(ctx); m.failed(ctx, "prune", err) {
			arm(&m.prune, now, againAfter)
		}
	}
}

// failed tells the log about an error, if it is one.
func (m *maintenance) failed(ctx context.Context, what string, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	m.a.opts.Logger.Warn("archive: maintenance failed and is tried again", "what", what, "store", m.a.store.String(), "error", err)
	return true
}

// step merges a level, and makes a snapshot if it is time for one.
func (m *maintenance) step(ctx context.Context, level int, now time.Time) error {
	made, err := m.mergeLevel(ctx, level)
	if err != nil {
		return err
	}
	if made && level+1 < levelTop {
		arm(&m.merge[level+1], now, mergeEvery[level+1])
	}
	if level > 0 {
		return nil
	}
	return m.maybeSnapshot(ctx, now)
}

// mergeLevel makes one object of a level of what is new in the level below it.
func (m *maintenance) mergeLevel(ctx context.Context, level int) (made bool, err error) {
	top := &m.tops[level+1]
	if !top.known {
		if err := m.findTop(ctx, level+1); err != nil {
			return false, err
		}
	}
	way, err := m.a.news(ctx, level, top.txid)
	if err != nil || len(way) == 0 {
		return false, err
	}
	top.known = false // until it is done
	o, err := m.a.createMerged(ctx, level+1, way)
	if errors.Is(err, storage.ErrExist) { // somebody else has merged the same
		return true, nil
	} else if err != nil {
		return false, err
	}
	top.txid, top.known = o.Max, true
	return true, nil
}

func (m *maintenance) findTop(ctx context.Context, level int) error {
	txid := uint64(0)
	err := m.a.list(ctx, level, 0, func(o Object) bool {
		txid = max(txid, o.Max)
		return true
	})
	if err == nil {
		m.tops[level] = top{txid, true}
	}
	return err
}

// news returns the objects of a level that come after an entry, as a way. The first
// entry of all stays what it is: a snapshot.
func (a *reader) news(ctx context.Context, level int, after uint64) ([]Object, error) {
	var objects []Object
	err := a.list(ctx, level, after, func(o Object) bool {
		if level > 0 || o.Min > 1 {
			objects = append(objects, o)
		}
		return true
	})
	if err != nil || len(objects) == 0 {
		return nil, err
	}
	from := objects[0].Min - 1
	w := newWays(objects, from, newestOf(objects))
	return route(objects, from, w.places[len(w.places)-1].at)
}

// createMerged stores one object in the place of several.
func (a *reader) createMerged(ctx context.Context, level int, way []Object) (Object, error) {
	o := Object{Level: level, Min: way[0].Min, Max: way[len(way)-1].Max}
	o.Key = a.layout.key(level, o.Min, o.Max)
	estimate := int64(0)
	for _, part := range way {
		estimate += part.Size
	}
	c, err := a.merged(ctx, way, estimate)
	if err != nil {
		return Object{}, err
	}
	defer c.release()
	info, err := a.store.Create(ctx, o.Key, c.get())
	o.Size, o.Time = c.size, info.Time
	return o, err
}

// maybeSnapshot makes a snapshot when as much has changed as the last one is large,
// or when that is old and anything has.
func (m *maintenance) maybeSnapshot(ctx context.Context, now time.Time) error {
	if m.base.Max == 0 {
		if err := m.findBase(ctx); err != nil {
			return err
		}
	}
	large := m.since >= max(m.base.Size, snapshotMin)
	old := m.since > 0 && now.Sub(m.base.Time) >= m.a.opts.SnapshotEvery
	if m.base.Max == 0 || !large && !old {
		return nil
	}
	m.base = Object{} // to be looked for, whatever comes of it
	_, err := m.a.snapshot(ctx)
	return err
}

func (m *maintenance) findBase(ctx context.Context) error {
	objects, err := m.a.inventory(ctx)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.Min == 1 && o.Max > m.base.Max {
			m.base = o
		}
	}
	way, err := route(objects, m.base.Max, newestOf(objects))
	m.since = 0
	for _, o := range way {
		m.since += o.Size
	}
	return err
}

// snapshot makes an object of all pages, of the objects that have them. It returns
// the zero Object if the newest is one already.
func (a *reader) snapshot(ctx context.Context) (Object, error) {
	objects, err := a.inventory(ctx)
	if err != nil {
		return Object{}, err
	}
	way, err := route(objects, 0, newestOf(objects))
	if err != nil || len(way) < 2 {
		return Object{}, err
	}
	o, err := a.createMerged(ctx, levelSnapshot, way)
	if errors.Is(err, storage.ErrExist) {
		return Object{}, nil
	}
	return o, err
}
