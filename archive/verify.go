package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/archive/internal/ltxfile"
	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/storage"
)

// Verification is what Verify has found.
type Verification struct {
	Objects  int     // that were read
	Size     int64   // bytes of them
	Sums     int     // states of the database whose sum was written down, and is right
	Problems []error // each names what is wrong; none: all is well
}

// Verify reads everything. Each object has to be what its checksum says and have
// the entries that its name says; together they have to lead to the newest entry;
// the database after each entry has to have the sum that was written down with it;
// and what objects were merged into has to have the same pages as they. The error
// is for what could not be read, not for what is wrong: that is a Problem.
//
// It keeps sixteen bytes for each page of the database in memory.
func (a *Archive) Verify(ctx context.Context, progress func(done, total int64)) (Verification, error) {
	v, err := a.verify(ctx, progress)
	if err != nil {
		return v, fmt.Errorf("verify the archive: %w", err)
	}
	return v, nil
}

func (a *reader) verify(ctx context.Context, progress func(done, total int64)) (Verification, error) {
	all, err := a.listAll(ctx)
	if err != nil {
		return Verification{}, err
	}
	v := &verifier{a: a}
	if _, err := route(all, 0, newestOf(all)); err != nil {
		v.Problems = append(v.Problems, err)
	}
	total := int64(0)
	for _, o := range all {
		total += o.Size
	}
	sorted := withoutStrays(all)
	slices.SortFunc(sorted, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Max, b.Max), cmp.Compare(a.Level, b.Level))
	})
	for _, o := range sorted {
		switch err := v.object(ctx, o); {
		case ctx.Err() != nil:
			return v.Verification, context.Cause(ctx)
		case errors.Is(err, storage.ErrNotExist): // deleted meanwhile
		case errors.Is(err, storage.ErrDamaged), errors.Is(err, ErrSum), errors.Is(err, ErrIncomplete):
			v.Problems = append(v.Problems, err)
		case err != nil:
			return v.Verification, err
		}
		v.Objects++
		v.Size += o.Size
		if progress != nil {
			progress(v.Size, total)
		}
	}
	return v.Verification, nil
}

// verifier keeps the checksum of each page after the entry at, which the smallest
// steps there are have led to.
type verifier struct {
	Verification
	a     *reader
	at    uint64
	pages []verified // the first is page 1
	sum   uint64     // of all
	wrong bool       // it was not the one that was written down, and that was said
}

type verified struct {
	sum  uint64 // 0: there is none, for one of a page has its top bit set
	from uint64 // the first entry of the object that changed it
}

// object reads an object. One that goes on from the state leads to the next; one
// that ends at the state has to agree with it; of others only the bytes are known
// to be right.
func (v *verifier) object(ctx context.Context, o Object) error {
	s, err := v.a.openOne(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	advance := o.Max > v.at && o.Min <= v.at+1
	agree := o.Max == v.at
	found := []changed{}
	for {
		if err := s.next(); err != nil {
			return v.a.explain(o, err)
		}
		if s.number == 0 {
			break
		}
		if advance || agree {
			found = append(found, changed{s.number, crc64iso.Page(s.number, s.data)})
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	switch {
	case advance:
		return v.advance(o, s.header, found)
	case agree:
		return v.agree(o, found)
	}
	return nil
}

type changed struct {
	number uint32
	sum    uint64
}

// advance goes to the state after an object.
func (v *verifier) advance(o Object, h ltx.Header, found []changed) error {
	before := len(v.pages)
	v.resize(int(h.Commit))
	for _, c := range found {
		page := &v.pages[c.number-1]
		v.sum ^= page.sum ^ c.sum
		*page = verified{c.sum, o.Min}
	}
	v.at = o.Max
	lock := int(h.LockPgno())
	for i := before; i < len(v.pages); i++ {
		if v.pages[i].sum == 0 && i+1 != lock {
			return fmt.Errorf("%w: after %s no object has page %d", ErrIncomplete, o.Key, i+1)
		}
	}
	if h.NodeID>>32 == 0 { // nobody has written one down
		return nil
	}
	if uint32(v.sum) != uint32(h.NodeID) {
		if v.wrong { // still
			return nil
		}
		v.wrong = true
		return fmt.Errorf("%w: after %s it is %08x, and should be %08x", ErrSum, o.Key, uint32(v.sum), uint32(h.NodeID))
	}
	v.wrong = false
	v.Sums++
	return nil
}

func (v *verifier) resize(pages int) {
	for i := pages; i < len(v.pages); i++ {
		v.sum ^= v.pages[i].sum
	}
	v.pages = v.pages[:min(pages, len(v.pages))]
	v.pages = append(v.pages, make([]verified, pages-len(v.pages))...)
}

// agree compares an object with the state that smaller ones have led to: it has to
// have every page they changed, as it is.
func (v *verifier) agree(o Object, found []changed) error {
	i := 0
	for number := 1; number <= len(v.pages); number++ {
		page := v.pages[number-1]
		has := i < len(found) && found[i].number == uint32(number)
		if has {
			i++
		}
		switch {
		case has && found[i-1].sum != page.sum:
			return fmt.Errorf("%w: page %d of %s is not the one that other objects have", ErrSum, number, o.Key)
		case !has && page.sum != 0 && page.from >= o.Min && page.from > 1:
			return fmt.Errorf("%w: %s does not have page %d, which changed in it", ErrIncomplete, o.Key, number)
		}
	}
	return nil
}

// openOne opens one object.
func (a *reader) openOne(ctx context.Context, o Object) (*source, error) {
	if o.Size > smallBytes {
		return a.streamed(ctx, o, nil, aheadMax)
	}
	b, _, err := storage.ReadAll(ctx, a.store, o.Key)
	if err != nil {
		return nil, err
	}
	d, err := ltxfile.NewDecoderBytes(b)
	return a.newSource(o, d, err, false, func() {})
}
