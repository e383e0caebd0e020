package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/blob"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
)

// BlobCmd works on objects: nearlite blob VERB.
type BlobCmd struct {
	Put    BlobPutCmd    `cmd:"" help:"Store a file, or what comes through a pipe."`
	Get    BlobGetCmd    `cmd:"" help:"Write an object to standard output or a file."`
	Ls     BlobLsCmd     `cmd:"" help:"List objects."`
	Rm     BlobRmCmd     `cmd:"" help:"Delete objects."`
	Import BlobImportCmd `cmd:"" help:"Store the files of a directory."`
	Export BlobExportCmd `cmd:"" help:"Write objects into the files of a directory."`
	Serve  BlobServeCmd  `cmd:"" help:"Serve the objects over HTTP."`
}

// blobStore is the store that every verb begins with.
type blobStore struct {
	DB    string `arg:"" name:"db" help:"The database."`
	Table string `default:"blob" placeholder:"NAME" help:"The table that the objects are in (default: ${default})."`
}

// The ways to open a store.
const (
	toRead  = false
	toWrite = true
)

// open opens the database; one that is not there is made only by who writes.
func (b *blobStore) open(ctx context.Context, env *Env, write bool) (*blob.Store, *nearlite.DB, error) {
	store, err := blob.New(b.Table)
	if err != nil {
		return nil, nil, err
	}
	if write {
		err = mayOpen(b.DB, false)
	} else if err = isFile(b.DB); err == nil {
		err = mayOpen(b.DB, true)
	}
	if err != nil {
		return nil, nil, locate(b.DB, err)
	}
	db, err := nearlite.Open(ctx, b.DB, &nearlite.Options{
		MustExist: !write,
		// One who only reads must not switch a database to WAL mode, and should
		// take the files of the WAL away at the end if he may.
		ReadOnly: !write && (!inWAL(b.DB) || !writable(b.DB)),
		Logger:   slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return nil, nil, locate(b.DB, err)
	}
	return store, db, nil
}

// checkName says why a name is none before a database is made or opened for it.
func (b *blobStore) checkName(op, name string) error {
	if err := blob.CheckName(name); err != nil {
		return b.explain(&blob.Error{Op: op, Name: name, Err: err})
	}
	return nil
}

// explain attaches to an error what to try.
func (b *blobStore) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, blob.ErrNotExist):
		return advise(err, "nearlite blob ls "+quoteArg(b.DB))
	case errors.Is(err, blob.ErrBadName):
		return advise(err, `a name like images/cat.png: UTF-8, at most `+strconv.Itoa(blob.MaxName)+` bytes, no slash at either end, no element that is empty, "." or ".."`)
	case errors.Is(err, fs.ErrExist):
		return advise(err, "--force replaces it")
	}
	return locate(b.DB, err)
}

// sweep frees what deleted objects have left behind. It is no part of what the
// verb was asked to do, so its failure is not the verb's.
func sweep(ctx context.Context, store *blob.Store, db *nearlite.DB) { _, _ = store.Sweep(ctx, db) }

// printable is a name that does nothing to a terminal.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` && strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return quoted
	}
	return name
}

// transferBar shows how far an import or export has come, in bytes.
func transferBar(env *Env, what string) (bar *terminal.Bar, progress func(blob.Progress)) {
	bar = terminal.Bytes(env.Stderr, what, 1)
	return bar, func(p blob.Progress) { bar.Set(p.Bytes, max(p.Bytes, p.TotalBytes, 1)) }
}

// printReport says what an import or export came to.
func printReport(env *Env, report blob.Report, began time.Time) error {
	for _, name := range report.Irregular {
		fmt.Fprintf(env.Stderr, "passed over, no regular file: %s\n", printable(name))
	}
	_, err := fmt.Fprintf(env.Stdout, "%s, %s, in %.1f s; %d unchanged\n", plural(report.Files, "file"), size(report.Bytes), time.Since(began).Seconds(), report.Unchanged)
	return err
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
