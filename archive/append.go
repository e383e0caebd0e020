package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/wal"
)

// Append stores an entry as one object, if there is none of its number. What the
// outcomes are is for [nearlite.Log] to say.
func (a *Archive) Append(ctx context.Context, e *nearlite.Entry) error {
	stored, err := a.append(ctx, e)
	if err != nil {
		return fmt.Errorf("append entry %d: %w", e.TXID, err)
	}
	a.keeper.appended(stored)
	return nil
}

func (a *Archive) append(ctx context.Context, e *nearlite.Entry) (Object, error) {
	before, looked, err := a.follows(ctx, e)
	if err != nil {
		return Object{}, err
	}
	c, err := a.encode(e, before)
	if err != nil {
		return Object{}, refused(err)
	}
	defer c.release()
	if e.TXID > before.TXID {
		a.introduce(ctx, e)
	}
	at := time.Now()
	o := Object{Key: a.layout.key(0, e.TXID, e.TXID), Min: e.TXID, Max: e.TXID, Size: c.size}
	if e.TXID == before.TXID { // an entry that was appended may be appended again
		o.Time, err = a.compare(ctx, e, o, c)
	} else if o.Time, err = a.create(ctx, e, o, c); err == nil {
		err = a.lookBack(ctx, e, o, looked)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.known = false
		return Object{}, err
	}
	a.head, a.known, a.looked, a.wrote = e.Head, true, at, e.TXID
	return o, nil
}

// refused marks an error as one of an entry that certainly is not in the log.
func refused(err error) error {
	if errors.Is(err, nearlite.ErrNotCommitted) {
		return err
	}
	return fmt.Errorf("%w: %w", nearlite.ErrNotCommitted, err)
}

// follows returns the head that an entry comes after and when that was looked for, or
// the error of an entry that does not.
func (a *Archive) follows(ctx context.Context, e *nearlite.Entry) (head nearlite.Head, looked time.Time, err error) {
	a.mu.Lock()
	head, looked = a.head, a.looked
	fresh, closed := a.known && !a.longAgo(looked), a.closed
	a.mu.Unlock()
	if closed {
		return head, looked, refused(errClosed)
	}
	if !fresh || e.TXID != head.TXID+1 {
		err := a.patiently(ctx, func() (err error) {
			looked = time.Now()
			head, err = a.Head(ctx)
			return err
		})
		if err != nil {
			return head, looked, refused(err)
		}
	}
	switch {
	case e.TXID > head.TXID+1:
		return head, looked, refused(fmt.Errorf("the log ends with entry %d: the entries between are missing, or it is another database's", head.TXID))
	case e.TXID < head.TXID:
		return head, looked, a.fenced(ctx, e.TXID)
	case e.TXID > 1 && e.TXID == head.TXID+1 && e.PageSize != head.PageSize:
		return head, looked, refused(fmt.Errorf("its pages have %d bytes and those of the log %d: begin another archive", e.PageSize, head.PageSize))
	}
	return head, looked, nil // or it is the last one, perhaps this very entry
}

// header is what the object of an entry begins with.
func header(e *nearlite.Entry) ltx.Header {
	h := ltx.Header{
		Flags: ltx.HeaderFlagNoChecksum, PageSize: uint32(e.PageSize), Commit: e.Pages,
		MinTXID: ltx.TXID(e.TXID), MaxTXID: ltx.TXID(e.TXID), Timestamp: e.Time.UnixMilli(),
		NodeID: uint64(e.Epoch)<<32 | uint64(e.Sum),
	}
	if place := e.WAL; place.Offset > 0 {
		h.WALOffset = e.WALStart
		if e.WALStart < walHeader || e.WALStart > place.Offset {
			h.WALOffset = min(walHeader, place.Offset) // it began in an earlier WAL
		}
		h.WALSize, h.WALSalt1, h.WALSalt2 = place.Offset-h.WALOffset, place.Salt1, place.Salt2
	}
	return h
}

// walHeader is where the first frame of a WAL begins.
const walHeader = 32

// encode makes the object's content. A database that grew has to bring all its new
// pages, or nobody could restore it.
func (a *Archive) encode(e *nearlite.Entry, before nearlite.Head) (*content, error) {
	h := header(e)
	lock := ltx.LockPgno(h.PageSize)
	missing := int64(e.Pages) - int64(before.Pages)
	if before.Pages < lock && lock <= e.Pages {
		missing--
	}
	check := e.TXID == before.TXID+1 && missing > 0
	return encode(a.opts.TempDir, h, int64(e.Frames)*int64(e.PageSize), func(page func(uint32, []byte) error) error {
		err := e.Each(func(p wal.Page) error {
			if p.Number > before.Pages {
				missing--
			}
			return page(p.Number, p.Data)
		})
		if err == nil && check && missing > 0 {
			err = fmt.Errorf("the database grew from %d to %d pages, and %d of the new ones are missing", before.Pages, e.Pages, missing)
		}
		return err
	})
}

// create stores the object of an entry. An answer that was lost is looked for
// until it is found: another Create of the same content has it. It returns when it
// was stored.
func (a *Archive) create(ctx context.Context, e *nearlite.Entry, o Object, c *content) (time.Time, error) {
	lost := false
	var stored time.Time
	err := a.patiently(ctx, func() error {
		info, err := a.store.Create(ctx, o.Key, c.get())
		stored = info.Time
		switch {
		case errors.Is(err, storage.ErrExist):
			lost = true // by an earlier try, perhaps of an earlier call
			if stored, err = a.ours(ctx, o.Key, c); err == nil && stored.IsZero() {
				return a.fenced(ctx, e.TXID)
			}
		case errors.Is(err, storage.ErrUnknown):
			lost = true
		}
		if err != nil && lost && !errors.Is(err, storage.ErrClosed) {
			return unresolved{err}
		}
		return err
	})
	if err != nil && !lost {
		err = refused(err)
	}
	return stored, err
}

// compare returns when the last entry was stored, if it is this one.
func (a *Archive) compare(ctx context.Context, e *nearlite.Entry, o Object, c *content) (stored time.Time, err error) {
	err = a.patiently(ctx, func() error {
		stored, err = a.ours(ctx, o.Key, c)
		if err == nil && stored.IsZero() {
			err = a.fenced(ctx, e.TXID)
		}
		return err
	})
	return stored, err
}

// unresolved is an error to try again after, whatever it is: the outcome of an
// earlier try is not known.
type unresolved struct{ error }

func (u unresolved) Unwrap() error { return u.error }

// ours returns when the object was stored, if it is byte for byte this content.
func (a *Archive) ours(ctx context.Context, key string, c *content) (time.Time, error) {
	sum, err := c.sum()
	if err != nil {
		return time.Time{}, err
	}
	held, err := storage.Holds(ctx, a.store, key, c.size, sum)
	if err != nil || !held {
		return time.Time{}, err
	}
	info, err := a.store.Stat(ctx, key)
	return info.Time, err
}

// patiently tries again what failed because the storage was not available, until
// it was not for too long.
func (a *Archive) patiently(ctx context.Context, try func() error) error {
	until := time.Now().Add(a.opts.Patience)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := try()
		again := errors.Is(err, storage.ErrUnavailable) || errors.As(err, new(unresolved))
		if err == nil || !again || errors.Is(err, nearlite.ErrFenced) || ctx.Err() != nil || time.Now().Add(pause).After(until) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%w while waiting to try again after: %w", context.Cause(ctx), err)
		}
	}
}
