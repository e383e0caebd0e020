package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
	"github.com/nearlite/nearlite/sqlite"
)

// CheckCmd is nearlite check.
type CheckCmd struct {
	DB        string `arg:"" name:"db" help:"The database."`
	Archive   string `placeholder:"URL" help:"Compare it with its archive as well: a directory or s3://BUCKET/PREFIX."`
	ArchiveDB string `name:"archive-db" placeholder:"NAME" help:"Which database of the archive of a server it is; not needed for a file in the server's directory."`
	Quick     bool   `help:"Neither compare indexes with their tables nor follow foreign keys: much faster."`
}

// Help is the end of nearlite check --help.
func (CheckCmd) Help() string {
	return `It reads the whole database and writes nothing. Programs that use the database
are not disturbed. The exit code is 1 if anything is wrong.

  nearlite check app.db
  nearlite check --quick app.db
  nearlite check app.db --archive s3://backups/app?region=eu-central-1`
}

// Run checks the database and reports. It works on the binding, not on the
// engine: one who looks for damage must not begin by switching the file to WAL.
func (c *CheckCmd) Run(ctx context.Context, env *Env) error {
	if c.ArchiveDB != "" && c.Archive == "" {
		return advise(errors.New("--archive-db says which database of an --archive"), "--archive URL")
	}
	if err := isFile(c.DB); err != nil {
		return locate(c.DB, err)
	}
	resting := atRest(c.DB)
	check, err := c.check(ctx, env, resting)
	if resting && exists(c.DB+"-wal") { // somebody came and may have written meanwhile
		check, err = c.check(ctx, env, false)
	}
	if err != nil {
		return err
	}
	if _, err := env.Stdout.Write(check.report.Bytes()); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return check.verdict(env.Stdout)
}

func (c *CheckCmd) check(ctx context.Context, env *Env, resting bool) (*checking, error) {
	check := &checking{path: c.DB, resting: resting, screen: env.Stderr}
	open := openToLook
	if resting {
		open = openAtRest
	}
	conn, err := open(c.DB)
	if err != nil {
		return check, locate(c.DB, check.found(err))
	}
	defer conn.Close()
	defer conn.InterruptOn(ctx)()
	check.conn = conn
	err = check.run(c.Quick)
	if err == nil && check.damage == 0 && c.Archive != "" {
		err = c.compare(ctx, check)
	}
	if ctx.Err() != nil {
		return check, ctx.Err()
	}
	return check, locate(c.DB, err)
}

// checking is one check and what it has found.
type checking struct {
	conn    *sqlite.Conn
	path    string
	resting bool // nobody has it open
	report  bytes.Buffer
	screen  io.Writer // for progress
	damage  int
	orphans int // foreign keys that lead nowhere
	differ  int // pages that the archive has otherwise
}

// verdict is what it all comes to: an error if anything is wrong.
func (c *checking) verdict(out io.Writer) error {
	switch {
	case c.damage > 0:
		return advise(fmt.Errorf("%s is damaged", c.path),
			fill("restore a backup, or save what can be read: sqlite3 DB .recover | sqlite3 new.db", c.path))
	case c.orphans > 0:
		return advise(fmt.Errorf("%s is whole, but has foreign keys that lead nowhere", c.path),
			"add the missing rows, or delete those that name them: nothing repairs them by itself")
	}
	if c.differ > 0 {
		return advise(fmt.Errorf("%s is whole, but not as the archive has it", c.path),
			"if a program has it open, its last commits may be on their way: run it again; if none has, something wrote to the file: nearlite restore the archive beside it and compare")
	}
	_, err := fmt.Fprintf(out, "%s is whole.\n", c.path)
	return err
}

func (c *checking) run(quick bool) error {
	if err := c.describe(); err != nil {
		return c.found(err)
	}
	pragma := "integrity_check"
	if quick {
		pragma = "quick_check"
	}
	if err := c.structure(pragma); err != nil || quick {
		return c.found(err)
	}
	return c.found(c.foreignKeys())
}

// found turns SQLite's stumbling over damage into a finding of its own.
func (c *checking) found(err error) error {
	if !errors.Is(err, sqlite.CodeCorrupt) && !errors.Is(err, sqlite.CodeIOErrShortRead) {
		if err != nil {
			err = fmt.Errorf("check %s: %w", c.path, err)
		}
		return err
	}
	if c.damage++; c.damage == 1 {
		c.line("structure", "damaged: %v", located{c.path, err})
	}
	return nil
}

// line prints one line of the report.
func (c *checking) line(what, format string, args ...any) {
	fmt.Fprintf(&c.report, "%-13s %s\n", what, fmt.Sprintf(format, args...))
}

