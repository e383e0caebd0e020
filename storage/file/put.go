package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nearlite/nearlite/storage"
)

// Create stores content under a new key.
func (s *Store) Create(ctx context.Context, key string, content storage.Content) (storage.Info, error) {
	path, err := s.beginWrite(ctx, "create", key)
	if err != nil {
		return storage.Info{}, err
	}
	if _, err := os.Lstat(path); err == nil { // spare the bytes
		return storage.Info{}, s.failed("create", key, s.exists(path))
	}
	tmp, err := s.write(ctx, content, time.Time{})
	if err != nil {
		return storage.Info{}, s.failed("create", key, err)
	}
	defer tmp.remove()
	switch err = s.publish(tmp, path); {
	case err != nil && tmp.is(path):
		err = nil // the system says no, and has done it
	case errors.Is(err, fs.ErrExist):
		err = s.exists(path)
	}
	if err != nil {
		return storage.Info{}, s.failed("create", key, err)
	}
	if err := s.sync(filepath.Dir(path)); err != nil {
		return storage.Info{}, s.unknown("create", key, err)
	}
	return describe(key, tmp.info), nil
}

// publish gives a temporary file a name that nothing has.
func (s *Store) publish(tmp temp, path string) error {
	dir := filepath.Dir(path)
	if err := s.makeDir(dir); err != nil {
		return err
	}
	if err := s.before("publish", path); err != nil {
		return err
	}
	err := renameNew(tmp.path, path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Somebody has removed the directory since we made it.
	for ; dir != s.root; dir = filepath.Dir(dir) {
		s.dirs.Delete(dir)
	}
	if err := s.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return renameNew(tmp.path, path)
}

// exists is the error for a name that is taken. It makes the name durable first,
// for its writer may have died before it could.
func (s *Store) exists(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return fmt.Errorf("%w: there are objects whose keys go on after a slash, and no file system can have both", storage.ErrRefused)
	}
	if err := s.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := s.sync(filepath.Dir(path)); err != nil {
		return err
	}
	return storage.ErrExist
}

// Replace stores content in place of what has the version old.
func (s *Store) Replace(ctx context.Context, key string, content storage.Content, old storage.Version) (storage.Info, error) {
	path, err := s.beginWrite(ctx, "replace", key)
	if err != nil {
		return storage.Info{}, err
	}
	replaced, ok := parseVersion(old)
	if !ok {
		return storage.Info{}, s.failed("replace", key, fmt.Errorf("%w: %q is no version of a file", storage.ErrConflict, old))
	}
	tmp, err := s.write(ctx, content, replaced)
	if err != nil {
		return storage.Info{}, s.failed("replace", key, err)
	}
	defer tmp.remove()
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return storage.Info{}, s.failed("replace", key, err)
	}
	defer unlock()
	if err := s.swap(tmp, path, old); err != nil {
		return storage.Info{}, s.failed("replace", key, err)
	}
	if err := s.sync(filepath.Dir(path)); err != nil {
		return storage.Info{}, s.unknown("replace", key, err)
	}
	return describe(key, tmp.info), nil
}

// swap puts a temporary file in the place of one that has a certain version. The
// key's lock is held.
func (s *Store) swap(tmp temp, path string, old storage.Version) error {
	info, err := os.Stat(path)
	switch {
	case err != nil && !absent(err):
		return err
	case err != nil || info.IsDir():
		return fmt.Errorf("%w: there is none now", storage.ErrConflict)
	case version(info) != old:
		return fmt.Errorf("%w: its version is %s, not %s", storage.ErrConflict, version(info), old)
	}
	if err := s.before("replace", path); err != nil {
		return err
	}
	return os.Rename(tmp.path, path)
}
