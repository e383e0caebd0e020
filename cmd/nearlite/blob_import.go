package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nearlite/nearlite/blob"
)

// BlobImportCmd is nearlite blob import.
type BlobImportCmd struct {
	blobStore
	From string `arg:"" name:"directory" help:"The directory whose files are stored."`
	Dir  string `placeholder:"NAME" help:"The directory in the database to store them in (default: all of it)."`
	Flat bool   `help:"Enter no directories; %2F in a file's name is a slash in the object's."`
}

// Help is the end of nearlite blob import --help.
func (BlobImportCmd) Help() string {
	return `Each file is stored whole or not at all. Interrupted, run it again: files that are
there already, with the same size and time, are not read. Symbolic links are passed over.

  nearlite blob import app.db ./photos
  nearlite blob import app.db ./photos --dir photos/2026`
}

// Run imports the directory.
func (c *BlobImportCmd) Run(ctx context.Context, env *Env) error {
	root, err := os.OpenRoot(c.From)
	if err != nil {
		return locate(c.From, fmt.Errorf("import: %w", err))
	}
	defer root.Close()
	store, db, err := c.open(ctx, env, toWrite)
	if err != nil {
		return err
	}
	defer db.Close()
	began := time.Now()
	bar, progress := transferBar(env, "import")
	report, err := store.Import(ctx, db, root.FS(), &blob.TransferOptions{Dir: c.Dir, Flat: c.Flat, Progress: progress})
	bar.Clear()
	if printing := printReport(env, report, began); err == nil {
		err = printing
	}
	if err != nil {
		if errors.Is(err, blob.ErrBadName) {
			return c.explain(err)
		}
		return locate(c.DB, err)
	}
	sweep(ctx, store, db)
	return c.explain(db.Close())
}
