package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/open"
)

// durabilities are the engine's by their names.
var durabilities = map[string]nearlite.Durability{
	"": nearlite.Full, "full": nearlite.Full, "normal": nearlite.Normal, "archived": nearlite.Archived,
}

// openStore opens the storage that a URL or a path names. To be looked at, a
// directory has to be there.
func openStore(ctx context.Context, address string, readOnly bool) (storage.Store, error) {
	if dir, ok := directoryOf(address); ok && readOnly {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, advise(fmt.Errorf("%s: there is no such directory, and so no archive", address), "the directory or s3:// URL that was given to --archive")
		case err == nil && !info.IsDir():
			return nil, advise(fmt.Errorf("%s is a file, and an archive is a directory", address), "“nearlite log dump "+quoteArg(address)+"” if it is one object of an archive")
		}
	}
	return open.Store(ctx, address, &open.Options{ReadOnly: readOnly})
}

// openArchive opens the archive of one database at a URL, and what closes it.
func openArchive(ctx context.Context, address string, readOnly bool) (*archive.Archive, func() error, error) {
	store, err := openStore(ctx, address, readOnly)
	if err != nil {
		return nil, nil, err
	}
	a, err := archive.Open(ctx, store, &archive.Options{Maintain: !readOnly})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return a, func() error { return errors.Join(a.Close(), store.Close()) }, nil
}

// directoryOf returns the directory that an address names, if it names one.
func directoryOf(address string) (string, bool) {
	if path, ok := strings.CutPrefix(address, "file://"); ok {
		return strings.TrimPrefix(path, "localhost"), true
	}
	return address, !strings.Contains(address, "://")
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
