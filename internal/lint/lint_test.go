package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository, seen from this package's directory, where go test runs.
const root = "../.."

// report fails the test with each problem on a line of its own.
func report(t *testing.T, problems []string) {
	t.Helper()
	for _, problem := range problems {
		t.Error(problem)
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	tree, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.files) < 5 || tree.texts["go.mod"] == nil {
		t.Fatalf("the repository has %d Go files and %d bytes of go.mod: the rules looked in the wrong place",
			len(tree.files), len(tree.texts["go.mod"]))
	}
	imports := tree.imports()
	t.Run("floors", func(t *testing.T) { report(t, checkFloors(floors, imports)) })
	t.Run("engine", func(t *testing.T) {
		report(t, checkReach(imports, ".", []string{"sqlite", "wal", "pagemap", "netfs", "crc64iso"}, []string{ltx, clibrary}))
	})
	t.Run("driver", func(t *testing.T) {
		report(t, checkReach(imports, "sqldriver", []string{".", "sqlite", "wal", "pagemap", "netfs", "crc64iso"}, []string{ltx, clibrary}))
	})
	t.Run("names", func(t *testing.T) { report(t, checkNames(tree.packages())) })
	t.Run("text", func(t *testing.T) { report(t, tree.checkText()) })
	t.Run("format", func(t *testing.T) { report(t, tree.checkFormat()) })
	t.Run("links", func(t *testing.T) { report(t, tree.checkLinks()) })
	t.Run("docs", func(t *testing.T) { report(t, tree.checkDocs()) })
}

// The table in the architecture document and the one that is checked name the same packages.
func TestDocumentedFloors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range floors {
		name, _, _ := strings.Cut(r.pkg, "/...")
		if name == "." {
			name = "nearlite"
		}
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/ARCHITECTURE.md does not name `%s`, which has a row on floor %d", name, r.floor)
		}
	}
}

// Without cgo the build must say what to install before it says anything else.
func TestBuildWithoutCgo(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "build", "./sqlite")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("the package sqlite compiled without cgo")
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	const sentence = "Nearlite needs cgo: install gcc or clang, then set CGO_ENABLED=1"
	if len(lines) < 2 || !strings.Contains(lines[1], sentence) {
		t.Errorf("the first error does not say %q:\n%s", sentence, out)
	}
}
