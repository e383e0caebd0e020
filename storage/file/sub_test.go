package file

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

// A part of a store is a store: it sees its own objects by their own names.
func TestSub(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all := open(t, t.TempDir())
	defer all.Close()
	a, err := storage.Sub(all, "databases/a")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := storage.Sub(all, "databases/b")
	for i, s := range []storage.Store{a, b} {
		info, err := s.Create(ctx, "x/y", storage.Bytes([]byte{byte(i)}))
		if err != nil || info.Key != "x/y" {
			t.Fatal(info, err)
		}
	}
	if _, err := a.Create(ctx, "x/y", storage.Bytes(nil)); !errors.Is(err, storage.ErrExist) || !strings.Contains(err.Error(), "x/y in file://") || !strings.Contains(err.Error(), "databases/a:") || strings.Contains(err.Error(), "a/x/y") {
		t.Error(err)
	}
	info, err := b.Stat(ctx, "x/y")
	if err != nil || info.Key != "x/y" {
		t.Fatal(info, err)
	}
	if info, err = b.Replace(ctx, "x/y", storage.Bytes([]byte("new")), info.Version); err != nil || info.Key != "x/y" {
		t.Fatal(info, err)
	}
	body, _, err := b.Get(ctx, "x/y", storage.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := b.Create(ctx, "z", storage.Bytes(nil)); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for info, err := range b.List(ctx, "", "x") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	if !slices.Equal(keys, []string{"x/y", "z"}) {
		t.Error(keys)
	}
	if err := a.Delete(ctx, "x/y", "z"); err != nil {
		t.Error(err)
	}
	if _, err := a.Stat(ctx, "x/y"); !errors.Is(err, storage.ErrNotExist) {
		t.Error(err)
	}
	if _, err := b.Stat(ctx, "z"); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"", "..", "a//b", "a/../b"} {
		if _, err := a.Stat(ctx, key); !errors.Is(err, storage.ErrBadKey) {
			t.Errorf("%q: %v", key, err)
		}
	}
	if _, err := storage.Sub(all, "a/../b"); !errors.Is(err, storage.ErrBadKey) {
		t.Error(err)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	if _, err := all.Stat(ctx, "databases/b/z"); err != nil {
		t.Error(err)
	}
}
