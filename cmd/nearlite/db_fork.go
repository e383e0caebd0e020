package main

import (
	"context"
	"fmt"
)

// DBForkCmd is nearlite db fork.
type DBForkCmd struct {
	where
	From string `arg:"" help:"The database to copy."`
	To   string `arg:"" help:"The name of the copy."`
}

// Help is the end of nearlite db fork --help.
func (DBForkCmd) Help() string {
	return `The copy is one consistent state; the other is read and written meanwhile.

  nearlite db fork data shop shop-before-migration
  nearlite db fork http://127.0.0.1:8080 shop shop-test`
}

// Run copies the database.
func (c *DBForkCmd) Run(ctx context.Context, env *Env) error {
	return c.with(ctx, env, false, func(d databases) error {
		i, err := d.Fork(ctx, c.From, c.To)
		if err == nil {
			_, err = fmt.Fprintf(env.Stdout, "%s: forked from %s, %s, with the id %s\n", i.Name, c.From, size(i.Bytes), i.ID)
		}
		return err
	})
}
