package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

func testList(t *testing.T, f *fixture) {
	if got := f.keys("", ""); len(got) > 0 {
		t.Errorf("an empty store lists %q", got)
	}
	// A directory is walked where its objects' keys are: after those that begin
	// with its name and go on with what is less than a slash.
	all := []string{"a!", "a-b", "a.b", "a/b", "a/b!", "a/c/d", "a/c0", "a0", "b", "b ", "ü/ü", "日"}
	slices.Sort(all)
	for _, key := range slices.Backward(all) {
		f.create(key, []byte(key))
	}
	for _, prefix := range []string{"", "a", "a/", "a/c", "a/c/", "a/c/d", "a0", "a1", "b", "c", "ü", "\u00fc/", "x/y", "a/b/"} {
		for _, after := range append([]string{"", "a", "a/", "a/b", "a/c", "a/c/", "a/c/z", "a~", "~", "zz/zz"}, all...) {
			want := []string{}
			for _, key := range all {
				if strings.HasPrefix(key, prefix) && key > after {
					want = append(want, key)
				}
			}
			if got := f.keys(prefix, after); !slices.Equal(got, want) {
				t.Errorf("prefix %q after %q: %q, not %q", prefix, after, got, want)
			}
		}
	}
	for info, err := range f.store.List(f.ctx, "a", "") {
		if err != nil {
			t.Fatal(err)
		}
		f.check(info.Key, []byte(info.Key), info)
		if stat, err := f.store.Stat(f.ctx, info.Key); err != nil || stat.Version != info.Version {
			t.Errorf("%q has the version %s in a list and %s for Stat (%v)", info.Key, info.Version, stat.Version, err)
		}
		if info.Key > "a." {
			break // and the store must not mind
		}
	}
}

// many is more than two pages of S3.
const many = 2100

// createMany stores small objects, eight at a time.
func (f *fixture) createMany(n int) (keys []string) {
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range n {
		key := fmt.Sprintf("%d/%06d", i%3, i)
		keys = append(keys, key)
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if _, err := f.store.Create(f.ctx, key, storage.Bytes([]byte(key))); err != nil {
				f.t.Error(err)
			}
		})
	}
	all.Wait()
	slices.Sort(keys)
	return keys
}

func testListPages(t *testing.T, f *fixture) {
	keys := f.createMany(many)
	if got := f.keys("", ""); !slices.Equal(got, keys) {
		t.Errorf("a list of %d keys has %d, or others", len(keys), len(got))
	}
	for _, i := range []int{0, 998, 999, 1000, 1001, many - 2, many - 1} {
		if got := f.keys("", keys[i]); !slices.Equal(got, keys[i+1:]) {
			t.Errorf("after the key number %d come %d, not %d", i, len(got), len(keys)-i-1)
		}
	}
	if got := f.keys("1/", "1/000500"); len(got) == 0 || got[0] != "1/000502" || got[len(got)-1] != keys[2*many/3-1] {
		t.Errorf("a part of a list has %d keys, of them the first %q", len(got), got[:min(2, len(got))])
	}
	if err := f.store.Delete(f.ctx, keys[:many-1]...); err != nil {
		t.Fatal(err)
	}
	if got := f.keys("", ""); !slices.Equal(got, keys[many-1:]) {
		t.Errorf("all but one were deleted, and there are %d", len(got))
	}
}

// What is there all the time is in every list, whatever comes and goes.
func testListWhile(t *testing.T, f *fixture) {
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("keep/%02d", i))
		f.create(want[i], nil)
	}
	other := f.open()
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(done)
		for i := range 60 {
			key := fmt.Sprintf("keep/%02d-%d", i%20, i)
			if _, err := other.Create(f.ctx, key, storage.Bytes([]byte(key))); err != nil {
				t.Error(err)
			}
			if err := other.Delete(f.ctx, key); err != nil {
				t.Error(err)
			}
		}
	})
	for going := true; going; {
		select {
		case <-done:
			going = false
		default:
		}
		got := f.keys("keep/", "")
		kept := slices.DeleteFunc(slices.Clone(got), func(key string) bool { return len(key) > len("keep/00") })
		if !slices.IsSorted(got) || !slices.Equal(kept, want) {
			t.Fatalf("the list is %q", got)
		}
	}
	all.Wait()
}

func testDelete(t *testing.T, f *fixture) {
	if err := f.store.Delete(f.ctx); err != nil {
		t.Error(err)
	}
	f.create("a/b", nil)
	f.create("a/c", nil)
	for range 2 {
		if err := f.store.Delete(f.ctx, "a/b", "x", "a/b"); err != nil {
			t.Error(err)
		}
	}
	f.absent("a/b")
	f.expect("a/c", nil)
	f.create("a/b", []byte("again"))
	if err := f.store.Delete(f.ctx, "a"); err != nil {
		t.Error(err)
	}
	f.expect("a/b", []byte("again"))

	// Either there can be objects above others, or one is told that there cannot.
	if _, err := f.store.Create(f.ctx, "a/b/c", storage.Bytes(nil)); err != nil && !errors.Is(err, storage.ErrRefused) {
		t.Errorf("an object below another: %v", err)
	}
	if _, err := f.store.Create(f.ctx, "a", storage.Bytes(nil)); err != nil && !errors.Is(err, storage.ErrRefused) {
		t.Errorf("an object above another: %v", err)
	}
	f.expect("a/b", []byte("again"))
}
