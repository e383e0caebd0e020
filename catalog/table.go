package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite"
)

// The table of databases is a database of its own, catalog.db, and decides what
// there is. A row is in one of three states, and only ever goes to the right:
//
//	making ──▶ live ──▶ deleted
//
// The order of steps is what a crash cannot get between:
//
//  1. A database is made by committing the row as "making", making its file, whole
//     and flushed, flushing the directory, and committing the row as "live".
//     What is found "making" after a crash is removed: nobody has heard of it.
//  2. One is deleted by committing the row as "deleted", and then removing files.
//     What is found of a deleted database after a crash is removed.
//  3. To replace one by an import is one commit: the old row becomes "deleted" and
//     the new one "live" under its name.
//
// A file with no row is nobody's to remove: it is left alone and reported. Rows
// of deleted databases stay for good, as tombstones.
//
// With an archive every commit is decided by its log. When nobody knows whether the
// log took one, the next who asks opens catalog.db again, which settles it.
type table struct {
	path string
	opts nearlite.Options
	// openLog opens the table's log, and what closes it; nil: there is none.
	openLog func(ctx context.Context) (log nearlite.Log, done func() error, err error)
	settled func(ctx context.Context) // called when it was opened again

	unsure atomic.Bool  // the outcome of a commit is not known
	mu     sync.RWMutex // held by whoever uses, protects the following
	db     *nearlite.DB // nil: it could not be opened again
	log    nearlite.Log
	done   func() error
}

const format = 1

var schema = []nearlite.Statement{
	{SQL: "CREATE TABLE IF NOT EXISTS catalog(format INTEGER NOT NULL) STRICT"},
	{SQL: "INSERT INTO catalog SELECT ? WHERE NOT EXISTS (SELECT 1 FROM catalog)", Args: []any{format}},
	{SQL: `CREATE TABLE IF NOT EXISTS database(
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('making', 'live', 'deleted')),
  config TEXT NOT NULL,
  origin TEXT,
  created INTEGER NOT NULL,
  deleted INTEGER
) STRICT, WITHOUT ROWID`},
	{SQL: "CREATE UNIQUE INDEX IF NOT EXISTS database_name ON database(name) WHERE state = 'live'"},
	{SQL: "CREATE INDEX IF NOT EXISTS database_making ON database(state) WHERE state = 'making'"},
}

// newTable opens catalog.db, with its log if there is an archive.
func (c *Catalog) newTable(ctx context.Context, path string) (*table, error) {
	t := &table{path: path, opts: nearlite.Options{CacheSize: 4 << 20, ReaderCacheSize: 1 << 20, Logger: c.opts.Logger}, settled: c.settle}
	if c.opts.Archive != nil {
		t.opts.Durability = nearlite.Archived
		t.openLog = func(ctx context.Context) (nearlite.Log, func() error, error) {
			a, err := c.openArchive(ctx, ArchiveCatalog)
			return a, func() error { return c.requests.close(a) }, err
		}
	}
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// open opens the file, and its log.
func (t *table) open(ctx context.Context) (err error) {
	o, done := t.opts, func() error { return nil }
	if t.openLog != nil {
		if o.Log, done, err = t.openLog(ctx); err != nil {
			return fmt.Errorf("open %s: %w", t.path, err)
		}
	}
	db, err := nearlite.Open(ctx, t.path, &o)
	if err != nil {
		return errors.Join(err, done())
	}
	if err := prepare(ctx, db); err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", t.path, err), db.Close(), done())
	}
	t.db, t.log, t.done = db, o.Log, done
	return nil
}

func (t *table) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.db == nil {
		return nil
	}
	err := errors.Join(t.db.Close(), t.done())
	t.db = nil
	return err
}

// use returns the database until release is called. Who is to write, or to be sure
// of what is there, gets it only when every outcome is known.
func (t *table) use(ctx context.Context, sure bool) (db *nearlite.DB, release func(), err error) {
	if t.unsure.Load() {
		if err := t.openAgain(ctx); err != nil && sure {
			return nil, nil, err
		}
	}
	t.mu.RLock()
	if t.db == nil {
		t.mu.RUnlock()
		return nil, nil, fmt.Errorf("%s: %w", t.path, nearlite.ErrPoisoned)
	}
	return t.db, t.mu.RUnlock, nil
}

// logPatience is how long the log may take to say where it ends before the table is
// closed to be opened again: while it does not, the old one can at least be read.
const logPatience = 5 * time.Second

// openAgain settles what became of a commit.
func (t *table) openAgain(ctx context.Context) error {
	if err := t.reachLog(ctx); err != nil {
		return fmt.Errorf("%s: %w: %w", t.path, nearlite.ErrPoisoned, err)
	}
	t.mu.Lock()
	if !t.unsure.Load() { // somebody else was faster
		t.mu.Unlock()
		return nil
	}
	if t.db != nil {
		_ = errors.Join(t.db.Close(), t.done()) // it is poisoned
		t.db = nil
	}
	err := t.open(context.WithoutCancel(ctx))
	t.unsure.Store(err != nil)
	t.mu.Unlock()
	if err == nil {
		t.settled(ctx)
	}
	return err
}

func (t *table) reachLog(ctx context.Context) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.db == nil || t.log == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	_, err := t.log.Head(ctx)
	return err
}

