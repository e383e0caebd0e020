package shell

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

func TestStatementError(t *testing.T) {
	t.Parallel()
	fail := func(sql, at string) error {
		return fmt.Errorf("prepare: %w", &sqlite.Error{Code: sqlite.CodeError, Msg: "no such column: x", SQL: sql, Offset: strings.Index(sql, at)})
	}
	long := strings.Repeat("a, ", 50)
	for name, test := range map[string]struct {
		err  StatementError
		want string
	}{
		"one line":    {StatementError{0, fail("SELECT x", "x")}, "prepare: no such column: x\n  SELECT x\n         ^"},
		"a script":    {StatementError{7, fail("SELECT\n  x\nFROM t", "x")}, "line 8: prepare: no such column: x\n    x\n    ^"},
		"wide":        {StatementError{0, fail("SELECT '日本', x", "x")}, "prepare: no such column: x\n  SELECT '日本', x\n                 ^"},
		"a tab":       {StatementError{0, fail("SELECT\tx", "x")}, "prepare: no such column: x\n  SELECT␉x\n         ^"},
		"no place":    {StatementError{3, fail("SELECT 1", "x")}, "line 3: prepare: no such column: x"},
		"not SQLite":  {StatementError{0, errors.New("no")}, "no"},
		"cut":         {StatementError{0, fail("SELECT "+long+"x, "+long, "x")}, "prepare: no such column: x\n  …" + long[30:] + "…"},
		"the message": {StatementError{0, &sqlite.Error{Msg: "UNIQUE constraint failed: t.a", SQL: "INSERT", Offset: -1}}, "UNIQUE constraint failed: t.a"},
	} {
		got := test.err.Error()
		if name == "cut" {
			lines := strings.Split(got, "\n")
			if len(lines) != 3 || width(lines[1]) > 110 || lines[1][len(strings.TrimRight(lines[2], "^"))+len("…")-1] != 'x' {
				t.Errorf("%s: got\n%s", name, got)
			}
			continue
		}
		if got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":        "plain",
		"a\nb":         "a␊b",
		"\x1b[31mred":  "␛[31mred",
		"日本":           "日本",
		"\xff\u009b1m": "��1m",
		"\x7f":         "␡",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
