package main

import (
	"context"
	"fmt"
)

// DBCreateCmd is nearlite db create.
type DBCreateCmd struct {
	where
	Name string `arg:"" help:"Its name: 1 to 64 of a-z 0-9 - _ . with a letter or digit first."`
	limitFlags
}

// Help is the end of nearlite db create --help.
func (DBCreateCmd) Help() string {
	return `Clients reach it as NAME.host, at the path /db/NAME/, or by the header x-nearlite-database.

  nearlite db create data shop
  nearlite db create data tenant-7 --max-size 1GiB --writer-share 0.2
  nearlite db create http://127.0.0.1:8080 shop`
}

// Run makes the database.
func (c *DBCreateCmd) Run(ctx context.Context, env *Env) error {
	return c.with(ctx, env, true, func(d databases) error {
		cfg := c.changed()
		i, err := d.Create(ctx, c.Name, &cfg)
		if err == nil {
			_, err = fmt.Fprintf(env.Stdout, "%s: created, with the id %s\n", i.Name, i.ID)
		}
		return err
	})
}
