package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	if lines := strings.Count(readme(t), "\n"); lines >= 150 {
		t.Errorf("the README has %d lines; a newcomer reads 150 at most", lines)
	}
}

// The program in the README compiles, runs, and prints what its comment says.
func TestReadmeProgram(t *testing.T) {
	t.Parallel()
	blocks := codeBlocks(readme(t), "go")
	if len(blocks) == 0 || !strings.HasPrefix(blocks[0], "package main") {
		t.Fatal("the README's first Go block is no program")
	}
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(blocks[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", binary, source)
	build.Dir = root // so that the import means this module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the README's program: %v\n%s", err, out)
	}
	promised := regexp.MustCompile(`fmt\.Println\(.*\) // (.*)`).FindStringSubmatch(blocks[0])
	for range 2 { // a newcomer runs it again
		program := exec.Command(binary)
		program.Dir = dir
		out, err := program.CombinedOutput()
		if err != nil {
			t.Fatalf("run the README's program: %v\n%s", err, out)
		}
		if promised == nil || strings.TrimSpace(string(out)) != promised[1] {
			t.Errorf("the README's program printed %q; its comment promises %q", out, promised)
		}
	}
}

// Every `make target` that the README and the Makefile's help name exists.
func TestReadmeTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?m)(?:^    |`)make ([a-z-]+)").FindAllStringSubmatch(readme(t), -1)
	if len(named) < 3 {
		t.Fatalf("the README names %d targets of make", len(named))
	}
	for _, match := range named {
		if !regexp.MustCompile(`(?m)^` + match[1] + `:.*## `).Match(makefile) {
			t.Errorf("the README names make %s, which the Makefile does not describe", match[1])
		}
	}
}
