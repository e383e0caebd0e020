package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nearlite/nearlite/storage"
)

// makeRoot makes the directory itself, and those above it that are missing, so
// that they survive a power cut.
func (s *Store) makeRoot() error {
	var missing []string
	for dir := s.root; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	if err := os.MkdirAll(s.root, 0o777); err != nil {
		return err
	}
	for _, dir := range missing {
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes a directory below the root, if it has to, and has its name and
// those above it on the disk when it returns. That it exists is not enough:
// whoever made it may not have come to the sync. The root is never made again: if
// it is gone, so is the disk that was mounted there.
func (s *Store) makeDir(dir string) error {
	if dir == s.root {
		return nil
	}
	if _, known := s.dirs.Load(dir); known {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := s.makeDir(parent); err != nil {
		return err
	}
	if err := s.before("make directory", dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Stat(dir); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%w: %s is an object, and no file system can have others below it", storage.ErrRefused, dir)
	}
	if err := s.sync(parent); err != nil {
		return err
	}
	s.dirs.Store(dir, nil)
	return nil
}

// sync brings the names in a directory to the disk.
func (s *Store) sync(dir string) error {
	if err := s.before("sync directory", dir); err != nil {
		return err
	}
	return syncDir(dir)
}
