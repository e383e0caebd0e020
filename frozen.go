package nearlite

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/nearlite/nearlite/sqlite"
)

// A database in WAL mode can be read only where SQLite can make two files beside
// it, by which it learns of other programs' commits. On a read-only medium nobody
// commits; told so (immutable=1) it reads the file as it is, without locks. The
// engine says so on its own when
//
//  1. it only reads (Options.ReadOnly), and SQLite could not open the WAL,
//  2. no file can be made in the directory, or there is no room for one,
//  3. and no WAL with commits lies there, which would be missing.
//
// What is read-only here may be written from elsewhere, by another user or
// through another mount. So every View looks first whether the file is still the
// one that was opened and has no WAL: two system calls, which are right only
// where nothing changes for years.

// nothingCanBeMade reports whether an error came about because no file can be
// made beside the database: SQLite names the file, the directory or the room.
// No room means that nobody else has it open: whoever has, has made the files, and
// then they need no more room to be read.
func (db *DB) nothingCanBeMade(err error) bool {
	if diskFull(err) {
		return true
	}
	return (errors.Is(err, sqlite.CodeCantOpen) || errors.Is(err, sqlite.CodeReadOnly)) && !mayMakeFiles(filepath.Dir(db.path))
}

// freeze makes the connections to come treat the file as one that never changes,
// or says why that would be wrong.
func (db *DB) freeze(cause error) error {
	if info, err := os.Stat(db.path + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("open %s: its -wal holds commits that are not in the file yet, and they can be read only in a directory that can be written, with room in it: copy both files to one, or open the database once where it can be written: %w", db.path, cause)
	}
	info, err := os.Stat(db.path)
	if err != nil {
		return fmt.Errorf("open %s: %w", db.path, err)
	}
	db.frozen = info
	return nil
}

// file returns the name by which SQLite opens the database, and its flags.
func (db *DB) file(flags sqlite.OpenFlags) (string, sqlite.OpenFlags) {
	if db.frozen == nil {
		return db.path, flags
	}
	path := db.path
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	uri := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "immutable=1"}
	return uri.String(), flags | sqlite.OpenURI
}

// thawed reports as an error that a frozen file has changed.
func (db *DB) thawed() error {
	info, err := os.Stat(db.path)
	if err != nil {
		return fmt.Errorf("read %s: %w", db.path, err)
	}
	was := db.frozen
	wal, err := os.Stat(db.path + "-wal")
	if os.SameFile(info, was) && info.Size() == was.Size() && info.ModTime().Equal(was.ModTime()) && (err != nil || wal.Size() == 0) {
		return nil
	}
	return fmt.Errorf("read %s: another program has written to it since it was opened, where no file could be made beside it: open it again", db.path)
}
