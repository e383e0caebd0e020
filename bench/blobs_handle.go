package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/nearlite/nearlite/sqlite"
)

// handleBlobs are the blobs of the database by way of a connection of package
// sqlite, as the article's program has them: one blob handle, moved from key to
// key; or, where Journal is off, plain SQL.
type handleBlobs struct {
	set   *blobSet
	conn  *sqlite.Conn
	multi bool
	sql   bool
	buf   []byte
}

func (s *blobSet) openHandle(api BlobAPI, plan BlobsPlan) (_ *handleBlobs, err error) {
	conn, err := sqlite.Open(s.DB, sqlite.OpenReadWrite, "")
	if err != nil {
		return nil, err
	}
	h := &handleBlobs{set: s, conn: conn, multi: plan.MultiTrans, sql: api == BlobUnmapped || api == BlobSQL, buf: make([]byte, s.Size+s.Variance)}
	for _, setting := range h.settings(api, plan) {
		if err := conn.Exec("PRAGMA " + setting); err != nil {
			return nil, errors.Join(fmt.Errorf("set %s: %w", setting, err), conn.Close())
		}
	}
	return h, nil
}

// blobCachePages is the page cache that the article's program gives itself.
const blobCachePages = 1000

// settings are those of the article's program: a cache of a thousand pages, and
// of the two settings that decide about a write what the plan says.
func (h *handleBlobs) settings(api BlobAPI, plan BlobsPlan) []string {
	settings := []string{
		"busy_timeout = 10000",
		fmt.Sprintf("cache_size = %d", blobCachePages),
		"synchronous = " + string(plan.Sync),
		"journal_mode = " + plan.journal(),
		"wal_autocheckpoint = 0",
	}
	if api == BlobMapped || api == BlobSQL {
		return append(settings, "mmap_size = 1099511627776")
	}
	return append(settings, "mmap_size = 0")
}

// inTransactions runs fn with all keys in one transaction, or with each in one
// of its own.
func (h *handleBlobs) inTransactions(begin string, keys []int, fn func(keys []int) error) error {
	step := len(keys)
	if h.multi {
		step = 1
	}
	for ; len(keys) > 0; keys = keys[step:] {
		if err := h.conn.Exec(begin); err != nil {
			return err
		}
		err := fn(keys[:step])
		end := "COMMIT"
		if err != nil {
			end = "ROLLBACK"
		}
		if err := errors.Join(err, h.conn.Exec(end)); err != nil {
			return err
		}
	}
	return nil
}

// each moves one handle from key to key.
func (h *handleBlobs) each(keys []int, write bool, fn func(b *sqlite.BlobHandle, key int) error) (err error) {
	b, err := h.conn.OpenBlob("main", "kv", "v", int64(keys[0]), write)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	for i, key := range keys {
		if i > 0 {
			if err := b.Reopen(int64(key)); err != nil {
				return err
			}
		}
		if err := fn(b, key); err != nil {
			return err
		}
	}
	return nil
}

func (h *handleBlobs) read(_ context.Context, keys []int, check func(int, []byte) error) (total int64, err error) {
	err = h.inTransactions("BEGIN", keys, func(keys []int) error {
		return h.each(keys, false, func(b *sqlite.BlobHandle, key int) error {
			n, err := b.ReadAt(h.buf[:b.Size()], 0)
			if err != nil {
				return err
			}
			total += int64(n)
			if check != nil {
				return check(key, h.buf[:n])
			}
			return nil
		})
	})
	return total, err
}

func (h *handleBlobs) overwrite(_ context.Context, keys []int) error {
	return h.inTransactions("BEGIN IMMEDIATE", keys, func(keys []int) error {
		if h.sql {
			for _, key := range keys {
				if err := h.conn.Exec(updateBlobSQL, h.set.rewritten(blobDatabase, key), key); err != nil {
					return err
				}
			}
			return nil
		}
		return h.each(keys, true, func(b *sqlite.BlobHandle, key int) error {
			_, err := b.WriteAt(h.set.rewritten(blobDatabase, key), 0)
			return err
		})
	})
}

// settle copies the write-ahead log back, if there is one, so that the next
// write begins it anew.
func (h *handleBlobs) settle(context.Context) error {
	_, _, err := h.conn.Checkpoint(sqlite.CheckpointRestart)
	return err
}

func (h *handleBlobs) close() error {
	// WAL mode is what the next user of the file expects.
	return errors.Join(h.conn.Exec("PRAGMA journal_mode = WAL"), h.conn.Close())
}
