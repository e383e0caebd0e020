package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// ImportOptions of an import; nil is the zero value.
type ImportOptions struct {
	// Config of the new database. nil: that of the one it replaces, or none.
	Config *Config
	// Replace lets the import take the place of a database of that name: in one
	// step, when it is complete; the old one is deleted then.
	Replace bool
	// Progress, if not nil, is told how many bytes of how many are in; total is 0
	// if nobody knows. For every step, copying and checking, it begins again.
	Progress func(step string, done, total int64)
}

// Import makes a database of a file: a SQLite database, which other programs may
// use meanwhile and which is not changed, or SQL as sqlite3's .dump writes it. The
// result is checked. An error, the end of ctx or a crash leaves nothing behind.
func (c *Catalog) Import(ctx context.Context, name, path string, opts *ImportOptions) (Info, error) {
	return c.imported(ctx, name, opts, func(ctx context.Context, dest string, progress progress) error {
		if err := c.mayImport(path); err != nil {
			return err
		}
		isDatabase, err := hasMagic(path)
		switch {
		case err != nil:
			return err
		case isDatabase:
			return copyDatabase(ctx, path, dest, progress)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return runScript(ctx, f, info.Size(), dest, progress)
	})
}

// ImportSQL makes a database by running SQL as sqlite3's .dump writes it.
func (c *Catalog) ImportSQL(ctx context.Context, name string, sql io.Reader, opts *ImportOptions) (Info, error) {
	return c.imported(ctx, name, opts, func(ctx context.Context, dest string, progress progress) error {
		return runScript(ctx, sql, 0, dest, progress)
	})
}

// progress is told how far a step has come.
type progress func(step string, done, total int64)

func (c *Catalog) imported(ctx context.Context, name string, opts *ImportOptions, fill func(ctx context.Context, dest string, p progress) error) (Info, error) {
	var o ImportOptions
	if opts != nil {
		o = *opts
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	m := making{Info: Info{Name: name}, replace: o.Replace, keep: o.Config == nil}
	if o.Config != nil {
		m.Config = *o.Config
	}
	info, err := c.make(ctx, m, func(ctx context.Context, dest string) error {
		if err := fill(ctx, dest, o.Progress); err != nil {
			return err
		}
		o.Progress("check", 0, 0)
		return c.checkFile(ctx, dest)
	})
	if err != nil {
		return Info{}, about("import", name, err)
	}
	return info, nil
}

// mayImport refuses the catalog's own files: to open one as a file and close it
// would take away the locks SQLite has on it.
func (c *Catalog) mayImport(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s: %w: name a file in it", path, syscall.EISDIR)
	}
	for _, own := range []string{c.dir, c.databases()} {
		if dir, err := os.Stat(filepath.Dir(path)); err == nil {
			if mine, err := os.Stat(own); err == nil && os.SameFile(dir, mine) {
				return fmt.Errorf("%s is a file of this catalog: fork the database instead", path)
			}
		}
	}
	return nil
}

// hasMagic reports whether a file is a SQLite database.
func hasMagic(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, len(magic))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false, err
	}
	return n == 0 || string(head[:n]) == magic, nil // to SQLite an empty file is an empty database
}

const magic = "SQLite format 3\x00"

// copyDatabase copies one snapshot of a database.
func copyDatabase(ctx context.Context, path, dest string, progress progress) (err error) {
	defer leaveNoWAL(path)()
	db, err := nearlite.Open(ctx, path, &nearlite.Options{MustExist: true, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Backup(ctx, dest, func(done, total int) {
		progress("copy", int64(done)*sourcePage, int64(total)*sourcePage)
	})
}

// sourcePage makes bytes of pages, for a bar that shows how far a copy has come.
const sourcePage = 4096

// leaveNoWAL returns what takes away the two files that reading a database in WAL
// mode leaves, if they were not there before. SQLite does it itself, by the locks
// it takes; a file that cannot be written keeps them.
func leaveNoWAL(path string) (after func()) {
	if _, err := os.Stat(path + "-wal"); err == nil {
		return func() {}
	}
	return func() {
		if _, err := os.Stat(path + "-wal"); err != nil {
			return
		}
		if conn, err := sqlite.Open(path, sqlite.OpenReadWrite, ""); err == nil {
			_ = conn.QueryRow("SELECT 1 FROM sqlite_schema").Err()
			_ = conn.Close()
		}
	}
}

// checkFile has SQLite read a whole file that nobody uses.
func (c *Catalog) checkFile(ctx context.Context, path string) error {
	name := url.URL{Scheme: "file", Path: path, RawQuery: "immutable=1"}
	if abs, err := filepath.Abs(path); err == nil {
		name.Path = abs
	}
	conn, err := sqlite.Open(name.String(), sqlite.OpenReadOnly|sqlite.OpenURI, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.onConnect(conn); err != nil {
		return err
	}
	defer conn.InterruptOn(ctx)()
	row := conn.QueryRow("PRAGMA quick_check(1)")
	switch err := row.Err(); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && strings.Contains(err.Error(), "libsql"):
		return fmt.Errorf("it uses something that only libSQL has: drop it there first: %w", err)
	case err != nil:
		return fmt.Errorf("check it: %w", err)
	}
	if s := row.Text(0); s != "ok" {
		return fmt.Errorf("it is damaged: import a backup of it instead: %s", s)
	}
	return nil
}
