package main

import (
	"context"
	"fmt"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/blob"
)

// BlobRmCmd is nearlite blob rm.
type BlobRmCmd struct {
	blobStore
	Names     []string `arg:"" name:"name" help:"The objects."`
	Recursive bool     `short:"r" help:"Delete what is below directories of these names, too."`
}

// Help is the end of nearlite blob rm --help.
func (BlobRmCmd) Help() string {
	return `Named objects go together or, if one is not there, not at all. The space is used
again by what is stored next: that of large objects after a minute, in which those
who are reading them may finish.

  nearlite blob rm app.db images/cat.png images/dog.png
  nearlite blob rm app.db --recursive images`
}

// Run deletes the objects.
func (c *BlobRmCmd) Run(ctx context.Context, env *Env) error {
	if err := isFile(c.DB); err != nil {
		return locate(c.DB, err)
	}
	for _, name := range c.Names {
		if err := c.checkName("delete", name); err != nil {
			return err
		}
	}
	store, db, err := c.open(ctx, env, toWrite)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Recursive {
		err = c.recursive(ctx, env, store, db)
	} else {
		err = db.Update(ctx, func(tx *nearlite.WriteTx) error {
			for _, name := range c.Names {
				if err := store.Delete(tx, name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return c.explain(err)
	}
	sweep(ctx, store, db)
	return c.explain(db.Close())
}

// recursive deletes the objects of these names and all below, some hundred in a
// transaction, since there may be millions.
func (c *BlobRmCmd) recursive(ctx context.Context, env *Env, store *blob.Store, db *nearlite.DB) error {
	total := 0
	for _, name := range c.Names {
		found := 0
		for _, prefix := range []string{name, name + "/"} {
			n, err := removeAll(ctx, store, db, prefix, prefix == name)
			if found += n; err != nil {
				return err
			}
		}
		if found == 0 {
			return &blob.Error{Op: "delete", Name: name, Err: blob.ErrNotExist}
		}
		total += found
	}
	_, err := fmt.Fprintln(env.Stdout, plural(int64(total), "object"), "deleted")
	return err
}

// removeAll deletes the objects that begin with prefix, or are called so.
func removeAll(ctx context.Context, store *blob.Store, db *nearlite.DB, prefix string, exactly bool) (deleted int, err error) {
	const most = 500
	for n := most; n == most; deleted += n {
		err := db.Update(ctx, func(tx *nearlite.WriteTx) error {
			n = 0
			for info, err := range store.List(tx, prefix) {
				if err != nil {
					return err
				}
				if n == most || exactly && info.Name != prefix {
					return nil
				}
				if err := store.Delete(tx, info.Name); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}
