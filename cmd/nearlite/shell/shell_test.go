package shell

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite"
)

// ask runs statements on the database at path and returns what they print.
func ask(t *testing.T, path string, mode Mode, statements ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(t.Context(), Config{Path: path, Mode: mode, Statements: statements, Stdin: strings.NewReader(""), Stdout: &out, Stderr: t.Output()})
	return out.String(), err
}

// must is ask for statements that succeed.
func must(t *testing.T, path string, statements ...string) string {
	t.Helper()
	out, err := ask(t, path, CSV, statements...)
	if err != nil {
		t.Fatalf("%.200q: %v", statements, err)
	}
	return out
}

// pipe feeds a script to the database at path.
func pipe(t *testing.T, path, script string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(t.Context(), Config{Path: path, Mode: CSV, Stdin: strings.NewReader(script), Stdout: &out, Stderr: t.Output()})
	return out.String(), err
}

func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.db")
}

const sample = `SELECT 1 AS n, 'it''s' AS "the text", NULL AS none, x'00ff' AS blob, 2.5 AS f UNION ALL SELECT -20, '', '⟨null⟩', x'', 1e999`

func TestModes(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	for mode, want := range map[Mode]string{
		Table: "" +
			" n   │ the text │ none   │ blob    │ f\n" +
			"─────┼──────────┼────────┼─────────┼───────\n" +
			"   1 │ it's     │ ⟨null⟩ │ x'00ff' │   2.5\n" +
			" -20 │          │ ⟨null⟩ │ x''     │ 9e999\n",
		JSON: `[{"n":1,"the text":"it's","none":null,"blob":"x'00ff'","f":2.5},` + "\n" +
			`{"n":-20,"the text":"","none":"⟨null⟩","blob":"x''","f":9e999}]` + "\n",
		CSV: "n,the text,none,blob,f\n1,it's,,x'00ff',2.5\n-20,\"\",⟨null⟩,x'',9e999\n",
		Line: "       n = 1\nthe text = it's\n    none = ⟨null⟩\n    blob = x'00ff'\n       f = 2.5\n\n" +
			"       n = -20\nthe text = \n    none = ⟨null⟩\n    blob = x''\n       f = 9e999\n",
	} {
		got, err := ask(t, path, mode, sample)
		if err != nil || got != want {
			t.Errorf("%s: error %v, got\n%s\nwant\n%s", mode, err, got, want)
		}
	}
}

func TestModesWithoutRows(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	for mode, want := range map[Mode]string{
		Table: " a │ b\n───┼───\n", JSON: "[]\n", CSV: "a,b\n", Line: "",
	} {
		if got, err := ask(t, path, mode, "SELECT 1 a, 2 b WHERE 0"); err != nil || got != want {
			t.Errorf("%s: error %v, got %q, want %q", mode, err, got, want)
		}
	}
}

func TestTableOfWideCharacters(t *testing.T) {
	t.Parallel()
	got, err := ask(t, newPath(t), Table, "SELECT '日本' a, 1 b UNION ALL SELECT 'x', 2 UNION ALL SELECT 'é', 3")
	if want := " a    │ b\n──────┼───\n 日本 │ 1\n x    │ 2\n é    │ 3\n"; err != nil || got != want {
		t.Errorf("error %v, got\n%s\nwant\n%s", err, got, want)
	}
}

func TestTableFitsTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newPrinter(&out, Table)
	p.width = 30
	table := newTableLayout(p, []string{"id", "text"})
	table.row([]any{int64(1), strings.Repeat("long ", 20)})
	table.end()
	p.w.Flush()
	for line := range strings.Lines(out.String()) {
		if w := width(strings.TrimSuffix(line, "\n")); w > 30 {
			t.Errorf("a line of %d columns on a terminal of 30: %q", w, line)
		}
	}
	if !strings.Contains(out.String(), "…") {
		t.Errorf("nothing says that a text was cut:\n%s", &out)
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	must(t, path, "CREATE TABLE t(a UNIQUE)")
	for name, test := range map[string]struct {
		script string
		want   string // rows of t afterwards
		fails  string
	}{
		"commit":             {"DELETE FROM t; BEGIN; INSERT INTO t VALUES (1); COMMIT;", "1", ""},
		"end":                {"DELETE FROM t; BEGIN IMMEDIATE TRANSACTION; INSERT INTO t VALUES (1); END;", "1", ""},
		"rollback":           {"DELETE FROM t; BEGIN; INSERT INTO t VALUES (1); ROLLBACK;", "", ""},
		"left open":          {"DELETE FROM t; BEGIN; INSERT INTO t VALUES (1);", "", "COMMIT is missing"},
		"left by quit":       {"DELETE FROM t; BEGIN; INSERT INTO t VALUES (1);\n.quit", "", ""},
		"savepoints":         {"DELETE FROM t; BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; INSERT INTO t VALUES (3); RELEASE s; COMMIT;", "1,3", ""},
		"an error in it":     {"DELETE FROM t; BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);", "", "UNIQUE constraint failed"},
		"OR ROLLBACK":        {"DELETE FROM t; BEGIN; INSERT INTO t VALUES (1); INSERT OR ROLLBACK INTO t VALUES (1);", "", rolledBack},
		"begin twice":        {"BEGIN; BEGIN;", "", "a transaction is open already"},
		"commit of nothing":  {"COMMIT;", "", "there is no transaction to commit"},
		"rollback of it":     {"ROLLBACK;", "", "there is no transaction to roll back"},
		"savepoint alone":    {"SAVEPOINT s;", "", "BEGIN first"},
		"vacuum in it":       {"BEGIN; VACUUM;", "", "COMMIT or ROLLBACK first"},
		"reads its own":      {"DELETE FROM t; BEGIN; INSERT INTO t VALUES (5); INSERT INTO t SELECT a + 1 FROM t; COMMIT;", "5,6", ""},
		"parameters":         {"INSERT INTO t VALUES (?);", "", "parameters"},
		"two on one line":    {"DELETE FROM t; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);", "1,2", ""},
		"no semicolon":       {"DELETE FROM t; INSERT INTO t VALUES (1)", "1", ""},
		"quit in the middle": {"DELETE FROM t;\n.quit\nINSERT INTO t VALUES (1);", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pipe(t, path, test.script)
			if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("error %v, want %q", err, test.fails)
			}
			if test.fails != "" && test.want == "" {
				return
			}
			got := must(t, path, "SELECT coalesce(group_concat(a), '') FROM (SELECT a FROM t ORDER BY a)")
			if _, got, _ = strings.Cut(got, "\n"); strings.Trim(got, "\n\"") != test.want {
				t.Errorf("t has %s, want %s", got, test.want)
			}
		})
	}
}

