package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nearlite/nearlite/internal/smalldisk"
	"github.com/nearlite/nearlite/storage"
)

// These tests are not parallel to those that start processes: between fork and
// exec a child has all files open, and the disk is busy.

// A full disk keeps what it has, and takes more when there is room again.
func TestFullDisk(t *testing.T) {
	s := open(t, filepath.Join(smalldisk.Mount(t, 4<<20), "store"))
	defer s.Close()
	old := make([]byte, 1<<20)
	info, err := s.Create(t.Context(), "old", storage.Bytes(old))
	must(t, err)
	for _, size := range []int64{8 << 20, -1} {
		_, create := s.Create(t.Context(), "new", storage.Stream(zeros{}, size))
		_, replace := s.Replace(t.Context(), "old", storage.Stream(zeros{}, size), info.Version)
		for _, err := range []error{create, replace} {
			if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room") {
				t.Errorf("on a full disk: %v", err)
			}
		}
	}
	if got, _, err := storage.ReadAll(t.Context(), s, "old"); err != nil || len(got) != len(old) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	noLeftovers(t, s)
	_, err = s.Create(t.Context(), "new", storage.Bytes(old))
	must(t, err)
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A disk that cannot be written says so, and can be read.
func TestReadOnlyDisk(t *testing.T) {
	disk := smalldisk.Mount(t, 4<<20)
	dir := filepath.Join(disk, "store")
	s := open(t, dir)
	_, err := s.Create(t.Context(), "a", storage.Bytes([]byte("a")))
	must(t, err)
	must(t, s.Close())
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	if _, err := Open(t.Context(), dir, nil); !errors.Is(err, storage.ErrRefused) || !strings.Contains(err.Error(), "for writing") {
		t.Errorf("open: %v", err)
	}
	s, err = Open(t.Context(), dir, &Options{ReadOnly: true})
	must(t, err)
	defer s.Close()
	if got, _, err := storage.ReadAll(t.Context(), s, "a"); err != nil || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT, ""))
	if entries, err := os.ReadDir(filepath.Join(dir, storage.Reserved, "tmp")); err != nil || len(entries) > 0 {
		t.Errorf("reading left %v, %v", entries, err)
	}
}
