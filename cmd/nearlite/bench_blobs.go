package main

import (
	"context"

	"github.com/nearlite/nearlite/bench"
)

// BlobsCmd is nearlite bench blobs.
type BlobsCmd struct {
	DB       string   `name:"db" default:"blobs.db" placeholder:"PATH" help:"The database; made and filled if it is not there, and so are its like beside it, PATH.store, PATH.flat and PATH.tree (default: ${default})."`
	Count    int      `default:"100000" placeholder:"N" help:"How many blobs there are, and how many a round reads (default: ${default})."`
	Size     int      `default:"10000" placeholder:"BYTES" help:"Their size on the average (default: ${default})."`
	Variance int      `default:"2000" placeholder:"BYTES" help:"How much smaller or larger one is at most (default: ${default})."`
	PageSize int      `placeholder:"BYTES" help:"Pages of a new database (default: the engine's)."`
	Order    string   `enum:"random,asc,desc" default:"random" placeholder:"ORDER" help:"random, asc or desc (default: ${default})."`
	API      []string `name:"api" enum:"sql,unmapped,store,blob,mmap" default:"sql,unmapped,store,blob,mmap" placeholder:"API" help:"Ways to a blob in the database: sql: View and Update; unmapped: the same with nothing mapped; store: package blob; blob: a blob handle, unmapped; mmap: a blob handle on a mapped file (default: all)."`
	Rounds   int      `default:"5" placeholder:"N" help:"Rounds that count, after one that does not (default: ${default})."`

	Update     bool `help:"Overwrite a tenth of the blobs, too."`
	NoSync     bool `name:"nosync" help:"The database never waits for the disk, as files do not (default: it does before a checkpoint)."`
	Fsync      bool `name:"fsync" help:"Files are on disk when they are closed, the database when a transaction is over."`
	MultiTrans bool `name:"multitrans" help:"Each blob in a transaction of its own (default: a round is one)."`
	Cold       bool `help:"Make the operating system forget the files before each round."`
	Article    bool `help:"All the article measures: its five charts, each with what it says beside it, and the sweep."`
	Sweep      bool `help:"Also find the size of blobs at which files become faster."`

	JSON string `name:"json" placeholder:"FILE" help:"Record the figures, the settings and the machine in FILE."`
}

// Help is the end of nearlite bench blobs --help.
func (BlobsCmd) Help() string {
	return `The measurements of “35% Faster Than The Filesystem”: the same blobs in a database
and in files, flat and as a tree, in turns. A ratio is the files' time divided by
the database's: above 1 the database is faster.

  nearlite bench blobs --count 10000
  nearlite bench blobs --update --fsync --json blobs.json
  nearlite bench blobs --article --json blobs.json`
}

// Run runs the workload and prints what it came to.
func (c *BlobsCmd) Run(ctx context.Context, env *Env) error {
	if err := mayBench(c.DB, c.JSON); err != nil {
		return err
	}
	apis := make([]bench.BlobAPI, len(c.API))
	for i, api := range c.API {
		apis[i] = bench.BlobAPI(api)
	}
	report, err := bench.Blobs{
		DB:         c.DB,
		Count:      c.Count,
		Size:       c.Size,
		Variance:   c.Variance,
		PageSize:   c.PageSize,
		Order:      bench.BlobOrder(c.Order),
		APIs:       apis,
		Rounds:     c.Rounds,
		Update:     c.Update,
		NoSync:     c.NoSync,
		Fsync:      c.Fsync,
		MultiTrans: c.MultiTrans,
		Cold:       c.Cold,
		Article:    c.Article,
		Sweep:      c.Sweep,
		Progress:   progressOn(env.Stderr),
	}.Run(ctx)
	if err != nil {
		return locate(c.DB, err)
	}
	return publish(env, report, c.JSON)
}
