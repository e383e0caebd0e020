package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/blob"
)

// BlobLsCmd is nearlite blob ls.
type BlobLsCmd struct {
	blobStore
	Prefix string `arg:"" optional:"" name:"prefix" help:"Only names that begin so."`
	Long   bool   `short:"l" help:"With size, modification time and content type."`
	JSON   bool   `name:"json" help:"A JSON object a line, with the SHA-256."`
}

// Help is the end of nearlite blob ls --help.
func (BlobLsCmd) Help() string {
	return `A name that would disturb the terminal is printed in quotes; --json has it exactly.

  nearlite blob ls app.db
  nearlite blob ls app.db images/ -l
  nearlite blob ls app.db --json | jq -r 'select(.size > 1e6) | .name'`
}

// Run lists the objects.
func (c *BlobLsCmd) Run(ctx context.Context, env *Env) error {
	store, db, err := c.open(ctx, env, toRead)
	if err != nil {
		return err
	}
	defer db.Close()
	out := bufio.NewWriter(env.Stdout)
	print := c.printer(out)
	// A snapshot for some thousand objects at a time: whoever reads the pipe may be slow.
	const most = 4096
	for from, n := "", most; n == most; {
		var page []blob.Info
		err := db.View(ctx, func(tx *nearlite.ReadTx) error {
			for info, err := range store.ListFrom(tx, c.Prefix, from) {
				if err != nil || len(page) == most {
					return err
				}
				page = append(page, info)
			}
			return nil
		})
		if err != nil {
			return c.explain(err)
		}
		for _, info := range page {
			if err := errors.Join(print(info), ctx.Err()); err != nil {
				return err
			}
			from = info.Name + "\x00"
		}
		n = len(page)
	}
	return out.Flush()
}

// printer returns what prints one object.
func (c *BlobLsCmd) printer(out io.Writer) func(blob.Info) error {
	switch {
	case c.JSON:
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		return func(i blob.Info) error {
			return encoder.Encode(struct {
				Name    string    `json:"name"`
				Size    int64     `json:"size"`
				ModTime time.Time `json:"mtime"`
				Type    string    `json:"type"`
				SHA256  string    `json:"sha256"`
			}{i.Name, i.Size, i.ModTime.UTC(), i.ContentType, hex.EncodeToString(i.SHA256[:])})
		}
	case c.Long:
		return func(i blob.Info) error {
			kind := "-"
			if i.ContentType != "" {
				kind = i.ContentType
			}
			_, err := fmt.Fprintf(out, "%14d  %s  %-24s  %s\n", i.Size, i.ModTime.Format("2006-01-02 15:04:05"), printable(kind), printable(i.Name))
			return err
		}
	}
	return func(i blob.Info) error {
		_, err := fmt.Fprintln(out, printable(i.Name))
		return err
	}
}
