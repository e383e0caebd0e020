package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nearlite/nearlite/catalog"
)

// DBListCmd is nearlite db list.
type DBListCmd struct {
	where
	Prefix string `arg:"" optional:"" help:"Only those whose names begin so."`
	JSON   bool   `help:"One JSON object a line."`
}

// Help is the end of nearlite db list --help.
func (DBListCmd) Help() string {
	return `Each has its limits behind it, as the flags of “nearlite db config” that make them.

  nearlite db list data
  nearlite db list data tenant-
  nearlite db list http://127.0.0.1:8080 --json | jq -r 'select(.bytes > 1e9).name'`
}

// Run prints the list.
func (c *DBListCmd) Run(ctx context.Context, env *Env) error {
	return c.with(ctx, env, false, func(d databases) error {
		list, err := d.List(ctx, c.Prefix)
		if err != nil {
			return err
		}
		if c.JSON {
			out := json.NewEncoder(env.Stdout)
			for _, i := range list {
				if err := out.Encode(i); err != nil {
					return err
				}
			}
			return nil
		}
		out := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "NAME\tSIZE\tCREATED\tID\tLIMITS")
		for _, i := range list {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", i.Name, size(i.Bytes), i.Created.Local().Format(time.DateTime), i.ID, limitsOf(i.Config))
		}
		return out.Flush()
	})
}

// limitsOf writes a configuration in one line, as the flags that make it.
func limitsOf(cfg catalog.Config) string {
	var flags []string
	add := func(condition bool, format string, args ...any) {
		if condition {
			flags = append(flags, fmt.Sprintf(format, args...))
		}
	}
	add(cfg.MaxBytes > 0, "--max-size=%s", exactSize(cfg.MaxBytes))
	add(cfg.WriterShare > 0, "--writer-share=%v", cfg.WriterShare)
	add(cfg.MaxReaders > 0, "--max-readers=%d", cfg.MaxReaders)
	add(cfg.CacheBytes > 0, "--cache=%s", exactSize(cfg.CacheBytes))
	add(cfg.BlockReads, "--block-reads")
	add(cfg.BlockWrites, "--block-writes")
	add(cfg.BlockReason != "", "--reason=%s", quoteArg(cfg.BlockReason))
	return strings.Join(flags, " ")
}

// exactSize writes a number of bytes as the flags take it, in the largest unit that
// it is a whole number of.
func exactSize(bytes int64) string {
	for _, u := range []struct {
		bytes int64
		name  string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if bytes%u.bytes == 0 {
			return fmt.Sprintf("%d%s", bytes/u.bytes, u.name)
		}
	}
	return fmt.Sprint(bytes)
}
