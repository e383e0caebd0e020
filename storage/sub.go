package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
)

// Sub returns the part of a store whose keys begin with name and a slash, as a store
// of its own, in which they go without. Its keys may be shorter than [MaxKey] by as
// much. Closing it closes nothing.
func Sub(s Store, name string) (Store, error) {
	if err := CheckKey(name); err != nil {
		return nil, err
	}
	return &sub{s, name + "/"}, nil
}

type sub struct {
	all    Store
	prefix string
}

// inside gives an answer about an object the key it has in the part.
func (s *sub) inside(info Info, err error) (Info, error) {
	info.Key = strings.TrimPrefix(info.Key, s.prefix)
	return info, s.about(err)
}

// about makes an error one of the part.
func (s *sub) about(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	part := *e
	part.Store = s.String()
	part.Key = strings.TrimPrefix(e.Key, s.prefix)
	return &part
}

func (s *sub) Create(ctx context.Context, key string, content Content) (Info, error) {
	return s.inside(s.all.Create(ctx, s.prefix+key, content))
}

func (s *sub) Replace(ctx context.Context, key string, content Content, old Version) (Info, error) {
	return s.inside(s.all.Replace(ctx, s.prefix+key, content, old))
}

func (s *sub) Get(ctx context.Context, key string, part Range) (io.ReadCloser, Info, error) {
	body, info, err := s.all.Get(ctx, s.prefix+key, part)
	info, err = s.inside(info, err)
	return body, info, err
}

func (s *sub) Stat(ctx context.Context, key string) (Info, error) {
	return s.inside(s.all.Stat(ctx, s.prefix+key))
}

func (s *sub) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	if after != "" {
		after = s.prefix + after
	}
	return func(yield func(Info, error) bool) {
		for info, err := range s.all.List(ctx, s.prefix+prefix, after) {
			if !yield(s.inside(info, err)) {
				return
			}
		}
	}
}

func (s *sub) Delete(ctx context.Context, keys ...string) error {
	whole := make([]string, len(keys))
	for i, key := range keys {
		whole[i] = s.prefix + key
	}
	return s.about(s.all.Delete(ctx, whole...))
}

// String is the store's URL with the name behind its path.
func (s *sub) String() string {
	path, parameters, has := strings.Cut(s.all.String(), "?")
	path = strings.TrimSuffix(path, "/") + "/" + strings.TrimSuffix(s.prefix, "/")
	if has {
		path += "?" + parameters
	}
	return path
}

func (s *sub) Close() error { return nil }
