package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nearlite/nearlite/sqlite"
)

// lookTimeout is how long a verb that only looks waits for another program's lock.
const lookTimeout = 5 * time.Second

// openToLook opens a database for reading only, and fails at once if it is not
// there, is no database, or is locked.
func openToLook(path string) (*sqlite.Conn, error) {
	if err := isFile(path); err != nil {
		return nil, err
	}
	return lookAt(path, 0)
}

// openAtRest opens a database that nobody has open: one in WAL mode without a
// WAL. SQLite is told that the file does not change, so it takes no locks and
// leaves no files beside it, which on a read-only medium it could not do.
func openAtRest(path string) (*sqlite.Conn, error) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return lookAt((&url.URL{Scheme: "file", Path: path, RawQuery: "immutable=1"}).String(), sqlite.OpenURI)
}

func lookAt(name string, flags sqlite.OpenFlags) (*sqlite.Conn, error) {
	conn, err := sqlite.Open(name, sqlite.OpenReadOnly|flags, "")
	if err != nil {
		return nil, err
	}
	conn.BusyTimeout(lookTimeout)
	// SQLite looks at the file when it reads the schema, not when it opens it.
	if err := conn.QueryRow("SELECT count(*) FROM sqlite_schema").Err(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// atRest reports whether a database is in WAL mode and has no WAL: then nobody
// has it open, and whoever opens it to write makes a WAL first.
func atRest(path string) bool { return !exists(path+"-wal") && inWAL(path) }

// inWAL reports whether the header of a database says that it is in WAL mode. It
// must not be asked while this process has the database open: closing a file
// gives back all locks the process has on it.
func inWAL(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	var header [20]byte
	_, err = file.ReadAt(header[:], 0)
	const wal = 2 // https://sqlite.org/fileformat.html#file_format_version_numbers
	return err == nil && header[18] == wal && header[19] == wal
}

// mayOpen says in words why the engine could not open a database, as far as that
// can be seen from outside: it writes the file, and a WAL beside it even for one
// who only reads.
func mayOpen(path string, readOnly bool) error {
	if err := canBeFile(path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	file, beside := unix.Access(path, unix.W_OK), unix.Access(dir, unix.W_OK)
	switch {
	case readOnly:
		return nil
	case beside != nil && inWAL(path) && !atRest(path):
		return advise(fmt.Errorf("open %s: the directory %s cannot be written, and a database in WAL mode needs two files beside it: %w", path, dir, beside),
			"copy the database to a directory that can be written: cp "+quoteArg(path)+"* DIRECTORY")
	case beside != nil && !exists(path):
		return fmt.Errorf("open %s: the directory %s cannot be written: %w", path, dir, beside)
	case beside != nil:
		return advise(fmt.Errorf("open %s: the directory %s cannot be written: %w", path, dir, beside), "--readonly")
	case file != nil && exists(path):
		return advise(fmt.Errorf("open %s: the file cannot be written: %w", path, file), "--readonly")
	}
	return nil
}

// writable reports whether this process may write the file and make others beside it.
func writable(path string) bool {
	return unix.Access(path, unix.W_OK) == nil && unix.Access(filepath.Dir(path), unix.W_OK) == nil
}

// isFile says in words what SQLite calls “unable to open database file”.
func isFile(path string) error {
	if err := canBeFile(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return advise(fmt.Errorf("open %s: %w", path, fs.ErrNotExist),
			fill("look at the path with “ls -ld DIR”; “nearlite shell DB” makes a new database", path))
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("open %s: it is a directory: %w", path, sqlite.CodeCantOpenIsDir)
	}
	return nil
}

// canBeFile refuses a path whose directory is missing, and one of a pipe or a
// device: to open a pipe is to wait for who writes into it.
func canBeFile(path string) error {
	if err := hasDirectory(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return nil // a directory is refused in the words of who opens it
	}
	return advise(fmt.Errorf("open %s: it is no regular file, and a database is one", path), "the name of a file")
}

// hasDirectory reports a path that begins in no directory.
func hasDirectory(path string) error {
	dir := filepath.Dir(path)
	if exists(dir) {
		return nil
	}
	return advise(fmt.Errorf("open %s: the directory %s does not exist: %w", path, dir, fs.ErrNotExist), "mkdir -p "+quoteArg(dir))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
