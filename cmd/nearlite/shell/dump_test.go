package shell

import (
	"bytes"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/dump"
	"github.com/nearlite/nearlite/sqlite"
)

// odd is a database with what is easily lost on the way through SQL text.
const odd = `
CREATE TABLE "odd ""name"(id INTEGER PRIMARY KEY, "select" TEXT, v);
INSERT INTO "odd ""name" VALUES
	(1, 'it''s', 1), (2, 'two
lines; and "quotes"', 2.5), (3, 'cr' || char(13) || char(10) || 'lf\r', -0.0), (4, 'nul' || char(0) || 'nul', 1e999),
	(5, CAST(x'ff61' AS TEXT), x'00ff'), (6, '', x''), (7, NULL, 9223372036854775807), (8, '日本 💡', -9223372036854775808),
	(9, '/
go
.quit', 0.1), (10, '007', 1e15), (11, 12, 5e-324), (12, 'x' || char(13), 1.7976931348623157e308);
CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, a);
INSERT INTO counted VALUES (41, 'x');
DELETE FROM counted;
CREATE TABLE made(a, b GENERATED ALWAYS AS (a * 2) STORED, c);
INSERT INTO made VALUES (1, 2), (3, 4);
CREATE TABLE keyed(a PRIMARY KEY, b) WITHOUT ROWID;
INSERT INTO keyed VALUES ('k', 1);
CREATE TABLE parent(id PRIMARY KEY);
CREATE TABLE child(p REFERENCES parent(id));
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (1);
CREATE TABLE log(what);
CREATE INDEX i ON keyed(b);
CREATE VIEW v AS SELECT a, b FROM made;
CREATE TRIGGER tr AFTER INSERT ON parent BEGIN INSERT INTO log VALUES ('a;b'); END;
CREATE VIRTUAL TABLE search USING fts5(title, body UNINDEXED);
INSERT INTO search(rowid, title, body) VALUES (5, 'hello world', 'x'), (9, 'other', 'y');
CREATE VIRTUAL TABLE outer_search USING fts5(b, content='keyed2', content_rowid='id');
CREATE TABLE keyed2(id INTEGER PRIMARY KEY, b);
INSERT INTO keyed2 VALUES (7, 'needle in hay');
INSERT INTO outer_search(outer_search) VALUES ('rebuild');
CREATE VIRTUAL TABLE bare USING fts5(b, content='');
CREATE VIRTUAL TABLE box USING rtree(id, x0, x1);
INSERT INTO box VALUES (3, 1.5, 2.5);
PRAGMA user_version = 12;
ANALYZE;
`

// whatWasThere prints all that odd holds, by means that no encoding can hide.
const whatWasThere = `
SELECT id, typeof("select"), hex("select"), typeof(v), CASE WHEN typeof(v) = 'real' THEN printf('%!.20g', v) ELSE quote(v) END FROM "odd ""name" ORDER BY id;
SELECT name, seq FROM sqlite_sequence;
SELECT a, b, c FROM made ORDER BY a;
SELECT a, b FROM keyed;
SELECT count(*) FROM child;
SELECT count(*) FROM log;
SELECT count(*) FROM v;
SELECT rowid, title, body FROM search WHERE search MATCH 'hello';
SELECT rowid FROM outer_search WHERE outer_search MATCH 'needle';
SELECT count(*) FROM box WHERE x0 < 2;
SELECT user_version FROM pragma_user_version;
SELECT count(*) > 0 FROM sqlite_stat1;
SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name;
PRAGMA integrity_check;
`

func TestDumpIntoStock(t *testing.T) {
	t.Parallel()
	needFullText(t)
	stock := stockProgram(t)
	path := newPath(t)
	must(t, path, odd)
	dump := must(t, path, ".dump")
	copied := newPath(t)
	load := exec.Command(stock, "-bail", copied)
	load.Stdin = strings.NewReader(dump)
	if out, err := load.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("sqlite3 did not load the dump: %v\n%s\n%s", err, out, dump)
	}
	if before, after := must(t, path, whatWasThere), must(t, copied, whatWasThere); before != after {
		t.Errorf("before\n%s\nafter\n%s\ndump\n%s", before, after, dump)
	}
}

// A dump goes through our own shell as well, and so does the stock program's.
func TestDumpIntoShell(t *testing.T) {
	t.Parallel()
	needFullText(t)
	path := newPath(t)
	must(t, path, odd)
	copied := newPath(t)
	if out, err := pipe(t, copied, must(t, path, ".dump")); err != nil || out != "" {
		t.Fatalf("load the dump: %v %s", err, out)
	}
	if before, after := must(t, path, whatWasThere), must(t, copied, whatWasThere); before != after {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

func TestStockDumpIntoShell(t *testing.T) {
	t.Parallel()
	needFullText(t)
	stock := stockProgram(t)
	path := newPath(t)
	must(t, path, odd, `UPDATE "odd ""name" SET "select" = 'x' WHERE id IN (3, 4, 5, 12)`) // which that dump loses
	var dump bytes.Buffer
	program := exec.Command(stock, path, ".dump")
	program.Stdout = &dump
	if err := program.Run(); err != nil {
		t.Fatal(err)
	}
	copied := newPath(t)
	if out, err := pipe(t, copied, dump.String()); err != nil || out != "" {
		t.Fatalf("load the dump: %v %s", err, out)
	}
	const some = `SELECT count(*), sum(length("select")) FROM "odd ""name"; SELECT * FROM made; SELECT rowid FROM search WHERE search MATCH 'hello'; PRAGMA integrity_check`
	if before, after := must(t, path, some), must(t, copied, some); before != after {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

func TestDumpOfOneTable(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	must(t, path, "CREATE TABLE a(x); CREATE TABLE b(x); CREATE INDEX ia ON a(x); CREATE INDEX ib ON b(x); INSERT INTO a VALUES (1); PRAGMA user_version=3")
	want := "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE a(x);\nINSERT INTO \"a\" VALUES(1);\nCREATE INDEX ia ON a(x);\nCOMMIT;\n"
	if got := must(t, path, ".dump a"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A dump in the middle of a transaction shows what that transaction sees.
func TestDumpInTransaction(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	must(t, path, "CREATE TABLE a(x)")
	for name, first := range map[string]string{"on the engine": "", "on the writing connection": "PRAGMA foreign_keys=OFF;"} {
		got, err := pipe(t, path, first+"\nBEGIN; INSERT INTO a VALUES (1);\n.dump\nROLLBACK;")
		if err != nil || !strings.Contains(got, "VALUES(1)") {
			t.Errorf("%s: error %v, dump\n%s", name, err, got)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		1: "1.0", 0.1: "0.1", 1e15: "1.0e+15", 1e21: "1.0e+21", -2.5: "-2.5", 1.5e300: "1.5e+300", math.Inf(-1): "-9e999",
	} {
		if got := dump.Number(f, 15); got != want {
			t.Errorf("%v: got %s, want %s", f, got, want)
		}
	}
}

func needFullText(t *testing.T) {
	t.Helper()
	if !slices.Contains(sqlite.CompileOptions(), "ENABLE_FTS5") {
		t.Skip("built without full-text search: make test builds with it")
	}
}

// stockProgram returns the sqlite3 program of the system.
func stockProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("the stock sqlite3 program is not installed (apt-get install sqlite3)")
	}
	return path
}
