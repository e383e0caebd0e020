package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/nearlite/nearlite/sqlite"
)

// VersionCmd is nearlite version.
type VersionCmd struct {
	JSON bool `name:"json" help:"Print it as JSON."`
}

// Help is the end of nearlite version --help.
func (VersionCmd) Help() string {
	return `  nearlite version
  nearlite version --json | jq .sqlite.version`
}

// A feature is something the Makefile's tags and flags add to a plain go build.
type feature struct {
	Name   string `json:"name"`
	Option string `json:"option"` // as sqlite.CompileOptions spells it
	Loss   string `json:"loss"`   // what is missing without it
}

var features = []feature{
	{"full-text search", "ENABLE_FTS5", "no FTS5 tables (tag sqlite_fts5)"},
	{"math functions", "ENABLE_MATH_FUNCTIONS", "no sqrt(), log(), sin() … in SQL (tag sqlite_math_functions)"},
	{"memory map to 1 TiB", "MAX_MMAP_SIZE=1099511627776", "only the first 2 GiB of a database are mapped"},
	{"strict double quotes", "DQS=0", "a misspelt \"column\" is taken for a string"},
	{"no page-cache statistics", "DISABLE_PAGECACHE_OVERFLOW_STATS", "a mutex of the whole process on every page read"},
	{"samples for ANALYZE", "ENABLE_STAT4", "worse plans for skewed data"},
	{"dbstat", "ENABLE_DBSTAT_VTAB", "no table of which table takes how many pages"},
	{"column metadata", "ENABLE_COLUMN_METADATA", "no origin table of a result's column"},
}

// build is what nearlite version prints.
type build struct {
	Version  string      `json:"version"`
	Revision string      `json:"revision,omitempty"`
	Go       string      `json:"go"`
	Platform string      `json:"platform"`
	SQLite   sqliteBuild `json:"sqlite"`
	Missing  []feature   `json:"missing"`
}

type sqliteBuild struct {
	Version        string   `json:"version"`
	SourceID       string   `json:"source_id"`
	CompileOptions []string `json:"compile_options"`
}

// Run prints what this binary was built from.
func (c *VersionCmd) Run(env *Env) error {
	b := thisBuild()
	if c.JSON {
		out := json.NewEncoder(env.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(b)
	}
	return b.print(env.Stdout)
}

func thisBuild() build {
	b := build{
		Version:  "devel",
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		SQLite:   sqliteBuild{sqlite.Version(), sqlite.SourceID(), sqlite.CompileOptions()},
	}
	b.Missing = missingFeatures(b.SQLite.CompileOptions)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

// missingFeatures returns the features that a library with these options lacks.
func missingFeatures(options []string) []feature {
	missing := []feature{} // not nil, which JSON would write as null
	for _, f := range features {
		if !slices.Contains(options, f.Option) {
			missing = append(missing, f)
		}
	}
	return missing
}

func (b build) print(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "nearlite %s", b.Version)
	if b.Revision != "" {
		fmt.Fprintf(&text, " (%s)", b.Revision)
	}
	fmt.Fprintf(&text, ", %s, %s\n", b.Go, b.Platform)
	fmt.Fprintf(&text, "SQLite %s (%s)\n\nCompiled with\n%s\n", b.SQLite.Version, b.SQLite.SourceID, wrap(b.SQLite.CompileOptions, 76))
	if len(b.Missing) == 0 {
		text.WriteString("Nothing is missing.\n")
	} else {
		fmt.Fprintf(&text, "Missing, because it was not built with “make build”\n")
		for _, f := range b.Missing {
			fmt.Fprintf(&text, "  %-26s %s\n", f.Name, f.Loss)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// wrap joins words into indented lines of at most that many characters.
func wrap(words []string, width int) string {
	var lines strings.Builder
	line := " "
	for _, word := range words {
		if len(line)+1+len(word) > width && line != " " {
			lines.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	lines.WriteString(line + "\n")
	return lines.String()
}
