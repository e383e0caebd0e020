package main

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// A pkg is what we keep of one entry of Debian's package index.
type pkg struct {
	Name, Version, Section, Summary, Tags string
	Size                                  int64 // of the download, in bytes
}

// packages reads an index: entries of “Field: value” lines with a blank line
// between them. A line that begins with a blank goes on with the one before.
func packages(index io.Reader) iter.Seq2[pkg, error] {
	return func(yield func(pkg, error) bool) {
		lines := bufio.NewScanner(index)
		lines.Buffer(nil, 16<<20)
		var p pkg
		var field string
		for lines.Scan() {
			line := lines.Text()
			if line == "" {
				if p.Name != "" && !yield(p, nil) {
					return
				}
				p, field = pkg{}, ""
				continue
			}
			value := line
			if line[0] != ' ' && line[0] != '\t' {
				field, value, _ = strings.Cut(line, ":")
			}
			p.add(field, strings.TrimSpace(value))
		}
		if err := lines.Err(); err != nil {
			yield(pkg{}, fmt.Errorf("read the package index: %w", err))
		} else if p.Name != "" {
			yield(p, nil)
		}
	}
}

// add takes a line's value into the field it belongs to.
func (p *pkg) add(field, value string) {
	switch field {
	case "Package":
		p.Name = value
	case "Version":
		p.Version = value
	case "Section":
		p.Section = value
	case "Size":
		p.Size, _ = strconv.ParseInt(value, 10, 64) // a field that says nothing is 0
	case "Description", "Description-en":
		p.Summary = strings.TrimSpace(p.Summary + " " + value)
	case "Tag":
		p.Tags = strings.TrimSpace(p.Tags + " " + value)
	}
}

// writeSQL writes a script for the stock sqlite3 program.
func writeSQL(out io.Writer, all iter.Seq2[pkg, error]) error {
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, `BEGIN;
CREATE TABLE package(id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL,
	section TEXT NOT NULL, size INTEGER NOT NULL, summary TEXT NOT NULL, tags TEXT NOT NULL);`)
	for p, err := range all {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "INSERT INTO package(name, version, section, size, summary, tags) VALUES (%s, %s, %s, %d, %s, %s);\n",
			quote(p.Name), quote(p.Version), quote(p.Section), p.Size, quote(p.Summary), quote(p.Tags))
	}
	fmt.Fprintln(w, "CREATE INDEX package_name ON package(name);\nCOMMIT;")
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write SQL: %w", err)
	}
	return nil
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
