package nearlite

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// A database beyond 1 GiB has a page that SQLite never uses, where its locks are: it
// is neither in an entry, nor in what is restored, nor missed by a replica. The file
// begins sparse: its pages below are there, and nobody has written them.
func TestLogBeyondTheLockPage(t *testing.T) {
	if !long {
		t.Skip("it writes some gigabytes: NEARLITE_LONG=1 asks for it")
	}
	t.Parallel()
	const size = 65536
	path, dir := filepath.Join(t.TempDir(), "big.db"), t.TempDir()
	c, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("PRAGMA page_size = 65536; CREATE TABLE t(a INTEGER PRIMARY KEY, b)"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	lock := lockPage(size)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	pages := lock - 3
	if _, err := f.WriteAt(binary.BigEndian.AppendUint32(nil, pages), 28); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(pages) * size); err != nil {
		t.Fatal(err)
	}
	f.Close()
	db := openLogged(t, path, archiveIn(t, dir, ArchiveOptions{}), Archived)
	r := newReplica(t, db)
	for range 4 {
		exec(t, db, "INSERT INTO t(b) VALUES (randomblob(150000))")
		r.feed(db)
	}
	if n := number(t, db, "PRAGMA page_count"); n <= int64(lock) {
		t.Fatalf("%d pages do not reach the lock page, %d", n, lock)
	}
	archiveHas(t, dir, db)
	got, want := filepath.Join(t.TempDir(), "got.db"), filepath.Join(t.TempDir(), "want.db")
	if err := db.Backup(bg, want, nil); err != nil {
		t.Fatal(err)
	}
	other, err := Open(bg, r.path, &Options{ReadOnly: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Backup(bg, got, nil); err != nil {
		t.Fatal(err)
	}
	if err := sameContent(got, want); err != nil {
		t.Error(err)
	}
	crashed := openLogged(t, copyDatabase(t, path, t.TempDir()), archiveIn(t, dir, ArchiveOptions{}), Archived)
	exec(t, crashed, "INSERT INTO t(b) VALUES (randomblob(150000))")
	archiveHas(t, dir, crashed)
}
