package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// ReadQuery is the query that a run of reads repeats.
type ReadQuery string

const (
	// Perftest is the query behind the 4 million queries a second: count and
	// average of ten rows from a random place of an index, each fetched from a
	// random place of the table.
	Perftest ReadQuery = "perftest"
	// OneRow is Perftest on a table of a single row: the article's control that
	// takes the memory out of the equation, and leaves the processors.
	OneRow ReadQuery = "onerow"
	// Point reads the balance of one account of a ledger.
	Point ReadQuery = "point"
	// SelectOne reads nothing: what is left is the price of asking.
	SelectOne ReadQuery = "select1"
)

// ReadMode is how a run of reads asks.
type ReadMode string

const (
	// Ours is View and a prepared statement, on the engine.
	Ours ReadMode = "ours"
	// Stock is database/sql over mattn/go-sqlite3, with a prepared statement.
	Stock ReadMode = "stock"
	// Faithful2018 is what the article's program did: a connection a thread, no
	// locks at all, everything mapped, and the text parsed and planned for
	// every query. Nobody may write meanwhile: it is a bound, not a way to work.
	Faithful2018 ReadMode = "faithful-2018"
)

// Reads is a run of reads: threads that ask the same query again and again.
type Reads struct {
	DB       string // path of the database; made and filled if it is not there
	Query    ReadQuery
	Mode     ReadMode
	Rows     int64         // how many rows the table has; 0 = as many as there are, a million if new
	Threads  []int         // how many at once, one measurement after the other, in this order: up and down again shows what heat does
	Cold     bool          // each measurement begins with a closed file of which nothing is in memory
	Duration time.Duration // of each measurement
	Progress Progress      // told about the steps of a run; nil = nobody
}

// perftest is the article's table: its columns without types or a key, random
// numbers in them, and the index made after the rows.
var perftest = dataset{
	rows:   "rows",
	create: "CREATE TABLE IF NOT EXISTS perfTest(indexedColumn, nonIndexedColumn)",
	count:  "SELECT coalesce(max(rowid), 0) FROM perfTest",
	insert: `INSERT INTO perfTest
		WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
		SELECT RANDOM(), RANDOM() FROM n`,
	index: "CREATE INDEX IF NOT EXISTS perfTestIndexedColumn ON perfTest(indexedColumn)",

	indexName: "perfTestIndexedColumn",
}

const (
	perftestSQL = `SELECT COUNT(*), AVG(nonIndexedColumn) FROM
		(SELECT nonIndexedColumn FROM perfTest WHERE indexedColumn > RANDOM() LIMIT 10)`
	pointSQL     = "SELECT balance FROM account WHERE id = ?"
	selectOneSQL = "SELECT 1"
)

// sql returns the text of the query; a point read has one parameter.
func (q ReadQuery) sql() string {
	switch q {
	case Perftest, OneRow:
		return perftestSQL
	case Point:
		return pointSQL
	default:
		return selectOneSQL
	}
}

func (r Reads) validate() error {
	switch {
	case r.DB == "":
		return errors.New("no path for the database to read")
	case r.Rows < 0:
		return fmt.Errorf("a table of %d rows", r.Rows)
	case len(r.Threads) == 0:
		return errors.New("no number of threads")
	case slices.Min(r.Threads) < 1:
		return fmt.Errorf("%d threads: at least one has to ask", slices.Min(r.Threads))
	case r.Duration <= 0:
		return fmt.Errorf("a duration of %s: threads need time", r.Duration)
	case r.Query == OneRow && r.Rows > 1:
		return fmt.Errorf("%d rows in the table of one row", r.Rows)
	case r.Query == SelectOne && r.Cold:
		return errors.New("select1 reads nothing of the file: it is never cold")
	}
	return errors.Join(
		oneOf("query", r.Query, Perftest, OneRow, Point, SelectOne),
		oneOf("mode", r.Mode, Ours, Stock, Faithful2018))
}