func TestScriptErrors(t *testing.T) {
	t.Parallel()
	_, err := pipe(t, newPath(t), "-- a comment\nSELECT 1;\n\nSELECT 2, nme\nFROM sqlite_schema;\nSELECT 3;")
	want := "line 4: no such column: nme\n  SELECT 2, nme\n            ^"
	var failed *StatementError
	if !errors.As(err, &failed) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

// What the engine refuses in a transaction runs on the writing connection, and
// what it leaves behind there is seen by the statements that follow.
func TestOwnConnection(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	other := newPath(t)
	must(t, other, "CREATE TABLE o(a); INSERT INTO o VALUES (7)")
	got, err := pipe(t, path, `CREATE TABLE t(a);
		VACUUM;
		PRAGMA wal_checkpoint(FULL);
		ATTACH '`+other+`' AS other;
		INSERT INTO t SELECT a FROM other.o;
		CREATE TEMP TABLE mine(a); INSERT INTO mine SELECT a FROM t;
		BEGIN; DELETE FROM t; ROLLBACK;
		SELECT a FROM mine;
		.tables
		PRAGMA foreign_keys=OFF; PRAGMA foreign_keys;
		BEGIN; INSERT INTO t VALUES (8);`)
	if err == nil || !strings.Contains(err.Error(), "COMMIT is missing") {
		t.Fatal(err)
	}
	if want := "a\n7\nt\nother.o\ntemp.mine\nforeign_keys\n0\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := must(t, path, "SELECT a FROM t; PRAGMA foreign_keys"); got != "a\n7\nforeign_keys\n1\n" {
		t.Errorf("afterwards: %q", got)
	}
}

func TestReturning(t *testing.T) {
	t.Parallel()
	got := must(t, newPath(t), "CREATE TABLE t(a)", "INSERT INTO t VALUES (1), (2) RETURNING a * 10 AS b", "BEGIN; DELETE FROM t RETURNING a; COMMIT; SELECT count(*) FROM t")
	if want := "b\n10\n20\na\n1\n2\ncount(*)\n0\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	config := Config{Path: path, ReadOnly: true, Mode: CSV, Statements: []string{"INSERT INTO t VALUES (1)"}, Stdout: t.Output(), Stderr: t.Output()}
	if err := Run(t.Context(), config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing database opened for reading: %v", err)
	}
	must(t, path, "CREATE TABLE t(a)")
	if err := Run(t.Context(), config); !errors.Is(err, nearlite.ErrReadOnly) {
		t.Errorf("a write to a database opened for reading: %v", err)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	must(t, path, "CREATE TABLE acc(a); CREATE TABLE \"odd name\"(b); CREATE VIEW v AS SELECT a FROM acc; CREATE INDEX i ON acc(a)")
	for line, test := range map[string]struct{ want, fails string }{
		".tables":               {"acc\nodd name\nv\n", ""},
		".tables a%":            {"acc\n", ""},
		".schema acc":           {"CREATE TABLE acc(a);\nCREATE INDEX i ON acc(a);\n", ""},
		".schema 'odd name'":    {"CREATE TABLE \"odd name\"(b);\n", ""},
		".tab":                  {"acc\nodd name\nv\n", ""},
		".mode":                 {"csv\n", ""},
		".mode xml":             {"", "there is no mode xml"},
		".mode a b":             {"", "takes no more than"},
		".nonsense":             {"", "is no command"},
		".import":               {"", "a file and a table are needed"},
		".import nowhere.txt t": {"", "no such file"},
		".schema 'open":         {"", "a quote is not closed"},
		".quit":                 {"", ""},
	} {
		got, err := ask(t, path, CSV, line)
		if got != test.want || test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
			t.Errorf("%s: got %q, error %v; want %q, error %q", line, got, err, test.want, test.fails)
		}
	}
	help := must(t, path, ".help")
	for _, c := range dotCommands {
		if !strings.Contains(help, c.name) {
			t.Errorf(".help does not name %s", c.name)
		}
	}
}
