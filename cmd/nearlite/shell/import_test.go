package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in put.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImport(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, file, flags string
		want                string // SELECT * FROM t
		fails               string
	}{
		"a new table":        {"", "a,b c\n007,\"x,\"\"y\"\nz,\n", "--csv", "a,b c\n007,\"x,\"\"y\"\nz,\n", ""},
		"an old one":         {"CREATE TABLE t(a INT, b)", "1,x\n2,y\n", "--csv", "a,b\n1,x\n2,y\n", ""},
		"a header":           {"CREATE TABLE t(a INT, b)", "B,a\nx,1\n", "--csv", "a,b\n1,x\n", ""},
		"fewer columns":      {"CREATE TABLE t(a INT, b, c DEFAULT 5)", "b,a\nx,1\n", "--csv", "a,b,c\n1,x,5\n", ""},
		"a generated column": {"CREATE TABLE t(a INT, b AS (a * 2))", "1\n2\n", "--csv", "a,b\n1,2\n2,4\n", ""},
		"between bars":       {"", "a|b\n1|x,y\n", "", "a,b\n1,\"x,y\"\n", ""},
		"NULL and not":       {"CREATE TABLE t(a, b NOT NULL)", ",\n", "--csv", "a,b\n,\"\"\n", ""},
		"a mark in front":    {"", "\ufeffa\n1\n", "--csv", "a\n1\n", ""},
		"Windows lines":      {"", "a,b\r\n1,2\r\n", "--csv", "a,b\n1,2\n", ""},
		"many lines":         {"", "a\n" + strings.Repeat("x\n", 10000), "--csv", "a\n" + strings.Repeat("x\n", 10000), ""},
		"too few fields":     {"CREATE TABLE t(a, b)", "1,2\n3\n", "--csv", "a,b\n", "line 2: 1 fields, and t has 2 columns"},
		"too many":           {"CREATE TABLE t(a)", "1\n\"a\nb\"\n1,2\n", "--csv", "a\n", "line 4: 2 fields"},
		"a constraint":       {"CREATE TABLE t(a UNIQUE)", "1\n2\n1\n", "--csv", "a\n", "line 3: UNIQUE constraint failed"},
		"an open quote":      {"CREATE TABLE t(a)", "1\n\"2\n", "--csv", "a\n", "line 2"},
		"an empty file":      {"CREATE TABLE t(a)", "", "--csv", "a\n", "the file is empty"},
	} {
		for place, first := range map[string]string{"alone": "", "in a transaction": "BEGIN;", "on the writing connection": "PRAGMA foreign_keys=OFF;"} {
			t.Run(name+" "+place, func(t *testing.T) {
				t.Parallel()
				path := newPath(t)
				must(t, path, test.before+";")
				script := fmt.Sprintf("%s\n.import %s '%s' t\n", first, test.flags, write(t, test.file))
				if first == "BEGIN;" && test.fails == "" {
					script += "COMMIT;\n"
				}
				_, err := pipe(t, path, script)
				if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
					t.Fatalf("error %v, want %q", err, test.fails)
				}
				if got := must(t, path, "SELECT * FROM t"); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	}
}

// A failed import inside a transaction leaves the transaction as it was.
func TestImportFailsInTransaction(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	must(t, path, "CREATE TABLE t(a UNIQUE)")
	s := &session{print: newPrinter(t.Output(), CSV), screen: t.Output()}
	if err := s.open(t.Context(), Config{Path: path, Stderr: t.Output()}); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, step := range []struct{ text, fails string }{
		{"BEGIN; INSERT INTO t VALUES ('kept')", ""},
		{".import '" + write(t, "1\n2\n1\n") + "' t", "UNIQUE"},
		{"COMMIT", ""},
	} {
		err := s.run(t.Context(), step.text, 0)
		if step.fails == "" && err != nil || step.fails != "" && (err == nil || !strings.Contains(err.Error(), step.fails)) {
			t.Fatalf("%s: error %v, want %q", step.text, err, step.fails)
		}
	}
	if got := must(t, path, "SELECT a FROM t"); got != "a\nkept\n" {
		t.Errorf("got %q", got)
	}
}