// Run fills the database if it is new, reads it into memory, measures each
// number of threads, and reports. A canceled ctx ends it with an error.
func (r Reads) Run(ctx context.Context) (*ReadsReport, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	report, err := r.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("reads of %s: %w", r.DB, err)
	}
	return report, nil
}

func (r Reads) run(ctx context.Context) (*ReadsReport, error) {
	if r.Mode == Faithful2018 {
		if err := refuseFrames(r.DB); err != nil {
			return nil, err
		}
	}
	if err := refuseOthers(r.DB); err != nil {
		return nil, err
	}
	rows, err := r.fill(ctx)
	if err != nil {
		return nil, err
	}
	report, err := r.newReport(rows)
	if err != nil {
		return nil, err
	}
	if r.Cold {
		return report, r.eachCold(ctx, report)
	}
	if report.Warmed, err = warm(r.DB, r.Progress); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	return report, r.measureOn(ctx, report, r.Threads...)
}

// measureOn opens the system and measures numbers of threads on it.
func (r Reads) measureOn(ctx context.Context, report *ReadsReport, threads ...int) (err error) {
	system, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, system.close()) }()
	for _, n := range threads {
		figures, err := r.measure(ctx, system, n, report.Settings.Rows)
		if err != nil {
			return fmt.Errorf("%d threads: %w", n, err)
		}
		report.Threads = append(report.Threads, figures)
	}
	return nil
}

// eachCold measures each number of threads on a system of its own, opened when
// the operating system has forgotten the file; what it kept all the same is in
// the report.
func (r Reads) eachCold(ctx context.Context, report *ReadsReport) error {
	for _, n := range r.Threads {
		if err := evict(r.DB); err != nil {
			return fmt.Errorf("make the file cold: %w", err)
		}
		kept, err := resident(r.DB)
		if err != nil {
			return err
		}
		if err := r.measureOn(ctx, report, n); err != nil {
			return err
		}
		report.Threads[len(report.Threads)-1].Resident = kept
	}
	return nil
}

// fill makes the table that the query needs and returns how many rows it has.
func (r Reads) fill(ctx context.Context) (rows int64, err error) {
	var db database
	if r.Mode == Stock {
		db, err = openMattnDB(r.DB, Full)
	} else {
		db, err = openEngineDB(ctx, r.DB, engineSettings{Durability: Full})
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	switch r.Query {
	case Perftest:
		return perftest.fill(ctx, db, r.Rows, r.Progress)
	case OneRow:
		return perftest.fill(ctx, db, 1, r.Progress)
	case Point:
		return accounts.fill(ctx, db, r.Rows, r.Progress)
	default:
		_, err := db.number(ctx, selectOneSQL) // the file is made on first use
		return 0, err
	}
}

// readSystem is what reads are asked of.
type readSystem interface {
	// reader returns one thread's way to ask; pick draws the rows.
	reader(ctx context.Context, pick picker) (reader, error)
	// close closes the system and all its readers.
	close() error
}

// reader asks the query once, and takes the answer.
type reader func(ctx context.Context) error

func (r Reads) open(ctx context.Context) (readSystem, error) {
	switch r.Mode {
	case Stock:
		return openStock(ctx, r)
	case Faithful2018:
		return openFaithful(r)
	default:
		return openOurs(ctx, r)
	}
}

// refuseFrames returns an error if a database has commits in its write-ahead
// log: a reader without locks would have to recover them.
func refuseFrames(db string) error {
	// A log that was reset keeps its header, of 32 bytes.
	const header = 32
	info, err := os.Stat(db + "-wal")
	if err != nil || info.Size() <= header {
		return nil
	}
	return fmt.Errorf("%s has %d bytes, and the 2018 program takes no locks: close the programs that use the database, or checkpoint it (sqlite3 %s 'PRAGMA wal_checkpoint(TRUNCATE)')",
		db+"-wal", info.Size(), db)
}
