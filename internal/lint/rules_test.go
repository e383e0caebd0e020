package lint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A rule that cannot fail proves nothing: each one here meets a repository that
// breaks it and one that does not.

func TestFloorsRule(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pkg, imports string
		problem      string // empty: allowed
	}{
		"down":                       {".", module + "/sqlite", ""},
		"the standard library":       {"pagemap", "encoding/binary", ""},
		"the C pseudo-package":       {"sqlite", "C", ""},
		"a listed module":            {"sqlite", clibrary, ""},
		"inside a listed module":     {"storage/s3", "github.com/aws/aws-sdk-go-v2/service/s3", ""},
		"another version":            {"cluster", "github.com/hashicorp/raft/v2", ""},
		"everything below":           {"server", module + "/replica", ""},
		"a subpackage":               {"server", module + "/server/console", ""},
		"the command takes all":      {"cmd/nearlite", module + "/bench", ""},
		"an internal helper":         {"internal/fault", module + "/sqlite", ""},
		"up":                         {"sqlite", module, "sqlite (floor 0): may not import " + module},
		"sideways":                   {"archive", module + "/cluster", "archive (floor 3): may not import " + module + "/cluster"},
		"the engine and the console": {".", module + "/server/console", ". (floor 2): may not import " + module + "/server/console"},
		"an unlisted module":         {"pagemap", "github.com/google/uuid", "pagemap (floor 1): may not import github.com/google/uuid"},
		"a name that only begins so": {"sqlite", clibrary + "-fork", "sqlite (floor 0): may not import " + clibrary + "-fork"},
		"sideways on the top floor":  {"bench", module + "/cmd/nearlite", "bench (floor 6): may not import " + module + "/cmd/nearlite"},
		"examples stay outside":      {"examples/debian", module + "/bench", "examples/debian (floor 6): may not import " + module + "/bench"},
		"no row":                     {"journal", "io", "journal: has no row"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, checkFloors(floors, map[string][]string{test.pkg: {test.imports}}), test.problem)
		})
	}
}

func TestFloorsRuleWithBadTable(t *testing.T) {
	t.Parallel()
	upsideDown := []row{{floor: 0, pkg: "."}, {floor: 1, pkg: "sqlite", allBelow: true}}
	imports := map[string][]string{".": {module + "/sqlite"}, "sqlite": {module}}
	expect(t, checkFloors(upsideDown, imports), ". (floor 0): may not import "+module+"/sqlite")
}

func TestReachRule(t *testing.T) {
	t.Parallel()
	own, modules := []string{"sqlite", "wal"}, []string{ltx}
	clean := map[string][]string{
		".":      {"context", module + "/wal", module + "/sqlite"},
		"wal":    {module + "/sqlite", ltx + "/internal"},
		"sqlite": {"C"},
	}
	expect(t, checkReach(clean, ".", own, modules), "")

	indirect := map[string][]string{".": {module + "/wal"}, "wal": {"github.com/google/uuid"}}
	expect(t, checkReach(indirect, ".", own, modules), ".: pulls in github.com/google/uuid through wal")

	helper := map[string][]string{".": {module + "/internal/fault"}}
	expect(t, checkReach(helper, ".", own, modules), ".: pulls in "+module+"/internal/fault through .")
}

func TestNamesRule(t *testing.T) {
	t.Parallel()
	expect(t, checkNames(map[string]string{".": "nearlite", "sqlite": "sqlite"}), "")
	expect(t, checkNames(map[string]string{"internal/util": "util"}), "internal/util: a package called util")
	expect(t, checkNames(map[string]string{"wire": "types"}), "wire: a package called types")
}

