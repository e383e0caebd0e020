package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// backupsMax is how many backups are made at a time, since each reads all of a database,
// and how many one token has sent to it at a time, since each is a copy on the disk.
const backupsMax = 2

// backup answers GET /v1/backup with a file that is one consistent state of the
// database. It is copied to the disk first, so that a slow client keeps no snapshot
// from which the write-ahead log would grow, and nobody else waiting.
func (c *call) backup() error {
	if err := c.unblocked(); err != nil {
		return err
	}
	ctx := c.r.Context()
	select {
	case c.caller.backups <- struct{}{}:
		defer func() { <-c.caller.backups }()
	case <-ctx.Done():
		return ctx.Err()
	}
	dir, err := os.MkdirTemp(c.s.cat.Dir(), scratchPrefix)
	if err != nil {
		return fmt.Errorf("make room for the backup: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "copy.db")
	position, err := c.copyTo(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	h := c.w.Header()
	h["Content-Type"] = []string{"application/vnd.sqlite3"}
	h["Content-Length"] = []string{strconv.FormatInt(info.Size(), 10)}
	h["Content-Disposition"] = []string{`attachment; filename="` + c.handle.Name() + `.db"`}
	h[positionHeader] = []string{position}
	if c.r.Method == http.MethodHead {
		return nil
	}
	c.handle.Release()     // the copy is all that is needed, and the client may take its time
	_, _ = io.Copy(c.w, f) // a client that went away sees the length it did not get
	return nil
}

// copyTo copies the database to a file when it is its turn. The copy has the commit at
// the position, and may have later ones.
func (c *call) copyTo(path string) (position string, err error) {
	ctx := c.r.Context()
	select {
	case c.s.backups <- struct{}{}:
		defer func() { <-c.s.backups }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	position = c.handle.DB().Position().String()
	return position, c.handle.DB().Backup(ctx, path, nil)
}

// scratchPrefix is how the directories of backups and imports under way are called.
const scratchPrefix = "scratch-"

// clearScratch removes what a crash has left of them.
func clearScratch(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, scratchPrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range left {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}
