package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
)

// runRemote makes a backup of a database that a server has.
func (c *BackupCmd) runRemote(ctx context.Context, env *Env) error {
	client, err := newClient(c.DB, c.Token)
	if err != nil {
		return err
	}
	if err := c.mayMake(); err != nil {
		return err
	}
	return c.make(ctx, env, func(temporary string) error { return c.fetch(ctx, env, client, temporary) })
}

// fetch has the server make a copy, and keeps it.
func (c *BackupCmd) fetch(ctx context.Context, env *Env, client *client, to string) (err error) {
	turning := terminal.Spinner(env.Stderr, "the server makes a copy")
	resp, err := client.do(ctx, http.MethodGet, "v1/backup", nil)
	turning.Clear()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	bar := terminal.Bytes(env.Stderr, "fetch", resp.ContentLength)
	defer bar.Clear()
	n, err := io.Copy(f, &watchedReader{r: resp.Body, total: resp.ContentLength,
		progress: func(_ string, done, total int64) { bar.Set(done, total) }})
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("fetch the backup: %w", err)
	case resp.ContentLength >= 0 && n != resp.ContentLength:
		return fmt.Errorf("fetch the backup: %d of %d bytes came: %w", n, resp.ContentLength, io.ErrUnexpectedEOF)
	}
	return f.Sync()
}
