package nearlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// readOnlyView returns another path to a file or directory, by which nothing can
// be written; root heeds no permissions, but this.
func readOnlyView(t testing.TB, path string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount the read-only file system that this test reads from")
	}
	at := filepath.Join(t.TempDir(), filepath.Base(path))
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = os.Mkdir(at, 0o755)
	} else if err == nil {
		err = os.WriteFile(at, nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(path, at, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(at, syscall.MNT_DETACH) })
	if err := syscall.Mount("", at, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("mount read-only: %v", err)
	}
	return at
}

// medium is a directory with a database in it, and the same one read-only.
func medium(t testing.TB) (writable, readOnly string) {
	t.Helper()
	dir := t.TempDir()
	writable = filepath.Join(dir, "a %?#.db") // which an URI must escape
	if err := os.WriteFile(writable, database(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return writable, filepath.Join(readOnlyView(t, dir), filepath.Base(writable))
}

var readOnly = &Options{ReadOnly: true}

func openReadOnly(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(bg, path, readOnly)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func TestReadOnlyMedium(t *testing.T) {
	t.Parallel()
	for name, wal := range map[string][]byte{"without a WAL": nil, "with an empty WAL": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writable, path := medium(t)
			if wal != nil {
				if err := os.WriteFile(writable+"-wal", wal, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := files(t, filepath.Dir(path))
			_, err := Open(bg, path, nil)
			wants{[]error{ErrReadOnly}, []string{path, "cannot be written", "Options.ReadOnly"}}.check(t, err)
			db := openReadOnly(t, path)
			for sql, want := range map[string]int64{"SELECT length(a) FROM t": 20_000, "SELECT count(*) FROM t": 1} {
				for way, run := range ways(db) {
					if err := run(sql); err != nil && !strings.Contains(err.Error(), "Options.ReadOnly") {
						t.Errorf("%s: %v", way, err)
					}
				}
				if n := number(t, db, sql); n != want {
					t.Errorf("%s: %d", sql, n)
				}
			}
			_, err = db.Exec(bg, "DELETE FROM t")
			wants{[]error{ErrReadOnly}, []string{path, "Options.ReadOnly"}}.check(t, err)
			copied := filepath.Join(t.TempDir(), "copy.db")
			if err := db.Backup(bg, copied, nil); err != nil {
				t.Error(err)
			}
			if n := number(t, openReadOnly(t, copied), "SELECT length(a) FROM t"); n != 20_000 {
				t.Errorf("backed up: %d", n)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			if after := files(t, filepath.Dir(path)); len(after) != len(before) {
				t.Errorf("it has left %v", after)
			}
		})
	}
}

// Commits that lie in the WAL alone are not left out in silence.
func TestReadOnlyMediumWithAWAL(t *testing.T) {
	t.Parallel()
	writable, path := medium(t)
	db, err := Open(bg, writable, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, "INSERT INTO t VALUES (1)")
	wal, err := os.ReadFile(writable + "-wal")
	if err == nil {
		err = db.Close()
	}
	if err == nil {
		err = os.WriteFile(writable+"-wal", wal, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(bg, path, readOnly)
	wants{[]error{sqlite.CodeCantOpen}, []string{path, "-wal holds commits", "copy both files", "where it can be written"}}.check(t, err)
}

// What is read-only here may be written elsewhere: then reads see it, or say
// that they would not.
func TestReadOnlyMediumThatIsWritten(t *testing.T) {
	t.Parallel()
	writable, path := medium(t)
	before := openReadOnly(t, path)
	if n := number(t, before, "SELECT count(*) FROM t"); n != 1 {
		t.Error(n)
	}
	db, err := Open(bg, writable, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec(t, db, "INSERT INTO t VALUES (1)")
	read := func() error { return before.View(bg, func(*ReadTx) error { t.Error("it ran"); return nil }) }
	changed := wants{nil, []string{path, "another program has written", "open it again"}}
	changed.check(t, read())
	beside := openReadOnly(t, path)
	for i := range int64(3) {
		if n := number(t, beside, "SELECT count(*) FROM t"); n != i+2 {
			t.Errorf("%d rows after %d commits", n, i+1)
		}
		exec(t, db, "INSERT INTO t VALUES (1)")
	}
	if err := beside.Close(); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	changed.check(t, read()) // also when the WAL has gone again
	if n := number(t, openReadOnly(t, path), "SELECT count(*) FROM t"); n != 5 {
		t.Errorf("opened again: %d", n)
	}
}

// A database that was never in WAL mode needs nothing beside it.
func TestReadOnlyMediumRollbackMode(t *testing.T) {
	t.Parallel()
	writable, path := medium(t)
	c, err := sqlite.Open(writable, sqlite.OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("PRAGMA journal_mode = DELETE"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if n := number(t, openReadOnly(t, path), "SELECT count(*) FROM t"); n != 1 {
		t.Error(n)
	}
	_, err = Open(bg, path, nil)
	wants{[]error{ErrReadOnly}, []string{path, "Options.ReadOnly"}}.check(t, err)
}

func init() { roles["nobody"] = readAsNobody }

// readAsNobody reads a database as a user who may not write its directory.
func readAsNobody(args []string) error {
	db, err := Open(bg, args[0], readOnly)
	if err != nil {
		return err
	}
	defer db.Close()
	for row, err := range db.Query(bg, "SELECT length(a) FROM t") {
		if err != nil {
			return err
		}
		fmt.Println(row.Int64(0))
	}
	return nil
}

// A directory that this user may not write is a read-only medium to them.
func TestReadOnlyDirectoryOfAnother(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become the user whom the directory's permissions bind")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "nearlite-nobody-") // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "c.db")
	if err := os.WriteFile(path, database(t), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	user := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	c := startChildAs(t, user, "nobody", path)
	if got, _ := c.line(); got != "20000" {
		t.Errorf("another user read %q", got)
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("it has left %v", left)
	}
}

// A file that cannot be written, in a directory that can.
func TestReadOnlyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	if err := os.WriteFile(path, database(t), 0o600); err != nil {
		t.Fatal(err)
	}
	path = readOnlyView(t, path)
	_, err := Open(bg, path, nil)
	wants{[]error{ErrReadOnly}, []string{path, "cannot be written", "Options.ReadOnly"}}.check(t, err)
	if n := number(t, openReadOnly(t, path), "SELECT count(*) FROM t"); n != 1 {
		t.Error(n)
	}
	_, err = Open(bg, filepath.Join(readOnlyView(t, t.TempDir()), "new.db"), nil)
	wants{[]error{ErrReadOnly}, []string{"new.db", "directory cannot be written"}}.check(t, err)
}
