package s3

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"sync/atomic"
	"testing"

	"github.com/nearlite/nearlite/internal/versitygw"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// One gateway serves all tests of the package, each in a prefix of its own.
var gateway versitygw.Shared

func TestMain(m *testing.M) { os.Exit(gateway.Main(m)) }

var prefixes atomic.Int64

// options are those of a new place on the gateway, or on the endpoint that the
// environment names.
func options(t testing.TB) Options {
	t.Helper()
	if address := os.Getenv("NEARLITE_TEST_S3"); address != "" {
		o, err := ParseURL(address)
		if err != nil {
			t.Fatal(err)
		}
		o.Prefix = path.Join(o.Prefix, "tests", rand.Text())
		return o
	}
	g, err := gateway.Get()
	if errors.Is(err, versitygw.ErrMissing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	return Options{
		Bucket: versitygw.Bucket, Prefix: fmt.Sprintf("tests of this run/%d", prefixes.Add(1)), Endpoint: g.Endpoint, PathStyle: true,
		AccessKey: versitygw.AccessKey, SecretKey: versitygw.SecretKey,
	}
}

// open opens a store, which has to succeed.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) func() storage.Store {
		o := options(t)
		return func() storage.Store { return open(t, o) }
	})
}

func BenchmarkStore(b *testing.B) {
	s := open(b, options(b))
	defer s.Close()
	storagetest.Benchmark(b, s)
}
