package shell

import (
	"slices"
	"strings"
	"testing"
)

func TestNextStatement(t *testing.T) {
	t.Parallel()
	const trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END;"
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"two":               {"SELECT 1; SELECT 2;", []string{"SELECT 1;", " SELECT 2;"}},
		"no end":            {"SELECT 1", []string{"SELECT 1"}},
		"in a string":       {"SELECT ';'; SELECT 2", []string{"SELECT ';';", " SELECT 2"}},
		"a doubled quote":   {"SELECT 'it''s;'; SELECT 2", []string{"SELECT 'it''s;';", " SELECT 2"}},
		"in a name":         {`SELECT ";", [;], ` + "`;`; SELECT 2", []string{`SELECT ";", [;], ` + "`;`;", " SELECT 2"}},
		"in a comment":      {"SELECT 1 -- ;\n; /* ; */ SELECT 2", []string{"SELECT 1 -- ;\n;", " /* ; */ SELECT 2"}},
		"inside a trigger":  {trigger + "SELECT 3", []string{trigger, "SELECT 3"}},
		"nothing":           {"", nil},
		"an open string":    {"SELECT 'a; b", []string{"SELECT 'a; b"}},
		"an open comment":   {"/* a; b", []string{"/* a; b"}},
		"a semicolon alone": {";", []string{";"}},
	} {
		var got []string
		for statement, rest := "", test.text; rest != ""; {
			statement, rest = nextStatement(rest)
			got = append(got, statement)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lines string
		texts []string // with the number of the line each begins at
		left  bool     // something remains
	}{
		"a line each":          {"SELECT 1;\nSELECT 2;", []string{"1 SELECT 1;", "2 SELECT 2;"}, false},
		"two on a line":        {"SELECT 1; SELECT 2;", []string{"1 SELECT 1; SELECT 2;"}, false},
		"two lines":            {"SELECT\n1;", []string{"1 SELECT\n1;"}, false},
		"blank lines before":   {"\n-- hello\n\nSELECT 1;", []string{"4 SELECT 1;"}, false},
		"a comment behind":     {"SELECT 1; -- done", []string{"1 SELECT 1; -- done"}, false},
		"a long string":        {"SELECT 'a;\nb;\n';", []string{"1 SELECT 'a;\nb;\n';"}, false},
		"one and a half":       {"SELECT 1; SELECT\n2;", []string{"1 SELECT 1; SELECT\n2;"}, false},
		"a trigger":            {"CREATE TRIGGER t AFTER INSERT ON a BEGIN\nSELECT 1;\nEND;", []string{"1 CREATE TRIGGER t AFTER INSERT ON a BEGIN\nSELECT 1;\nEND;"}, false},
		"no end":               {"SELECT 1", nil, true},
		"a comment of lines":   {"/* one;\ntwo */ SELECT 1;", []string{"1 /* one;\ntwo */ SELECT 1;"}, false},
		"a comment to the end": {"-- only this", nil, false},
	} {
		var p pending
		var got []string
		for line := range strings.SplitSeq(test.lines, "\n") {
			if p.add(line) {
				got = append(got, string(rune('0'+p.first))+" "+strings.TrimSuffix(p.take(), "\n"))
			}
		}
		if !slices.Equal(got, test.texts) || p.empty() == test.left {
			t.Errorf("%s: got %q, and nothing left: %v", name, got, p.empty())
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"begin immediate":              "BEGIN IMMEDIATE",
		"/* a */ -- b\n ; Rollback to": "ROLLBACK TO",
		"SELECT 1":                     "SELECT",
		"":                             "",
		"/* open":                      "",
		"PRAGMA wal_checkpoint(FULL)":  "PRAGMA WAL_CHECKPOINT",
	} {
		if got := strings.Join(words(text, 2), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzNextStatement(f *testing.F) {
	for _, seed := range []string{"SELECT 1; SELECT ';'", "-- a\n/* ; */;", "CREATE TRIGGER t BEGIN SELECT 1; END;", "'", "[;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\x00") {
			t.Skip("no SQL")
		}
		var joined strings.Builder
		for statement, rest := "", text; rest != ""; {
			before := len(rest)
			statement, rest = nextStatement(rest)
			if len(rest) >= before {
				t.Fatalf("no progress at %q", rest)
			}
			joined.WriteString(statement)
		}
		if joined.String() != text {
			t.Errorf("the statements of %q are %q", text, joined.String())
		}
	})
}
