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
	e.Kind, e.Remedy = s.explain(err)
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

// explain returns the kind of an error, and a remedy.
//
//lint:ignore ST1008 the kind is what an error is, not a failure of this function
func (s *Store) explain(err error) (kind error, remedy string) {
	for _, kind := range []error{
		storage.ErrNotExist, storage.ErrExist, storage.ErrConflict, storage.ErrContent, storage.ErrRange,
		storage.ErrDamaged, storage.ErrBadKey, storage.ErrRefused, storage.ErrClosed,
	} {
		if errors.Is(err, kind) {
			return kind, ""
		}
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, ""
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return storage.ErrUnavailable, "make room on the disk of " + s.root
	case errors.Is(err, syscall.EROFS):
		return storage.ErrRefused, "mount the disk of " + s.root + " for writing, or open it to read only"
	case errors.Is(err, fs.ErrPermission):
		return storage.ErrRefused, fmt.Sprintf("give user %d access to %s", os.Getuid(), s.root)
	case errors.Is(err, errNoPublish):
		return storage.ErrRefused, "keep it on ext4, XFS, btrfs, APFS or NTFS"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return storage.ErrRefused, "a key cannot go on after a slash where another ends"
	case errors.Is(err, syscall.ENAMETOOLONG):
		return storage.ErrRefused, "use shorter keys, or a shorter path to the directory"
	case errors.Is(err, fs.ErrNotExist) && s.readOnly:
		return storage.ErrRefused, "name a directory that exists"
	case errors.Is(err, fs.ErrNotExist):
		return storage.ErrUnavailable, "is the disk of " + s.root + " mounted?"
	}
	return storage.ErrUnavailable, ""
}

// errNoPublish is returned where a file cannot be given a name without the danger
// of replacing another.
var errNoPublish = errors.New("this file system can neither rename without replacing nor link")

// absent reports whether there is no such file: nothing of that name, or a file
// where a directory would have to be.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
