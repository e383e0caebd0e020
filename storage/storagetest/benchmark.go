package storagetest

import (
	"fmt"
	"io"
	"path"
	"sync"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

// Benchmark measures a store that is empty: objects of 4 kB and 1 MB stored and
// read by one caller, and by sixteen, and a list of 10,000 keys.
func Benchmark(b *testing.B, s storage.Store) {
	for name, size := range map[string]int{"4kB": 4 << 10, "1MB": 1 << 20} {
		content := noise(size)
		b.Run("create/"+name, func(b *testing.B) { benchCreate(b, s, name, content) })
		b.Run("create/"+name+"/16", func(b *testing.B) { benchCreateTogether(b, s, name, content) })
		b.Run("get/"+name, func(b *testing.B) { benchGet(b, s, name, content) })
	}
	b.Run("replace", func(b *testing.B) { benchReplace(b, s) })
	b.Run("list/10000", func(b *testing.B) { benchList(b, s) })
}

var benchRound int

// benchKeys returns names that no round before has used.
func benchKeys(name string) func(i int) string {
	benchRound++
	round := benchRound
	return func(i int) string { return fmt.Sprintf("bench/%s/%d/%08d", name, round, i) }
}

func benchCreate(b *testing.B, s storage.Store, name string, content []byte) {
	key := benchKeys(name)
	b.SetBytes(int64(len(content)))
	i := 0
	for b.Loop() {
		if _, err := s.Create(b.Context(), key(i), storage.Bytes(content)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func benchCreateTogether(b *testing.B, s storage.Store, name string, content []byte) {
	key := benchKeys(name)
	b.SetBytes(int64(len(content)))
	var next sync.Mutex
	i := 0
	b.SetParallelism(8) // times GOMAXPROCS
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			next.Lock()
			mine := key(i)
			i++
			next.Unlock()
			if _, err := s.Create(b.Context(), mine, storage.Bytes(content)); err != nil {
				b.Error(err)
			}
		}
	})
}

func benchGet(b *testing.B, s storage.Store, name string, content []byte) {
	key := benchKeys(name)(0)
	if _, err := s.Create(b.Context(), key, storage.Bytes(content)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		r, _, err := s.Get(b.Context(), key, storage.All)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(content)) {
			b.Fatal(n, err)
		}
		r.Close()
	}
}

func benchReplace(b *testing.B, s storage.Store) {
	key := benchKeys("replace")(0)
	info, err := s.Create(b.Context(), key, storage.Bytes(nil))
	i := 0
	for b.Loop() {
		if err != nil {
			b.Fatal(err)
		}
		i++
		info, err = s.Replace(b.Context(), key, storage.Bytes(fmt.Appendf(nil, "%d", i)), info.Version)
	}
}

func benchList(b *testing.B, s storage.Store) {
	const keys, writers = 10000, 16
	key := benchKeys("list")
	var all sync.WaitGroup
	for writer := range writers {
		all.Go(func() {
			for i := writer; i < keys; i += writers {
				if _, err := s.Create(b.Context(), key(i), storage.Bytes(nil)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	for b.Loop() {
		n := 0
		for _, err := range s.List(b.Context(), path.Dir(key(0))+"/", "") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != keys {
			b.Fatal(n)
		}
	}
}
