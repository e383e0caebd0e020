package blob

import (
	"iter"

	"github.com/nearlite/nearlite"
)

// pageSize is how many objects are read at a time: a View over them is short.
const pageSize = 256

// List yields the objects whose names begin with prefix, in the order of their
// names' bytes. It reads some hundred at a time, so the loop may write to the
// store: what it adds behind the current name is yielded too. q is a
// *nearlite.ReadTx or a *nearlite.WriteTx.
func (s *Store) List(q nearlite.Querier, prefix string) iter.Seq2[Info, error] {
	return s.ListFrom(q, prefix, "")
}

// ListFrom is List without the objects whose names come before from: to go on
// after a name, from is that name and a NUL.
func (s *Store) ListFrom(q nearlite.Querier, prefix, from string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		from := max(from, prefix)
		for {
			page, err := s.page(q, from, above(prefix), pageSize)
			if err != nil {
				yield(Info{}, failed("list", prefix, err))
				return
			}
			for _, e := range page {
				if !yield(e.Info, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			from = page[len(page)-1].Name + "\x00"
		}
	}
}

// page returns at most so many objects, from a name up to, without, another.
func (s *Store) page(q nearlite.Querier, from, to string, most int) ([]entry, error) {
	var page []entry
	for row, err := range q.Query(s.sql.list, from, to, most) {
		if s.absent(err, s.table) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		e := s.entry(row)
		e.Name = row.Text(6)
		page = append(page, e)
	}
	return page, nil
}
