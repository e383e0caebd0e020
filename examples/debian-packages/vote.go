package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/nearlite/nearlite"
)

// vote lets many vote at once until so many votes are cast. Each is a transaction
// of several statements; those that come together are committed together.
func vote(ctx context.Context, db *nearlite.DB, votes int) error {
	packages, err := ensureBallot(ctx, db)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	failed := make([]error, voters)
	for voter := range voters {
		group.Go(func() {
			for range share(votes, voter) {
				if failed[voter] = voteOnce(ctx, db, 1+rand.Int64N(packages)); failed[voter] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(failed...)
}

// share is how many of the votes one voter casts.
func share(votes, voter int) int { return (votes + voter) / voters }

// ensureBallot makes the tables if they are not there, and counts the packages.
func ensureBallot(ctx context.Context, db *nearlite.DB) (packages int64, err error) {
	err = db.Update(ctx, func(tx *nearlite.WriteTx) error {
		for _, statement := range []string{
			`CREATE TABLE IF NOT EXISTS vote(package INTEGER PRIMARY KEY REFERENCES package(id) ON DELETE CASCADE, votes INTEGER NOT NULL)`,
			`CREATE TABLE IF NOT EXISTS turnout(votes INTEGER NOT NULL)`,
			`INSERT INTO turnout SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM turnout)`,
			`CREATE VIEW IF NOT EXISTS popular AS SELECT name, votes FROM vote JOIN package ON id = package ORDER BY votes DESC, name`,
		} {
			if _, err := tx.Exec(statement); err != nil {
				return fmt.Errorf("make the ballot: %w", err)
			}
		}
		packages, err = nearlite.One[int64](tx, "SELECT max(id) FROM package")
		return err
	})
	return packages, err
}

// voteOnce casts one vote, or none if the package is gone.
func voteOnce(ctx context.Context, db *nearlite.DB, id int64) error {
	return db.Update(ctx, func(tx *nearlite.WriteTx) error {
		_, err := nearlite.One[string](tx, "SELECT name FROM package WHERE id = ?", id)
		if errors.Is(err, nearlite.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO vote VALUES (?, 1) ON CONFLICT DO UPDATE SET votes = votes + 1", id); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE turnout SET votes = votes + 1")
		return err
	})
}
