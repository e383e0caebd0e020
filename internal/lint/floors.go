package lint

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// module is this repository's import path. Its root package is the engine.
const module = "github.com/nearlite/nearlite"

const (
	ltx       = "github.com/superfly/ltx"
	lz4       = "github.com/pierrec/lz4/v4"
	clibrary  = "github.com/mattn/go-sqlite3"
	protobuf  = "google.golang.org/protobuf"
	websocket = "github.com/coder/websocket"
)

// A row of the table of floors: what one package may import besides the standard
// library. Names are relative to the module, "." is the root package; names that
// hold a dot before their first slash are other people's modules.
type row struct {
	floor    int
	pkg      string   // "x/..." covers x and everything below it
	may      []string // packages of this module
	modules  []string // modules of others; a package inside one counts
	allBelow bool     // every package of a lower floor, and any module
	all      bool     // anything at all, its own floor too
}

// floors is the table. Arrows only go down, never sideways except where a row says
// so; a row may stand here before its package exists.
var floors = []row{
	{floor: 0, pkg: "sqlite", modules: []string{clibrary}},
	{floor: 0, pkg: "storage"},
	{floor: 0, pkg: "storage/file", may: []string{"storage"}, modules: []string{"golang.org/x/sys"}},
	{floor: 0, pkg: "storage/s3", may: []string{"storage"}, modules: []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"}},
	{floor: 0, pkg: "storage/open", may: []string{"storage", "storage/file", "storage/s3"}},
	{floor: 0, pkg: "storage/storagetest", may: []string{"storage"}, modules: []string{"pgregory.net/rapid"}},
	{floor: 0, pkg: "hrana", modules: []string{protobuf}},
	{floor: 0, pkg: "dump"},
	{floor: 0, pkg: "crc64iso", modules: []string{ltx}},
	{floor: 0, pkg: "archive/internal/ltxfile", may: []string{"crc64iso"}, modules: []string{ltx, lz4}},
	{floor: 0, pkg: "pagesync", modules: []string{ltx, protobuf}},

	{floor: 1, pkg: "wal", may: []string{"sqlite"}, modules: []string{ltx}},
	{floor: 1, pkg: "pagemap"},
	{floor: 1, pkg: "netfs", may: []string{"sqlite"}},

	{floor: 2, pkg: ".", may: []string{"sqlite", "wal", "pagemap", "netfs", "crc64iso"}, modules: []string{ltx, clibrary}},

	// The driver hands out the binding's errors and value types as they are.
	{floor: 3, pkg: "sqldriver", may: []string{".", "sqlite"}},
	{floor: 3, pkg: "archive", may: []string{".", "wal", "pagemap", "storage", "crc64iso", "archive/internal/ltxfile"}, modules: []string{ltx}},
	{floor: 3, pkg: "cluster", may: []string{"."}, modules: []string{ltx, "github.com/hashicorp/raft", "github.com/hashicorp/raft-wal"}},
	{floor: 3, pkg: "blob", may: []string{".", "sqlite"}},
	{floor: 3, pkg: "jobs", may: []string{"."}},
	{floor: 3, pkg: "cache", may: []string{"."}},

	// Every connection is hardened, by the binding's switches and limits.
	{floor: 4, pkg: "catalog", may: []string{".", "sqlite", "archive", "pagemap", "storage"}},
	{floor: 4, pkg: "replica", may: []string{".", "wal", "archive", "hrana", "pagesync"}, modules: []string{ltx, websocket}},

	{floor: 5, pkg: "server/...", allBelow: true, may: []string{"server/..."}},
	{floor: 5, pkg: "lambda", may: []string{"replica"}, modules: []string{"github.com/aws/aws-lambda-go"}},

	{floor: 6, pkg: "cmd/...", all: true},
	{floor: 6, pkg: "bench/...", allBelow: true, may: []string{"bench/..."}},
	// Programs for a reader to copy.
	{floor: 6, pkg: "examples/...", allBelow: true},

	// The suite that every implementation of the engine's Log passes.
	{floor: 3, pkg: "internal/logtest", may: []string{".", "wal", "pagemap", "crc64iso"}, modules: []string{"pgregory.net/rapid"}},

	// A test that needs a kernel of its own, and so is a program.
	{floor: 6, pkg: "internal/powercut", may: []string{"."}, modules: []string{"golang.org/x/sys"}},
	// Nothing a reader must know to understand the product; helpers of tests mostly.
	{floor: 0, pkg: "internal/...", may: []string{"sqlite", "internal/..."}},
}

// checkFloors holds imports against the table. The keys of imports are packages of
// this module, relative to it; the values are full import paths.
func checkFloors(table []row, imports map[string][]string) []string {
	var problems []string
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		r, ok := findRow(table, pkg)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: has no row in the table of floors (internal/lint/floors.go, docs/ARCHITECTURE.md)", pkg))
			continue
		}
		for _, imported := range slices.Sorted(slices.Values(imports[pkg])) {
			if !r.allows(table, imported) {
				problems = append(problems, fmt.Sprintf("%s (floor %d): may not import %s", pkg, r.floor, imported))
			}
		}
	}
	return problems
}

