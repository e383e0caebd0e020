package blob

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/nearlite/nearlite"
	"pgregory.net/rapid"
)

func TestPackedIsAnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		page := 512 << rapid.IntRange(0, 7).Draw(t, "page")
		sizes := rapid.SliceOfN(rapid.IntRange(0, RowSize), 0, 300).Draw(t, "sizes")
		order := packed(sizes, page)
		slices.Sort(order)
		for i, at := range order {
			if at != i {
				t.Fatalf("packed(%v) is no order", sizes)
			}
		}
		if len(order) != len(sizes) {
			t.Fatalf("%d of %d", len(order), len(sizes))
		}
	})
}

// leafBytes is what SQLite says of its leaves.
func TestLeafBytes(t *testing.T) {
	t.Parallel()
	for _, page := range []int{512, 1024, 4096, 16384, 65536} {
		s, db := setup(t, &nearlite.Options{PageSize: page})
		for _, size := range []int{1, page / 3, page - 50, page, 2 * page, 2*page + page/2, 5*page - 100, RowSize} {
			size = min(size, RowSize)
			put(t, s, db, "x", noise(size), nil)
			free := int(count(t, db, "SELECT unused FROM dbstat WHERE name = 'blob_content' AND pagetype = 'leaf'"))
			// The sizes of a record and of its header are numbers of one to three bytes.
			if got, want := page-8-free, leafBytes(size, page); got > want || got < want-6 {
				t.Errorf("a row of %d bytes on pages of %d: %d in the leaf, want %d", size, page, got, want)
			}
		}
	}
}

// What is imported together takes less of the disk than what is put one by one.
func TestImportPacks(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	files := fstest.MapFS{}
	for i := range 1000 {
		files[fmt.Sprintf("%04d", i)] = &fstest.MapFile{Data: noise(8000 + random.IntN(4001))}
	}
	one, db1 := setup(t, nil)
	for name, f := range files {
		put(t, one, db1, name, f.Data, nil)
	}
	many, db2 := setup(t, nil)
	update(t, db2, func(tx *nearlite.WriteTx) error {
		var batch []object
		for name, f := range files {
			batch = append(batch, object{name, f.Data, PutOptions{SHA256: [32]byte{1}}})
		}
		_, err := many.putAll(tx, batch)
		return err
	})
	const pages = "SELECT count(*) FROM dbstat WHERE name = 'blob_content'"
	a := count(t, db1, pages)
	b := count(t, db2, pages)
	if a < 2550 || b > 2480 {
		t.Errorf("%d pages one by one, %d packed; want some 2,600 and 2,460", a, b)
	}
}
