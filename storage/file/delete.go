package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Delete removes files, and syncs each of their directories once.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	var errs []error
	changed := map[string][]string{} // directories, and the keys removed there
	for _, key := range keys {
		path, err := s.beginWrite(ctx, "delete", key)
		if err == nil {
			err = s.failed("delete", key, s.remove(ctx, key, path))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		dir := filepath.Dir(path)
		changed[dir] = append(changed[dir], key)
	}
	for dir, keys := range changed {
		if err := s.sync(dir); err != nil && !absent(err) {
			for _, key := range keys {
				errs = append(errs, s.unknown("delete", key, err))
			}
		}
	}
	return errors.Join(errs...)
}

// remove takes a file's name away under its key's lock, so that a Replace that has
// compared already does not bring it back.
func (s *Store) remove(ctx context.Context, key, path string) error {
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	info, err := os.Lstat(path)
	if absent(err) || err == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.before("remove", path); err != nil {
		return err
	}
	if err := os.Remove(path); !absent(err) {
		return err
	}
	return nil
}
