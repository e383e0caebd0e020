package file

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/nearlite/nearlite/storage"
)

// Options of a directory; the zero value is the default of each.
type Options struct {
	// ReadOnly refuses every write, and leaves the directory untouched: it has to
	// exist, may be on a read-only disk, and nothing is cleaned up.
	ReadOnly bool
}

// Store is a directory. Its methods are those of [storage.Store].
type Store struct {
	root     string
	url      string
	readOnly bool
	closed   atomic.Bool

	owner *owner   // of our temporary files; nil if read only
	locks [64]lock // one of them stands for each key
	dirs  sync.Map // directories whose names are known to be on the disk

	// before is called with the name of each step that matters for durability,
	// and its path. Tests let steps fail there, or die.
	before func(step, path string) error
}

var _ storage.Store = (*Store)(nil)

// Open makes a store of a directory, which is created if it does not exist, and
// removes what writers that have died left behind.
func Open(ctx context.Context, dir string, opts *Options) (*Store, error) {
	if opts == nil {
		opts = &Options{}
	}
	s := &Store{url: dir, readOnly: opts.ReadOnly, before: func(string, string) error { return nil }}
	if ctx.Err() != nil {
		return nil, s.failed("open", "", context.Cause(ctx))
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, s.failed("open", "", err)
	}
	s.root, s.url = root, (&url.URL{Scheme: "file", Path: filepath.ToSlash(root)}).String()
	if err := s.open(); err != nil {
		return nil, s.failed("open", "", err)
	}
	return s, nil
}

func (s *Store) open() error {
	if !s.readOnly {
		if err := s.makeRoot(); err != nil {
			return err
		}
	}
	info, err := os.Stat(s.root)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: it is a file, not a directory", storage.ErrRefused)
	}
	for i := range s.locks {
		s.locks[i].turn = make(chan struct{}, 1)
	}
	if s.readOnly {
		return nil
	}
	s.owner, err = newOwner(filepath.Join(s.root, storage.Reserved, "tmp"))
	return err
}

// String is the directory as a URL.
func (s *Store) String() string { return s.url }

// Close lets go of the locks. Files that are being read stay open until they are
// closed themselves.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var errs []error
	for i := range s.locks {
		errs = append(errs, s.locks[i].close())
	}
	if s.owner != nil {
		errs = append(errs, s.owner.close())
	}
	return errors.Join(errs...)
}

// begin checks what every call on one key has to check, and returns its path.
func (s *Store) begin(ctx context.Context, op, key string) (string, error) {
	if err := s.usable(ctx, op, key); err != nil {
		return "", err
	}
	if err := storage.CheckKey(key); err != nil {
		return "", s.failed(op, "", err)
	}
	return s.path(op, key)
}

// beginWrite is begin for what changes something.
func (s *Store) beginWrite(ctx context.Context, op, key string) (string, error) {
	path, err := s.begin(ctx, op, key)
	if err == nil && s.readOnly {
		err = &storage.Error{Op: op, Store: s.url, Key: key, Kind: storage.ErrRefused,
			Err: errors.New("it was opened to read only")}
	}
	return path, err
}

func (s *Store) usable(ctx context.Context, op, key string) error {
	if s.closed.Load() {
		return &storage.Error{Op: op, Store: s.url, Key: key, Kind: storage.ErrClosed}
	}
	if ctx.Err() != nil {
		return s.failed(op, key, context.Cause(ctx))
	}
	return nil
}

// path is the file of a key. Systems that have names of their own for devices,
// or for streams of a file, refuse those.
func (s *Store) path(op, key string) (string, error) {
	local, err := filepath.Localize(key)
	if err != nil {
		return "", &storage.Error{Op: op, Store: s.url, Key: key, Kind: storage.ErrRefused, Err: err,
			Remedy: "this system cannot have a file of that name"}
	}
	return filepath.Join(s.root, local), nil
}
