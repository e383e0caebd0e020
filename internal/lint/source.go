package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
)

// A forbidden pattern and what to tell the author of a line that matches it. The
// patterns are spelled in pieces so that this file does not match them.
type forbidden struct {
	pattern *regexp.Regexp
	remedy  string
	// Recorded input in testdata may say what it likes, except where it leads.
	evenTestdata bool
}

var forbiddenText = []forbidden{
	{
		pattern:      regexp.MustCompile(`(^|[^\w./~-])/(work` + `|root|home/\w+|Users/\w+|tmp/plan)(/|\b)`),
		remedy:       "a path of one machine; make it relative or a temporary directory",
		evenTestdata: true,
	},
	{
		pattern:      regexp.MustCompile(`(GOPROXY|GONOSUMDB|GOINSECURE|npm_config_registry|PIP_INDEX_URL)\s*[:=]\s*["']?https?:`),
		remedy:       "a registry's address; leave it to the environment",
		evenTestdata: true,
	},
	{
		pattern: regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`),
		remedy:  "an open promise; keep it or open an issue",
	},
}

// checkText reports lines that must not be committed.
func (t *tree) checkText() []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(t.texts)) {
		number := 0
		for line := range bytes.Lines(t.texts[name]) {
			number++
			for _, f := range forbiddenText {
				if inTestdata(name) && !f.evenTestdata {
					continue
				}
				if found := f.pattern.Find(line); found != nil {
					problems = append(problems, fmt.Sprintf("%s:%d: %q is %s", name, number, bytes.TrimSpace(found), f.remedy))
				}
			}
		}
	}
	return problems
}

// checkFormat reports Go files that gofmt would change.
func (t *tree) checkFormat() []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		formatted, err := format.Source(t.texts[name])
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: format: %v", name, err))
		} else if !bytes.Equal(formatted, t.texts[name]) {
			problems = append(problems, fmt.Sprintf("%s: not gofmt-ed (make fmt does it)", name))
		}
	}
	return problems
}

// checkDocs reports packages without a package comment and exported symbols without
// a doc comment. A comment on a group of constants or variables covers the group.
func (t *tree) checkDocs() []string {
	var problems []string
	documented := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if isTest(name) {
			continue
		}
		file := t.files[name]
		dir := path.Dir(name)
		documented[dir] = documented[dir] || file.Doc != nil
		for _, decl := range file.Decls {
			for _, ident := range undocumented(decl) {
				problems = append(problems, fmt.Sprintf("%s: %s has no doc comment", t.fset.Position(ident.Pos()), ident.Name))
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(documented)) {
		if !documented[dir] {
			problems = append(problems, fmt.Sprintf("%s: no file has a package comment", dir))
		}
	}
	return problems
}

// undocumented returns the exported names that a declaration leaves without a word.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Doc == nil && decl.Name.IsExported() && ast.IsExported(receiver(decl)) {
			return []*ast.Ident{decl.Name}
		}
	case *ast.GenDecl:
		if decl.Tok == token.IMPORT || decl.Doc != nil {
			return nil
		}
		var idents []*ast.Ident
		for _, spec := range decl.Specs {
			idents = append(idents, undocumentedSpec(spec)...)
		}
		return idents
	}
	return nil
}

func undocumentedSpec(spec ast.Spec) []*ast.Ident {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Doc == nil && spec.Comment == nil && spec.Name.IsExported() {
			return []*ast.Ident{spec.Name}
		}
	case *ast.ValueSpec:
		if spec.Doc != nil || spec.Comment != nil {
			return nil
		}
		return slices.DeleteFunc(slices.Clone(spec.Names), func(ident *ast.Ident) bool { return !ident.IsExported() })
	}
	return nil
}

// receiver returns the name of a method's type, or of the function itself: a method
// of an unexported type is seen only through an interface, which has its own words.
func receiver(decl *ast.FuncDecl) string {
	if decl.Recv == nil || len(decl.Recv.List) == 0 {
		return decl.Name.Name
	}
	expr := decl.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return decl.Name.Name
		}
	}
}
