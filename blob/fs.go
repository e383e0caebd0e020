package blob

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"time"

	"github.com/nearlite/nearlite"
)

// FS is a store seen as a file system; see [Store.FS].
type FS struct {
	s  *Store
	db *nearlite.DB
}

var (
	_ fs.ReadDirFS  = FS{}
	_ fs.ReadFileFS = FS{}
	_ fs.StatFS     = FS{}
)

// FS returns the objects of db as a file system: for templates, for
// http.FileServerFS, for everything that reads one. Slashes in names make the
// directories, which are there as long as something is in them. Where an object
// has the name of a directory it is a file, and what lies below can be opened
// but is not listed.
//
// A file is the object as it was when it was opened, also when that is deleted or
// replaced meanwhile, and it holds nothing while it waits: no transaction, no
// snapshot, no reader of the database. A file of at most [RowSize] bytes is read
// by Open. A larger one is read row by row; deleted, it can be read on for a
// minute at least, after which Read may fail with [ErrGone], never with bytes of
// another object. A slow client of an object that stays can take days.
//
// Files are [fs.File] with Seek, ReadAt and WriteTo. The Sys method of their
// [fs.FileInfo] returns the [Info].
func (s *Store) FS(db *nearlite.DB) FS { return FS{s, db} }

// Open opens an object or a directory.
func (f FS) Open(name string) (fs.File, error) {
	file, err := f.openFile(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return file, nil
}

func (f FS) openFile(name string) (file fs.File, err error) {
	err = f.view(name, func(tx *nearlite.ReadTx) error {
		r, err := f.s.open(tx, name, f.load)
		if err == nil {
			file = &objectFile{Reader: r}
			return nil
		}
		if err := f.directory(tx, name, err); err != nil {
			return err
		}
		file = &dirFile{fs: f, name: name}
		return nil
	})
	return file, err
}

// view runs fn on a snapshot, for a name that may be valid.
func (f FS) view(name string, fn func(tx *nearlite.ReadTx) error) error {
	if !fs.ValidPath(name) {
		return fs.ErrInvalid
	}
	err := look(context.Background(), f.db, fn)
	if e, ok := err.(*Error); ok {
		return e.Err // the caller says the rest
	}
	return err
}

// look is View for short looks that can be taken again: one whose snapshot has
// expired was overtaken by a computer that slept, and another will not be.
func look(ctx context.Context, db *nearlite.DB, fn func(tx *nearlite.ReadTx) error) error {
	err := db.View(ctx, fn)
	for try := 0; try < 3 && errors.Is(err, nearlite.ErrSnapshotExpired); try++ {
		err = db.View(ctx, fn)
	}
	return err
}

// load reads one row on a snapshot of its own.
func (f FS) load(dst []byte, key int64) (row []byte, err error) {
	err = look(context.Background(), f.db, func(tx *nearlite.ReadTx) error {
		row, err = f.s.loadChunk(tx, dst, key)
		return err
	})
	return row, err
}

// directory returns nil if name is one, and else why there is nothing of that
// name, which is what looking for an object has come to.
func (f FS) directory(tx *nearlite.ReadTx, name string, why error) error {
	var bad *NameError
	switch {
	case name == ".":
		return nil
	case errors.As(why, &bad):
		return ErrNotExist
	case !errors.Is(why, ErrNotExist):
		return why
	}
	err := queryRow(tx, f.s.sql.exists, name+"/", above(name+"/")).Err()
	if err == nearlite.ErrNoRows || f.s.absent(err, f.s.table) {
		return ErrNotExist
	}
	return err
}

// Stat describes an object or a directory.
func (f FS) Stat(name string) (info fs.FileInfo, err error) {
	err = f.view(name, func(tx *nearlite.ReadTx) error {
		object, err := f.s.Stat(tx, name)
		if err == nil {
			info = fileInfo{object}
			return nil
		}
		info = dirInfo(path.Base(name))
		return f.directory(tx, name, err)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return info, nil
}

// ReadFile returns the content of an object.
func (f FS) ReadFile(name string) (content []byte, err error) {
	err = f.view(name, func(tx *nearlite.ReadTx) error {
		content, err = f.s.Get(tx, name)
		if err != nil && f.directory(tx, name, err) == nil {
			return errIsDirectory
		}
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return content, nil
}

// objectFile is an open object.
type objectFile struct {
	*Reader
	closed bool
}

// Stat describes the object that was opened.
func (f *objectFile) Stat() (fs.FileInfo, error) { return fileInfo{f.info}, nil }

// Close lets the memory go.
func (f *objectFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.info.Name, Err: fs.ErrClosed}
	}
	f.closed, f.buf, f.at = true, nil, -1
	f.load = func([]byte, int64) ([]byte, error) { return nil, fs.ErrClosed }
	return nil
}

// fileInfo is an Info as package fs wants it.
type fileInfo struct{ info Info }

func (i fileInfo) Name() string               { return path.Base(i.info.Name) }
func (i fileInfo) Size() int64                { return i.info.Size }
func (i fileInfo) Mode() fs.FileMode          { return 0o444 }
func (i fileInfo) ModTime() time.Time         { return i.info.ModTime }
func (i fileInfo) IsDir() bool                { return false }
func (i fileInfo) Sys() any                   { return i.info }
func (i fileInfo) Type() fs.FileMode          { return 0 }
func (i fileInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i fileInfo) String() string             { return fs.FormatFileInfo(i) }
