package file

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nearlite/nearlite/storage"
)

// List walks the directory. Files that no key can name are no objects.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if err := s.usable(ctx, "list", prefix); err != nil {
			yield(storage.Info{}, err)
			return
		}
		if err := storage.CheckPrefix(prefix); err != nil {
			yield(storage.Info{}, s.failed("list", "", err))
			return
		}
		w := walk{ctx: ctx, prefix: prefix, after: after, yield: yield}
		if err := w.dir(s.root, ""); err != nil && !errors.Is(err, errStop) {
			yield(storage.Info{}, s.failed("list", prefix, err))
		}
	}
}

// walk goes through the files below a directory in the order of their keys.
type walk struct {
	ctx           context.Context
	prefix, after string
	yield         func(storage.Info, error) bool
}

// errStop ends a walk whose caller has seen enough.
var errStop = errors.New("stop")

// An element is a file or directory and the last part of its key; that of a
// directory ends with a slash, for so its objects' keys go on: "a-b" comes before
// "a/b", and that before "a0".
type element struct {
	name string
	info os.FileInfo
}

// dir walks through one directory; key is what its objects' keys begin with.
func (w *walk) dir(path, key string) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	entries, err := os.ReadDir(path)
	if absent(err) && key != "" {
		return nil // it was removed meanwhile
	} else if err != nil {
		return err
	}
	elements := make([]element, 0, len(entries))
	for _, entry := range entries {
		e, err := w.look(path, key, entry)
		if err != nil {
			return err
		}
		if e.name != "" {
			elements = append(elements, e)
		}
	}
	slices.SortFunc(elements, func(a, b element) int { return cmp.Compare(a.name, b.name) })
	for _, e := range elements {
		if strings.HasSuffix(e.name, "/") {
			err = w.dir(filepath.Join(path, e.name), key+e.name)
		} else if !w.yield(describe(key+e.name, e.info), nil) {
			err = errStop
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// look returns what an entry of a directory is, or nothing if it cannot be or hold
// an object that is looked for.
func (w *walk) look(path, key string, entry fs.DirEntry) (element, error) {
	name := entry.Name()
	isDir := entry.IsDir()
	var info os.FileInfo
	if !isDir {
		if !w.mayHold(key+name) && entry.Type().IsRegular() {
			return element{}, nil
		}
		var err error
		if info, err = os.Stat(filepath.Join(path, name)); absent(err) {
			return element{}, nil
		} else if err != nil {
			return element{}, err
		}
		isDir = info.IsDir()
	}
	if isDir {
		name += "/"
	} else if !info.Mode().IsRegular() {
		return element{}, nil
	}
	if !w.mayHold(key+name) || storage.CheckKey(strings.TrimSuffix(key+name, "/")) != nil {
		return element{}, nil
	}
	return element{name: name, info: info}, nil
}

// mayHold reports whether a key is looked for, or, if it ends with a slash, keys
// that begin with it may be.
func (w *walk) mayHold(key string) bool {
	if !strings.HasSuffix(key, "/") {
		return strings.HasPrefix(key, w.prefix) && key > w.after
	}
	return (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)) &&
		(key > w.after || strings.HasPrefix(w.after, key))
}
