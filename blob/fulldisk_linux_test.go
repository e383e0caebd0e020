package blob

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/internal/smalldisk"
)

// An import that fills the disk says so, leaves whole files, and goes on when
// there is room.
func TestImportOnFullDisk(t *testing.T) {
	t.Parallel()
	disk := smalldisk.Mount(t, 64<<20)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 44<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	source := t.TempDir()
	const files = 100
	for i := range files {
		size := 50_000
		if i%20 == 17 {
			size = uploadStep + RowSize/2 // two steps
		}
		if err := os.WriteFile(filepath.Join(source, fmt.Sprintf("%03d", i)), noise(size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(disk, "small.db")
	s, db := newStore(t), openDB(t, path, &nearlite.Options{CheckpointBytes: 1 << 20})
	_, err := s.Import(bg, db, os.DirFS(source), nil)
	if !errors.Is(err, nearlite.ErrDiskFull) || !strings.Contains(err.Error(), "room") {
		t.Errorf("want ErrDiskFull, which says what to do: %v", err)
	}
	whole := func(want int) {
		t.Helper()
		got := 0
		view(t, db, func(tx *nearlite.ReadTx) error {
			for info, err := range s.List(tx, "") {
				if err != nil {
					return err
				}
				content, err := s.Get(tx, info.Name)
				if err != nil {
					return err
				}
				if file, err := os.ReadFile(filepath.Join(source, info.Name)); err != nil || !bytes.Equal(content, file) {
					t.Errorf("%s: %d bytes of %d, %v", info.Name, len(content), len(file), err)
				}
				got++
			}
			return nil
		})
		if want >= 0 && got != want || got == 0 || want < 0 && got == files {
			t.Errorf("%d objects", got)
		}
		checkInvariant(t, db)
	}
	whole(-1)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	report, err := s.Import(bg, db, os.DirFS(source), nil)
	for range 500 { // the engine looks for room every now and then
		if !errors.Is(err, nearlite.ErrDiskFull) {
			break
		}
		time.Sleep(10 * time.Millisecond)
		report, err = s.Import(bg, db, os.DirFS(source), nil)
	}
	if err != nil || report.Unchanged == 0 {
		t.Errorf("with room: %+v: %v", report, err)
	}
	whole(files)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// An export that fills the disk says so and leaves no half file.
func TestExportOnFullDisk(t *testing.T) {
	t.Parallel()
	disk := smalldisk.Mount(t, 2<<20)
	s, db := setup(t, nil)
	for i := range 5 {
		put(t, s, db, fmt.Sprint(i), noise(700_000), nil)
	}
	report, err := s.Export(bg, db, disk, nil)
	if !errors.Is(err, syscall.ENOSPC) || report.Files != 2 || !strings.Contains(err.Error(), "export 2: ") {
		t.Errorf("%+v: %v", report, err)
	}
	entries, err := os.ReadDir(disk)
	if err != nil || len(entries) != 2 {
		t.Errorf("there are %v, %v", entries, err)
	}
}
