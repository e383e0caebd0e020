package file

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/nearlite/nearlite/storage"
)

// Get opens the file. What replaces or deletes it meanwhile does not touch what is
// read.
func (s *Store) Get(ctx context.Context, key string, part storage.Range) (io.ReadCloser, storage.Info, error) {
	path, err := s.begin(ctx, "get", key)
	if err != nil {
		return nil, storage.Info{}, err
	}
	r, err := s.get(ctx, key, path, part)
	if err != nil {
		return nil, storage.Info{}, s.failed("get", key, err)
	}
	return r, r.info, nil
}

func (s *Store) get(ctx context.Context, key, path string, part storage.Range) (*reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, missing(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = storage.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	from, to, err := part.In(info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%w of %d bytes", err, info.Size())
	}
	return &reader{ctx: ctx, store: s, info: describe(key, info), file: f, at: from, to: to}, nil
}

// Stat describes the file.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	path, err := s.begin(ctx, "stat", key)
	if err != nil {
		return storage.Info{}, err
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = storage.ErrNotExist
	}
	if err != nil {
		return storage.Info{}, s.failed("stat", key, missing(err))
	}
	return describe(key, info), nil
}

// missing says that there is no object, if that is what the system says.
func missing(err error) error {
	if absent(err) {
		return storage.ErrNotExist
	}
	return err
}

// reader reads a part of a file.
type reader struct {
	ctx    context.Context
	store  *Store
	info   storage.Info
	file   *os.File
	at, to int64
}

// Read ends where the range does; a file that ends before was cut short.
func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, r.store.failed("get", r.info.Key, context.Cause(r.ctx))
	}
	if r.at == r.to {
		return 0, io.EOF
	}
	n, err := r.file.ReadAt(p[:min(int64(len(p)), r.to-r.at)], r.at)
	r.at += int64(n)
	switch {
	case err == io.EOF && n == 0:
		return 0, r.store.failed("get", r.info.Key, fmt.Errorf("%w: it was cut at %d of %d bytes", storage.ErrDamaged, r.at, r.info.Size))
	case err != nil && err != io.EOF:
		return n, r.store.failed("get", r.info.Key, err)
	}
	return n, nil
}

// Close closes the file.
func (r *reader) Close() error { return r.file.Close() }
