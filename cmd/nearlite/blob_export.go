package main

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"github.com/nearlite/nearlite/blob"
)

// BlobExportCmd is nearlite blob export.
type BlobExportCmd struct {
	blobStore
	To    string `arg:"" name:"directory" help:"The directory to write files into; it is made if it is not there."`
	Dir   string `placeholder:"NAME" help:"The directory in the database whose objects are written (default: all of it)."`
	Flat  bool   `help:"One directory instead of a tree: a slash in a name is %2F in the file's."`
	Force bool   `help:"Replace files that are there and differ."`
}

// Help is the end of nearlite blob export --help.
func (BlobExportCmd) Help() string {
	return `Each file has its name when all of it is there. Files of the same size and time
are left alone, so it can be run again. Nothing is written outside of the directory,
whatever the names are and wherever symbolic links lead.

  nearlite blob export app.db ./photos --dir photos/2026
  nearlite blob export app.db ./all --flat`
}

// Run exports the objects.
func (c *BlobExportCmd) Run(ctx context.Context, env *Env) error {
	store, db, err := c.open(ctx, env, toRead)
	if err != nil {
		return err
	}
	defer db.Close()
	began := time.Now()
	bar, progress := transferBar(env, "export")
	report, err := store.Export(ctx, db, c.To, &blob.TransferOptions{Dir: c.Dir, Flat: c.Flat, Overwrite: c.Force, Progress: progress})
	bar.Clear()
	if printing := printReport(env, report, began); err == nil {
		err = printing
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return advise(err, "--force replaces files, --flat keeps a file and a directory of one name apart")
	case errors.Is(err, syscall.ENOTDIR):
		return advise(err, "--flat: it keeps a file and a directory of one name apart")
	case errors.Is(err, blob.ErrBadName):
		return c.explain(err)
	}
	return locate(c.To, err)
}
