package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/storage"
)

// primaryKey is the key of the object that says who began to write last.
const primaryKey = "primary"

// Primary is who began to write an archive, in their own words. It is to tell
// people, and decides nothing.
type Primary struct {
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"` // writing
	Epoch   string    `json:"epoch"`   // of its entries, in hexadecimal
	Version string    `json:"nearlite"`
}

// String is "host web-2, process 4711, since 2026-11-21T20:15:00Z".
func (p Primary) String() string {
	return fmt.Sprintf("host %q, process %d, since %s", p.Host, p.PID, p.Started.UTC().Format(time.RFC3339))
}

// primaries is what the object holds: the last to begin, and some before.
type primaries struct {
	Primary
	Before []Primary `json:"before,omitempty"`
}

// primariesMax is how many are remembered; that is more than the object ever has.
const (
	primariesMax   = 8
	primariesBytes = 64 << 10
)

func parsePrimaries(b []byte) (primaries, error) {
	var p primaries
	if err := json.Unmarshal(b, &p); err != nil {
		return primaries{}, err
	}
	return p, nil
}

// all is everybody the object names, the last to begin first.
func (p primaries) all() []Primary {
	if p.Primary == (Primary{}) {
		return nil
	}
	return append([]Primary{p.Primary}, p.Before...)
}

// readPrimaries returns nobody if nobody has said who they are, or not so that it
// can be understood.
func (a *reader) readPrimaries(ctx context.Context) ([]Primary, storage.Version, error) {
	b, info, err := storage.ReadRange(ctx, a.store, primaryKey, storage.Range{Length: primariesBytes})
	if errors.Is(err, storage.ErrNotExist) {
		return nil, "", nil
	} else if err != nil && !errors.Is(err, storage.ErrRange) {
		return nil, "", err
	}
	p, err := parsePrimaries(b)
	if err != nil {
		return nil, info.Version, nil
	}
	return p.all(), info.Version, nil
}

// introduce says who writes, before the first entry. If it cannot be said, the
// entries after it try again, a few times.
func (a *Archive) introduce(ctx context.Context, e *nearlite.Entry) {
	const tries = 3
	if a.introduced >= tries {
		return
	}
	a.introduced++
	ctx, cancel := context.WithTimeout(ctx, min(a.opts.Patience/2, 5*time.Second))
	defer cancel()
	before, old, err := a.readPrimaries(ctx)
	if err != nil {
		return
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	text, err := json.Marshal(primaries{
		Primary: Primary{Host: host, PID: os.Getpid(), Started: time.Now().UTC().Truncate(time.Second),
			Epoch: epochText(e.Epoch), Version: version()},
		Before: before[:min(len(before), primariesMax)],
	})
	if err == nil {
		_, err = a.put(ctx, primaryKey, text, old)
	}
	if err == nil {
		a.introduced = tries
	}
}

func epochText(epoch uint32) string { return fmt.Sprintf("%08x", epoch) }

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// fenced is the error of an entry whose place another writer has taken.
func (a *Archive) fenced(ctx context.Context, txid uint64) error {
	return &nearlite.FencedError{TXID: txid, Who: a.whoWrote(ctx, txid)}
}

// whoWrote names the writer of an entry as well as it can be found out.
func (a *Archive) whoWrote(ctx context.Context, txid uint64) string {
	known, _, err := a.readPrimaries(ctx)
	if err != nil {
		return fmt.Sprintf("somebody (%v)", err)
	}
	o := Object{Key: a.layout.key(0, txid, txid), Min: txid, Max: txid}
	info, err := a.store.Stat(ctx, o.Key)
	o.Size = info.Size
	var h ltx.Header
	if err == nil {
		h, err = a.readHeader(ctx, o)
	}
	epoch := epochText(uint32(h.NodeID >> 32))
	for _, p := range known {
		if err == nil && p.Epoch == epoch {
			return p.String()
		}
	}
	switch {
	case err == nil && h.NodeID>>32 == 0:
		return fmt.Sprintf("a program that leaves no name, as Litestream does, at %s", time.UnixMilli(h.Timestamp).UTC().Format(time.RFC3339))
	case err == nil && len(known) > 0:
		return fmt.Sprintf("epoch %s; the last to begin was %v", epoch, known[0])
	case len(known) > 0: // the entry was merged and deleted
		return known[0].String()
	}
	return "somebody who left no name"
}

// longAgo reports whether a look is too old to rely on. The wall clock counts
// while a machine sleeps, the other one when somebody sets the first.
func (a *Archive) longAgo(look time.Time) bool {
	now := time.Now()
	age := max(now.Sub(look), now.Round(0).Sub(look.Round(0)))
	return age > a.opts.EntryRetention/4
}

// lookBack finds out whether an entry that could be stored was in the log already,
// merged and deleted, while this process was stopped. The look that counts is the one
// by which the entry was the next: the keeper may have looked since.
func (a *Archive) lookBack(ctx context.Context, e *nearlite.Entry, stored Object, looked time.Time) error {
	if !a.longAgo(looked) {
		return nil
	}
	err := a.patiently(ctx, func() error {
		all, err := a.listAll(ctx)
		if err != nil {
			return err
		}
		return a.madeOfOurs(ctx, e, stored, all)
	})
	if errors.Is(err, nearlite.ErrFenced) {
		_ = a.store.Delete(ctx, stored.Key) // it leads astray who restores this very entry
	}
	if err != nil {
		return fmt.Errorf("look whether the entry had been there before: %w", err)
	}
	return nil
}

// madeOfOurs is an error unless the objects that have an entry have ours. One that was
// stored before ours has not. One that was stored after it may have another all the
// same: a store may take the time when it begins to write an object, and our process
// may have been stopped behind that. Then its writer tells, if the entry is its last;
// if it is not, nobody can know, for none of ours are behind this one.
func (a *Archive) madeOfOurs(ctx context.Context, e *nearlite.Entry, stored Object, objects []Object) error {
	further := uint64(0)
	for _, o := range objects {
		if o.Level == 0 || o.Min > e.TXID || o.Max < e.TXID {
			continue
		}
		if o.Time.Before(stored.Time) {
			return &nearlite.FencedError{TXID: e.TXID, Who: a.whoElse(ctx)}
		}
		if o.Max > e.TXID {
			further = max(further, o.Max)
			continue
		}
		h, err := a.readHeader(ctx, o)
		if err != nil {
			return err
		}
		if uint32(h.NodeID>>32) != e.Epoch {
			return &nearlite.FencedError{TXID: e.TXID, Who: a.whoElse(ctx)}
		}
	}
	if further > 0 {
		return fmt.Errorf("another writer has gone on to entry %d, from this one or from another of its number: %s", further, a.whoElse(ctx))
	}
	return nil
}

// whoElse is for an entry whose object tells nothing, being our own.
func (a *Archive) whoElse(ctx context.Context) string {
	known, _, err := a.readPrimaries(ctx)
	switch {
	case err != nil || len(known) == 0:
		return "somebody who left no name"
	case len(known) > 1 && known[0].PID == os.Getpid():
		return known[1].String()
	}
	return known[0].String()
}
