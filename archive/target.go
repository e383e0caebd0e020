package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/superfly/ltx"
)

// RangeError is returned for an entry or a time that an archive cannot restore. It
// matches [ErrRange].
type RangeError struct {
	Asked       string    // "entry 17", "2026-11-21T20:15:00Z"
	First, Last uint64    // entries that can be restored, and many in between
	FirstTime   time.Time // when they were made
	LastTime    time.Time
	Before      uint64 // the nearest that can be, if the entry was merged with others; else 0
	After       uint64
}

// Error names what there is.
func (e *RangeError) Error() string {
	const layout = "2006-01-02T15:04:05.000Z"
	there := fmt.Sprintf("it begins with entry %d of %s and ends with entry %d of %s",
		e.First, e.FirstTime.UTC().Format(layout), e.Last, e.LastTime.UTC().Format(layout))
	if e.Before > 0 {
		there = fmt.Sprintf("that entry was merged with its neighbours, and the nearest there are %d and %d; %s", e.Before, e.After, there)
	}
	return fmt.Sprintf("%v: %s was asked for, and %s", ErrRange, e.Asked, there)
}

// Is matches ErrRange.
func (e *RangeError) Is(target error) bool { return target == ErrRange }

// target chooses the entry to restore, and returns the objects that lead there.
func (a *reader) target(ctx context.Context, o RestoreOptions) ([]Object, error) {
	if o.TXID == 0 && o.At.IsZero() {
		objects, err := a.inventory(ctx)
		if err != nil {
			return nil, err
		}
		named, err := a.readHint(ctx)
		if err != nil {
			return nil, err
		}
		if last := newestOf(objects); last < named {
			return nil, a.endsEarly(last, named)
		}
		if len(objects) == 0 {
			return nil, ErrEmpty
		}
		return route(objects, 0, newestOf(objects))
	}
	all, err := a.listAll(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrEmpty
	}
	all = withoutStrays(all)
	w := newWays(all, 0, newestOf(all))
	if len(w.places) == 1 {
		return nil, w.gap(0, newestOf(all))
	}
	txid, err := a.choose(ctx, w, o)
	if err != nil {
		return nil, err
	}
	return route(all, 0, txid)
}

// choose finds the place that is asked for among those that can be reached.
func (a *reader) choose(ctx context.Context, w *ways, o RestoreOptions) (uint64, error) {
	places := w.places[1:]
	if o.TXID > 0 {
		if w.find(o.TXID) > 0 {
			return o.TXID, nil
		}
		e, err := a.outOfRange(ctx, places, fmt.Sprintf("entry %d", o.TXID))
		if i := w.first(o.TXID); err == nil && i > 1 && i < len(w.places) {
			e.Before, e.After = w.places[i-1].at, w.places[i].at
		}
		if err != nil {
			return 0, err
		}
		return 0, e
	}
	i, err := a.lastBefore(ctx, places, o.At)
	if err != nil {
		return 0, err
	}
	if i < 0 || o.At.After(time.Now()) {
		e, err := a.outOfRange(ctx, places, o.At.UTC().Format(time.RFC3339Nano))
		if err != nil {
			return 0, err
		}
		return 0, e
	}
	return places[i].at, nil
}

// lastBefore is the index of the last place that was made at or before a time, or
// -1. Times are the writers', and are expected to ascend.
func (a *reader) lastBefore(ctx context.Context, places []place, at time.Time) (int, error) {
	low, high := -1, len(places) // low is before, high is not
	for high-low > 1 {
		middle := int(uint(low+high) / 2)
		h, err := a.readHeader(ctx, places[middle].by)
		if err != nil {
			return 0, err
		}
		if made(h).After(at) {
			high = middle
		} else {
			low = middle
		}
	}
	return low, nil
}

func made(h ltx.Header) time.Time { return time.UnixMilli(h.Timestamp).UTC() }

func (a *reader) outOfRange(ctx context.Context, places []place, asked string) (*RangeError, error) {
	first, err := a.readHeader(ctx, places[0].by)
	if err != nil {
		return nil, err
	}
	last, err := a.readHeader(ctx, places[len(places)-1].by)
	if err != nil {
		return nil, err
	}
	return &RangeError{Asked: asked, First: uint64(first.MaxTXID), FirstTime: made(first), Last: uint64(last.MaxTXID), LastTime: made(last)}, nil
}
