package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
)

// BlobGetCmd is nearlite blob get.
type BlobGetCmd struct {
	blobStore
	Name  string `arg:"" name:"name" help:"The object."`
	File  string `arg:"" optional:"" name:"file" help:"The file to make (default: standard output)."`
	Force bool   `help:"Replace FILE if it is there."`
}

// Help is the end of nearlite blob get --help.
func (BlobGetCmd) Help() string {
	return `A file has its name when all of it is there, and the object's modification time.

  nearlite blob get app.db images/cat.png cat.png
  nearlite blob get app.db photos.tar | tar t`
}

// Run writes the object out.
func (c *BlobGetCmd) Run(ctx context.Context, env *Env) error {
	if err := c.checkName("get", c.Name); err != nil {
		return err
	}
	store, db, err := c.open(ctx, env, toRead)
	if err != nil {
		return err
	}
	defer db.Close()
	in, err := store.FS(db).Open(c.Name)
	if err != nil {
		return c.explain(err)
	}
	defer in.Close()
	stat, err := in.Stat()
	if err != nil {
		return c.explain(err)
	}
	if stat.IsDir() {
		return advise(fmt.Errorf("get %s: it is a directory", printable(c.Name)), "nearlite blob export "+quoteArg(c.DB)+" DIRECTORY --dir "+quoteArg(c.Name))
	}
	if c.File == "" || c.File == "-" {
		_, err := io.Copy(env.Stdout, contextReader{ctx, in})
		return c.explain(err)
	}
	bar := terminal.Bytes(env.Stderr, "get", stat.Size())
	defer bar.Clear()
	err = makeFile(c.File, c.Force, stat.ModTime(), func(out io.Writer) error {
		_, err := io.Copy(out, &barReader{contextReader{ctx, in}, bar, 0, stat.Size()})
		return err
	})
	if errors.Is(err, fs.ErrExist) {
		return c.explain(err)
	}
	return locate(c.File, err)
}

// makeFile fills a file and gives it its name when that has worked.
func makeFile(name string, force bool, modified time.Time, fill func(io.Writer) error) error {
	if exists(name) && !force {
		return fmt.Errorf("make %s: %w", name, fs.ErrExist)
	}
	temporary := fmt.Sprintf("%s.new-%d", name, os.Getpid())
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	err = fill(file)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Chtimes(temporary, modified, modified)
	}
	if err == nil {
		err = os.Rename(temporary, name)
	}
	return err
}

// contextReader ends when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read reads, unless the context has ended.
func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
