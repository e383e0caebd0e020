package nearlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/file"
)

// Archives is package archive, which imports this one: the tests outside of this
// package bring it along for those inside.
var Archives struct {
	Open    func(context.Context, storage.Store, ArchiveOptions) (Log, func() error, error)
	Restore func(ctx context.Context, s storage.Store, dest string) (Head, error)
}

// ArchiveOptions are those that the tests here use.
type ArchiveOptions struct {
	Patience       time.Duration
	EntryRetention time.Duration
	Maintain       bool
}

// openArchive opens an archive in a directory, which the caller closes.
func openArchive(dir string, o ArchiveOptions) (Log, func() error, error) {
	s, err := file.Open(bg, dir, nil)
	if err != nil {
		return nil, nil, err
	}
	l, end, err := Archives.Open(bg, s, o)
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return l, func() error {
		err := end()
		if closing := s.Close(); err == nil {
			err = closing
		}
		return err
	}, nil
}

// archiveIn opens an archive in a directory for as long as a test runs.
func archiveIn(t testing.TB, dir string, o ArchiveOptions) Log {
	t.Helper()
	l, end, err := openArchive(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end() })
	return l
}

// archiveHas restores an archive and compares what comes out with the database.
func archiveHas(t testing.TB, dir string, db *DB) {
	t.Helper()
	if err := db.FlushLog(bg); err != nil {
		t.Error(err)
		return
	}
	s, err := file.Open(bg, dir, &file.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, want := filepath.Join(t.TempDir(), "restored.db"), filepath.Join(t.TempDir(), "want.db")
	if _, err := Archives.Restore(bg, s, got); err != nil {
		t.Error(err)
		return
	}
	if err := db.Backup(bg, want, nil); err != nil {
		t.Fatal(err)
	}
	if err := sameContent(got, want); err != nil {
		t.Error(err)
	}
}
