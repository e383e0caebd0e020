package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
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
	// Archived survives losing the disk: the archive has it.
	Archived Durability = "archived"
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
	// Postgres is a PostgreSQL server, through pgx with a pool of connections
	// and prepared statements. Single and Savepoint are one and the same to it:
	// transactions of their own, as many at once as the pool has connections,
	// and the server lets those that commit together share a flush. Batch sends
	// a transfer's statements together, in one round trip and one transaction.
	Postgres Peer = "postgres"
)

// Isolation is how well PostgreSQL keeps transactions apart. SQLite's are always
// serializable.
type Isolation string

const (
	// ReadCommitted is PostgreSQL's default.
	ReadCommitted Isolation = "read-committed"
	// Serializable is what SQLite gives. PostgreSQL refuses transactions that
	// it cannot put in an order; they are begun again, and counted.
	Serializable Isolation = "serializable"
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
	ExtraQuery bool     // a transfer has a third update, of a third account
	LookFirst  bool     // a caller reads its accounts in a View before its transfer: see engineCaller.look
	PageMap    bool     // every commit passes the barrier, and the page map numbers its pages
	Archive    string   // URL of an archive that the commits go to; it brings the page map along
	Cold       bool     // the file is put out of memory before it is opened; needs NoCheck
	NoCheck    bool     // do not add up the balances before and after
	Progress   Progress // told about the steps of a run; nil = nobody

	// Net and Think are two kinds of waiting, and never the same. Net is a
	// simulated network's round trip: PostgreSQL pays one for every statement,
	// BEGIN and COMMIT too; a database in the process has none, and its report
	// says that it was not paid. Think is the application's own time between
	// two statements of a transaction, and everybody pays it.
	Net   time.Duration
	Think time.Duration

	// DSN says where PostgreSQL is, as a URL or as name=value pairs; what it
	// leaves out comes from PGHOST, PGUSER and so on, as for psql.
	DSN       string
	Pool      int       // PostgreSQL's connections; 0 = 8, the article's
	Isolation Isolation // PostgreSQL's; "" = ReadCommitted
}

// Progress is told how far a step of a run has come. It is called from one
// goroutine at a time, a few times a second at most, and with done == total at the
// end.
type Progress func(step string, done, total int64)

// each returns what several goroutines call, each for one of total.
func (p Progress) each(step string, total int) (one func()) {
	var mu sync.Mutex
	done := 0
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done++
		p.report(step, int64(done), int64(total))
	}
}

func (p Progress) report(step string, done, total int64) {
	if p != nil {
		p(step, done, total)
	}
}

// Run opens the database, fills it if it is new, lets the callers work, and
// reports. A canceled ctx ends a run early and is returned as an error.
func (l Ledger) Run(ctx context.Context) (*LedgerReport, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	l = l.withDefaults()
	if l.Peer != Postgres {
		if err := refuseOthers(l.DB); err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
	}
	if l.Cold {
		if err := evict(l.DB); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("make the ledger cold: %w", err)
		}
	}
	system, err := openLedger(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("open the ledger%s: %w", l.where(), err)
	}
	report, err := l.runOn(ctx, system)
	if err := errors.Join(err, system.close()); err != nil {
		return nil, fmt.Errorf("ledger%s: %w", l.where(), err)
	}
	return report, nil
}

// where names the file in an error; a server's errors name the server.
func (l Ledger) where() string {
	if l.Peer == Postgres {
		return ""
	}
	return " " + l.DB
}

func (l Ledger) runOn(ctx context.Context, system ledgerSystem) (*LedgerReport, error) {
	if _, err := system.table().fill(ctx, system, l.Accounts, l.Progress); err != nil {
		return nil, err
	}
	audit, err := l.openAudit(ctx, system)
	if err != nil {
		return nil, fmt.Errorf("add up the balances: %w", err)
	}
	run := newLedgerRun(l, system)
	meter, err := startMeter(ctx, l, system)
	if err != nil {
		return nil, err
	}
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
	return meter.report(ctx, run.latency.merged())
}

// openLedger opens the database with what the ledger is to run on.
func openLedger(ctx context.Context, l Ledger) (ledgerSystem, error) {
	switch l.Peer {
	case Mattn:
		return openMattn(ctx, l)
	case MattnBatched:
		return openMattnBatched(ctx, l)
	case Postgres:
		return openPostgres(ctx, l)
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
