package main

import (
	"context"
	"errors"
	"os"
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
	Durability string        `enum:"normal,full,archived" default:"full" placeholder:"LEVEL" help:"normal survives a killed process, full a power cut, archived losing the disk, for it waits for --archive (default: ${default})."`
	Archive    string        `placeholder:"URL" help:"Ship the commits there: a directory or s3://BUCKET/PREFIX, of this database alone."`
	PageMap    bool          `help:"Switch the barrier and the page map on, as an archive does, without one."`
	Dist       string        `enum:"power,billion,uniform" default:"power" placeholder:"LAW" help:"How accounts are chosen: power law; billion, the power law over a billion accounts folded into those there are, for as few collisions; or uniform (default: ${default})."`
	Peer       string        `enum:",mattn,mattn-batched,postgres" default:"" placeholder:"PEER" help:"Run on something else instead: mattn, which is database/sql and mattn/go-sqlite3 as people use them; mattn-batched, the same behind a batcher written by hand; postgres."`
	ExtraQuery bool          `help:"A third update in every transaction, as in the article's last figure."`
	LookFirst  bool          `help:"Every caller reads its accounts in a View before its transfer, so that it waits for the disk and not the writer."`
	Net        time.Duration `placeholder:"D" help:"A simulated round trip for every statement, BEGIN and COMMIT too: PostgreSQL pays it, an embedded database has no network (n/a)."`
	Think      time.Duration `placeholder:"D" help:"Time the application takes between two statements of a transaction: everybody pays it, and a single writer pays it most."`
	DSN        string        `name:"dsn" env:"NEARLITE_POSTGRES" placeholder:"DSN" help:"Where PostgreSQL is: postgres://user@host/database, or as PGHOST, PGUSER and so on say."`
	Pool       int           `placeholder:"N" help:"Connections to PostgreSQL (default: 8)."`
	Isolation  string        `enum:",read-committed,serializable" default:"" placeholder:"LEVEL" help:"Of PostgreSQL's transactions: read-committed or serializable (default: read-committed); SQLite's are serializable."`
	Cold       bool          `help:"Put the file out of memory first; with --no-check, for to add up the balances is to read it all."`
	NoCheck    bool          `help:"Do not add up all balances before and after, which takes long for a billion accounts."`
	JSON       string        `name:"json" placeholder:"FILE" help:"Record the figures, the settings and the machine in FILE."`
}

// Help is the end of nearlite bench ledger --help.
func (LedgerCmd) Help() string {
	return `Every transfer moves 100 from one account to another in two updates. The clock
stops after a checkpoint.

  nearlite bench ledger --accounts 1000000
  nearlite bench ledger --accounts 1000000 --peer mattn
  nearlite bench ledger --peer postgres --dsn postgres://me@127.0.0.1/me --pool 8
  nearlite bench ledger --peer postgres --net 5ms --isolation serializable
  nearlite bench ledger --think 5ms
  nearlite bench ledger --archive /mnt/backup/ledger --durability archived
  scripts/with-memory 512M nearlite bench ledger --accounts 100000000 --dist uniform --cold --no-check

“make bench-postgres” starts a PostgreSQL for it; docs/BENCH.md says what each
comparison is worth.`
}

// Run runs the workload and prints what it came to.
func (c *LedgerCmd) Run(ctx context.Context, env *Env) error {
	if err := mayBench(c.DB, c.JSON); err != nil {
		return err
	}
	report, err := c.ledger(env).Run(ctx)
	if err != nil {
		return advisePostgres(locate(c.DB, err))
	}
	return publish(env, report, c.JSON)
}

func (c *LedgerCmd) ledger(env *Env) bench.Ledger {
	l := bench.Ledger{
		DB:         c.DB,
		Accounts:   c.Accounts,
		Callers:    c.Callers,
		Duration:   c.Duration,
		Burst:      c.Burst,
		Mode:       bench.LedgerMode(c.Mode),
		Durability: bench.Durability(c.Durability),
		Dist:       bench.Dist(c.Dist),
		Peer:       bench.Peer(c.Peer),
		ExtraQuery: c.ExtraQuery,
		LookFirst:  c.LookFirst,
		Net:        c.Net,
		Think:      c.Think,
		DSN:        c.DSN,
		Pool:       c.Pool,
		Isolation:  bench.Isolation(c.Isolation),
		PageMap:    c.PageMap,
		Archive:    c.Archive,
		Cold:       c.Cold,
		NoCheck:    c.NoCheck,
		Progress:   progressOn(env.Stderr),
	}
	// In the environment it is there for whoever needs it, and no mistake.
	if l.Peer != bench.Postgres && c.DSN == os.Getenv("NEARLITE_POSTGRES") {
		l.DSN = ""
	}
	return l
}

// advisePostgres says how to get a PostgreSQL to an error that had none.
func advisePostgres(err error) error {
	if errors.Is(err, bench.ErrNoPostgres) {
		return advise(err, "“apt-get install postgresql” installs one, “make bench-postgres” starts a throw-away one; --dsn names another")
	}
	return err
}
