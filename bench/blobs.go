package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// BlobAPI is a way to a blob in the database.
type BlobAPI string

const (
	// BlobSQL is View and Update of the engine with a prepared statement. Readers
	// map the file, as the engine has them do by itself.
	BlobSQL BlobAPI = "sql"
	// BlobUnmapped is the same with nothing mapped, as in the article's first chart:
	// a blob comes by system calls, as a file does.
	BlobUnmapped BlobAPI = "unmapped"
	// BlobStore is package blob: a name looked up, a checksum kept. Its objects
	// are in a database of their own, DB.store, opened with the engine's settings.
	BlobStore BlobAPI = "store"
	// BlobHandle is a blob handle of package sqlite, moved from key to key.
	BlobHandle BlobAPI = "blob"
	// BlobMapped is a blob handle with the whole database mapped into memory.
	BlobMapped BlobAPI = "mmap"
)

// BlobAPIs are all there are, in the order of a report.
var BlobAPIs = []BlobAPI{BlobSQL, BlobUnmapped, BlobStore, BlobHandle, BlobMapped}

// BlobLayout is how the same blobs lie in files, one each.
type BlobLayout string

const (
	// Flat is one directory with all files in it: 001234.
	Flat BlobLayout = "flat"
	// Tree has no more than 100 entries in a directory: 00/12/34.
	Tree BlobLayout = "tree"
)

// BlobLayouts are both.
var BlobLayouts = []BlobLayout{Flat, Tree}

// BlobOrder is the order in which blobs are read and overwritten.
type BlobOrder string

// The orders. A random key is drawn anew each time, so that some come twice.
const (
	Random     BlobOrder = "random"
	Ascending  BlobOrder = "asc"
	Descending BlobOrder = "desc"
)

// Blobs is a run of the measurements of "35% Faster Than The Filesystem": the
// same blobs in a database and in files, read and overwritten in turns.
type Blobs struct {
	DB       string // path of the database; beside it lie DB.store, DB.flat and DB.tree
	Count    int    // how many blobs there are, and how many a round reads
	Size     int    // of a blob on the average, in bytes
	Variance int    // a blob is at most so much smaller or larger
	PageSize int    // of a new database; 0 = the engine's own choice
	Order    BlobOrder
	APIs     []BlobAPI
	Rounds   int // that count; one before them does not

	Update     bool // overwrite a tenth of the blobs, too
	NoSync     bool // the database never asks for its writes to be on disk
	Fsync      bool // files and database are on disk when a write is over
	MultiTrans bool // each blob in a transaction of its own
	Cold       bool // the operating system forgets the files before each round
	Article    bool // all of the article instead: its five charts and what it says beside them
	Sweep      bool // find the size at which files become faster, too

	Progress Progress // told about the steps of a run; nil = nobody

	sparing bool // in tests: forget the run's own files only, and wait for nobody else's writes
}

// sync returns when all that was written is on disk, so that nothing is written
// behind the back of a measurement.
func (b Blobs) sync() error {
	if b.sparing {
		return nil
	}
	return syncFileSystem(b.DB)
}

func (b Blobs) validate() error {
	switch {
	case b.DB == "":
		return errors.New("no path for the database")
	case b.Count < 1:
		return fmt.Errorf("%d blobs: there has to be one", b.Count)
	case b.Size < 1 || b.Variance < 0 || b.Variance >= b.Size:
		return fmt.Errorf("blobs of %d ± %d bytes: a blob has at least one", b.Size, b.Variance)
	case b.Size+b.Variance > 1<<30:
		return fmt.Errorf("blobs of %d bytes: SQLite stores up to a gigabyte", b.Size+b.Variance)
	case b.Rounds < 1:
		return fmt.Errorf("%d rounds: one has to count", b.Rounds)
	case len(b.APIs) == 0:
		return errors.New("no way to the blobs of the database")
	case b.NoSync && b.Fsync:
		return errors.New("without syncs and with syncs: choose one")
	}
	errs := []error{oneOf("order", b.Order, Random, Ascending, Descending)}
	for _, api := range b.APIs {
		errs = append(errs, oneOf("way to a blob", api, BlobAPIs...))
	}
	return errors.Join(errs...)
}

// Run makes what is not there, measures and reports. A canceled ctx ends it
// with an error.
func (b Blobs) Run(ctx context.Context) (*BlobsReport, error) {
	if err := b.validate(); err != nil {
		return nil, err
	}
	b.APIs = slices.Compact(slices.Sorted(slices.Values(b.APIs)))
	slices.SortFunc(b.APIs, func(x, y BlobAPI) int { return slices.Index(BlobAPIs, x) - slices.Index(BlobAPIs, y) })
	report, err := b.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("blobs in %s: %w", b.DB, err)
	}
	return report, nil
}

func (b Blobs) run(ctx context.Context) (*BlobsReport, error) {
	set, err := b.make(ctx)
	if err != nil {
		return nil, err
	}
	report := set.newReport()
	if report.Limit, err = set.measureLimit(); err != nil {
		return nil, fmt.Errorf("measure the machine: %w", err)
	}
	for _, plan := range b.plans() {
		part, err := set.measure(ctx, plan)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", plan.Name, err)
		}
		report.Parts = append(report.Parts, part)
	}
	if report.Disk, err = set.disk(ctx); err != nil {
		return nil, fmt.Errorf("see what takes how much disk: %w", err)
	}
	if b.Sweep || b.Article {
		if err := b.sweep(ctx, report); err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
	}
	report.summarize()
	return report, nil
}
