package storagetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/iotest"

	"github.com/nearlite/nearlite/storage"
)

// large is more than a store is likely to send at once, and no multiple of anything.
const large = 21<<20 + 12345

func testCreate(t *testing.T, f *fixture) {
	for _, size := range []int{0, 1, 4096, 1 << 20} {
		content := noise(size)
		for name, c := range map[string]storage.Content{
			"slice":     storage.Bytes(content),
			"sum":       storage.Bytes(content).WithSum(sha256.Sum256(content)),
			"stream":    storage.Stream(stream(content), int64(size)),
			"size":      storage.Stream(stream(content), -1),
			"one byte":  storage.Stream(iotest.OneByteReader(stream(content[:min(size, 1000)])), -1),
			"data, EOF": storage.Stream(iotest.DataErrReader(stream(content)), int64(size)),
		} {
			want := content
			if name == "one byte" {
				want = content[:min(size, 1000)]
			}
			key := name + "/" + string(rune('a'+len(want)%26))
			info, err := f.store.Create(f.ctx, key, c)
			if err != nil {
				t.Fatal(err)
			}
			f.check(key, want, info)
			if got := f.expect(key, want); got.Version != info.Version {
				t.Errorf("%s: Create returned the version %s, it is %s", key, info.Version, got.Version)
			}
			if err := f.store.Delete(f.ctx, key); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.create("zero", nil)
	if info, err := f.store.Create(f.ctx, "zero content", storage.Content{}); err != nil || info.Size != 0 {
		t.Errorf("the zero content: %+v, %v", info, err)
	}
}

func testLarge(t *testing.T, f *fixture) {
	content := noise(large)
	for key, c := range map[string]storage.Content{
		"slice":  storage.Bytes(content),
		"stream": storage.Stream(stream(content), large),
		"size":   storage.Stream(stream(content), -1).WithSum(sha256.Sum256(content)),
		"round":  storage.Stream(stream(content[:16<<20]), -1),
	} {
		want := content
		if key == "round" {
			want = content[:16<<20]
		}
		if _, err := f.store.Create(f.ctx, key, c); err != nil {
			t.Fatal(err)
		}
		info := f.expect(key, want)
		if ok, err := storage.Holds(f.ctx, f.store, key, info.Size, sha256.Sum256(want)); err != nil || !ok {
			t.Errorf("holds: %v, %v", ok, err)
		}
		_, err := f.store.Create(f.ctx, key, storage.Bytes(want))
		f.fails(err, storage.ErrExist)
		_, err = f.store.Replace(f.ctx, key, storage.Bytes(want), "no version")
		f.fails(err, storage.ErrConflict)
		replaced, err := f.store.Replace(f.ctx, key, storage.Bytes(want[1:]), info.Version)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.expect(key, want[1:]); got.Version != replaced.Version {
			t.Errorf("%s: Replace returned the version %s, it is %s", key, replaced.Version, got.Version)
		}
		_, err = f.store.Replace(f.ctx, key, storage.Bytes(want), info.Version)
		f.fails(err, storage.ErrConflict)
	}
	_, err := f.store.Replace(f.ctx, "nothing", storage.Bytes(content), "no version")
	f.fails(err, storage.ErrConflict)
}

func testExist(t *testing.T, f *fixture) {
	first := f.create("a", []byte("first"))
	for _, content := range []string{"first", "other", "longer than first"} {
		_, err := f.store.Create(f.ctx, "a", storage.Bytes([]byte(content)))
		f.fails(err, storage.ErrExist)
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%v is not fs.ErrExist", err)
		}
		got, err := storage.Holds(f.ctx, f.store, "a", int64(len(content)), sha256.Sum256([]byte(content)))
		if err != nil || got != (content == "first") {
			t.Errorf("holds %q: %v, %v", content, got, err)
		}
	}
	if got := f.expect("a", []byte("first")); got.Version != first.Version {
		t.Errorf("the version went from %s to %s", first.Version, got.Version)
	}
	if got, err := storage.Holds(f.ctx, f.store, "b", 0, sha256.Sum256(nil)); err != nil || got {
		t.Errorf("holds what does not exist: %v, %v", got, err)
	}
}

// What is not what it should be is not stored, nor any of it.
func testContent(t *testing.T, f *fixture) {
	broken := errors.New("the source broke")
	for _, size := range []int{1000, large} {
		content := noise(size)
		bad := func() io.Reader { return io.MultiReader(stream(content), iotest.ErrReader(broken)) }
		for name, c := range map[string]storage.Content{
			"short":        storage.Stream(stream(content), int64(size)+1),
			"empty":        storage.Stream(stream(nil), int64(size)),
			"long":         storage.Stream(stream(content), int64(size)-1),
			"wrong":        storage.Bytes(content).WithSum(sha256.Sum256(content[1:])),
			"wrong stream": storage.Stream(stream(content), -1).WithSum(sha256.Sum256(content[1:])),
			"breaks":       storage.Stream(bad(), int64(size)),
			"breaks, -1":   storage.Stream(bad(), -1),
		} {
			_, err := f.store.Create(f.ctx, "a", c)
			if f.fails(err, storage.ErrContent); name[0] == 'b' && !errors.Is(err, broken) {
				t.Errorf("%s, %d: the error does not lead to the source's: %v", name, size, err)
			}
			f.absent("a")
		}
	}
	info := f.create("a", []byte("a"))
	_, err := f.store.Replace(f.ctx, "a", storage.Stream(bytes.NewReader(nil), 1), info.Version)
	f.fails(err, storage.ErrContent)
	f.expect("a", []byte("a"))
}

func testNotExist(t *testing.T, f *fixture) {
	f.create("a/b", []byte("b"))
	for _, key := range []string{"x", "a", "a/x", "a/b/c", "x/y/z"} {
		_, err := f.store.Stat(f.ctx, key)
		f.fails(err, storage.ErrNotExist)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
		_, _, err = f.store.Get(f.ctx, key, storage.All)
		f.fails(err, storage.ErrNotExist)
		_, _, err = f.store.Get(f.ctx, key, storage.Range{Offset: 1})
		f.fails(err, storage.ErrNotExist)
		_, err = f.store.Replace(f.ctx, key, storage.Bytes(nil), "no version")
		f.fails(err, storage.ErrConflict)
		if err := f.store.Delete(f.ctx, key); err != nil {
			t.Error(err)
		}
	}
	f.expect("a/b", []byte("b"))
}

func testReplace(t *testing.T, f *fixture) {
	first := f.create("head", []byte("1"))
	second, err := f.store.Replace(f.ctx, "head", storage.Bytes([]byte("2")), first.Version)
	if err != nil {
		t.Fatal(err)
	}
	f.check("head", []byte("2"), second)
	if second.Version == first.Version {
		t.Errorf("the version stayed %s", first.Version)
	}
	_, err = f.store.Replace(f.ctx, "head", storage.Bytes([]byte("3")), first.Version)
	f.fails(err, storage.ErrConflict)
	_, err = f.store.Replace(f.ctx, "head", storage.Bytes([]byte("3")), "")
	f.fails(err, storage.ErrConflict)
	if got := f.expect("head", []byte("2")); got.Version != second.Version {
		t.Errorf("Replace returned the version %s, it is %s", second.Version, got.Version)
	}
	for info := range f.store.List(f.ctx, "head", "") {
		if info.Version != second.Version {
			t.Errorf("in a list the version is %s, not %s", info.Version, second.Version)
		}
	}
	if err := f.store.Delete(f.ctx, "head"); err != nil {
		t.Fatal(err)
	}
	_, err = f.store.Replace(f.ctx, "head", storage.Bytes([]byte("3")), second.Version)
	f.fails(err, storage.ErrConflict)
	f.absent("head")
	f.create("head", nil)
}
