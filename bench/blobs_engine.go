package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/blob"
	"github.com/nearlite/nearlite/sqlite"
)

// engineBlobs are the blobs of a database as a program has them that uses the
// engine: in View and Update, by a statement kept prepared or by package blob.
type engineBlobs struct {
	set   *blobSet
	db    *nearlite.DB
	multi bool
	buf   []byte
	get   func(tx *nearlite.ReadTx, key int) error // into buf
	put   func(tx *nearlite.WriteTx, key int) error
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
		// The article's cache, a thousand pages: blobs in random order are never
		// found in a larger one, whose memory only drives other things out of the
		// processor's caches.
		CacheSize:       blobCachePages * int64(s.PageSize),
		ReaderCacheSize: blobCachePages * int64(s.PageSize),
	}
	if api == BlobUnmapped {
		opts.MmapSize = -1
	}
	switch plan.Sync {
	case SyncNormal:
		opts.Durability = nearlite.Normal
	case SyncOff:
		opts.Durability = nearlite.Normal
		opts.OnConnect = func(c *sqlite.Conn) error { return c.Exec("PRAGMA synchronous = OFF") }
	}
	path := s.DB
	if api == BlobStore {
		path = s.storePath()
	}
	db, err := nearlite.Open(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	e := &engineBlobs{set: s, db: db, multi: plan.MultiTrans, buf: make([]byte, 0, s.Size+s.Variance)}
	if api == BlobStore {
		return e, e.byName()
	}
	e.bySQL()
	return e, nil
}

// bySQL makes get and put plain statements.
func (e *engineBlobs) bySQL() {
	arg := new([1]any)
	e.get = func(tx *nearlite.ReadTx, key int) error {
		arg[0], e.buf = key, e.buf[:0]
		return tx.QueryRowTail(&e.buf, readBlobSQL, arg[:]...).Err()
	}
	e.put = func(tx *nearlite.WriteTx, key int) error {
		_, err := tx.Exec(updateBlobSQL, e.set.rewritten(blobDatabase, key), key)
		return err
	}
}

// byName makes get and put those of package blob.
func (e *engineBlobs) byName() error {
	store, err := blob.New("")
	if err != nil {
		return errors.Join(err, e.db.Close())
	}
	names := newObjectNames()
	e.get = func(tx *nearlite.ReadTx, key int) (err error) {
		e.buf, err = store.Append(tx, e.buf[:0], names.objectName(key))
		return err
	}
	e.put = func(tx *nearlite.WriteTx, key int) error {
		_, err := store.Put(tx, names.objectName(key), e.set.rewritten(string(BlobStore), key), nil)
		return err
	}
	return nil
}

func (e *engineBlobs) read(ctx context.Context, keys []int, check func(int, []byte) error) (total int64, err error) {
	all := func(tx *nearlite.ReadTx) error {
		for _, key := range keys {
			if err := e.get(tx, key); err != nil {
				return fmt.Errorf("read blob %d: %w", key, err)
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

func (e *engineBlobs) overwrite(ctx context.Context, keys []int) error {
	all := func(tx *nearlite.WriteTx) error {
		for _, key := range keys {
			if err := e.put(tx, key); err != nil {
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
