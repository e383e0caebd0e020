package main

import (
	"context"

	"github.com/nearlite/nearlite/cmd/nearlite/shell"
)

// ShellCmd is nearlite shell.
type ShellCmd struct {
	DB       string   `arg:"" name:"db" help:"The database; a new one is made if it is not there."`
	SQL      []string `arg:"" optional:"" name:"sql" help:"Statements to run, instead of a prompt or what comes through a pipe."`
	Mode     string   `enum:"table,json,csv,line" default:"table" placeholder:"MODE" help:"How results are printed: table, json, csv or line (default: ${default})."`
	ReadOnly bool     `name:"readonly" help:"Refuse to write, and to make a new database."`
}

// Help is the end of nearlite shell --help.
func (ShellCmd) Help() string {
	return `Without SQL it reads a terminal or a pipe. A script stops at its first error. Other
programs may use the database at the same time.

  nearlite shell app.db
  nearlite shell app.db "SELECT name FROM account" --mode csv
  nearlite shell app.db < schema.sql
  nearlite shell app.db .dump | sqlite3 copy.db`
}

// Run runs the shell.
func (c *ShellCmd) Run(ctx context.Context, env *Env) error {
	if err := mayOpen(c.DB, c.ReadOnly); err != nil {
		return err
	}
	return locate(c.DB, shell.Run(ctx, shell.Config{
		Path:       c.DB,
		ReadOnly:   c.ReadOnly,
		Mode:       shell.Mode(c.Mode),
		Statements: c.SQL,
		Stdin:      env.Stdin,
		Stdout:     env.Stdout,
		Stderr:     env.Stderr,
		PrintError: func(err error) { printError(env.Stderr, locate(c.DB, err)) },
	}))
}