func TestSourceRules(t *testing.T) {
	t.Parallel()
	const head = "// Package p is here.\npackage p\n\n"
	tests := map[string]struct {
		file, content string
		problem       string
	}{
		"a tidy file":             {"p/p.go", head + "// F does.\nfunc F() {}\n", ""},
		"a relative path":         {"README.md", "see ../work/x and https://example.org/work/a, ~/root/x\n", ""},
		"a lower-case table":      {"p/p.go", head + "const q = \"SELECT * FROM todo\"\n", ""},
		"recorded input":          {"testdata/a.txt", "TO" + "DO\n", ""},
		"a comment for the group": {"p/p.go", head + "// The colours.\nconst (\n\tRed = iota\n\tBlue\n)\n", ""},
		"a comment at the end":    {"p/p.go", head + "const (\n\tRed = 1 // the first\n)\n", ""},
		"an unexported type":      {"p/p.go", head + "type t struct{}\n\nfunc (t) Close() {}\n", ""},
		"symbols of a test":       {"p/p_test.go", "package p\n\nfunc Helper() {}\n", ""},

		"a path of this machine": {"Makefile", "cp x /wo" + "rk/main\n", "is a path of one machine"},
		"in testdata too":        {"testdata/a.txt", "\"/ro" + "ot/x\"\n", "is a path of one machine"},
		"somebody's home":        {"p.sh", "cd /home" + "/ann/src\n", "is a path of one machine"},
		"a registry":             {".ci/run", "export GOPROXY" + "=https://example.org\n", "is a registry's address"},
		"an open promise":        {"p/p.go", head + "// TO" + "DO: more.\n", "is an open promise"},
		"context without an end": {"docs/A.md", "context.TO" + "DO()\n", "is an open promise"},
		"not formatted":          {"p/p.go", head + "func  f() {}\n", "not gofmt-ed"},
		"a bare function":        {"p/p.go", head + "func F() {}\n", "F has no doc comment"},
		"a bare method":          {"p/p.go", head + "// T is.\ntype T[K any] struct{}\n\nfunc (*T[K]) Get() {}\n", "Get has no doc comment"},
		"a bare type":            {"p/p.go", head + "type T int\n", "T has no doc comment"},
		"a bare variable":        {"p/p.go", head + "var a, B = 1, 2\n", "B has no doc comment"},
		"a bare package":         {"p/p.go", "package p\n", "p: no file has a package comment"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := newTree(map[string][]byte{test.file: []byte(test.content)})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, slices.Concat(tree.checkText(), tree.checkFormat(), tree.checkDocs()), test.problem)
		})
	}
}

func TestLinksRule(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ link, problem string }{
		"a file":           {"../LICENSE", ""},
		"a folder":         {"../docs", ""},
		"a heading":        {"#one-write-here", ""},
		"another page":     {"https://example.org/x", ""},
		"no file":          {"LICENSE", "docs/a.md: the link LICENSE leads nowhere"},
		"no heading":       {"#two", "docs/a.md: the link #two leads nowhere"},
		"no heading there": {"../LICENSE#one", "docs/a.md: the link ../LICENSE#one leads nowhere"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := newTree(map[string][]byte{
				"LICENSE":   []byte("free\n"),
				"docs/a.md": []byte("## One write, here\n\n[see](" + test.link + ")\n"),
			})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, tree.checkLinks(), test.problem)
		})
	}
}

func TestTreeImports(t *testing.T) {
	t.Parallel()
	tree, err := newTree(map[string][]byte{
		"a.go":            []byte("package nearlite\n\nimport \"io\"\n"),
		"a_test.go":       []byte("package nearlite\n\nimport \"testing\"\n"),
		"wal/b.go":        []byte("//go:build darwin\n\npackage wal\n\nimport _ \"" + ltx + "\"\n"),
		"testdata/bad.go": []byte("this is no Go"),
	})
	if err != nil {
		t.Fatal(err)
	}
	imports := tree.imports()
	if len(imports) != 2 || !slices.Equal(imports["."], []string{"io"}) || !slices.Equal(imports["wal"], []string{ltx}) {
		t.Errorf("imports are %v", imports)
	}
	if packages := tree.packages(); packages["."] != "nearlite" || packages["wal"] != "wal" {
		t.Errorf("packages are %v", packages)
	}
}

// Outside a git work tree the rules still find every file but hidden and built ones.
func TestListFilesWithoutGit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "wal/b.go", ".cache/c.go", "bin/nearlite"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := listFiles(dir)
	if err != nil || !slices.Equal(names, []string{"go.mod", "wal/b.go"}) {
		t.Errorf("files are %q, error %v", names, err)
	}
}

// expect wants no problem, or exactly one that contains the text.
func expect(t *testing.T, problems []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(problems) > 0:
		t.Errorf("unexpected problems: %q", problems)
	case want != "" && (len(problems) != 1 || !strings.Contains(problems[0], want)):
		t.Errorf("problems are %q, want one with %q", problems, want)
	}
}
