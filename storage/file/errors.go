package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/nearlite/nearlite/storage"
)

// failed says what a failure means to the caller: what was tried was certainly not
// done.
func (s *Store) failed(op, key string, err error) error {
	if err == nil {
		return nil
	}
	e := &storage.Error{Op: op, Store: s.url, Key: key, Err: err}
	e.Remedy, e.Kind = s.explain(err)
	if e.Kind == err {
		e.Err = nil // the kind says it all
	}
	return e
}

// unknown is for a disk that fails when a name should be brought to it.
func (s *Store) unknown(op, key string, err error) error {
	return &storage.Error{Op: op, Store: s.url, Key: key, Kind: storage.ErrUnknown, Err: err,
		Remedy: "look at the disk: it failed when it was to keep a name"}
}

// explain returns a remedy for an error, and its kind.
func (s *Store) explain(err error) (remedy string, kind error) {
	for _, kind := range []error{
		storage.ErrNotExist, storage.ErrExist, storage.ErrConflict, storage.ErrContent, storage.ErrRange,
		storage.ErrDamaged, storage.ErrBadKey, storage.ErrRefused, storage.ErrClosed,
	} {
		if errors.Is(err, kind) {
			return "", kind
		}
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room on the disk of " + s.root, storage.ErrUnavailable
	case errors.Is(err, syscall.EROFS):
		return "mount the disk of " + s.root + " for writing, or open it to read only", storage.ErrRefused
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("give user %d access to %s", os.Getuid(), s.root), storage.ErrRefused
	case errors.Is(err, errNoPublish):
		return "keep it on ext4, XFS, btrfs, APFS or NTFS", storage.ErrRefused
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return "a key cannot go on after a slash where another ends", storage.ErrRefused
	case errors.Is(err, syscall.ENAMETOOLONG):
		return "use shorter keys, or a shorter path to the directory", storage.ErrRefused
	case errors.Is(err, fs.ErrNotExist) && s.readOnly:
		return "name a directory that exists", storage.ErrRefused
	case errors.Is(err, fs.ErrNotExist):
		return "is the disk of " + s.root + " mounted?", storage.ErrUnavailable
	}
	return "", storage.ErrUnavailable
}

// errNoPublish is returned where a file cannot be given a name without the danger
// of replacing another.
var errNoPublish = errors.New("this file system can neither rename without replacing nor link")

// absent reports whether there is no such file: nothing of that name, or a file
// where a directory would have to be.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