// describe prints what the database looks like from outside.
func (c *checking) describe() error {
	info, err := os.Stat(c.path)
	if err != nil {
		return err
	}
	var pages, pageSize, free int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "page_size": &pageSize, "freelist_count": &free} {
		if *into, err = c.number("PRAGMA " + pragma); err != nil {
			return err
		}
	}
	c.line("file", "%s", size(info.Size()))
	c.line("pages", "%d of %d bytes, %d of them free", pages, pageSize, free)
	journal := c.conn.QueryRow("PRAGMA journal_mode")
	if err := journal.Err(); err != nil {
		return err
	}
	switch mode := journal.Text(0); {
	case mode == "wal":
		c.line("journal", "%s", c.wal())
	case c.resting:
		c.line("journal", "WAL, empty; nobody has the database open")
	default:
		c.line("journal", "%s", mode)
	}
	return nil
}

// wal describes the write-ahead log.
func (c *checking) wal() string {
	info, err := os.Stat(c.path + "-wal")
	if err != nil || info.Size() == 0 {
		return "WAL, empty"
	}
	header, copied, ok := c.conn.WAL()
	if !ok {
		return "WAL of " + size(info.Size())
	}
	return fmt.Sprintf("WAL of %s, %d pages in use, %d of them not copied into the database yet",
		size(info.Size()), header.MaxFrame(), header.MaxFrame()-min(copied, header.MaxFrame()))
}

// structure runs SQLite's own check, which returns “ok” or a line for each fault.
func (c *checking) structure(pragma string) error {
	began := time.Now()
	turning := terminal.Spinner(c.screen, "reading every page")
	var faults []string
	var failed error
	for row, err := range c.conn.Query("PRAGMA " + pragma) {
		if failed = err; err == nil && row.Text(0) != "ok" {
			faults = append(faults, row.Text(0))
		}
	}
	turning.Clear()
	c.damage += len(faults)
	switch {
	case len(faults) > 0:
		c.line("structure", "damaged (%s, %.1f s)", pragma, time.Since(began).Seconds())
		for _, fault := range faults {
			fmt.Fprintln(&c.report, "  "+fault)
		}
	case failed == nil:
		c.line("structure", "ok (%s, %.1f s)", pragma, time.Since(began).Seconds())
	}
	return failed
}

// orphansShown is how many foreign keys of one table are named one by one.
const orphansShown = 10

// foreignKeys follows the foreign keys of one table after the other.
func (c *checking) foreignKeys() error {
	tables, err := c.tables()
	if err != nil {
		return err
	}
	began := time.Now()
	bar := terminal.Steps(c.screen, "foreign keys", int64(len(tables)))
	var lines []string
	for i, table := range tables {
		found, err := c.orphansOf(table)
		if err != nil {
			bar.Clear()
			return err
		}
		lines = append(lines, found...)
		bar.Set(int64(i+1), int64(len(tables)))
	}
	bar.Clear()
	if c.orphans == 0 {
		c.line("foreign keys", "ok (%.1f s)", time.Since(began).Seconds())
		return nil
	}
	c.line("foreign keys", "%d lead nowhere", c.orphans)
	for _, line := range lines {
		fmt.Fprintln(&c.report, "  "+line)
	}
	return nil
}

func (c *checking) orphansOf(table string) (lines []string, err error) {
	count := 0
	for row, err := range c.conn.Query("SELECT rowid, parent FROM pragma_foreign_key_check(?)", table) {
		if err != nil {
			return nil, fmt.Errorf("follow the foreign keys of %s: %w", table, err)
		}
		if count++; count <= orphansShown {
			lines = append(lines, fmt.Sprintf("%s: %s has no parent in %s", table, rowName(row), row.Text(1)))
		}
	}
	if count > orphansShown {
		lines = append(lines, fmt.Sprintf("%s: and %d more", table, count-orphansShown))
	}
	c.orphans += count
	return lines, nil
}

// rowName names a row of a violation; one of a table WITHOUT ROWID has no number.
func rowName(row sqlite.Row) string {
	if row.IsNull(0) {
		return "a row"
	}
	return fmt.Sprintf("row %d", row.Int64(0))
}

func (c *checking) tables() (names []string, err error) {
	for row, err := range c.conn.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name") {
		if err != nil {
			return nil, fmt.Errorf("list the tables: %w", err)
		}
		names = append(names, row.Text(0))
	}
	return names, nil
}

func (c *checking) number(sql string) (int64, error) {
	row := c.conn.QueryRow(sql)
	if err := row.Err(); err != nil {
		return 0, err
	}
	return row.Int64(0), nil
}

// size writes a number of bytes for people.
func size(bytes int64) string {
	const unit = 1024
	if bytes < unit {
		return fmt.Sprintf("%d bytes", bytes)
	}
	value, prefix := float64(bytes)/unit, 0
	for ; value >= unit; prefix++ {
		value /= unit
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[prefix])
}
