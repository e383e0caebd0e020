package blob

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
)

var (
	errIsDirectory = errors.New("it is a directory")
	errNoDirectory = errors.New("it is not a directory")
)

// ReadDir returns what is in a directory, sorted by name.
func (f FS) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = f.view(name, func(tx *nearlite.ReadTx) error {
		if _, err := f.s.Stat(tx, name); err == nil {
			return errNoDirectory
		} else if err := f.directory(tx, name, err); err != nil {
			return err
		}
		entries, err = f.entries(tx, name)
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "read directory", Path: name, Err: err}
	}
	return entries, nil
}

// entries lists one directory. A directory in it is stepped over in one search
// of the index, however much there is below.
func (f FS) entries(tx *nearlite.ReadTx, dir string) ([]fs.DirEntry, error) {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	var files []fs.DirEntry
	var dirs []string
	from, most := prefix, pageSize
	for {
		page, err := f.s.page(tx, from, above(prefix), most)
		if err != nil {
			return nil, err
		}
		whole := len(page) < most
		most = min(2*most, pageSize)
		for _, e := range page {
			if CheckName(e.Name) != nil { // made by other means; "../x" is no directory
				from = e.Name + "\x00"
				continue
			}
			first, _, deeper := strings.Cut(e.Name[len(prefix):], "/")
			if deeper {
				dirs = append(dirs, first)
				from, most, whole = prefix+first+"0", 8, false // "0" follows "/"
				break
			}
			files = append(files, fileInfo{e.Info})
			from = e.Name + "\x00"
		}
		if whole {
			return merge(files, dirs), nil
		}
	}
}

// merge sorts what a directory holds; a file hides a directory of its name.
func merge(files []fs.DirEntry, dirs []string) []fs.DirEntry {
	isFile := make(map[string]bool)
	if len(dirs) > 0 {
		for _, file := range files {
			isFile[file.Name()] = true
		}
	}
	entries := files
	for _, dir := range dirs {
		if !isFile[dir] {
			entries = append(entries, dirInfo(dir))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries
}

// dirFile is an open directory.
type dirFile struct {
	fs     FS
	name   string
	left   []fs.DirEntry
	listed bool
}

// Stat describes the directory.
func (d *dirFile) Stat() (fs.FileInfo, error) { return d.fs.Stat(d.name) }

// Read fails: a directory has no content.
func (d *dirFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errIsDirectory}
}

// Close does nothing: an open directory holds nothing.
func (d *dirFile) Close() error { return nil }

// ReadDir returns the next n entries, or all if n is not positive.
func (d *dirFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.listed {
		entries, err := d.fs.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.left, d.listed = entries, true
	}
	if n <= 0 {
		n = len(d.left)
	} else if len(d.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.left))
	next := d.left[:n:n]
	d.left = d.left[n:]
	return next, nil
}

// dirInfo describes a directory by its name; there is nothing else to know.
type dirInfo string

func (i dirInfo) Name() string               { return string(i) }
func (i dirInfo) Size() int64                { return 0 }
func (i dirInfo) Mode() fs.FileMode          { return fs.ModeDir | 0o555 }
func (i dirInfo) ModTime() time.Time         { return time.Time{} }
func (i dirInfo) IsDir() bool                { return true }
func (i dirInfo) Sys() any                   { return nil }
func (i dirInfo) Type() fs.FileMode          { return fs.ModeDir }
func (i dirInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i dirInfo) String() string             { return fs.FormatFileInfo(i) }
