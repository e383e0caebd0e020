package main

import (
	"context"
	"errors"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/cmd/nearlite/shell"
)

// ShellCmd is nearlite shell.
type ShellCmd struct {
	DB         string   `arg:"" name:"db" help:"The database, made if it is not there; or the URL of a server that has it."`
	SQL        []string `arg:"" optional:"" name:"sql" help:"Statements to run, instead of a prompt or what comes through a pipe."`
	Mode       string   `enum:"table,json,csv,line" default:"table" placeholder:"MODE" help:"How results are printed: table, json, csv or line (default: ${default})."`
	Token      string   `env:"NEARLITE_TOKEN" placeholder:"TOKEN" help:"Token for the server; better in the environment, as NEARLITE_TOKEN."`
	Archive    string   `placeholder:"URL" help:"Where its commits go beyond this disk, and where it comes from if it is not there: a directory or s3://BUCKET/PREFIX."`
	Durability string   `enum:"full,normal,archived" default:"full" placeholder:"MODE" help:"What a commit waits for: full, the disk; normal, nothing; archived, the archive (default: ${default})."`
	ReadOnly   bool     `name:"readonly" help:"Refuse to write, and to make a new database."`
}

// Help is the end of nearlite shell --help.
func (ShellCmd) Help() string {
	return `Without SQL it reads a terminal or a pipe. A script stops at its first error. Other
programs may use the database at the same time. On a server each statement is a
transaction of its own.

  nearlite shell app.db
  nearlite shell app.db "SELECT name FROM account" --mode csv
  nearlite shell app.db < schema.sql
  nearlite shell app.db .dump | sqlite3 copy.db
  nearlite shell app.db --archive /mnt/backup/app
  nearlite shell http://127.0.0.1:8080/db/shop "SELECT name FROM account"`
}

// Run runs the shell.
func (c *ShellCmd) Run(ctx context.Context, env *Env) error {
	var remote shell.Remote
	if err := c.checkArchive(); err != nil {
		return err
	}
	if isURL(c.DB) {
		if c.ReadOnly {
			return advise(errors.New("--readonly is for files: on a server the token says what may be done"), "nearlite token create --help")
		}
		client, err := newClient(c.DB, c.Token)
		if err != nil {
			return err
		}
		remote = remoteShell{client}
	} else if err := mayOpen(c.DB, c.ReadOnly); err != nil {
		return err
	}
	var log nearlite.Log
	if c.Archive != "" {
		a, done, err := openArchive(ctx, c.Archive, false)
		if err != nil {
			return err
		}
		defer done()
		log = a
	}
	return locate(c.DB, shell.Run(ctx, shell.Config{
		Log:        log,
		Durability: durabilities[c.Durability],
		Path:       c.DB,
		Remote:     remote,
		ReadOnly:   c.ReadOnly,
		Mode:       shell.Mode(c.Mode),
		Statements: c.SQL,
		Stdin:      env.Stdin,
		Stdout:     env.Stdout,
		Stderr:     env.Stderr,
		PrintError: func(err error) { printError(env.Stderr, locate(c.DB, err)) },
	}))
}

// checkArchive refuses an archive for what has none, and one that nobody named.
func (c *ShellCmd) checkArchive() error {
	switch {
	case c.Durability == "archived" && c.Archive == "":
		return advise(errors.New("--durability archived needs an --archive"), "--archive URL")
	case isURL(c.DB) && (c.Archive != "" || c.Durability != "full"):
		return advise(errors.New("--archive and --durability are for files: a server has its own"), "nearlite serve --help")
	case c.ReadOnly && c.Archive != "":
		return advise(errors.New("--readonly and --archive: who only reads has nothing to archive"), "“nearlite check DB --archive URL” compares the two")
	}
	return nil
}
