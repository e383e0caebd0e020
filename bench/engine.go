package bench

import (
	"context"
	"time"

	"github.com/nearlite/nearlite"
)

// engineDB is a database opened by the engine.
type engineDB struct{ db *nearlite.DB }

// openEngineDB opens a database for so many requests at once.
func openEngineDB(ctx context.Context, path string, durability Durability, requests int) (engineDB, error) {
	opts := &nearlite.Options{
		QueueMax: max(200_000, requests),
		// To add up a billion balances takes longer than a minute.
		MaxSnapshotAge: time.Hour,
	}
	if durability == Normal {
		opts.Durability = nearlite.Normal
	}
	db, err := nearlite.Open(ctx, path, opts)
	return engineDB{db}, err
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

func (e engineDB) close() error { return e.db.Close() }
