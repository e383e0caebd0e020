package bench

import (
	"context"
	"fmt"
	"io"
	"os"
)

// database is what a workload's data is put into: the engine or a peer. Data is
// loaded through the very program that is then measured.
type database interface {
	// exec runs a statement in a transaction of its own.
	exec(ctx context.Context, sql string, args ...any) error
	// number returns the one integer that a query has for an answer.
	number(ctx context.Context, sql string, args ...any) (int64, error)
	// checkpoint returns when the database file holds everything committed.
	checkpoint(ctx context.Context) error
	close() error
}

// dataset is a table and how to fill it.
type dataset struct {
	rows   string // what its rows are called
	create string
	count  string // how many rows there are, without counting them
	insert string // the rows from ?1 up to and without ?2
	index  string // what is made when the rows are there; "" = nothing

	indexName string
}

// loader is a database that has a way to take in rows faster than statements.
type loader interface {
	// load adds the rows of an empty table; if it fails, the table stays empty.
	load(ctx context.Context, rows int64, progress Progress) error
}

// accounts is the article's table. The ids count up from zero, so that each
// insert goes to the end of the table and of its index.
var accounts = dataset{
	rows:   "accounts",
	create: "CREATE TABLE IF NOT EXISTS account(id PRIMARY KEY, balance INT)",
	count:  "SELECT coalesce(max(id) + 1, 0) FROM account",
	insert: `INSERT INTO account(id, balance)
		WITH RECURSIVE n(id) AS (SELECT ?1 UNION ALL SELECT id + 1 FROM n WHERE id + 1 < ?2)
		SELECT id, 1000000000 FROM n`,
}

// chunk is how many rows one transaction adds.
const chunk = 100_000

// million is how many rows a table has for which no number is asked.
const million = 1_000_000

// fill makes a table of that many rows. One that an interrupted run has left is
// completed, and a ledger grows if more accounts are asked for. For zero rows a
// table is left as it is, or made with a million. It returns the number of rows.
func (d dataset) fill(ctx context.Context, db database, rows int64, progress Progress) (int64, error) {
	if err := db.exec(ctx, d.create); err != nil {
		return 0, d.stopped(ctx, 0, rows, fmt.Errorf("create the table of %s: %w", d.rows, err))
	}
	have, err := db.number(ctx, d.count)
	if err != nil {
		return 0, fmt.Errorf("look for the %s: %w", d.rows, err)
	}
	whole, err := d.whole(ctx, db, have)
	if err != nil {
		return 0, fmt.Errorf("look for the index of the %s: %w", d.rows, err)
	}
	switch {
	case rows == 0 && whole:
		rows = have
	case rows == 0:
		rows = max(have, million)
	case have > rows, have < rows && have != 0 && !d.mayGrow(db, whole):
		return 0, fmt.Errorf("it has %d %s, not %d: ask for %d, or name another database", have, d.rows, rows, have)
	}
	if have < rows {
		if err := d.load(ctx, db, have, rows, progress); err != nil {
			return 0, err
		}
	}
	if !whole && d.index != "" {
		if err := db.exec(ctx, d.index); err != nil {
			return 0, d.stopped(ctx, rows, rows, fmt.Errorf("index the %s: %w", d.rows, err))
		}
	}
	return rows, db.checkpoint(ctx)
}

// whole reports whether a table was loaded to its end: its index is made last.
func (d dataset) whole(ctx context.Context, db database, have int64) (bool, error) {
	if d.index == "" {
		return have != 0, nil
	}
	indexes, err := db.number(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql = ?", ownSchema[d.indexName])
	return indexes != 0, err
}

// mayGrow reports whether rows may be added to those that are there. With an
// index on random numbers they may not: they would be put into it one by one,
// all over it, and the table be another one than if it was made at once.
func (d dataset) mayGrow(db database, whole bool) bool {
	_, atOnce := db.(loader)
	return !atOnce && (d.index == "" || !whole)
}

// load adds the rows between those that are there and those asked for. What is
// under way when ctx ends is finished, so that it is known what is there.
func (d dataset) load(ctx context.Context, db database, have, rows int64, progress Progress) error {
	if db, ok := db.(loader); ok {
		return db.load(ctx, rows, progress)
	}
	calm := context.WithoutCancel(ctx)
	for from := have; from < rows; from += chunk {
		if err := ctx.Err(); err != nil {
			return d.stopped(ctx, from, rows, err)
		}
		to := min(from+chunk, rows)
		if err := db.exec(calm, d.insert, from, to); err != nil {
			return fmt.Errorf("load %s %d to %d: %w", d.rows, from, to-1, err)
		}
		progress.report("loading "+d.rows, to, rows)
	}
	return nil
}

// stopped is err, or LoadStopped if the end of ctx is why there is one.
func (d dataset) stopped(ctx context.Context, done, total int64, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return &LoadStopped{Rows: d.rows, Done: done, Total: total, cause: ctx.Err()}
}

// LoadStopped is returned when the end of a context has stopped the loading of
// a database. The next run goes on where it stopped.
type LoadStopped struct {
	Rows        string // what they are called
	Done, Total int64
	cause       error
}

// Error says how far it came.
func (e *LoadStopped) Error() string {
	return fmt.Sprintf("%d of %d %s are loaded; the same command goes on from there", e.Done, e.Total, e.Rows)
}

// Unwrap returns the error of the context.
func (e *LoadStopped) Unwrap() error { return e.cause }

// warm reads a file from end to end, so that its pages are in memory, and
// reports whether they can all be: a file of more than half the memory is left
// alone. It must not be called while this process has the database open, for
// closing any descriptor of a file gives up the locks that SQLite holds on it.
func warm(path string, progress Progress) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	if available := memoryAvailable(); available > 0 && info.Size() > available/2 {
		return false, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	const step = 64 << 20
	for done := int64(0); done < info.Size(); {
		n, err := io.CopyN(io.Discard, file, step)
		if done += n; err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
		progress.report("reading the file", min(done, info.Size()), info.Size())
	}
	return true, nil
}
