package blob

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nearlite/nearlite"
)

// fillRandom makes count objects of 8,000 to 12,000 random bytes.
func fillRandom(b *testing.B, s *Store, db *nearlite.DB, count int) []string {
	b.Helper()
	names := make([]string, count)
	for from := 0; from < count; from += 1000 {
		err := db.Update(bg, func(tx *nearlite.WriteTx) error {
			for i := from; i < min(count, from+1000); i++ {
				names[i] = fmt.Sprintf("%06d", i)
				if _, err := s.Put(tx, names[i], noise(8000+rand.IntN(4000)), nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Checkpoint(bg); err != nil {
		b.Fatal(err)
	}
	return names
}

// BenchmarkGet is the comparison of seed 4: one of many objects of 10 kB, at
// random and warm, from the database and from files.
func BenchmarkGet(b *testing.B) {
	const count = 20_000
	for name, opts := range map[string]*nearlite.Options{
		"mapped":        nil,
		"read":          {MmapSize: -1},
		"read-16k-page": {MmapSize: -1, PageSize: 16 << 10, ReaderCacheSize: 1 << 20},
	} {
		s, db := setup(b, opts)
		names := fillRandom(b, s, db, count)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			into, name := make([]byte, 0, 16<<10), ""
			get := func(tx *nearlite.ReadTx) (err error) {
				into, err = s.Append(tx, into[:0], name)
				return err
			}
			for b.Loop() {
				name = names[rand.IntN(count)]
				if err := db.View(bg, get); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	dir := b.TempDir()
	names := make([]string, count)
	for i := range names {
		names[i] = filepath.Join(dir, fmt.Sprintf("%06d", i))
		if err := os.WriteFile(names[i], noise(8000+rand.IntN(4000)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("file", func(b *testing.B) {
		b.ReportAllocs()
		into := make([]byte, 16<<10)
		for b.Loop() {
			if err := readRaw(names[rand.IntN(count)], into); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// readRaw reads a file as cheaply as it can be done: open, fstat, read, close.
func readRaw(name string, into []byte) error {
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	_, err = syscall.Read(fd, into[:st.Size])
	return err
}

// BenchmarkPut overwrites objects of 10 kB, a hundred in a transaction.
func BenchmarkPut(b *testing.B) {
	const count = 20_000
	s, db := setup(b, &nearlite.Options{Durability: nearlite.Normal})
	names := fillRandom(b, s, db, count)
	contents := make([][]byte, 64)
	for i := range contents {
		contents[i] = noise(8000 + rand.IntN(4000))
	}
	b.ReportAllocs()
	for b.Loop() {
		err := db.Update(bg, func(tx *nearlite.WriteTx) error {
			for range 100 {
				if _, err := s.Put(tx, names[rand.IntN(count)], contents[rand.IntN(len(contents))], nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/blob")
}

// BenchmarkRowSize is what RowSize was chosen by: the same 256 MiB as objects of
// different sizes, in rows of different sizes.
func BenchmarkRowSize(b *testing.B) {
	const total = 256 << 20
	for _, size := range []int{32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 4 << 20, 16 << 20} {
		for _, row := range []int{16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 4 << 20} {
			if row > size && row/2 >= size {
				continue
			}
			s, db := setup(b, nil)
			s.rowSize = row
			content := noise(size)
			count := min(total/size, 1000)
			var names []string
			for i := range count {
				names = append(names, fmt.Sprint(i))
			}
			b.Run(fmt.Sprintf("object=%dk/row=%dk/write", size>>10, row>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				for i := 0; b.Loop(); i++ {
					err := db.Update(bg, func(tx *nearlite.WriteTx) error {
						_, err := s.Put(tx, names[i%count], content, &PutOptions{SHA256: [32]byte{byte(i), byte(i >> 8), byte(i>>16) | 0x80}})
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
			for _, name := range names {
				db.Update(bg, func(tx *nearlite.WriteTx) error { _, err := s.Put(tx, name, content, nil); return err })
			}
			db.Checkpoint(bg)
			b.Run(fmt.Sprintf("object=%dk/row=%dk/read", size>>10, row>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				into := make([]byte, 0, size)
				for i := 0; b.Loop(); i++ {
					err := db.View(bg, func(tx *nearlite.ReadTx) (err error) {
						into, err = s.Append(tx, into[:0], names[i%count])
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("object=%dk/row=%dk/part", size>>10, row>>10), func(b *testing.B) {
				into := make([]byte, 4096)
				for i := 0; b.Loop(); i++ {
					err := db.View(bg, func(tx *nearlite.ReadTx) error {
						r, err := s.Open(tx, names[i%count])
						if err == nil {
							_, err = r.ReadAt(into, int64(size/2))
						}
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
			db.Close()
			os.Remove(db.Path())
		}
	}
}
