package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/nearlite/nearlite/blob"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
)

// BlobPutCmd is nearlite blob put.
type BlobPutCmd struct {
	blobStore
	Name string `arg:"" name:"name" help:"What the object is called; it replaces one of that name."`
	File string `arg:"" optional:"" name:"file" help:"The file to store (default: standard input)."`
	Type string `placeholder:"TYPE" help:"Content type to keep with it, such as image/png."`
}

// Help is the end of nearlite blob put --help.
func (BlobPutCmd) Help() string {
	return `The object is there when all of it is; others may write meanwhile.

  nearlite blob put app.db images/cat.png cat.png
  tar c photos | nearlite blob put app.db photos.tar --type application/x-tar`
}

// Run stores the object.
func (c *BlobPutCmd) Run(ctx context.Context, env *Env) error {
	if err := c.checkName("put", c.Name); err != nil {
		return err
	}
	from, total, opts := interruptible(ctx, env.Stdin), int64(-1), blob.PutOptions{ContentType: c.Type}
	if c.File != "" && c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return locate(c.File, err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return locate(c.File, err)
		}
		if info.IsDir() {
			return advise(fmt.Errorf("put %s: it is a directory", c.File), "nearlite blob import "+quoteArg(c.DB)+" "+quoteArg(c.File))
		}
		from, total, opts.ModTime = file, info.Size(), info.ModTime()
	}
	store, db, err := c.open(ctx, env, toWrite)
	if err != nil {
		return err
	}
	defer db.Close()
	bar := terminal.Bytes(env.Stderr, "put", total)
	_, err = store.Upload(ctx, db, c.Name, &barReader{from, bar, 0, total}, &opts)
	bar.Clear()
	if err != nil {
		return c.explain(err)
	}
	sweep(ctx, store, db)
	return c.explain(db.Close())
}

// barReader moves a bar while it is read.
type barReader struct {
	r           io.Reader
	bar         *terminal.Bar
	done, total int64
}

// Read reads.
func (b *barReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.done += int64(n)
	b.bar.Set(b.done, b.total)
	return n, err
}

// interruptible is a reader that ends with ctx even while r waits, for a pipe
// that nothing comes through. The goroutine that waits ends with the process.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{in}, struct{ io.Reader }{r}, make([]byte, 256<<10))
		in.CloseWithError(err)
	}()
	return out
}
