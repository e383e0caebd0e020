package main

import (
	"context"
	"time"

	"github.com/nearlite/nearlite/bench"
)

// LedgerCmd is nearlite bench ledger.
type LedgerCmd struct {
	DB         string        `name:"db" default:"ledger.db" placeholder:"PATH" help:"The database; made and filled if it is not there (default: ${default})."`
	Accounts   int64         `default:"1000000" placeholder:"N" help:"How many accounts it has (default: ${default})."`
	Callers    int           `default:"1024" placeholder:"N" help:"How many ask at once, each again as soon as it is answered (default: ${default})."`
	Duration   time.Duration `default:"10s" placeholder:"D" help:"How long they go on (default: ${default})."`
	Burst      int           `placeholder:"N" help:"Start N requests at once instead, one each, and wait for all."`
	Mode       string        `enum:"single,batch,savepoint,mixed" default:"savepoint" placeholder:"MODE" help:"single: every transfer commits alone; batch: those that wait commit together; savepoint: and each is a transaction of its own; mixed: and reads three accounts first (default: ${default})."`
	Durability string        `enum:"normal,full" default:"full" placeholder:"LEVEL" help:"normal survives a killed process, full a power cut (default: ${default})."`
	Dist       string        `enum:"power,uniform" default:"power" placeholder:"LAW" help:"How accounts are chosen: power law or uniform (default: ${default})."`
	Peer       string        `enum:",mattn,mattn-batched" default:"" placeholder:"PEER" help:"Run on database/sql and mattn/go-sqlite3 instead: mattn as people use it, mattn-batched behind a batcher written by hand."`
	NoCheck    bool          `help:"Do not add up all balances before and after, which takes long for a billion accounts."`
	JSON       string        `name:"json" placeholder:"FILE" help:"Record the figures, the settings and the machine in FILE."`
}

// Help is the end of nearlite bench ledger --help.
func (LedgerCmd) Help() string {
	return `Every transfer moves 100 from one account to another in two updates. The clock
stops after a checkpoint.

  nearlite bench ledger --accounts 1000000
  nearlite bench ledger --accounts 1000000 --peer mattn`
}

// Run runs the workload and prints what it came to.
func (c *LedgerCmd) Run(ctx context.Context, env *Env) error {
	report, err := bench.Ledger{
		DB:         c.DB,
		Accounts:   c.Accounts,
		Callers:    c.Callers,
		Duration:   c.Duration,
		Burst:      c.Burst,
		Mode:       bench.LedgerMode(c.Mode),
		Durability: bench.Durability(c.Durability),
		Dist:       bench.Dist(c.Dist),
		Peer:       bench.Peer(c.Peer),
		NoCheck:    c.NoCheck,
		Progress:   progressOn(env.Stderr),
	}.Run(ctx)
	if err != nil {
		return locate(c.DB, err)
	}
	return publish(env, report, c.JSON)
}
