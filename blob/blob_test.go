package blob

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/nearlite/nearlite"
)

var (
	bg    = context.Background()
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
)

// setup opens a database and a store in it.
func setup(t testing.TB, opts *nearlite.Options) (*Store, *nearlite.DB) {
	t.Helper()
	return newStore(t), openDB(t, filepath.Join(t.TempDir(), "blob.db"), opts)
}

func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openDB(t testing.TB, path string, opts *nearlite.Options) *nearlite.DB {
	t.Helper()
	if opts == nil {
		opts = &nearlite.Options{}
	}
	opts.Logger = quiet
	db, err := nearlite.Open(bg, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// noise returns that many random bytes.
func noise(size int) []byte {
	p := make([]byte, size)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	rand.NewChaCha8(seed).Read(p)
	return p
}
