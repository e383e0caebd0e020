package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/wal"
)

// Read calls visit with the newest image of every page that changed after an entry,
// or of more, if that is less to read. It lists the objects, chooses the fewest
// bytes that lead to the newest entry, and merges them. Whatever is missing or
// damaged is named in the error, and then no page that was visited counts.
func (a *Archive) Read(ctx context.Context, after uint64, visit func(wal.Page) error) (nearlite.Head, error) {
	head, err := a.read(ctx, after, visit)
	if err != nil {
		return nearlite.Head{}, fmt.Errorf("read the log after entry %d: %w", after, err)
	}
	return head, nil
}

func (a *reader) read(ctx context.Context, after uint64, visit func(wal.Page) error) (nearlite.Head, error) {
	m, err := a.openNewest(ctx, after)
	if err != nil {
		return nearlite.Head{}, err
	}
	if m == nil { // there is nothing after it
		return a.look(ctx, after)
	}
	defer m.close()
	for {
		number, data, err := m.next()
		if err != nil {
			return nearlite.Head{}, err
		}
		if number == 0 {
			return headOf(m.header()), nil
		}
		if err := visit(wal.Page{Number: number, Data: data}); err != nil {
			return nearlite.Head{}, err
		}
		if ctx.Err() != nil {
			return nearlite.Head{}, context.Cause(ctx)
		}
	}
}

// openNewest opens what leads from an entry to the newest one, or nothing if it is
// the newest. What was deleted since it was listed is chosen anew.
func (a *reader) openNewest(ctx context.Context, after uint64) (*merge, error) {
	for tries := 3; ; tries-- {
		objects, err := a.since(ctx, after)
		if err != nil {
			return nil, err
		}
		newest := newestOf(objects)
		if newest == after {
			return nil, nil
		} else if newest < after {
			return nil, fmt.Errorf("%w: its last entry is %d", ErrIncomplete, newest)
		}
		way, err := route(objects, after, newest)
		if err != nil {
			return nil, err
		}
		m, err := a.openMerge(ctx, way, nil)
		if tries == 0 || !errors.Is(err, storage.ErrNotExist) {
			return m, err
		}
	}
}

func newestOf(objects []Object) (txid uint64) {
	for _, o := range objects {
		txid = max(txid, o.Max)
	}
	return txid
}

// since returns objects that lead from an entry to the newest one. If single entries
// do, and there are not too many, it is not worth looking for others.
func (a *reader) since(ctx context.Context, after uint64) ([]Object, error) {
	const most = 256
	var single []Object
	if after > 0 {
		err := a.list(ctx, 0, after-1, func(o Object) bool {
			single = append(single, o)
			return o.Min == after+uint64(len(single))-1 && len(single) <= most
		})
		if err != nil {
			return nil, err
		}
	}
	if n := len(single); n > 0 && n <= most && single[n-1].Max == after+uint64(n)-1 {
		return single, nil
	}
	return a.inventory(ctx)
}

// inventory returns the objects that are of use to get to the newest entry: all but
// those of single entries that were merged, of which there may be very many.
func (a *reader) inventory(ctx context.Context) ([]Object, error) {
	var all []Object
	add := func(o Object) bool {
		all = append(all, o)
		return true
	}
	for level := 1; level <= levelTop; level++ {
		if err := a.list(ctx, level, 0, add); err != nil {
			return nil, err
		}
	}
	merged := newestOf(all)
	if err := a.list(ctx, levelSnapshot, 0, add); err != nil {
		return nil, err
	}
	first := false
	err := a.list(ctx, 0, 0, func(o Object) bool { // the one with all pages, if it is still there
		first = o.Min == 1 && add(o)
		return false
	})
	if err != nil {
		return nil, err
	}
	if first && merged == 0 {
		merged = 1
	}
	if err := a.list(ctx, 0, merged, add); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Object) int { return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Min, b.Min)) })
	return all, nil
}
