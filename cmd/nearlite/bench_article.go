package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nearlite/nearlite/bench"
)

// ArticleCmd is nearlite bench article.
type ArticleCmd struct {
	DB       string        `name:"db" default:"article.db" placeholder:"PATH" help:"The engine's database; made and filled if it is not there (default: ${default})."`
	DSN      string        `name:"dsn" env:"NEARLITE_POSTGRES" placeholder:"DSN" help:"Where PostgreSQL is: postgres://user@host/database, or as PGHOST, PGUSER and so on say."`
	Pools    []int         `default:"8,64" placeholder:"N" help:"Connections to PostgreSQL, a column for each (default: ${default})."`
	Accounts int64         `default:"1000000" placeholder:"N" help:"How many accounts each has (default: ${default})."`
	Dist     string        `enum:"power,billion,uniform" default:"billion" placeholder:"LAW" help:"How accounts are chosen: power law; billion, the power law over the article's billion folded into those there are, for as few collisions; or uniform (default: ${default})."`
	Callers  int           `default:"1024" placeholder:"N" help:"How many ask at once, an eighth where a transaction waits (default: ${default})."`
	Duration time.Duration `default:"5s" placeholder:"D" help:"How long each run of the closed loop takes (default: ${default})."`
	Burst    int           `default:"200000" placeholder:"N" help:"Requests at once in a burst: a tenth where each commits alone, a two-hundredth where a transaction waits; 0: no bursts (default: ${default})."`
	Rounds   int           `default:"1" placeholder:"N" help:"Run everything N times and print the medians, with the least and the most (default: ${default})."`
	NoCheck  bool          `help:"Do not add up all balances before and after each run."`
	JSON     string        `name:"json" placeholder:"DIR" help:"Record every run and the tables in DIR, a file each."`
}

// Help is the end of nearlite bench article --help.
func (ArticleCmd) Help() string {
	return `The tables of “100000 TPS over a billion rows”: direct, 1, 5 and 10 ms a round
trip, the same of thinking, the extra query, serializable; single, batch,
savepoint, mixed; as a closed loop and as bursts. About fifteen minutes.

  make bench-postgres
  nearlite bench article --dsn postgres://me@127.0.0.1/me --json figures
  nearlite bench article --duration 1s --burst 0

Without PostgreSQL its columns are empty, the others are measured, and the
command exits with 1. docs/BENCH.md says what each comparison is worth.`
}

// Run measures the tables and prints them.
func (c *ArticleCmd) Run(ctx context.Context, env *Env) error {
	if err := canBeFile(c.DB); err != nil {
		return err
	}
	report, err := bench.Article{
		DB:       c.DB,
		DSN:      c.DSN,
		Pools:    c.Pools,
		Accounts: c.Accounts,
		Dist:     bench.Dist(c.Dist),
		Callers:  c.Callers,
		Duration: c.Duration,
		Burst:    c.Burst,
		Rounds:   c.Rounds,
		Records:  c.JSON,
		NoCheck:  c.NoCheck,
		Progress: progressOn(env.Stderr),
		Tell:     func(line string) { fmt.Fprintln(env.Stderr, line) },
	}.Run(ctx)
	if report != nil {
		err = errors.Join(report.WriteTable(env.Stdout), err)
	}
	return advisePostgres(locate(c.DB, err))
}
