package lint

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A tree is the repository as the rules see it.
type tree struct {
	texts map[string][]byte // every text file git would commit, by slash path
	fset  *token.FileSet
	files map[string]*ast.File // every Go file outside testdata, by slash path
}

// readTree reads the repository below root.
func readTree(root string) (*tree, error) {
	names, err := listFiles(root)
	if err != nil {
		return nil, err
	}
	texts := map[string][]byte{}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and the deletion is not committed yet
		}
		if err != nil {
			return nil, fmt.Errorf("read repository: %w", err)
		}
		if !bytes.ContainsRune(content, 0) {
			texts[name] = content
		}
	}
	return newTree(texts)
}

// newTree parses the Go files among texts. Build tags are ignored: the rules hold
// for every platform at once.
func newTree(texts map[string][]byte) (*tree, error) {
	t := &tree{texts: texts, fset: token.NewFileSet(), files: map[string]*ast.File{}}
	for name, content := range texts {
		if path.Ext(name) != ".go" || inTestdata(name) {
			continue
		}
		file, err := parser.ParseFile(t.fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse: %w", err)
		}
		t.files[name] = file
	}
	return t, nil
}

// listFiles asks git for what is committed or could be, so that ignored files do not
// count. Outside a work tree (a module's zip, say) everything but hidden folders does.
func listFiles(root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err == nil {
		cmd := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("list files: git ls-files: %w", err)
		}
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
	}
	var names []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && (entry.Name()[0] == '.' || entry.Name() == "bin"):
			return filepath.SkipDir
		case entry.Type().IsRegular():
			name, err = filepath.Rel(root, name)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	return names, err
}

// imports returns what each package imports outside its tests.
func (t *tree) imports() map[string][]string {
	imports := map[string][]string{}
	for name, file := range t.files {
		if isTest(name) {
			continue
		}
		dir := path.Dir(name)
		if _, seen := imports[dir]; !seen {
			imports[dir] = nil // a package that imports nothing needs its row too
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err == nil && !slices.Contains(imports[dir], imported) {
				imports[dir] = append(imports[dir], imported)
			}
		}
	}
	return imports
}

// packages returns the name in each directory's package clause, tests left out.
func (t *tree) packages() map[string]string {
	packages := map[string]string{}
	for name, file := range t.files {
		if !isTest(name) {
			packages[path.Dir(name)] = file.Name.Name
		}
	}
	return packages
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }

func inTestdata(name string) bool {
	return slices.Contains(strings.Split(path.Dir(name), "/"), "testdata")
}
