package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

func testCancel(t *testing.T, f *fixture) {
	info := f.create("a", noise(1<<20))
	ctx, cancel := context.WithCancel(f.ctx)
	reading, _, err := f.store.Get(ctx, "a", storage.All)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	cancel()
	if _, err := io.Copy(io.Discard, reading); !errors.Is(err, context.Canceled) {
		t.Errorf("read on after cancel: %v", err)
	}
	_, create := f.store.Create(ctx, "b", storage.Bytes(nil))
	_, replace := f.store.Replace(ctx, "a", storage.Bytes(nil), info.Version)
	_, _, get := f.store.Get(ctx, "a", storage.All)
	_, stat := f.store.Stat(ctx, "a")
	var list error
	for _, list = range f.store.List(ctx, "", "") {
	}
	for _, err := range []error{create, replace, get, stat, list, f.store.Delete(ctx, "a")} {
		f.fails(err, context.Canceled)
		if errors.Is(err, storage.ErrUnknown) {
			t.Errorf("nothing was begun, and yet: %v", err)
		}
	}
	f.absent("b")

	// A content that is on its way when the context ends is not stored.
	for _, size := range []int{1 << 10, large} {
		ctx, cancel := context.WithCancelCause(f.ctx)
		gone := errors.New("the caller is gone")
		body := io.MultiReader(bytes.NewReader(noise(size)), &cancelling{cancel: func() { cancel(gone) }})
		_, err := f.store.Create(ctx, "b", storage.Stream(body, -1))
		f.fails(err, gone)
		f.absent("b")
	}
}

// cancelling delivers zeros without an end, and cancels at the first.
type cancelling struct{ cancel func() }

func (c *cancelling) Read(p []byte) (int, error) {
	c.cancel()
	clear(p)
	return len(p), nil
}

// The caller's bytes are the caller's again when a write returns.
func testReuse(t *testing.T, f *fixture) {
	content := noise(64 << 10)
	want := bytes.Clone(content)
	f.create("a", content)
	clear(content)
	f.expect("a", want)
	copy(content, want)
	ctx, cancel := context.WithCancel(f.ctx)
	go cancel()
	_, err := f.store.Create(ctx, "b", storage.Bytes(content))
	clear(content)
	if got, _, err := storage.ReadAll(f.ctx, f.store, "b"); err == nil && !bytes.Equal(got, want) {
		t.Error("what was stored changed with the caller's slice")
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func testClosed(t *testing.T, f *fixture) {
	s := f.open()
	f.create("a", nil)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, create := s.Create(f.ctx, "b", storage.Bytes(nil))
	_, replace := s.Replace(f.ctx, "a", storage.Bytes(nil), "1")
	_, _, get := s.Get(f.ctx, "a", storage.All)
	_, stat := s.Stat(f.ctx, "a")
	var list error
	for _, list = range s.List(f.ctx, "", "") {
	}
	for _, err := range []error{create, replace, get, stat, list, s.Delete(f.ctx, "a")} {
		f.fails(err, storage.ErrClosed)
	}
	f.expect("a", nil)
}
