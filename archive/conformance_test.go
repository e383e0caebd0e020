package archive

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/internal/logtest"
	"github.com/nearlite/nearlite/internal/versitygw"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/file"
	"github.com/nearlite/nearlite/storage/s3"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// directory is a store in a directory.
func directory(t testing.TB, dir string) storage.Store {
	t.Helper()
	s, err := file.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// One gateway serves all tests of the package, each in a prefix of its own.
var gateway versitygw.Shared

func TestMain(m *testing.M) { os.Exit(gateway.Main(m)) }

// bucket returns what opens a new place in a bucket, on a real S3 server.
func bucket(t testing.TB) (s3.Options, func() storage.Store) {
	t.Helper()
	g, err := gateway.Get()
	if errors.Is(err, versitygw.ErrMissing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	o := s3.Options{
		Bucket: versitygw.Bucket, Prefix: rand.Text(), Endpoint: g.Endpoint, PathStyle: true,
		AccessKey: versitygw.AccessKey, SecretKey: versitygw.SecretKey,
	}
	return o, func() storage.Store {
		s, err := s3.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
}

// open opens an archive, which has to succeed.
func open(t testing.TB, s storage.Store, o *Options) *Archive {
	t.Helper()
	a, err := Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, logs := range map[string]logtest.New{
		"file": func(t *testing.T) func() nearlite.Log {
			dir := t.TempDir()
			return func() nearlite.Log { return open(t, directory(t, dir), nil) }
		},
		"maintained": func(t *testing.T) func() nearlite.Log {
			dir := t.TempDir()
			return func() nearlite.Log { return open(t, directory(t, dir), &Options{Maintain: true}) }
		},
		"s3": func(t *testing.T) func() nearlite.Log {
			_, store := bucket(t)
			return func() nearlite.Log { return open(t, store(), nil) }
		},
		"faulty": func(t *testing.T) func() nearlite.Log {
			dir := t.TempDir()
			return func() nearlite.Log {
				var calls atomic.Int64
				return open(t, storagetest.Faulty(directory(t, dir), func(op, key string) storagetest.Fault {
					if op != "create" {
						return storagetest.Fault{}
					}
					return trouble[calls.Add(1)%int64(len(trouble))]
				}), &Options{Patience: 20 * time.Second})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logtest.Run(t, logs)
		})
	}
}

// trouble is what a store does to one Create after the other.
var trouble = []storagetest.Fault{
	{}, {},
	{After: fmt.Errorf("stored: %w", storagetest.ErrLost)},
	{Before: errors.New("503 SlowDown")},
	{},
	{Before: errors.New("500")},
}