// commit runs statements as one transaction.
func (t *table) commit(ctx context.Context, statements ...nearlite.Statement) error {
	db, release, err := t.use(ctx, true)
	if err != nil {
		return err
	}
	defer release()
	_, err = db.Batch(ctx, statements...)
	unknown := errors.Is(err, nearlite.ErrPoisoned) || errors.Is(err, nearlite.ErrCommitUnknown)
	if unknown && !errors.Is(err, nearlite.ErrFenced) { // who has lost the log can go on reading
		t.unsure.Store(true)
	}
	return err
}

// rows calls f with each row of a query.
func (t *table) rows(ctx context.Context, f func(nearlite.Row) error, sql string, args ...any) error {
	db, release, err := t.use(ctx, false)
	if err != nil {
		return err
	}
	defer release()
	for row, err := range db.Query(ctx, sql, args...) {
		if err == nil {
			err = f(row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func prepare(ctx context.Context, db *nearlite.DB) error {
	if _, err := db.Batch(ctx, schema...); err != nil {
		return err
	}
	return db.View(ctx, func(tx *nearlite.ReadTx) error {
		found, err := nearlite.One[int](tx, "SELECT format FROM catalog")
		if err == nil && found > format {
			err = fmt.Errorf("a newer nearlite has made it (format %d, this one knows %d): use that one", found, format)
		}
		return err
	})
}

// insert commits a row for a database that is about to be made.
func (t *table) insert(ctx context.Context, i Info) error {
	var origin any
	if !i.Origin.IsZero() {
		origin = i.Origin.String()
	}
	return t.commit(ctx, nearlite.Statement{SQL: "INSERT INTO database(id, name, state, config, origin, created) VALUES (?, ?, 'making', ?, ?, ?)",
		Args: []any{i.ID.String(), i.Name, i.Config.text(), origin, i.Created.UnixMilli()}})
}

// made commits that a database is there, in the place of another if replaced is one.
func (t *table) made(ctx context.Context, id, replaced ID) error {
	live := nearlite.Statement{SQL: "UPDATE database SET state = 'live' WHERE id = ?", Args: []any{id.String()}}
	if replaced.IsZero() {
		return t.commit(ctx, live)
	}
	return t.commit(ctx, tombstone(replaced), live)
}

func tombstone(id ID) nearlite.Statement {
	return nearlite.Statement{
		SQL:  "UPDATE database SET state = 'deleted', deleted = ? WHERE id = ?",
		Args: []any{time.Now().UnixMilli(), id.String()},
	}
}

// forget removes the row of a database that was never made.
func (t *table) forget(ctx context.Context, id ID) error {
	return t.commit(ctx, nearlite.Statement{SQL: "DELETE FROM database WHERE id = ? AND state = 'making'", Args: []any{id.String()}})
}

func (t *table) delete(ctx context.Context, id ID) error {
	return t.commit(ctx, tombstone(id))
}

func (t *table) rename(ctx context.Context, id ID, name string) error {
	return t.commit(ctx, nearlite.Statement{SQL: "UPDATE database SET name = ? WHERE id = ?", Args: []any{name, id.String()}})
}

func (t *table) configure(ctx context.Context, id ID, cfg Config) error {
	return t.commit(ctx, nearlite.Statement{SQL: "UPDATE database SET config = ? WHERE id = ?", Args: []any{cfg.text(), id.String()}})
}

const columns = "id, name, config, coalesce(origin, ''), created"

// live calls f with every database there is.
func (t *table) live(ctx context.Context, f func(Info)) error {
	return t.rows(ctx, func(row nearlite.Row) error {
		i, err := readInfo(row)
		if err == nil {
			f(i)
		}
		return err
	}, "SELECT "+columns+" FROM database WHERE state = 'live'")
}

// list returns the databases whose names begin with prefix and come after a name.
func (t *table) list(ctx context.Context, prefix, after string, limit int) (list []Info, err error) {
	err = t.rows(ctx, func(row nearlite.Row) error {
		i, err := readInfo(row)
		list = append(list, i)
		return err
	}, "SELECT "+columns+` FROM database
WHERE state = 'live' AND name > ?1 AND name >= ?2 AND name < ?2 || char(0x10FFFF) ORDER BY name LIMIT ?3`, after, prefix, limit)
	return list, err
}

// making calls f with the id of every database that was not finished.
func (t *table) making(ctx context.Context) (ids []ID, err error) {
	err = t.rows(ctx, func(row nearlite.Row) error {
		id, err := ParseID(row.Text(0))
		ids = append(ids, id)
		return err
	}, "SELECT id FROM database WHERE state = 'making'")
	return ids, err
}

// state returns the state of a database, "" if it has no row.
func (t *table) state(ctx context.Context, id ID) (state string, err error) {
	db, release, err := t.use(ctx, true)
	if err != nil {
		return "", err
	}
	defer release()
	err = db.View(ctx, func(tx *nearlite.ReadTx) (err error) {
		state, err = nearlite.One[string](tx, "SELECT state FROM database WHERE id = ?", id.String())
		if errors.Is(err, nearlite.ErrNoRows) {
			return nil
		}
		return err
	})
	return state, err
}

func readInfo(row nearlite.Row) (i Info, err error) {
	if i.ID, err = ParseID(row.Text(0)); err != nil {
		return i, err
	}
	i.Name, i.Created = row.Text(1), time.UnixMilli(row.Int64(4))
	if i.Config, err = parseConfig(row.Text(2)); err != nil {
		return i, about("read the configuration of", i.Name, err)
	}
	if origin := row.Text(3); origin != "" {
		i.Origin, err = ParseID(origin)
	}
	return i, err
}
