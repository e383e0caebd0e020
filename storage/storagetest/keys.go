package storagetest

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

var oddKeys = []string{
	"a", "a b", " a", "a ", "a+b", "a%20b", "a%2Fb", "a%b", "a&b=c", "a?b#c", "a;b", "a'b\"c", "<a>&amp;", "a:b", "a*b|c", "~", "-rf", "...", "a..", "..a",
	".hidden", "é", "e\u0301", "日本/語", "🐘", "\u202e", "0000/0000000000000001-0000000000000001.ltx", "d/e/e/p/e/r",
	strings.Repeat("x", storage.MaxElement), strings.Repeat("yyyyyyy/", 63) + "y", strings.Repeat("ü", 127),
}

func testKeys(t *testing.T, f *fixture) {
	for _, key := range oddKeys {
		f.create(key, []byte(key))
	}
	for _, key := range oddKeys {
		f.expect(key, []byte(key))
		if got := f.keys(key, ""); !slices.Contains(got, key) {
			t.Errorf("the list of %q is %q", key, got)
		}
	}
	if got, want := f.keys("", ""), slices.Sorted(slices.Values(oddKeys)); !slices.Equal(got, want) {
		t.Errorf("the list is\n%q, not\n%q", got, want)
	}
	if err := f.store.Delete(f.ctx, oddKeys...); err != nil {
		t.Fatal(err)
	}
	if got := f.keys("", ""); len(got) > 0 {
		t.Errorf("after Delete there are %q", got)
	}
}

var badKeys = []string{
	"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/..", "../a", "a/../b", `a\b`, "a\x00b", "a\nb", "\x7f", "\u0085", "\xff", "a\xed\xa0\x80",
	"\uffff", storage.Reserved, storage.Reserved + "/tmp", "a/" + storage.Reserved, strings.Repeat("x", storage.MaxElement+1),
	strings.Repeat("a/", storage.MaxKey/2) + "a",
}

func testBadKeys(t *testing.T, f *fixture) {
	f.create("a", []byte("a"))
	for _, key := range badKeys {
		_, create := f.store.Create(f.ctx, key, storage.Bytes(nil))
		_, replace := f.store.Replace(f.ctx, key, storage.Bytes(nil), "1")
		_, _, get := f.store.Get(f.ctx, key, storage.All)
		_, stat := f.store.Stat(f.ctx, key)
		for _, err := range []error{create, replace, get, stat, f.store.Delete(f.ctx, key)} {
			var bad *storage.KeyError
			f.fails(err, storage.ErrBadKey)
			if !errors.As(err, &bad) || bad.Key != key || !errors.Is(err, fs.ErrInvalid) || strings.ContainsAny(err.Error(), "\x00\n") {
				t.Errorf("%q: %v", key, err)
			}
		}
	}
	for _, prefix := range []string{"/", "a//", "../", "\xff", "a/../"} {
		for _, err := range f.store.List(f.ctx, prefix, "") {
			f.fails(err, storage.ErrBadKey)
		}
	}
	// A bad key does not keep the good ones from being deleted.
	f.fails(f.store.Delete(f.ctx, "..", "a"), storage.ErrBadKey)
	f.absent("a")
}
