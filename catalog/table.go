package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
type table struct{ db *nearlite.DB }

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

func openTable(ctx context.Context, path string, log *slog.Logger) (*table, error) {
	db, err := nearlite.Open(ctx, path, &nearlite.Options{CacheSize: 4 << 20, ReaderCacheSize: 1 << 20, Logger: log})
	if err != nil {
		return nil, err
	}
	t := &table{db: db}
	if err := t.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return t, nil
}

func (t *table) prepare(ctx context.Context) error {
	if _, err := t.db.Batch(ctx, schema...); err != nil {
		return err
	}
	return t.db.View(ctx, func(tx *nearlite.ReadTx) error {
		found, err := nearlite.One[int](tx, "SELECT format FROM catalog")
		if err == nil && found > format {
			err = fmt.Errorf("a newer nearlite has made it (format %d, this one knows %d): use that one", found, format)
		}
		return err
	})
}

func (t *table) close() error { return t.db.Close() }

// insert commits a row for a database that is about to be made.
func (t *table) insert(ctx context.Context, i Info) error {
	var origin any
	if !i.Origin.IsZero() {
		origin = i.Origin.String()
	}
	_, err := t.db.Exec(ctx, "INSERT INTO database(id, name, state, config, origin, created) VALUES (?, ?, 'making', ?, ?, ?)",
		i.ID.String(), i.Name, i.Config.text(), origin, i.Created.UnixMilli())
	return err
}

// made commits that a database is there, in the place of another if replaced is one.
func (t *table) made(ctx context.Context, id, replaced ID) error {
	if replaced.IsZero() {
		_, err := t.db.Exec(ctx, "UPDATE database SET state = 'live' WHERE id = ?", id.String())
		return err
	}
	_, err := t.db.Batch(ctx, tombstone(replaced), nearlite.Statement{
		SQL:  "UPDATE database SET state = 'live' WHERE id = ?",
		Args: []any{id.String()},
	})
	return err
}

func tombstone(id ID) nearlite.Statement {
	return nearlite.Statement{
		SQL:  "UPDATE database SET state = 'deleted', deleted = ? WHERE id = ?",
		Args: []any{time.Now().UnixMilli(), id.String()},
	}
}

// forget removes the row of a database that was never made.
func (t *table) forget(ctx context.Context, id ID) error {
	_, err := t.db.Exec(ctx, "DELETE FROM database WHERE id = ? AND state = 'making'", id.String())
	return err
}

func (t *table) delete(ctx context.Context, id ID) error {
	_, err := t.db.Batch(ctx, tombstone(id))
	return err
}

func (t *table) rename(ctx context.Context, id ID, name string) error {
	_, err := t.db.Exec(ctx, "UPDATE database SET name = ? WHERE id = ?", name, id.String())
	return err
}

func (t *table) configure(ctx context.Context, id ID, cfg Config) error {
	_, err := t.db.Exec(ctx, "UPDATE database SET config = ? WHERE id = ?", cfg.text(), id.String())
	return err
}

const columns = "id, name, config, coalesce(origin, ''), created"

// live calls f with every database there is.
func (t *table) live(ctx context.Context, f func(Info)) error {
	for row, err := range t.db.Query(ctx, "SELECT "+columns+" FROM database WHERE state = 'live'") {
		if err != nil {
			return err
		}
		i, err := readInfo(row)
		if err != nil {
			return err
		}
		f(i)
	}
	return nil
}

// list returns the databases whose names begin with prefix and come after a name.
func (t *table) list(ctx context.Context, prefix, after string, limit int) (list []Info, err error) {
	for row, err := range t.db.Query(ctx, "SELECT "+columns+` FROM database
WHERE state = 'live' AND name > ?1 AND name >= ?2 AND name < ?2 || char(0x10FFFF) ORDER BY name LIMIT ?3`, after, prefix, limit) {
		if err != nil {
			return nil, err
		}
		i, err := readInfo(row)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

// making calls f with the id of every database that was not finished.
func (t *table) making(ctx context.Context) (ids []ID, err error) {
	for row, err := range t.db.Query(ctx, "SELECT id FROM database WHERE state = 'making'") {
		if err != nil {
			return nil, err
		}
		id, err := ParseID(row.Text(0))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// state returns the state of a database, "" if it has no row.
func (t *table) state(ctx context.Context, id ID) (state string, err error) {
	err = t.db.View(ctx, func(tx *nearlite.ReadTx) (err error) {
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
