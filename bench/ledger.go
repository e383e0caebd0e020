package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// LedgerMode says how a ledger's transfers become transactions.
type LedgerMode string

const (
	// Single commits every transfer alone, one after the other, as the
	// article's first figure does.
	Single LedgerMode = "single"
	// Batch commits the transfers that wait together. A transfer is a list of
	// two statements: no code of the caller runs between them.
	Batch LedgerMode = "batch"
	// Savepoint commits the transfers that wait together, and each is a
	// transaction of its own: code of the caller runs between its statements,
	// and its failure is nobody else's.
	Savepoint LedgerMode = "savepoint"
	// Mixed makes each request three point reads and then a transfer as in
	// Savepoint.
	Mixed LedgerMode = "mixed"
)

// Durability says what an acknowledged transfer survives.
type Durability string

const (
	// Normal survives a killed process.
	Normal Durability = "normal"
	// Full survives a power cut.
	Full Durability = "full"
)

// Peer is what the ledger runs on instead of Nearlite.
type Peer string

const (
	// Nearlite is no peer: the ledger runs on the engine itself.
	Nearlite Peer = ""
	// Mattn is database/sql over mattn/go-sqlite3 as people use it: WAL, a busy
	// timeout, immediate transactions and the default pool. It has no batches,
	// so that Single, Batch and Savepoint are one and the same to it.
	Mattn Peer = "mattn"
	// MattnBatched is mattn/go-sqlite3 behind the batcher that one would write
	// by hand: a channel, a goroutine, a transaction.
	MattnBatched Peer = "mattn-batched"
)

// Ledger is one run of the ledger: every caller moves 100 from one account to
// another, again and again, until the time is over.
type Ledger struct {
	DB         string        // path of the database; made and filled if it is not there
	Accounts   int64         // how many accounts it has
	Callers    int           // goroutines that each have one request under way
	Duration   time.Duration // how long callers go on asking
	Burst      int           // >0: so many requests at once, one each, instead of Callers and Duration
	Mode       LedgerMode
	Durability Durability
	Dist       Dist
	Peer       Peer
	NoCheck    bool     // do not add up the balances before and after
	Progress   Progress // told about the steps of a run; nil = nobody
}

// Progress is told how far a step of a run has come. It is called from one
// goroutine, a few times a second at most, and with done == total at the end.
type Progress func(step string, done, total int64)

func (p Progress) report(step string, done, total int64) {
	if p != nil {
		p(step, done, total)
	}
}

func (l Ledger) validate() error {
	switch {
	case l.DB == "":
		return errors.New("no path for the ledger's database")
	case l.Accounts < 1:
		return fmt.Errorf("%d accounts: a ledger has at least one", l.Accounts)
	case l.Burst < 0:
		return fmt.Errorf("a burst of %d requests", l.Burst)
	case l.Burst == 0 && l.Callers < 1:
		return fmt.Errorf("%d callers: at least one has to ask", l.Callers)
	case l.Burst == 0 && l.Duration <= 0:
		return fmt.Errorf("a duration of %s: callers need time", l.Duration)
	case l.Mode == Single && l.Peer == MattnBatched:
		return errors.New("mattn-batched has no mode single: the peer mattn commits every transfer alone")
	}
	return errors.Join(
		oneOf("mode", l.Mode, Single, Batch, Savepoint, Mixed),
		oneOf("durability", l.Durability, Normal, Full),
		oneOf("distribution", l.Dist, Power, Uniform),
		oneOf("peer", l.Peer, Nearlite, Mattn, MattnBatched))
}

// oneOf returns an error unless the value is one of those there are.
func oneOf[T ~string](what string, value T, all ...T) error {
	if slices.Contains(all, value) {
		return nil
	}
	return fmt.Errorf("no %s %q: there is %q", what, value, all)
}

// Run opens the database, fills it if it is new, lets the callers work, and
// reports. A canceled ctx ends a run early and is returned as an error.
func (l Ledger) Run(ctx context.Context) (*LedgerReport, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	system, err := openLedger(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("open the ledger %s: %w", l.DB, err)
	}
	report, err := l.runOn(ctx, system)
	if err := errors.Join(err, system.close()); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", l.DB, err)
	}
	return report, nil
}

func (l Ledger) runOn(ctx context.Context, system ledgerSystem) (*LedgerReport, error) {
	if _, err := accounts.fill(ctx, system, l.Accounts, l.Progress); err != nil {
		return nil, err
	}
	audit, err := l.openAudit(ctx, system)
	if err != nil {
		return nil, fmt.Errorf("add up the balances: %w", err)
	}
	run := newLedgerRun(l, system)
	meter := startMeter(l, system)
	err = run.work(ctx)
	meter.callersDone()
	if err == nil {
		err = system.checkpoint(ctx)
	}
	meter.stop()
	if err != nil {
		return nil, err
	}
	if err := audit.close(ctx, system, run.moved.Load()); err != nil {
		return nil, err
	}
	return meter.report(run.latency.merged()), nil
}

// openLedger opens the database with what the ledger is to run on.
func openLedger(ctx context.Context, l Ledger) (ledgerSystem, error) {
	switch l.Peer {
	case Mattn:
		return openMattn(ctx, l)
	case MattnBatched:
		return openMattnBatched(ctx, l)
	default:
		return openEngine(ctx, l)
	}
}

// walSize returns the size of a database's write-ahead log.
func walSize(db string) int64 {
	info, err := os.Stat(db + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}
