package archive

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/storage"
)

// Options of an archive; the zero value is the default of each.
type Options struct {
	// Patience is how long Append tries to store an entry, or to learn whether it
	// did. 0: 30 s.
	Patience time.Duration
	// TempDir is where what does not fit in memory goes for a while. Empty: the
	// system's.
	TempDir string
	// Maintain has objects merged, snapshots made and what is no longer needed
	// deleted, in the background. It is for the one that writes the archive; if
	// two do it, no harm is done.
	Maintain bool
	// Retention is how far back the database can be restored. 0: 7 days.
	Retention time.Duration
	// EntryRetention is how long single entries stay once they are merged. A
	// writer that was stopped for longer than a quarter of it looks twice. It must
	// not be shorter than any request can take. 0: 24 hours.
	EntryRetention time.Duration
	// SnapshotEvery is the time between two snapshots of a database that changes;
	// they are made earlier when as much has changed as the last is large. 0: 24
	// hours.
	SnapshotEvery time.Duration
	// Logger is told what fails in the background. nil: slog.Default().
	Logger *slog.Logger
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	setDefault(&d.Patience, 30*time.Second)
	setDefault(&d.Retention, 7*24*time.Hour)
	setDefault(&d.EntryRetention, 24*time.Hour)
	setDefault(&d.SnapshotEvery, 24*time.Hour)
	if d.TempDir == "" {
		d.TempDir = os.TempDir()
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	return d
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// reader is what it takes to read an archive.
type reader struct {
	store   *meter
	layout  layout
	tempDir string
}

func newReader(s storage.Store, tempDir string) *reader {
	return &reader{store: &meter{Store: s}, layout: layoutOf(s), tempDir: tempDir}
}

// Archive is a database's log in a store. It is a [nearlite.Log]: its Append is
// called by one goroutine at a time, everything else by any number.
//
// One entry is one object, whose key is its number, and which is created on the
// condition that there is none: this is what keeps two writers apart, not the
// hint, not the primary object and no clock. But objects are deleted when they
// have been merged into larger ones, and then a key is free again. A writer that
// was stopped for a day could take it, and believe. So:
//
//  1. The newest entry's object is never deleted, others not before
//     EntryRetention is over.
//  2. A writer whose last certain look at the log is older than a quarter of that
//     looks before it stores anything.
//  3. If the look is that old after it has stored, too, it looks again before it
//     says so: it was stopped in between. An object that has this entry in it and
//     was stored before ours was not made of ours: another writer had it first.
//
// A look is a listing, or an entry that could be stored.
type Archive struct {
	*reader
	opts Options

	mu     sync.Mutex // guards the following
	head   nearlite.Head
	known  bool      // head was the last entry when we
	looked time.Time // looked
	wrote  uint64    // the last entry that we appended
	hinted uint64    // and the one when we wrote the hint
	closed bool

	introduced int // how often the primary object was tried; Append's own
	keeper     keeper
}

var _ nearlite.Log = (*Archive)(nil)

// Open opens an archive, which may be empty. It writes nothing, and neither does
// anything but Append, Prune and what Options.Maintain asks for. The store stays
// the caller's to close, after the archive.
func Open(ctx context.Context, store storage.Store, opts *Options) (*Archive, error) {
	if store == nil {
		return nil, errors.New("open the archive: no store")
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	o := opts.withDefaults()
	a := &Archive{reader: newReader(store, o.TempDir), opts: o}
	a.keeper.init(a)
	return a, nil
}

// Close ends what runs in the background, and writes down where the log ends.
func (a *Archive) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.keeper.close()
	return nil
}

// Requests tells what this archive has asked of its store until now.
func (a *Archive) Requests() Requests { return a.store.requests() }
