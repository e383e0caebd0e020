package archive

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/wal"
)

// rows makes a page that compresses as rows of a table do, by about a half.
func rows(r *rand.Rand, page []byte) {
	for i := 0; i+8 <= len(page); i += 8 {
		copy(page[i:], "account ")
		for j := range 4 {
			page[i+j] = byte(r.Uint32())
		}
	}
}

// large is an entry of so many pages, which are made as they are asked for.
func large(pages uint32) *nearlite.Entry {
	const size = 4096
	kinds := make([][]byte, 1024)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range kinds {
		kinds[i] = make([]byte, size)
		rows(r, kinds[i])
	}
	all := make([]wal.Page, pages)
	sum := uint64(0)
	for i := range all {
		all[i] = wal.Page{Number: uint32(i) + 1, Data: kinds[i%len(kinds)]}
		sum ^= crc64iso.Page(all[i].Number, all[i].Data)
	}
	return nearlite.NewEntry(nearlite.Head{TXID: 1, Epoch: 1, Sum: uint32(sum), PageSize: size, Pages: pages}, all)
}

// NEARLITE_ARCHIVE_PAGES=262144 is a gigabyte.
func benchPages() uint32 {
	if os.Getenv("NEARLITE_ARCHIVE_BIG") != "" {
		return 1 << 18
	}
	return 1 << 14
}

func BenchmarkRestore(b *testing.B) {
	for name, place := range map[string]func(b *testing.B) storage.Store{
		"file": func(b *testing.B) storage.Store { return directory(b, b.TempDir()) },
		"s3": func(b *testing.B) storage.Store {
			_, s := bucket(b)
			return s()
		},
	} {
		b.Run(name, func(b *testing.B) {
			s, pages := place(b), benchPages()
			if err := open(b, s, nil).Append(b.Context(), large(pages)); err != nil {
				b.Fatal(err)
			}
			dest := filepath.Join(b.TempDir(), "x.db")
			b.SetBytes(int64(pages) * 4096)
			b.Run("restore", func(b *testing.B) {
				b.SetBytes(int64(pages) * 4096)
				for b.Loop() {
					if _, err := Restore(b.Context(), s, dest, RestoreOptions{}); err != nil {
						b.Fatal(err)
					}
					_ = os.Remove(dest)
				}
			})
			b.Run("read", func(b *testing.B) {
				b.SetBytes(int64(pages) * 4096)
				a := open(b, s, nil)
				for b.Loop() {
					if _, err := a.Read(b.Context(), 0, func(wal.Page) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, pages := range map[string]uint32{"10 pages": 10, "1,000 pages": 1000, "10,000 pages": 10_000} {
		b.Run(name, func(b *testing.B) {
			a := open(b, nowhere{directory(b, b.TempDir())}, nil)
			e := large(pages)
			b.SetBytes(int64(pages) * 4096)
			for b.Loop() {
				if err := a.Append(b.Context(), e); err != nil {
					b.Fatal(err)
				}
				e.TXID++
			}
		})
	}
}

// nowhere stores nothing, so that what is measured is ours.
type nowhere struct{ storage.Store }

func (nowhere) Create(_ context.Context, key string, c storage.Content) (storage.Info, error) {
	return storage.Info{Key: key, Size: c.Size(), Version: "1"}, nil
}
