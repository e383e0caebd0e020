package file

import (
	"testing"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/storagetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) func() storage.Store {
		dir := t.TempDir()
		return func() storage.Store { return open(t, dir) }
	})
}

// open opens a directory, which has to succeed; the caller closes it.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkStore(b *testing.B) {
	s := open(b, b.TempDir())
	defer s.Close()
	storagetest.Benchmark(b, s)
}
