package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Prune deletes what retention does not ask for, now, and returns how many objects
// that were. What stays leads from a snapshot that is as old as Retention, or the
// oldest there is, to every later state that could be restored before, but for
// single entries that were merged and are older than EntryRetention.
func (a *Archive) Prune(ctx context.Context) (deleted int, err error) {
	head, err := a.Head(ctx)
	if err != nil || head.TXID == 0 {
		return 0, err
	}
	// Objects have the store's time, so that its clock is the one to compare with.
	now, err := a.writeHint(ctx, head)
	if err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	objects, err := a.inventory(ctx)
	if err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	p, err := a.opts.newPruning(objects, head.TXID, now)
	if err != nil {
		return 0, fmt.Errorf("prune: %w: nothing was deleted", err)
	}
	var keys []string
	for _, o := range objects {
		if o.Level > 0 && p.needless(o) {
			keys = append(keys, o.Key)
		}
	}
	err = a.list(ctx, 0, 0, func(o Object) bool {
		if p.needless(o) {
			keys = append(keys, o.Key)
		}
		return o.Max <= max(p.merged, p.base.Max)
	})
	if err == nil {
		deleted, err = a.deleteAll(ctx, keys)
	}
	if err != nil {
		return deleted, fmt.Errorf("prune: %w", err)
	}
	return deleted, nil
}

func (a *reader) deleteAll(ctx context.Context, keys []string) (deleted int, err error) {
	for batch := range slices.Chunk(keys, 1000) {
		if err := a.store.Delete(ctx, batch...); err != nil {
			return deleted, err
		}
		deleted += len(batch)
	}
	return deleted, nil
}

// pruning is what decides whether an object is needed.
type pruning struct {
	base   Object    // what the oldest state begins with
	merged uint64    // the last entry that a chain of merged objects leads to from there
	newest uint64    // entry, whose object stays: its key must not be free
	before time.Time // single entries stored before it may go
}

func (o *Options) newPruning(objects []Object, newest uint64, now time.Time) (*pruning, error) {
	p := &pruning{newest: newest, before: now.Add(-o.EntryRetention)}
	p.base = baseOf(objects, now.Add(-o.Retention))
	if p.base.Max == 0 {
		return nil, fmt.Errorf("%w: there is no object with all pages", ErrIncomplete)
	}
	chain := slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return o.Level == 0 || o.Level > levelTop })
	w := newWays(chain, p.base.Max, newest)
	p.merged = w.places[len(w.places)-1].at
	stay := slices.DeleteFunc(slices.Clone(objects), p.needless)
	if _, err := route(stay, p.base.Max, newest); err != nil {
		return nil, err
	}
	return p, nil
}

// baseOf returns the newest object with all pages that is as old as the time to go
// back to, or the oldest one.
func baseOf(objects []Object, oldest time.Time) Object {
	var full []Object
	for _, o := range objects {
		if o.Min == 1 {
			full = append(full, o)
		}
	}
	slices.SortFunc(full, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Max, b.Max), cmp.Compare(a.Level, b.Level))
	})
	var base Object
	for i, o := range full {
		if i == 0 || !o.Time.After(oldest) {
			base = o
		}
	}
	return base
}

// needless reports whether an object may go.
func (p *pruning) needless(o Object) bool {
	switch {
	case o.Key == p.base.Key:
		return false
	case o.Level == 0:
		return o.Max < p.newest && o.Max <= max(p.merged, p.base.Max) && o.Time.Before(p.before) &&
			(o.Min > 1 || o.Max < p.base.Max)
	case o.Min == 1:
		return o.Max < p.base.Max
	}
	return o.Max <= p.base.Max
}
