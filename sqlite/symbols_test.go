package sqlite

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write symbols.c anew from the headers")

// The library's functions, and this package's own.
var headers = []string{"capi.h", "port.h", "hooks.h"}

// A function's prototype begins at the start of a line; typedefs and the members
// of structures do not match.
var prototype = regexp.MustCompile(`(?m)^[a-z][\w ]*[ *]((?:sqlite3|nl)_\w+)\(`)

// declared returns the functions of a header in their order.
func declared(header []byte) []string {
	var names []string
	for _, m := range prototype.FindAllSubmatch(header, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// missing returns the declared functions that the library does not have.
func missing(declared []string, linked map[string]uintptr) []string {
	var names []string
	for _, name := range declared {
		if linked[name] == 0 {
			names = append(names, name)
		}
	}
	return names
}

// The linker resolves SQLite's functions only in the whole program. For that it
// lets every unknown name pass as a null pointer, one of this package's own C
// functions too, so each declaration is looked up here.
func TestSymbols(t *testing.T) {
	t.Parallel()
	var names []string
	for _, file := range headers {
		header, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, declared(header)...)
	}
	if *rewrite {
		writeSymbols(t, names)
		return
	}
	linked := symbols()
	for _, name := range missing(names, linked) {
		if _, listed := linked[name]; listed {
			t.Errorf("%s is declared, and neither the linked SQLite nor this package has it", name)
		} else {
			t.Errorf("%s is declared and not in symbols.c: go generate ./sqlite", name)
		}
	}
	if len(linked) != len(names) || len(names) < 50 {
		t.Errorf("the headers declare %d functions, symbols.c lists %d: go generate ./sqlite", len(names), len(linked))
	}
}

func TestSymbolsFindWhatIsMissing(t *testing.T) {
	t.Parallel()
	header := []byte("int sqlite3_a(void);\nconst char *sqlite3_b(int (*)(void *),\n   int);\nsqlite3_stmt *sqlite3_c(void);\n" +
		"typedef struct sqlite3_d sqlite3_d;\n  int (*xE)(sqlite3_e *);\n/* sqlite3_f() is told of */\n")
	got := missing(declared(header), map[string]uintptr{"sqlite3_a": 1, "sqlite3_b": 0})
	if len(got) != 2 || got[0] != "sqlite3_b" || got[1] != "sqlite3_c" {
		t.Errorf("missing %q, want sqlite3_b (no address) and sqlite3_c (not listed)", got)
	}
}

// writeSymbols replaces the list in symbols.c and keeps what stands around it.
func writeSymbols(t *testing.T, names []string) {
	t.Helper()
	source, err := os.ReadFile("symbols.c")
	if err != nil {
		t.Fatal(err)
	}
	begin, end := bytes.Index(source, []byte("{\n"))+2, bytes.Index(source, []byte("    {0, 0},"))
	var b bytes.Buffer
	b.Write(source[:begin])
	for _, name := range names {
		b.WriteString("    SYMBOL(" + name + "),\n")
	}
	b.Write(source[end:])
	if err := os.WriteFile("symbols.c", b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
