package nearlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nearlite/nearlite/sqlite"
)

// backupPages is how many pages one step of a backup copies: 4 MiB of 4 kB pages.
const backupPages = 1024

// Backup copies the database as of now into a new file at dest, while reads and
// writes go on. progress, if not nil, is told after each step how many pages of
// how many are copied. The file appears under its name only when it is complete
// and flushed to the disk; an error or the end of ctx leaves nothing behind. It
// fails if dest exists.
//
// The copy holds one snapshot: the WAL grows as long as it takes.
func (db *DB) Backup(ctx context.Context, dest string, progress func(done, total int)) (err error) {
	if _, err := os.Lstat(dest); err == nil {
		return fmt.Errorf("back up to %s: %w: remove it first, or choose another name", dest, os.ErrExist)
	}
	if db.closing.Load() {
		return ErrClosed
	}
	part := dest + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("back up: remove an earlier attempt: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(part)
			os.Remove(part + "-journal")
		}
	}()
	if err := db.copyTo(ctx, part, progress); err != nil {
		return fmt.Errorf("back up %s to %s: %w", db.path, dest, err)
	}
	if err := syncFile(part); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if err := os.Link(part, dest); err == nil { // unlike a rename, never replaces a file
		os.Remove(part)
	} else if err := os.Rename(part, dest); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if err := syncFile(filepath.Dir(dest)); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	return nil
}

// copyTo copies the database page by page.
func (db *DB) copyTo(ctx context.Context, path string, progress func(done, total int)) (err error) {
	src, err := db.connectReader(extraCache)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	// The file is flushed as a whole when it is complete.
	if err := dst.Exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE"); err != nil {
		return err
	}
	if err := src.RefreshNow(); err != nil {
		return err
	}
	b, err := sqlite.NewBackup(dst, src)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if db.closing.Load() {
			return ErrClosed
		}
		if done, err = b.Step(backupPages); err != nil {
			return err
		}
		if progress != nil {
			progress(b.PageCount()-b.Remaining(), b.PageCount())
		}
	}
	return nil
}

// syncFile flushes a file or directory to the disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
