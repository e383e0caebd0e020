package main

import (
	"context"
	"fmt"
)

// DBRenameCmd is nearlite db rename.
type DBRenameCmd struct {
	where
	From string `arg:"" help:"The database."`
	To   string `arg:"" help:"Its new name."`
}

// Help is the end of nearlite db rename --help.
func (DBRenameCmd) Help() string {
	return `Streams that are open go on; the old name is free at once.

  nearlite db rename data shop shop-2025`
}

// Run renames the database.
func (c *DBRenameCmd) Run(ctx context.Context, env *Env) error {
	return c.with(ctx, env, false, func(d databases) error {
		err := d.Rename(ctx, c.From, c.To)
		if err == nil {
			_, err = fmt.Fprintf(env.Stdout, "%s: now %s\n", c.From, c.To)
		}
		return err
	})
}
