package file

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// owner is who writes the temporary files whose names begin with its name. It is
// alive as long as it holds the lock on its own file.
type owner struct {
	dir   string
	name  string
	file  *os.File
	count atomic.Uint64
}

const (
	ownerSuffix = ".owner"
	// orphanAge is after how long a temporary file without an owner's file is
	// removed. There should be none; a disk's check may leave some.
	orphanAge = 24 * time.Hour
)

// newOwner registers one, and removes what those who died have left.
func newOwner(dir string) (*owner, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	o := &owner{dir: dir}
	for {
		if err := o.register(); err == nil {
			break
		} else if !errors.Is(err, errLocked) {
			return nil, err
		}
	}
	if err := o.sweep(time.Now()); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

// register makes and locks a file. Whoever sweeps between the two takes it for a
// dead one's; then it is errLocked, and worth another try.
func (o *owner) register() error {
	name := strings.ToLower(rand.Text()[:16])
	path := o.path(name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return err
	}
	mine, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	if found, err := os.Lstat(path); err != nil || !os.SameFile(mine, found) {
		f.Close()
		return errLocked
	}
	o.name, o.file = name, f
	return nil
}

// next is the path of a new temporary file.
func (o *owner) next() string {
	return filepath.Join(o.dir, fmt.Sprintf("%s-%d", o.name, o.count.Add(1)))
}

// close takes our file away, and with it what a failed write may have left.
func (o *owner) close() error {
	return errors.Join(o.removeTemps(o.name), o.file.Close(), remove(o.path(o.name)))
}

// path is the file of an owner.
func (o *owner) path(name string) string { return filepath.Join(o.dir, name+ownerSuffix) }

// sweep removes the files of those who died.
func (o *owner) sweep(now time.Time) error {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return err
	}
	owned := map[string]bool{}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ownerSuffix)
		if !ok {
			continue
		}
		owned[name] = true
		if name != o.name {
			if err := o.bury(name); err != nil {
				return err
			}
		}
	}
	for _, entry := range entries {
		name, _, ok := strings.Cut(entry.Name(), "-")
		if !ok || owned[name] {
			continue
		}
		info, err := entry.Info()
		if err == nil && now.Sub(info.ModTime()) > orphanAge {
			err = remove(filepath.Join(o.dir, entry.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// bury removes what an owner has left, unless it is alive.
func (o *owner) bury(name string) error {
	f, err := os.OpenFile(o.path(name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // another's sweep was faster, or it is another user's to sweep
	} else if err != nil {
		return err
	}
	defer f.Close()
	if err := lockFile(f); errors.Is(err, errLocked) {
		return nil
	} else if err != nil {
		return err
	}
	// Its own file goes last: it says that there are others. Windows removes no
	// file that is open.
	if err := o.removeTemps(name); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return remove(o.path(name))
}

// removeTemps removes the temporary files of an owner.
func (o *owner) removeTemps(name string) error {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), name+"-") {
			continue
		}
		if err := remove(filepath.Join(o.dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a file that another may have removed already.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
