package main

import (
	"context"
	"fmt"
)

// DBDeleteCmd is nearlite db delete.
type DBDeleteCmd struct {
	where
	Name string `arg:"" help:"The database."`
	Yes  bool   `help:"Yes, all that is in it."`
}

// Help is the end of nearlite db delete --help.
func (DBDeleteCmd) Help() string {
	return `What runs on it is interrupted, and its files go. The name can be used again, for
another database.

  nearlite db delete data shop-test --yes`
}

// Run deletes the database.
func (c *DBDeleteCmd) Run(ctx context.Context, env *Env) error {
	return c.with(ctx, env, false, func(d databases) error {
		i, err := d.Lookup(ctx, c.Name)
		if err != nil {
			return err
		}
		if !c.Yes {
			return advise(fmt.Errorf("delete database %q: its %s could not be brought back", c.Name, size(i.Bytes)),
				"nearlite db delete "+quoteArg(c.Where)+" "+c.Name+" --yes")
		}
		if err := d.Delete(ctx, c.Name); err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "%s: deleted, %s\n", c.Name, size(i.Bytes))
		return err
	})
}
