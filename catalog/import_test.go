package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// openSource opens a database of another program's.
func openSource(t *testing.T, path, mode string) *sqlite.Conn {
	t.Helper()
	conn, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	err = conn.Exec("PRAGMA journal_mode = " + mode + "; CREATE TABLE kept(value); INSERT INTO kept VALUES ('x')")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// beside lists the files of a directory.
func beside(t *testing.T, path string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

// A database is imported whatever its journal mode and whoever uses it, and is as
// it was afterwards.
func TestImportDatabase(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	for _, mode := range []string{"delete", "wal"} {
		for _, state := range []string{"at rest", "in use", "being written"} {
			path := filepath.Join(t.TempDir(), "app.db")
			conn := openSource(t, path, mode)
			switch state {
			case "at rest":
				conn.Close()
			case "being written":
				if err := conn.Exec("BEGIN IMMEDIATE; INSERT INTO kept VALUES ('not committed')"); err != nil {
					t.Fatal(err)
				}
			}
			before := beside(t, path)
			bytes, _ := os.ReadFile(path)
			name := strings.ReplaceAll(mode+"-"+state, " ", "-")
			if _, err := c.Import(bg, name, path, nil); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got := get(t, c, name); got != "x" {
				t.Errorf("%s: it has %q", name, got)
			}
			if after := beside(t, path); !slices.Equal(before, after) {
				t.Errorf("%s: beside it there were %q, now %q", name, before, after)
			}
			if now, _ := os.ReadFile(path); string(now) != string(bytes) {
				t.Errorf("%s: the file has changed", name)
			}
		}
	}
}

// dumped is what sqlite3 3.40 writes, a full-text table and a trigger included.
const dumped = `PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE kept(value); -- it's a comment; with a semicolon
INSERT INTO kept VALUES('a;b''c
d');
CREATE TABLE "odd ; name"([a;b] TEXT, ` + "`c;d`" + ` /* ; ' */ INT);
INSERT INTO "odd ; name" VALUES('x',1);
PRAGMA writable_schema=ON;
INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','f','f',0,'CREATE VIRTUAL TABLE f USING fts5(x)');
CREATE TABLE IF NOT EXISTS 'f_data'(id INTEGER PRIMARY KEY, block BLOB);
INSERT INTO f_data VALUES(1,X'0101');
INSERT INTO f_data VALUES(10,X'000000000101010001010101');
INSERT INTO f_data VALUES(137438953473,X'0000000d0530776f726401020204');
CREATE TABLE IF NOT EXISTS 'f_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
INSERT INTO f_idx VALUES(1,X'',2);
CREATE TABLE IF NOT EXISTS 'f_content'(id INTEGER PRIMARY KEY, c0);
INSERT INTO f_content VALUES(1,'word');
CREATE TABLE IF NOT EXISTS 'f_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
INSERT INTO f_docsize VALUES(1,X'01');
CREATE TABLE IF NOT EXISTS 'f_config'(k PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO f_config VALUES('version',4);
CREATE TRIGGER touched AFTER INSERT ON kept BEGIN
  INSERT INTO "odd ; name" VALUES ('one', 1);
  INSERT INTO "odd ; name" VALUES ('two', 2);
END;
PRAGMA writable_schema=OFF;
COMMIT;
`

func TestImportSQL(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	path := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(path, []byte(dumped), 0o600); err != nil {
		t.Fatal(err)
	}
	var steps []string
	_, err := c.Import(bg, "file", path, &ImportOptions{Progress: func(step string, done, total int64) { steps = append(steps, step) }})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(steps, "check") {
		t.Errorf("the steps were %q", steps)
	}
	if _, err := c.ImportSQL(bg, "stream", strings.NewReader(dumped), nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "stream"} {
		if got := get(t, c, name); got != "a;b'c\nd" {
			t.Errorf("%s has %q", name, got)
		}
		h := acquire(t, c, name)
		err := h.DB().View(bg, func(tx *nearlite.ReadTx) error {
			n, err := nearlite.One[int](tx, "SELECT count(*) FROM f WHERE f MATCH 'word'")
			if err == nil && n != 1 {
				err = fmt.Errorf("the full-text search finds %d", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if _, err := h.DB().Exec(bg, "INSERT INTO kept VALUES (1)"); err != nil {
			t.Errorf("a write that fires the trigger: %v", err)
		}
	}
}

func TestImportRefused(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	mustCreate(t, c, "there", nil)
	put(t, c, "there", "old")
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := filepath.Join(dir, "good.db")
	openSource(t, good, "delete").Close()
	damaged := filepath.Join(dir, "damaged.db")
	conn := openSource(t, damaged, "delete")
	conn.Exec("CREATE INDEX i ON kept(value); WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < 9999) INSERT INTO kept SELECT i FROM r")
	conn.Close()
	content, _ := os.ReadFile(damaged)
	for i := 5 * 4096; i < 6*4096; i++ {
		content[i] = 0xFF
	}
	os.WriteFile(damaged, content, 0o600)
	before := files(c)
	for _, tt := range []struct{ what, name, path, want string }{
		{"a name that is taken", "there", good, "there is a database of that name"},
		{"a name that is none", "A", good, "not a name"},
		{"no file", "new", filepath.Join(dir, "none"), "no such file"},
		{"a directory", "new", dir, "is a directory"},
		{"a file of the catalog", "new", c.path(mustCreate(t, c, "own", nil).ID), "fork the database instead"},
		{"the catalog itself", "new", filepath.Join(c.Dir(), "catalog.db"), "fork the database instead"},
		{"a damaged database", "new", damaged, "damaged"},
		{"half a database", "new", file("half.db", magic+"and no more"), "not a"},
		{"no SQL", "new", file("text", "Dear Sir or Madam,\nI am no SQL."), "line 1: "},
		{"an error in line 3", "new", file("three.sql", "CREATE TABLE t(a);\n\n  INSERT INTO t\nVALUES (1, 2);"), "line 3: table t has 1 columns but 2 values"},
		{"a dump that was cut off", "new", file("cut.sql", dumped[:len(dumped)-20]), "cut off"},
		{"a dump cut in a string", "new", file("string.sql", dumped[:strings.Index(dumped, "a;b")+2]), "line 3: "},
		{"a dump of a damaged database", "new", file("rollback.sql", "BEGIN;\nCREATE TABLE t(a);\nROLLBACK; -- due to errors\n"), "not complete"},
		{"SQL that attaches", "new", file("attach.sql", "ATTACH '"+good+"' AS other;"), "too many attached"},
		{"SQL that sets a limit of the process", "new", file("heap.sql", "CREATE TABLE t(a);\nPRAGMA soft_heap_limit = 9876543210;"), "line 2: PRAGMA soft_heap_limit"},
		{"SQL that explains one", "new", file("explain.sql", "explain pragma \"Hard_Heap_Limit\" = 9876543210"), "PRAGMA hard_heap_limit"},
		{"SQL that damages", "new", file("bad.sql", "PRAGMA writable_schema=ON; CREATE TABLE t(a); UPDATE sqlite_schema SET rootpage = 99;"), "malformed"},
	} {
		if _, err := c.Import(bg, tt.name, tt.path, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
	c.Delete(bg, "own")
	if after := files(c); !slices.Equal(before, after) {
		t.Errorf("there were %q, now %q", before, after)
	}
	if got := get(t, c, "there"); got != "old" {
		t.Errorf("the one that was there has %q", got)
	}
}

// Replacing takes the name and the configuration of the old database in one step.
func TestImportReplaces(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	cfg := Config{MaxBytes: 1 << 30}
	old := mustCreate(t, c, "app", &cfg)
	put(t, c, "app", "old")
	h := acquire(t, c, "app")
	good := filepath.Join(t.TempDir(), "good.db")
	openSource(t, good, "wal").Close()
	fails := &ImportOptions{Replace: true, Progress: func(step string, _, _ int64) {
		if got := get(t, c, "app"); got != "old" {
			t.Errorf("while it is imported the database has %q", got)
		}
	}}
	i, err := c.Import(bg, "app", good, fails)
	if err != nil || i.ID == old.ID || i.Config != cfg {
		t.Fatalf("%+v, %v", i, err)
	}
	if got := get(t, c, "app"); got != "x" {
		t.Errorf("it has %q", got)
	}
	if !errors.Is(h.Err(), ErrDeleted) {
		t.Errorf("the handle on the old one: %v", h.Err())
	}
	h.Release()
	if _, err := c.Import(bg, Main, good, &ImportOptions{Replace: true, Config: &Config{MaxReaders: 3}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Import(bg, "new", good, &ImportOptions{Replace: true}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	c = openIn(t, c.Dir(), nil)
	if got := names(t, c); !slices.Equal(got, []string{"app", Main, "new"}) {
		t.Errorf("there are %q", got)
	}
	if i, _ := c.Lookup(bg, Main); i.Config.MaxReaders != 3 {
		t.Errorf("%+v", i)
	}
}

// An import that is interrupted leaves nothing.
func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	c := openTest(t, nil)
	before := files(c)
	path := filepath.Join(t.TempDir(), "large.db")
	conn := openSource(t, path, "wal")
	if err := conn.Exec("INSERT INTO kept SELECT zeroblob(20000000)"); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"copy", "check", "run"} {
		ctx, cancel := context.WithCancel(bg)
		opts := &ImportOptions{Progress: func(step string, _, _ int64) {
			if step == at {
				cancel()
			}
		}}
		var err error
		if at == "run" {
			_, err = c.ImportSQL(ctx, "app", io.MultiReader(strings.NewReader("CREATE TABLE t(a);"), endless{}), opts)
		} else {
			_, err = c.Import(ctx, "app", path, opts)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("in step %s: %v", at, err)
		}
		if after := files(c); !slices.Equal(before, after) {
			t.Errorf("in step %s: there were %q, now %q", at, before, after)
		}
		if _, err := c.Lookup(bg, "app"); !errors.Is(err, ErrNotFound) {
			t.Errorf("in step %s: %v", at, err)
		}
		cancel()
	}
}

// endless is SQL without an end.
type endless struct{}

func (endless) Read(p []byte) (n int, err error) {
	const sql = "INSERT INTO t VALUES ('some text');"
	for n+len(sql) <= len(p) {
		n += copy(p[n:], sql)
	}
	return n, nil
}

// A string that is never closed does not fill the memory.
func TestStatementsWithoutEnd(t *testing.T) {
	t.Parallel()
	s := newStatements(strings.NewReader("SELECT 1; SELECT '" + strings.Repeat("x", 1000)))
	s.most = 100
	if sql, err := s.next(); err != nil || sql != "SELECT 1;" {
		t.Errorf("%q, %v", sql, err)
	}
	if _, err := s.next(); err == nil || !strings.Contains(err.Error(), "longer than 100 bytes") {
		t.Error(err)
	}
}
