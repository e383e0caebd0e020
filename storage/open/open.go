// Package open makes a store of a URL, or of the path of a directory.
package open

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/file"
	"github.com/nearlite/nearlite/storage/s3"
)

// Options of a store; the zero value is the default of each.
type Options struct {
	// ReadOnly refuses every write. Opening writes nothing either, and sends no
	// request: the first that is sent tells what is wrong.
	ReadOnly bool
}

// Store opens a store by its address:
//
//	backups/app                                a directory
//	/var/backups/app
//	file:///var/backups/app
//	s3://bucket/app?region=eu-central-1        a bucket, or a part of one
//	s3://bucket/app?endpoint=http://127.0.0.1:7070
//
// [s3.ParseURL] lists the parameters of the last two. A directory that does not
// exist is made; a bucket is not.
func Store(ctx context.Context, address string, opts *Options) (storage.Store, error) {
	if opts == nil {
		opts = &Options{}
	}
	scheme, _, isURL := strings.Cut(address, "://")
	switch {
	case !isURL && address != "":
		return directory(ctx, address, opts)
	case scheme == "file":
		dir, err := filePath(address)
		if err != nil {
			return nil, bad(address, err)
		}
		return directory(ctx, dir, opts)
	case scheme == "s3":
		o, err := s3.ParseURL(address)
		if err != nil {
			return nil, bad("s3 URL", err)
		}
		o.ReadOnly = o.ReadOnly || opts.ReadOnly
		return bucket(ctx, o)
	case address == "":
		return nil, bad("the empty address", errors.New("write a directory, file:///DIRECTORY or s3://BUCKET/PREFIX"))
	}
	return nil, bad(address, fmt.Errorf("there is no storage of the kind %q: write a directory, file:///DIRECTORY or s3://BUCKET/PREFIX?endpoint=…", scheme))
}

// directory keeps a nil store from becoming an interface that is not nil.
func directory(ctx context.Context, dir string, opts *Options) (storage.Store, error) {
	s, err := file.Open(ctx, dir, &file.Options{ReadOnly: opts.ReadOnly})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func bucket(ctx context.Context, o s3.Options) (storage.Store, error) {
	s, err := s3.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// filePath is the directory that a file URL names.
func filePath(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", errors.New("not a URL like file:///DIRECTORY")
	case u.Host != "" && u.Host != "localhost":
		return "", fmt.Errorf("it names the host %q: write file:///%s%s with three slashes, or the path alone", u.Host, u.Host, u.Path)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return "", errors.New("a directory has no parameters; write ? as %3F and # as %23")
	case u.Path == "" || u.Path == "/":
		return "", errors.New("it names no directory: write file:///DIRECTORY")
	}
	path := u.Path
	if len(path) > 3 && path[2] == ':' && filepath.VolumeName(path[1:]) != "" {
		path = path[1:] // "/C:/dir" on Windows
	}
	return filepath.FromSlash(path), nil
}

func bad(address string, err error) error {
	return &storage.Error{Op: "open", Store: address, Kind: storage.ErrRefused, Err: err}
}
