package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

// New makes a place without objects, and returns what opens it: each call is
// another store of the same objects, as another process would have it. The place
// goes when the test ends; the suite closes the stores.
type New func(t *testing.T) (open func() storage.Store)

// Run tests an implementation.
func Run(t *testing.T, places New) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"create":           testCreate,
		"large":            testLarge,
		"exist":            testExist,
		"content":          testContent,
		"keys":             testKeys,
		"bad keys":         testBadKeys,
		"not exist":        testNotExist,
		"replace":          testReplace,
		"ranges":           testRanges,
		"list":             testList,
		"list pages":       testListPages,
		"list while":       testListWhile,
		"delete":           testDelete,
		"one winner":       testOneWinner,
		"one twin":         testOneTwin,
		"counters":         testCounters,
		"replace and read": testReplaceAndRead,
		"cancel":           testCancel,
		"reuse":            testReuse,
		"closed":           testClosed,
		"model":            testModel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, places))
		})
	}
}

// fixture is a place with one store of it, and what tests do all the time.
type fixture struct {
	t     *testing.T
	ctx   context.Context
	open  func() storage.Store
	store storage.Store
}

func newFixture(t *testing.T, places New) *fixture {
	f := &fixture{t: t, ctx: t.Context()}
	open := places(t)
	f.open = func() storage.Store {
		s := open()
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return s
	}
	f.store = f.open()
	return f
}

// create stores bytes, which has to succeed.
func (f *fixture) create(key string, content []byte) storage.Info {
	f.t.Helper()
	info, err := f.store.Create(f.ctx, key, storage.Bytes(content))
	if err != nil {
		f.t.Fatal(err)
	}
	f.check(key, content, info)
	return info
}

// check holds a description against what was stored.
func (f *fixture) check(key string, content []byte, info storage.Info) {
	f.t.Helper()
	if info.Key != key || info.Size != int64(len(content)) || info.Version == "" || info.Time.IsZero() {
		f.t.Errorf("%d bytes at %q are described as %+v", len(content), key, info)
	}
}

// expect reads an object in all ways there are.
func (f *fixture) expect(key string, content []byte) storage.Info {
	f.t.Helper()
	got, info, err := storage.ReadAll(f.ctx, f.store, key)
	if err != nil {
		f.t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		f.t.Fatalf("%q has %d bytes %.40q, not %d bytes %.40q", key, len(got), got, len(content), content)
	}
	f.check(key, content, info)
	stat, err := f.store.Stat(f.ctx, key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.check(key, content, stat)
	if stat.Version != info.Version {
		f.t.Errorf("%q has the version %s for Get and %s for Stat", key, info.Version, stat.Version)
	}
	return info
}

// keys lists.
func (f *fixture) keys(prefix, after string) []string {
	f.t.Helper()
	keys := []string{}
	for info, err := range f.store.List(f.ctx, prefix, after) {
		if err != nil {
			f.t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// fails expects an error of a kind, which names the object and the store.
func (f *fixture) fails(err, kind error) {
	f.t.Helper()
	var e *storage.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) || e.Store != f.store.String() {
		f.t.Errorf("the error is %v, not %v", err, kind)
	}
}

// absent expects that there is no object.
func (f *fixture) absent(key string) {
	f.t.Helper()
	_, err := f.store.Stat(f.ctx, key)
	f.fails(err, storage.ErrNotExist)
}

// noise is bytes that do not compress and are not like any others.
func noise(size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16), byte(rand.Int())})
	_, _ = r.Read(b)
	return b
}

// stream hides from a store that it gets bytes.
func stream(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }
