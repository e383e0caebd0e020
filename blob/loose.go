package blob

import (
	"context"
	"fmt"
	"time"

	"github.com/nearlite/nearlite"
)

// # Loose contents
//
// A chunked content that no name points to is loose: it is being written and has
// no name yet, or its object was deleted or replaced. Each has a row in the table
// blob_loose with the time since when. This one idea does three things.
//
//  1. A large object is written in many short transactions, so that a slow
//     upload never holds the writer, and appears in one: its content gets a name.
//     A process that dies leaves a loose content and nothing else.
//  2. Deleting a large object costs the transaction nothing. SQLite has to read
//     every page it frees; of ten gigabytes that takes seconds, in which nobody
//     could write. So the content only becomes loose, and goes in small steps.
//  3. One who reads an object outside of a transaction reads on although it was
//     deleted, as he could from a file: there is time until it goes.
//
// Invariant: every id of blob_chunk is in a row of the table of names or in one of
// blob_loose, never in both; whoever changes one changes the other in the same
// transaction.
const (
	// looseReaders is for how long one may go on reading what was deleted: as long
	// as a snapshot may live by default.
	looseReaders = time.Minute
	// looseWriters is after how long without a row an upload counts as dead.
	looseWriters = time.Hour
	// sweepRows is how many rows go in one step: 8 MiB.
	sweepRows = 128
)

// stage makes a loose content for somebody to fill.
func (s *Store) stage(tx *nearlite.WriteTx) (id int64, err error) {
	res, err := tx.Exec(s.sql.stage, s.now().UnixNano())
	if s.absent(err, s.table+"_loose") {
		if err = s.Init(tx); err == nil {
			res, err = tx.Exec(s.sql.stage, s.now().UnixNano())
		}
	}
	return res.LastInsertRowID, err
}

// touch says that somebody is still filling it.
func (s *Store) touch(tx *nearlite.WriteTx, id int64) error {
	res, err := tx.Exec(s.sql.touch, s.now().UnixNano(), id)
	if err == nil && res.Changes == 0 {
		return ErrAbandoned
	}
	return err
}

// settle gives a loose content a name, in place of what had it.
func (s *Store) settle(tx *nearlite.WriteTx, e entry) error {
	old, found, err := s.findToWrite(tx, e.Name)
	if err != nil {
		return err
	}
	if found {
		if err := s.release(tx, old); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(s.sql.removeLoose, e.id); err != nil {
		return err
	}
	return s.publish(tx, e)
}

// release is for a content whose name is about to go or to get another: one row
// is deleted, a chunked content becomes loose.
func (s *Store) release(tx *nearlite.WriteTx, e entry) error {
	if e.chunk == 0 {
		_, err := tx.Exec(s.sql.removeContent, e.id)
		return err
	}
	if _, err := tx.Exec(s.sql.loosen, e.id, s.now().UnixNano()); err != nil {
		return err
	}
	_, err := s.sweep(tx) // so that they do not pile up where nobody calls Sweep
	return err
}

// Sweep frees what deleted and replaced objects and dead uploads have left
// behind, and returns how many of them are gone for good. Objects of one row
// leave nothing behind; of larger ones the content stays for a minute, for those
// who are reading it, and the rows of an upload for an hour after the last.
//
// It works in short transactions of its own. Every Upload of a large object ends
// with it, and every transaction that deletes or replaces one does a step of it;
// a program that mostly deletes large objects calls it every few minutes.
func (s *Store) Sweep(ctx context.Context, db *nearlite.DB) (swept int, err error) {
	for {
		var did step
		err := db.Update(ctx, func(tx *nearlite.WriteTx) (err error) {
			did, err = s.sweep(tx)
			return err
		})
		if err != nil {
			return swept, fmt.Errorf("sweep blob store %s: %w", s.table, err)
		}
		switch did {
		case nothing:
			return swept, nil
		case wholly:
			swept++
		}
	}
}

// step is what one step of a sweep came to.
type step int

const (
	nothing step = iota // there was nothing to do
	partly              // some rows of a content went
	wholly              // its last rows went
)

// sweep does one step.
func (s *Store) sweep(tx *nearlite.WriteTx) (step, error) {
	now := s.now()
	id, err := nearlite.One[int64](tx, s.sql.stale, now.Add(-looseReaders).UnixNano(), now.Add(-looseWriters).UnixNano())
	if err == nearlite.ErrNoRows || s.absent(err, s.table+"_loose") {
		return nothing, nil
	}
	if err != nil {
		return nothing, err
	}
	res, err := tx.Exec(s.sql.removeChunks, chunkKey(id, 0), chunkKey(id, seqMax-1), sweepRows)
	if err != nil || res.Changes == sweepRows {
		return partly, err
	}
	_, err = tx.Exec(s.sql.removeLoose, id)
	return wholly, err
}
