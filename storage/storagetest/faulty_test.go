package storagetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/file"
	"github.com/nearlite/nearlite/storage/storagetest"
)

func directory(t *testing.T) storage.Store {
	t.Helper()
	s, err := file.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Without faults the store between is not there.
func TestFaultlessConforms(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) func() storage.Store {
		dir := t.TempDir()
		return func() storage.Store {
			s, err := file.Open(t.Context(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			return storagetest.Faulty(s, func(string, string) storagetest.Fault { return storagetest.Fault{} })
		}
	})
}

func TestFaulty(t *testing.T) {
	t.Parallel()
	calm := directory(t)
	any := func(string) bool { return true }
	first := func(op string, fault storagetest.Fault) storage.Store {
		return storagetest.Faulty(calm, storagetest.FailFirst(1, op, any, fault))
	}
	lost := storagetest.Fault{After: storagetest.ErrLost}

	s := first("create", lost)
	if _, err := s.Create(t.Context(), "a", storage.Bytes([]byte("1"))); !errors.Is(err, storage.ErrUnknown) || !errors.Is(err, storagetest.ErrLost) {
		t.Errorf("create: %v", err)
	}
	if _, err := s.Create(t.Context(), "a", storage.Bytes([]byte("1"))); !errors.Is(err, storage.ErrExist) {
		t.Errorf("create again: %v", err)
	}
	s = first("create", storagetest.Fault{Before: storagetest.ErrLost})
	if _, err := s.Create(t.Context(), "b", storage.Bytes(nil)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("create: %v", err)
	}
	if _, err := calm.Stat(t.Context(), "b"); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("after a failure before: %v", err)
	}
	info, err := calm.Stat(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first("replace", lost).Replace(t.Context(), "a", storage.Bytes([]byte("0123456789")), info.Version); !errors.Is(err, storage.ErrUnknown) {
		t.Errorf("replace: %v", err)
	}
	r, _, err := first("get", storagetest.Fault{Cut: 4}).Get(t.Context(), "a", storage.All)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); !errors.Is(err, storage.ErrUnavailable) || !bytes.Equal(got, []byte("0123")) {
		t.Errorf("get: %q, %v", got, err)
	}
	for _, err := range first("list", storagetest.Fault{Before: storagetest.ErrLost}).List(t.Context(), "", "") {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("list: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := first("stat", storagetest.Fault{Delay: time.Hour}).Stat(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stat: %v", err)
	}
	if err := first("delete", lost).Delete(t.Context(), "a", "b"); !errors.Is(err, storage.ErrUnknown) {
		t.Errorf("delete: %v", err)
	}
	if _, err := calm.Stat(t.Context(), "a"); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("after Delete: %v", err)
	}
}
