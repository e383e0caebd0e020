package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nearlite/nearlite/catalog"
)

// DBConfigCmd is nearlite db config.
type DBConfigCmd struct {
	where
	Name string `arg:"" help:"The database."`
	limitFlags
	JSON bool `help:"Print JSON."`
}

// limitFlags are the configuration of a database. A nil pointer leaves it as it is.
type limitFlags struct {
	MaxSize     *byteSize `placeholder:"SIZE" help:"Largest size of the database file; 0: no limit."`
	WriterShare *float64  `placeholder:"PART" help:"Largest part of the time its writer may work, from 0 to 1; 0: all."`
	MaxReaders  *int      `placeholder:"N" help:"Snapshots open at a time; 0: as the server has it."`
	Cache       *byteSize `placeholder:"SIZE" help:"Memory for its pages while it is open; 0: as the server has it."`
	BlockReads  *bool     `negatable:"" help:"Refuse to read it."`
	BlockWrites *bool     `negatable:"" help:"Refuse to write to it."`
	Reason      *string   `placeholder:"TEXT" help:"What clients are told who are refused."`
}

// Help is the end of nearlite db config --help.
func (DBConfigCmd) Help() string {
	return `Without a flag it is shown. Changes reach those who use the database at once, but for
--max-readers and --cache, which wait until nobody does.

  nearlite db config data shop
  nearlite db config data shop --max-size 10GiB --writer-share 0.5
  nearlite db config http://127.0.0.1:8080 shop --block-writes --reason "moving house"
  nearlite db config http://127.0.0.1:8080 shop --no-block-writes`
}

// Run shows or changes the configuration.
func (c *DBConfigCmd) Run(ctx context.Context, env *Env) error {
	return c.with(ctx, env, false, func(d databases) error {
		i, err := d.Lookup(ctx, c.Name)
		if err != nil {
			return err
		}
		if c.limitFlags != (limitFlags{}) {
			i.Config = c.change(i.Config)
			if err := d.Configure(ctx, c.Name, i.Config); err != nil {
				return err
			}
		}
		if c.JSON {
			return json.NewEncoder(env.Stdout).Encode(i.Config)
		}
		text := limitsOf(i.Config)
		if text == "" {
			text = "no limits"
		}
		_, err = fmt.Fprintf(env.Stdout, "%s: %s\n", c.Name, text)
		return err
	})
}

// changed is the configuration of a new database.
func (l *limitFlags) changed() catalog.Config { return l.change(catalog.Config{}) }

// change returns a configuration with what the flags say.
func (l *limitFlags) change(cfg catalog.Config) catalog.Config {
	if l.MaxSize != nil {
		cfg.MaxBytes = int64(*l.MaxSize)
	}
	if l.WriterShare != nil {
		cfg.WriterShare = *l.WriterShare
	}
	if l.MaxReaders != nil {
		cfg.MaxReaders = *l.MaxReaders
	}
	if l.Cache != nil {
		cfg.CacheBytes = int64(*l.Cache)
	}
	if l.BlockReads != nil {
		cfg.BlockReads = *l.BlockReads
	}
	if l.BlockWrites != nil {
		cfg.BlockWrites = *l.BlockWrites
	}
	if l.Reason != nil {
		cfg.BlockReason = *l.Reason
	}
	return cfg
}
