package stream

import (
	"strings"

	"github.com/nearlite/nearlite/sqlite"
)

// forkOnly says so if an error is about SQL that only libSQL's fork of SQLite has,
// and nothing else. Those who come from there would look for their mistake in vain.
func forkOnly(e *sqlite.Error) string {
	for _, missing := range []string{"no such function: ", "no such table: ", "no such module: "} {
		if name, ok := strings.CutPrefix(e.Msg, missing); ok && forkName(name) {
			return ": " + name + " is libSQL's, and Nearlite runs SQLite itself"
		}
	}
	if strings.HasSuffix(e.Msg, ": syntax error") {
		if what := forkSyntax(e.SQL); what != "" {
			return ": " + what + " is libSQL's, and Nearlite runs SQLite itself"
		}
	}
	return ""
}

// forkName reports whether a function or a table is one that libSQL added.
func forkName(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "vector", "vector1bit", "vector8", "vector16", "vectorb16", "vector32", "vector64":
		return true
	}
	return strings.HasPrefix(name, "vector_") || strings.HasPrefix(name, "libsql_")
}

// forkSyntax returns libSQL's syntax that a text has.
func forkSyntax(sql string) string {
	var last token
	for l := (lexer{sql: sql}); ; {
		t := l.next()
		switch {
		case t.kind == end:
			return ""
		case last.is("RANDOM") && t.is("ROWID"):
			return "RANDOM ROWID"
		case last.is("ALTER") && t.is("COLUMN"):
			return "ALTER COLUMN"
		case (last.is("CREATE") || last.is("DROP")) && t.is("FUNCTION"):
			return last.text + " FUNCTION"
		}
		last = t
	}
}
