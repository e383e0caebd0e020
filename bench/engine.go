package bench

import (
	"context"
	"errors"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/storage/open"
)

// engineDB is a database opened by the engine.
type engineDB struct {
	db    *nearlite.DB
	after func() error // closes its archive
}

// engineSettings are how a database is opened.
type engineSettings struct {
	Durability Durability
	Requests   int // at once
	PageMap    bool
	Archive    string // URL; "": none
}

// openEngineDB opens a database.
func openEngineDB(ctx context.Context, path string, s engineSettings) (engineDB, error) {
	opts := &nearlite.Options{
		QueueMax: max(200_000, s.Requests),
		// To add up a billion balances takes longer than a minute.
		MaxSnapshotAge: time.Hour,
		PageMap:        s.PageMap,
	}
	switch s.Durability {
	case Normal:
		opts.Durability = nearlite.Normal
	case Archived:
		opts.Durability = nearlite.Archived
	}
	after := func() error { return nil }
	if s.Archive != "" {
		log, done, err := openArchive(ctx, s.Archive)
		if err != nil {
			return engineDB{}, err
		}
		opts.Log, after = log, done
	}
	db, err := nearlite.Open(ctx, path, opts)
	if err != nil {
		return engineDB{}, errors.Join(err, after())
	}
	return engineDB{db, after}, nil
}

// openArchive opens the archive of a database, and what closes it.
func openArchive(ctx context.Context, address string) (*archive.Archive, func() error, error) {
	store, err := open.Store(ctx, address, nil)
	if err != nil {
		return nil, nil, err
	}
	a, err := archive.Open(ctx, store, &archive.Options{Maintain: true})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return a, func() error { return errors.Join(a.Close(), store.Close()) }, nil
}

func (e engineDB) table() dataset { return accounts }

func (e engineDB) exec(ctx context.Context, sql string, args ...any) error {
	_, err := e.db.Exec(ctx, sql, args...)
	return err
}

func (e engineDB) number(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = e.db.View(ctx, func(tx *nearlite.ReadTx) error {
		n, err = nearlite.One[int64](tx, sql, args...)
		return err
	})
	return n, err
}

func (e engineDB) checkpoint(ctx context.Context) error { return e.db.Checkpoint(ctx) }

func (e engineDB) close() error { return errors.Join(e.db.Close(), e.after()) }
