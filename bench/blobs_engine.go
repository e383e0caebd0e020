package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// engineBlobs are the blobs of the database as a program has them that uses the
// engine: View, Update, a statement kept prepared.
type engineBlobs struct {
	set   *blobSet
	db    *nearlite.DB
	multi bool
	buf   []byte
	key   [1]any
}

func (s *blobSet) openEngine(ctx context.Context, api BlobAPI, plan BlobsPlan) (*engineBlobs, error) {
	opts := &nearlite.Options{
		MustExist: true,
		// A round is one transaction, however long it takes, and a checkpoint
		// comes when a round is over.
		MaxSnapshotAge:  24 * time.Hour,
		MaxClosure:      24 * time.Hour,
		CheckpointBytes: 1 << 40,
		MaxWALBytes:     1 << 40,
	}
	if api == BlobSQL {
		opts.MmapSize = -1
	}
	switch plan.Sync {
	case SyncNormal:
		opts.Durability = nearlite.Normal
	case SyncOff:
		opts.Durability = nearlite.Normal
		opts.OnConnect = func(c *sqlite.Conn) error { return c.Exec("PRAGMA synchronous = OFF") }
	}
	db, err := nearlite.Open(ctx, s.DB, opts)
	if err != nil {
		return nil, err
	}
	return &engineBlobs{set: s, db: db, multi: plan.MultiTrans, buf: make([]byte, 0, s.Size+s.Variance)}, nil
}

func (e *engineBlobs) read(ctx context.Context, keys []int, check func(int, []byte) error) (total int64, err error) {
	all := func(tx *nearlite.ReadTx) error {
		for _, key := range keys {
			if err := e.one(tx, key); err != nil {
				return err
			}
			total += int64(len(e.buf))
			if check != nil {
				if err := check(key, e.buf); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if !e.multi {
		return total, e.db.View(ctx, all)
	}
	for several := keys; len(several) > 0; several = several[1:] {
		keys = several[:1]
		if err := e.db.View(ctx, all); err != nil {
			return total, err
		}
	}
	return total, nil
}

// one reads one blob into the buffer.
func (e *engineBlobs) one(tx *nearlite.ReadTx, key int) error {
	e.key[0], e.buf = key, e.buf[:0]
	row := tx.QueryRowTail(&e.buf, readBlobSQL, e.key[:]...)
	if err := row.Err(); err != nil {
		return fmt.Errorf("read blob %d: %w", key, err)
	}
	return nil
}

func (e *engineBlobs) overwrite(ctx context.Context, keys []int) error {
	all := func(tx *nearlite.WriteTx) error {
		for _, key := range keys {
			if _, err := tx.Exec(updateBlobSQL, e.set.rewritten(blobDatabase, key), key); err != nil {
				return fmt.Errorf("overwrite blob %d: %w", key, err)
			}
		}
		return nil
	}
	if !e.multi {
		return e.db.Update(ctx, all)
	}
	for several := keys; len(several) > 0; several = several[1:] {
		keys = several[:1]
		if err := e.db.Update(ctx, all); err != nil {
			return err
		}
	}
	return nil
}

func (e *engineBlobs) settle(ctx context.Context) error { return e.db.Checkpoint(ctx) }

func (e *engineBlobs) close() error { return e.db.Close() }
