package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
)

// ImportCmd is nearlite import.
type ImportCmd struct {
	where
	Source  string `arg:"" help:"A SQLite database, SQL as “sqlite3 .dump” writes it, or the data directory of a sqld; - is SQL from standard input."`
	Name    string `arg:"" optional:"" help:"What the database is to be called (default: as the file or the namespace)."`
	Replace bool   `help:"Take the place of a database of that name, in one step, when the import is complete."`
}

// Help is the end of nearlite import --help.
func (ImportCmd) Help() string {
	return `The source is not changed, and may be in use. What is imported is checked; an error or
Ctrl-C leaves nothing. Of a sqld every namespace is imported, with its limits, and
its default becomes main. An empty database of that name does not count as one.

  nearlite import data app.db
  nearlite import data dump.sql shop
  nearlite import data /var/lib/sqld/data.sqld
  nearlite import data /var/lib/sqld/data.sqld/dbs/SHOP shop
  sqlite3 app.db .dump | nearlite import data - shop --replace
  nearlite import http://127.0.0.1:8080 app.db shop`
}

// Run imports.
func (c *ImportCmd) Run(ctx context.Context, env *Env) error {
	sources, err := c.sources(ctx)
	if err != nil {
		return c.explain(locate(c.Source, err))
	}
	return c.with(ctx, env, true, func(d databases) error {
		for _, s := range sources { // BEFORE anything is imported
			if taken, err := d.Taken(ctx, s.Name); err != nil {
				return err
			} else if taken && !c.Replace {
				return fmt.Errorf("import %s: the name %q: %w", s.Path, s.Name, catalog.ErrExists)
			}
		}
		for _, s := range sources {
			switch err := c.one(ctx, env, d, s); {
			case err != nil && s.Path != "-":
				return locate(s.Path, err)
			case err != nil:
				return err
			}
		}
		return nil
	})
}

// sources returns what is to be imported.
func (c *ImportCmd) sources(ctx context.Context) ([]catalog.Source, error) {
	if c.Source == "-" {
		if c.Name == "" {
			return nil, advise(errors.New("import from standard input: it has no name"), "nearlite import "+quoteArg(c.Where)+" - NAME")
		}
		return []catalog.Source{{Name: c.Name, Path: "-"}}, nil
	}
	info, err := os.Stat(c.Source)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if !info.IsDir() {
		return []catalog.Source{{Name: c.nameOf(c.Source), Path: c.Source}}, nil
	}
	list, err := catalog.SQLDSources(ctx, c.Source)
	switch {
	case len(list) == 1 && c.Name != "":
		list[0].Name = c.Name
		return list, nil
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, advise(fmt.Errorf("import %s: it is a directory, and not the data of a sqld: there is no dbs/NAMESPACE/data in it", c.Source),
			"name a database file in it")
	case c.Name != "":
		return nil, advise(fmt.Errorf("import %s: it has %d namespaces, and they cannot all be called %q", c.Source, len(list), c.Name),
			"import them under their own names, or one of them: nearlite import "+quoteArg(c.Where)+" "+quoteArg(filepath.Dir(list[0].Path))+" "+c.Name)
	}
	return list, nil
}

// nameOf makes a name of a file's if none was given.
func (c *ImportCmd) nameOf(path string) string {
	if c.Name != "" {
		return c.Name
	}
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return strings.ToLower(name)
}

// one imports one database.
func (c *ImportCmd) one(ctx context.Context, env *Env, d databases, s catalog.Source) error {
	began := time.Now()
	var bar *terminal.Bar
	step := ""
	opts := &catalog.ImportOptions{Replace: c.Replace, Progress: func(now string, done, total int64) {
		if now != step {
			if bar != nil {
				bar.Clear()
			}
			if step = now; total > 0 {
				bar = terminal.Bytes(env.Stderr, s.Name+": "+now, total)
			} else {
				bar = terminal.Spinner(env.Stderr, s.Name+": "+now)
			}
		}
		bar.Set(done, total)
	}}
	if s.Config != (catalog.Config{}) {
		opts.Config = &s.Config
	}
	i, err := d.Import(ctx, s.Name, s.Path, opts)
	if bar != nil {
		bar.Clear()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %s in %.1f s\n", i.Name, size(i.Bytes), time.Since(began).Seconds())
	return err
}
