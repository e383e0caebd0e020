package main

import (
	"context"
	"time"

	"github.com/nearlite/nearlite/bench"
)

// ReadsCmd is nearlite bench reads.
type ReadsCmd struct {
	DB      string  `name:"db" placeholder:"PATH" help:"The database; made and filled if it is not there (default: ledger.db for point, onerow.db for onerow, perftest.db else)."`
	Query   string  `enum:"perftest,onerow,point,select1" default:"point" placeholder:"QUERY" help:"perftest: ten rows by a random range of an index; onerow: the same of a table with one row; point: one account of a ledger; select1: SELECT 1 (default: ${default})."`
	Mode    string  `enum:"ours,stock,faithful-2018" default:"ours" placeholder:"MODE" help:"ours: View; stock: database/sql and mattn/go-sqlite3; faithful-2018: no locks, everything mapped, parsed every time, nobody may write (default: ${default})."`
	Rows    int64   `placeholder:"N" help:"How many rows the table has (default: as many as there are, a million if it is new)."`
	Threads []int   `default:"1,2" placeholder:"N" help:"How many read at once, one measurement after the other: 1,2,4,2,1 goes up and down again (default: ${default})."`
	Cold    bool    `help:"Put the file out of memory before each measurement, and count from the first query."`
	Seconds float64 `default:"5" placeholder:"S" help:"How long each measurement takes, after a second that does not count (default: ${default})."`
	JSON    string  `name:"json" placeholder:"FILE" help:"Record the figures, the settings and the machine in FILE."`
}

// Help is the end of nearlite bench reads --help.
func (ReadsCmd) Help() string {
	return `The file is read into memory first if it fits, and the report says whether it
does. A database larger than memory: scripts/with-memory gives a command less.

  nearlite bench reads --db ledger.db --query point --threads 1,2,4,2,1
  nearlite bench reads --query perftest --mode stock
  nearlite bench reads --query onerow
  nearlite bench reads --query perftest --rows 10000000 --cold
  scripts/with-memory 512M nearlite bench reads --query perftest --rows 10000000`
}

// Run runs the workload and prints what it came to.
func (c *ReadsCmd) Run(ctx context.Context, env *Env) error {
	if err := mayBench(c.database(), c.JSON); err != nil {
		return err
	}
	report, err := bench.Reads{
		DB:       c.database(),
		Query:    bench.ReadQuery(c.Query),
		Mode:     bench.ReadMode(c.Mode),
		Rows:     c.Rows,
		Threads:  c.Threads,
		Cold:     c.Cold,
		Duration: time.Duration(c.Seconds * float64(time.Second)),
		Progress: progressOn(env.Stderr),
	}.Run(ctx)
	if err != nil {
		return locate(c.database(), err)
	}
	return publish(env, report, c.JSON)
}

func (c *ReadsCmd) database() string {
	switch {
	case c.DB != "":
		return c.DB
	case c.Query == string(bench.Point):
		return "ledger.db"
	case c.Query == string(bench.OneRow):
		return "onerow.db"
	default:
		return "perftest.db"
	}
}
