package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/storage"
)

// DBCmd works on the databases of a directory or of a server: nearlite db VERB.
type DBCmd struct {
	List   DBListCmd   `cmd:"" help:"List the databases."`
	Create DBCreateCmd `cmd:"" help:"Make an empty database."`
	Fork   DBForkCmd   `cmd:"" help:"Copy a database while it is used."`
	Rename DBRenameCmd `cmd:"" help:"Give a database another name."`
	Delete DBDeleteCmd `cmd:"" help:"Delete a database for good."`
	Config DBConfigCmd `cmd:"" help:"Show or change the limits of a database."`
}

// where says whose databases a verb works on.
type where struct {
	Where   string `arg:"" name:"where" help:"The directory of the databases, or the URL of the server that has it."`
	Archive string `env:"NEARLITE_ARCHIVE" placeholder:"URL" help:"The archive of a directory that has one, as it is given to “nearlite serve”."`
	Token   string `env:"NEARLITE_TOKEN" placeholder:"TOKEN" help:"Token for the server, from “nearlite token create”; better in the environment, as NEARLITE_TOKEN."`
}

// databases are those of a directory or of a server.
type databases interface {
	List(ctx context.Context, prefix string) ([]catalog.Info, error)
	Lookup(ctx context.Context, name string) (catalog.Info, error)
	Create(ctx context.Context, name string, cfg *catalog.Config) (catalog.Info, error)
	Fork(ctx context.Context, from, to string) (catalog.Info, error)
	Rename(ctx context.Context, from, to string) error
	Delete(ctx context.Context, name string) error
	Configure(ctx context.Context, name string, cfg catalog.Config) error
	// Taken reports whether an import under that name would overwrite something. An
	// empty database is nothing, if nobody could be writing to it.
	Taken(ctx context.Context, name string) (bool, error)
	// Import makes a database of a file; "-" is SQL from standard input. One that
	// is there is replaced if that is asked for.
	Import(ctx context.Context, name, path string, opts *catalog.ImportOptions) (catalog.Info, error)
	Close() error
}

// with opens the databases for f, and explains its error. Only a verb that makes
// something makes the directory.
func (w *where) with(ctx context.Context, env *Env, makes bool, f func(databases) error) error {
	d, err := w.open(ctx, env, makes)
	if err != nil {
		return err
	}
	return w.explain(errors.Join(f(d), d.Close()))
}

func (w *where) open(ctx context.Context, env *Env, makes bool) (databases, error) {
	if strings.HasPrefix(w.Where, "http://") || strings.HasPrefix(w.Where, "https://") {
		if w.Archive != os.Getenv("NEARLITE_ARCHIVE") { // there it is for whoever needs it, and no mistake
			return nil, advise(errors.New("--archive is for a directory: a server has its own"), "without --archive")
		}
		return newRemote(w.Where, w.Token, env)
	}
	if _, err := os.Stat(filepath.Join(w.Where, "catalog.db")); !makes && errors.Is(err, fs.ErrNotExist) {
		return nil, advise(fmt.Errorf("%s has no databases: there is no catalog.db in it", w.Where),
			"name the directory that was given to “nearlite serve”, or the URL of a server")
	}
	o := &catalog.Options{Logger: slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if w.Archive != "" {
		store, err := openStore(ctx, w.Archive, false)
		if err != nil {
			return nil, err
		}
		o.Archive = store
	}
	c, err := catalog.Open(ctx, w.Where, o)
	if err != nil {
		return nil, errors.Join(w.explain(err), closeStore(o.Archive))
	}
	return directory{c, o.Archive, env}, nil
}

// closeStore closes a store, if there is one.
func closeStore(s storage.Store) error {
	if s == nil {
		return nil
	}
	return s.Close()
}

// explain attaches to an error what to try.
func (w *where) explain(err error) error {
	switch at := quoteArg(w.Where); {
	case err == nil:
		return nil
	case errors.Is(err, catalog.ErrLocked):
		return advise(err, "give the URL of that server in the place of the directory: nearlite db list http://127.0.0.1:8080")
	case errors.Is(err, catalog.ErrArchived):
		return advise(err, "--archive URL, as “nearlite serve” has it")
	case errors.Is(err, catalog.ErrNotFound):
		return advise(err, "nearlite db list "+at)
	case errors.Is(err, catalog.ErrExists):
		return advise(err, "another name, or --replace where the verb has it; “nearlite db list "+at+"” lists those that are taken")
	case errors.Is(err, catalog.ErrName):
		return advise(err, "1 to 64 of the characters a-z 0-9 - _ . and a letter or digit first")
	}
	if l := (located{}); errors.As(err, &l) {
		return err // it is about what is imported
	}
	return locate(w.Where, err)
}

// directory is the databases of a directory that no server has.
type directory struct {
	*catalog.Catalog
	store storage.Store // of its archive; nil: there is none
	env   *Env
}

// Close closes the catalog, and then its archive.
func (d directory) Close() error { return errors.Join(d.Catalog.Close(), closeStore(d.store)) }

// List returns all databases whose names begin with prefix.
func (d directory) List(ctx context.Context, prefix string) ([]catalog.Info, error) {
	return d.Catalog.List(ctx, prefix, "", 0)
}

// Import reads a file, or standard input.
func (d directory) Import(ctx context.Context, name, path string, opts *catalog.ImportOptions) (catalog.Info, error) {
	opts.Replace = true // Taken has been asked
	if path == "-" {
		return d.ImportSQL(ctx, name, d.env.Stdin, opts)
	}
	return d.Catalog.Import(ctx, name, path, opts)
}

// Taken reports whether a database is there and has a table. Nobody can make one
// meanwhile, since this process has the directory.
func (d directory) Taken(ctx context.Context, name string) (taken bool, err error) {
	h, err := d.Acquire(ctx, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer h.Release()
	err = h.DB().View(ctx, func(tx *nearlite.ReadTx) error {
		n, err := nearlite.One[int](tx, "SELECT count(*) FROM sqlite_schema")
		taken = n > 0
		return err
	})
	return taken, err
}
