package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
)

// fill gives a connection a table of some hundred pages, rows 1 to n.
func fill(t testing.TB, c *Conn, n int) {
	t.Helper()
	mustExec(t, c, "CREATE TABLE t(id INTEGER PRIMARY KEY, pad)")
	mustExec(t, c, "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < ?) INSERT INTO t SELECT i, zeroblob(1000) FROM r", n)
}

func create(t testing.TB, name string) *Conn {
	t.Helper()
	c, err := Open(filepath.Join(t.TempDir(), name), OpenReadWrite|OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newBackup(t testing.TB, dst, src *Conn) *Backup {
	t.Helper()
	b, err := NewBackup(dst, src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestBackupOfADatabaseInUse(t *testing.T) {
	t.Parallel()
	src, dst := open(t), create(t, "copy.db")
	fill(t, src, 1000)
	b := newBackup(t, dst, src)
	steps := 0
	for done := false; !done; steps++ {
		var err error
		if done, err = b.Step(20); err != nil {
			t.Fatal(err)
		}
		// A change through the source connection itself goes into the copy.
		mustExec(t, src, "UPDATE t SET pad = 'changed' WHERE id = ?", 1+steps)
	}
	if b.Remaining() != 0 || b.PageCount() < 200 || steps < 10 {
		t.Errorf("%d of %d pages left after %d steps", b.Remaining(), b.PageCount(), steps)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := dst.QueryRow("SELECT count(*) FROM t WHERE pad = 'changed'").Int(0); got != steps-1 {
		t.Errorf("%d changes in the copy, %d were made before it was done", got, steps-1)
	}
	if got := dst.QueryRow("PRAGMA integrity_check").Text(0); got != "ok" {
		t.Error(got)
	}
}

func TestBackupWaitsForLocks(t *testing.T) {
	t.Parallel()
	src, dst := open(t), create(t, "copy.db")
	fill(t, src, 100)
	mustExec(t, dst, "CREATE TABLE old(a)")
	other := second(t, dst)
	mustExec(t, other, "BEGIN IMMEDIATE")
	b := newBackup(t, dst, src)
	for range 2 {
		if done, err := b.Step(-1); done || !errors.Is(err, CodeBusy) {
			t.Fatalf("done %t, %v", done, err)
		}
	}
	mustExec(t, other, "COMMIT")
	if done, err := b.Step(-1); !done || err != nil {
		t.Fatalf("done %t, %v", done, err)
	}
	b.Close()
	if got := dst.QueryRow("SELECT count(*) FROM t").Int(0); got != 100 {
		t.Errorf("%d rows", got)
	}
}

func TestBackupEndsWithEitherConnection(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"source", "destination"} {
		src, dst := open(t), create(t, "copy.db")
		fill(t, src, 100)
		mustExec(t, dst, "CREATE TABLE old(a)")
		b := newBackup(t, dst, src)
		if _, err := b.Step(5); err != nil {
			t.Fatal(err)
		}
		closed, left := src, dst
		if name == "destination" {
			closed, left = dst, src
		}
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Step(5); !errors.Is(err, ErrClosed) {
			t.Errorf("step without its %s: %v", name, err)
		}
		if b.Remaining() == 0 || b.PageCount() == 0 || b.Close() != nil || len(left.backups) != 0 {
			t.Errorf("backup without its %s: %d of %d", name, b.Remaining(), b.PageCount())
		}
		if left == dst && dst.QueryRow("SELECT count(*) FROM old").Err() != nil {
			t.Error("an unfinished copy replaced the destination")
		}
	}
}

func TestBackupErrors(t *testing.T) {
	t.Parallel()
	src := open(t)
	fill(t, src, 100)
	if _, err := NewBackup(src, src); Code(err) != CodeError {
		t.Errorf("onto itself: %v", err)
	}
	dst, err := Open(":memory:", OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := NewBackup(dst, src); err != nil {
		t.Error(err)
	} else if done, err := b.Step(-1); !done || err != nil {
		t.Errorf("into memory: %t, %v", done, err)
	}
	dst.Close()
	if _, err := NewBackup(dst, src); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	readOnly, err := Open(create(t, "ro.db").Path(), OpenReadOnly, "")
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	b := newBackup(t, readOnly, src)
	if _, err := b.Step(-1); !errors.Is(err, CodeReadOnly) && !errors.Is(err, CodeCantOpen) {
		t.Errorf("onto a database opened for reading: %v", err)
	}
}
