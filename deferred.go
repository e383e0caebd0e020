package nearlite

import (
	"context"
	"errors"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// A deferred transaction begins with a reader and takes the writer when it first
// writes. What it has read by then must still be true there, or its decisions
// would rest on the past, and an increment of a counter get lost. SQLite itself
// gives up in that case as soon as anybody has written anything (SQLITE_BUSY_SNAPSHOT).
// Here the reads are recorded with a digest of what they returned, as those of
// every interactive transaction are, run again on the writer, and compared: only
// if one comes out differently is the transaction a conflict. Where nobody has
// written, which the header of the wal-index tells, there is nothing to compare.
//
//	new ──read──▶ reading ──write──▶ queued ──the same reads──▶ live
//	 └───────────write──────────────────┘    └──others─────────▶ ErrConflict

// readsAgain bounds how long the reads may have taken that the writer, for
// whom everybody waits, does again.
const readsAgain = 100 * time.Millisecond

// readsPatience is how many times as long they may take there; beyond that they count
// as changed.
const readsPatience = 10

// errWrites says that a statement is not for a reader.
var errWrites = errors.New("the statement needs the writer")

// readFirst runs a statement of a deferred transaction on its reader, or fails
// with errWrites.
func (tx *Tx) readFirst(ctx context.Context, visit func(Row) error, sql string, args []any) (Result, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err := tx.startReading(ctx); err != nil {
		return Result{}, err
	}
	from := tx.db.clock.now()
	tx.reader.r.ctx = ctx
	tx.reader.r.watch.begin(ctx)
	d := newDigest(visit, 0)
	res, err := tx.reader.Run(d.take, sql, args...)
	tx.unwatch()
	tx.active = tx.db.clock.now()
	// What the writer says after a read, where a reader may say what it said last.
	res.LastInsertRowID, res.Changes = tx.rowID, 0
	switch {
	case errors.Is(err, ErrReadOnly):
		return Result{}, errWrites
	case errors.Is(err, ErrSnapshotExpired):
		tx.endReading(err)
	case err != nil && d.ended == nil && ctx.Err() != nil:
		// Its client has learnt nothing that would have to be true again.
	default:
		tx.record(sql, args, d, d.sum(res, err))
		if tx.readFor += tx.db.clock.now() - from; tx.readFor > tx.db.readsAgain {
			tx.calls, tx.size = nil, callsMax+1
		}
	}
	return res, err
}

// startReading takes a reader for the first statement. tx.mu is held.
func (tx *Tx) startReading(ctx context.Context) error {
	switch {
	case tx.state == txEnded:
		return tx.err
	case tx.reader != nil:
		if tx.unwatch(); tx.interrupted {
			return errWrites // the snapshot is gone; the writer can confirm what was read
		}
		return nil
	}
	r, err := tx.db.readers.take(ctx)
	if err != nil {
		return err
	}
	tx.reader, tx.state, tx.active = r.handle(ctx), txLive, tx.db.clock.now()
	tx.reader.SetLastInsertRowID(tx.rowID)
	r.held.Store(tx)
	return nil
}

// stopReading gives the reader back and makes the transaction one that has not
// begun, but for what it has read.
func (tx *Tx) stopReading() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.deferred = false
	if tx.state == txEnded || tx.reader == nil {
		return
	}
	tx.seen = tx.reader.r.conn.Snapshot()
	tx.releaseReader()
	tx.reader, tx.state = nil, txNew
}

// confirm makes sure, on the writer, that a deferred transaction's reads are still
// true. moved says that the writer's open transaction has written.
func (w *writer) confirm(tx *Tx, moved bool) error {
	if len(tx.calls) == 0 && !tx.heavy() {
		return nil
	}
	if h, _, ok := w.conn.WAL(); ok && !moved && tx.seen != (sqlite.WALHeader{}) && h == tx.seen {
		return nil
	}
	// What was read quickly may have become a lot since.
	ctx, cancel := context.WithTimeout(context.Background(), readsPatience*w.db.readsAgain)
	defer cancel()
	tx.work.ctx = ctx
	err := w.runAgain(tx)
	w.watch.end()
	tx.work.ctx = context.Background()
	return err
}

// runAgain runs the recorded statements again and compares what they return.
func (w *writer) runAgain(tx *Tx) error {
	if tx.heavy() {
		return ErrConflict
	}
	for _, c := range tx.calls {
		d := newDigest(nil, c.most)
		res, err := tx.work.run(d.take, c.sql, c.args)
		if d.sum(res, err) != c.digest {
			return ErrConflict
		}
	}
	return nil
}

// conflict ends a transaction whose reads are not true any more.
func (w *writer) conflict(r *request) {
	tx := r.inter
	w.settle(r, ErrConflict)
	tx.mu.Lock()
	tx.state, tx.err = txEnded, ErrConflict
	tx.mu.Unlock()
	close(tx.granted)
}

// awaitOther lets a transaction that has met a conflict wait for the commit of the
// other one: tried again before that, it would read the same once more.
func (tx *Tx) awaitOther(ctx context.Context) error {
	tx.mu.Lock()
	lost := tx.state == txEnded && tx.err == ErrConflict
	tx.mu.Unlock()
	if !lost {
		return nil
	}
	select {
	case <-tx.done:
	case <-ctx.Done():
	}
	return ErrConflict
}
