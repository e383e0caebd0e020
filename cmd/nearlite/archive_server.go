package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/storage"
)

// The archive of a server has a part for each database, by its id; the names are in
// the part of the catalog.

// archivedDatabase is a database in a server's archive.
type archivedDatabase struct {
	ID      string
	Name    string
	State   string // "live", "deleted", or "making" of one that was never finished
	Created time.Time
	Deleted time.Time // zero: it was not, or nobody knows when
}

// isServers reports whether a store is the archive of a server.
func isServers(ctx context.Context, store storage.Store) (bool, error) {
	for _, err := range store.List(ctx, catalog.ArchiveCatalog+"/", "") {
		return err == nil, err
	}
	return false, nil
}

// readCatalog restores the catalog of a server's archive for a moment, and returns
// the databases it knows, the deleted ones too.
func readCatalog(ctx context.Context, store storage.Store) (list []archivedDatabase, err error) {
	part, err := storage.Sub(store, catalog.ArchiveCatalog)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "nearlite-catalog-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "catalog.db")
	if _, err := archive.Restore(ctx, part, path, archive.RestoreOptions{}); err != nil {
		return nil, fmt.Errorf("read the names of the databases: %w", err)
	}
	conn, err := openAtRest(path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for row, err := range conn.Query("SELECT id, name, state, created, coalesce(deleted, 0) FROM database ORDER BY name, created") {
		if err != nil {
			return nil, err
		}
		list = append(list, readArchived(row))
	}
	return list, nil
}

func readArchived(row sqlite.Row) archivedDatabase {
	d := archivedDatabase{ID: row.Text(0), Name: row.Text(1), State: row.Text(2), Created: time.UnixMilli(row.Int64(3)).UTC()}
	if at := row.Int64(4); at > 0 {
		d.Deleted = time.UnixMilli(at).UTC()
	}
	return d
}

// databaseIn opens the part of a store that is the archive of one database: all of
// it without a name, which a server's archive needs. done closes it.
func databaseIn(ctx context.Context, address, name string, readOnly bool) (_ storage.Store, done func(), err error) {
	store, err := openStore(ctx, address, readOnly)
	if err != nil {
		return nil, nil, err
	}
	done = func() { _ = store.Close() }
	part, err := findDatabase(ctx, store, address, name)
	if err != nil {
		done()
		return nil, nil, err
	}
	return part, done, nil
}

func findDatabase(ctx context.Context, store storage.Store, address, name string) (storage.Store, error) {
	servers, err := isServers(ctx, store)
	switch {
	case err != nil:
		return nil, err
	case !servers && name == "":
		return store, nil
	case !servers:
		return nil, advise(fmt.Errorf("%s is not the archive of a server, and has no databases with names", address), "without --db, if it is the archive of one database")
	case name == "":
		return nil, advise(fmt.Errorf("%s is the archive of a server, with many databases", address), "--db NAME; “nearlite archive list "+quoteArg(address)+"” has the names")
	}
	id, err := findID(ctx, store, address, name)
	if err != nil {
		return nil, err
	}
	return storage.Sub(store, catalog.ArchiveDatabases+"/"+id)
}

// findID finds the id of a database by its name, or a deleted one by its id.
func findID(ctx context.Context, store storage.Store, address, name string) (string, error) {
	list, err := readCatalog(ctx, store)
	if err != nil {
		return "", err
	}
	deleted := ""
	for _, d := range list {
		switch {
		case d.ID == name, d.Name == name && d.State == "live":
			return d.ID, nil
		case d.Name == name:
			deleted = d.ID
		}
	}
	if deleted != "" {
		return "", advise(fmt.Errorf("the database %q was deleted; its archive is still there", name), "--db "+deleted)
	}
	return "", advise(fmt.Errorf("the archive has no database %q", name), "“nearlite archive list "+quoteArg(address)+"” has the names")
}

// tombstone reads what says in a database's archive that it was deleted; false if
// nothing does.
func tombstone(ctx context.Context, part storage.Store) (t catalog.Tombstone, deleted bool, err error) {
	text, _, err := storage.ReadRange(ctx, part, catalog.ArchiveDeleted, storage.Range{Length: 4096})
	if errors.Is(err, storage.ErrNotExist) {
		return t, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	return t, true, err
}
