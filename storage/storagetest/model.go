package storagetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nearlite/nearlite/storage"
)

// testModel does what comes to mind to a store and to a map, and compares.
func testModel(t *testing.T, f *fixture) {
	other := f.open()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		m := &model{f: f, stores: []storage.Store{f.store, other}, prefix: fmt.Sprintf("round-%d/", round),
			objects: map[string][]byte{}, versions: map[string]storage.Version{}}
		t.Repeat(map[string]func(*rapid.T){
			"create": m.create, "replace": m.replace, "get": m.get, "list": m.list, "delete": m.delete,
		})
		if err := f.store.Delete(f.ctx, slices.Collect(maps.Keys(m.objects))...); err != nil {
			t.Fatal(err)
		}
	})
}

// model is what a part of a store has to hold.
type model struct {
	f        *fixture
	stores   []storage.Store
	prefix   string
	objects  map[string][]byte
	versions map[string]storage.Version
}

func (m *model) key(t *rapid.T) string {
	return m.prefix + rapid.SampledFrom([]string{"a", "b", "c/d", "c/e", "c-", "c0", "ü", "x y", "f/g/h"}).Draw(t, "key")
}

func (m *model) store(t *rapid.T) storage.Store { return rapid.SampledFrom(m.stores).Draw(t, "store") }

func content(t *rapid.T) []byte {
	return bytes.Repeat([]byte(rapid.StringN(1, 8, 8).Draw(t, "content")), rapid.SampledFrom([]int{0, 1, 1000}).Draw(t, "times"))
}

func (m *model) create(t *rapid.T) {
	key, c := m.key(t), content(t)
	info, err := m.store(t).Create(m.f.ctx, key, storage.Bytes(c))
	if _, there := m.objects[key]; there {
		if !errors.Is(err, storage.ErrExist) {
			t.Fatalf("create %q, which exists: %v", key, err)
		}
		return
	}
	m.stored(t, key, c, info, err)
}

func (m *model) replace(t *rapid.T) {
	key, c := m.key(t), content(t)
	version, there := m.versions[key]
	if rapid.Bool().Draw(t, "stale") {
		version, there = version+"0", false
	}
	info, err := m.store(t).Replace(m.f.ctx, key, storage.Bytes(c), version)
	if !there {
		if !errors.Is(err, storage.ErrConflict) {
			t.Fatalf("replace %q: %v", key, err)
		}
		return
	}
	m.stored(t, key, c, info, err)
}

func (m *model) stored(t *rapid.T, key string, c []byte, info storage.Info, err error) {
	if err != nil || info.Key != key || info.Size != int64(len(c)) {
		t.Fatalf("store %q: %+v, %v", key, info, err)
	}
	m.objects[key], m.versions[key] = c, info.Version
}

func (m *model) get(t *rapid.T) {
	key := m.key(t)
	want, there := m.objects[key]
	got, info, err := storage.ReadAll(m.f.ctx, m.store(t), key)
	if there != (err == nil) || !there && !errors.Is(err, storage.ErrNotExist) || !bytes.Equal(got, want) {
		t.Fatalf("get %q: %q, not %q: %v", key, got, want, err)
	}
	if there && info.Version != m.versions[key] {
		t.Fatalf("get %q: the version is %s, not %s", key, info.Version, m.versions[key])
	}
	holds, err := storage.Holds(m.f.ctx, m.store(t), key, int64(len(want)), sha256.Sum256(want))
	if err != nil || holds != there {
		t.Fatalf("holds %q: %v, %v", key, holds, err)
	}
}

func (m *model) list(t *rapid.T) {
	prefix := m.prefix + rapid.SampledFrom([]string{"", "c", "c/", "f/g", "x"}).Draw(t, "prefix")
	after := m.prefix + rapid.SampledFrom([]string{"", "a", "c", "c/", "c/d", "z"}).Draw(t, "after")
	var want, got []string
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, prefix) && key > after {
			want = append(want, key)
		}
	}
	for info, err := range m.store(t).List(m.f.ctx, prefix, after) {
		if err != nil {
			t.Fatal(err)
		}
		if info.Version != m.versions[info.Key] || info.Size != int64(len(m.objects[info.Key])) {
			t.Fatalf("list: %+v, and the version is %s", info, m.versions[info.Key])
		}
		got = append(got, info.Key)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("list %q after %q: %q, not %q", prefix, after, got, want)
	}
}

func (m *model) delete(t *rapid.T) {
	keys := []string{m.key(t), m.key(t)}
	if err := m.store(t).Delete(m.f.ctx, keys...); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		delete(m.objects, key)
		delete(m.versions, key)
	}
}