// checkReach walks the imports from one package through this module and reports
// every package reached that is neither listed in own nor inside one of modules.
// It does not look inside the modules of others: what they need comes with them.
func checkReach(imports map[string][]string, from string, own, modules []string) []string {
	var problems []string
	seen := map[string]bool{from: true}
	queue := []string{from}
	for len(queue) > 0 {
		pkg := queue[0]
		queue = queue[1:]
		for _, imported := range slices.Sorted(slices.Values(imports[pkg])) {
			inside, ours := relative(imported)
			switch {
			case ours && slices.Contains(own, inside):
				if !seen[inside] {
					seen[inside] = true
					queue = append(queue, inside)
				}
			case !ours && (standard(imported) || inAny(modules, imported)):
			default:
				problems = append(problems, fmt.Sprintf("%s: pulls in %s through %s", from, imported, pkg))
			}
		}
	}
	return problems
}

// allows says whether the row permits an import.
func (r row) allows(table []row, imported string) bool {
	if r.all || standard(imported) {
		return true
	}
	pkg, ours := relative(imported)
	if !ours {
		return r.allBelow || inAny(r.modules, imported)
	}
	if slices.ContainsFunc(r.may, func(pattern string) bool { return matches(pattern, pkg) }) {
		return true
	}
	below, ok := findRow(table, pkg)
	return ok && r.allBelow && below.floor < r.floor
}

// findRow returns the row of a package; an exact name goes before a pattern.
func findRow(table []row, pkg string) (row, bool) {
	i := slices.IndexFunc(table, func(r row) bool { return r.pkg == pkg })
	if i < 0 {
		i = slices.IndexFunc(table, func(r row) bool { return matches(r.pkg, pkg) })
	}
	if i < 0 {
		return row{}, false
	}
	return table[i], true
}

func matches(pattern, pkg string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(prefix, pkg)
	}
	return pattern == pkg
}

// within says whether an import path is root or lies below it.
func within(root, imported string) bool {
	return imported == root || strings.HasPrefix(imported, root+"/")
}

// inAny also accepts another major version of a module ("…/v2").
func inAny(modules []string, imported string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return within(m, imported) })
}

// relative turns a full import path of this module into the table's spelling.
func relative(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// standard follows the go command: only the standard library's first path element
// has no dot. The pseudo-package C counts as standard; which C library it means is
// for the link line to say.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// vague names say nothing about what a package is for; a package that needs one has
// the wrong boundary.
var vague = []string{"api", "common", "core", "helpers", "manager", "misc", "shared", "types", "util", "utils"}

// checkNames reports packages whose directory or package name is vague. The keys are
// directories relative to the module, the values the names in their package clauses.
func checkNames(packages map[string]string) []string {
	var problems []string
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		for _, name := range []string{path.Base(dir), packages[dir]} {
			if slices.Contains(vague, name) {
				problems = append(problems, fmt.Sprintf("%s: a package called %s says nothing; name it after what it holds", dir, name))
				break
			}
		}
	}
	return problems
}
