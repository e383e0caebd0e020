package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/blob"
)

// storePath returns the database that package blob keeps the blobs in.
func (b Blobs) storePath() string { return b.DB + ".store" }

// objectName returns the name of an object, a flat file's, valid until the next.
// Like a file's it is made where it is needed, in the same memory each time: a
// table of a hundred thousand would be two waits for memory a blob.
func (n *blobNames) objectName(key int) string {
	raw := n.raw(key)
	return unsafe.String(&raw[1], len(raw)-2)
}

// newObjectNames returns what makes them.
func newObjectNames() *blobNames { return newBlobNames("", Flat) }

// fillStore puts the blobs into a store of package blob, unless they are there.
func (s *blobSet) fillStore(ctx context.Context) (err error) {
	if err := refuseOthers(s.storePath(), storeTables...); err != nil {
		return err
	}
	db, err := nearlite.Open(ctx, s.storePath(), &nearlite.Options{PageSize: s.PageSize, Durability: nearlite.Normal})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store, err := blob.New("")
	if err != nil {
		return err
	}
	names, place := newObjectNames(), string(BlobStore)
	var last blob.Info
	err = db.View(ctx, func(tx *nearlite.ReadTx) error {
		last, err = store.Stat(tx, names.objectName(s.Count-1))
		return err
	})
	switch {
	case err == nil && last.Size == int64(s.sizeOf(s.Count-1)):
		s.versions[place] = versions(s.Count, unknown)
		return nil
	case err == nil:
		return fmt.Errorf("%s has other blobs: delete it, or name another database", s.storePath())
	case !errors.Is(err, blob.ErrNotExist):
		return err
	}
	s.versions[place] = slices.Clone(s.versions[string(Flat)])
	return errors.Join(s.importFiles(ctx, db, store), db.Checkpoint(context.WithoutCancel(ctx)))
}

// importFiles makes objects of the flat files, as a user would.
func (s *blobSet) importFiles(ctx context.Context, db *nearlite.DB, store *blob.Store) error {
	var done int64
	_, err := store.Import(ctx, db, os.DirFS(s.dir(Flat)), &blob.TransferOptions{Flat: true, Progress: func(p blob.Progress) {
		done = p.Files
		s.Progress.report("importing files", p.Files, p.TotalFiles)
	}})
	if ctx.Err() != nil {
		return &LoadStopped{Rows: "objects", Done: done, Total: int64(s.Count), cause: context.Cause(ctx)}
	}
	return err
}

// inSteps does something to all blobs from one on, some megabytes of them at a
// time. The step that is under way when ctx ends is finished.
func (s *blobSet) inSteps(ctx context.Context, what string, first int, do func(ctx context.Context, from, to int) error) error {
	step := max(1, 8<<20/s.Size)
	for from := first; from < s.Count; from += step {
		if err := ctx.Err(); err != nil {
			return &LoadStopped{Rows: "blobs", Done: int64(from), Total: int64(s.Count), cause: err}
		}
		to := min(from+step, s.Count)
		if err := do(context.WithoutCancel(ctx), from, to); err != nil {
			return fmt.Errorf("%s %d to %d: %w", what, from, to-1, err)
		}
		s.Progress.report(what, int64(to), int64(s.Count))
	}
	return nil
}
