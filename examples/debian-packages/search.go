package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/nearlite/nearlite"
)

// A hit is a package that a search has found.
type hit struct {
	Name    string `db:"name"`
	Summary string `db:"summary"`
}

// search returns the packages that best match all the words.
func search(ctx context.Context, db *nearlite.DB, words string, most int) (hits []hit, err error) {
	if err := ensureIndex(ctx, db); err != nil {
		return nil, err
	}
	err = db.View(ctx, func(tx *nearlite.ReadTx) error {
		hits, err = nearlite.All[hit](tx, `SELECT p.name, p.summary FROM search s JOIN package p ON p.id = s.rowid
			WHERE search MATCH ?1 ORDER BY bm25(search, 10, 5, 1), p.name LIMIT ?2`, everyWord(words), most)
		return err
	})
	return hits, err
}

// everyWord quotes the words, so that none of them is taken for an operator.
func everyWord(words string) string {
	var quoted []string
	for _, word := range strings.Fields(words) {
		quoted = append(quoted, `"`+strings.ReplaceAll(word, `"`, `""`)+`"`)
	}
	return strings.Join(quoted, " ")
}

// ensureIndex builds the full-text index if it is not there, in one transaction:
// nobody sees half of it. The texts stay in their table; triggers follow changes.
func ensureIndex(ctx context.Context, db *nearlite.DB) error {
	return db.Update(ctx, func(tx *nearlite.WriteTx) error {
		there, err := nearlite.One[int64](tx, "SELECT count(*) FROM sqlite_schema WHERE name = 'search'")
		if err != nil || there > 0 {
			return err
		}
		for _, statement := range []string{
			`CREATE VIRTUAL TABLE search USING fts5(name, summary, tags, content='package', content_rowid='id', tokenize='porter')`,
			`INSERT INTO search(search) VALUES ('rebuild')`,
			`CREATE TRIGGER package_added AFTER INSERT ON package BEGIN
				INSERT INTO search(rowid, name, summary, tags) VALUES (new.id, new.name, new.summary, new.tags);
			END`,
			`CREATE TRIGGER package_removed AFTER DELETE ON package BEGIN
				INSERT INTO search(search, rowid, name, summary, tags) VALUES ('delete', old.id, old.name, old.summary, old.tags);
			END`,
			`CREATE TRIGGER package_changed AFTER UPDATE ON package BEGIN
				INSERT INTO search(search, rowid, name, summary, tags) VALUES ('delete', old.id, old.name, old.summary, old.tags);
				INSERT INTO search(rowid, name, summary, tags) VALUES (new.id, new.name, new.summary, new.tags);
			END`,
		} {
			if _, err := tx.Exec(statement); err != nil {
				return fmt.Errorf("build the index: %w", err)
			}
		}
		return nil
	})
}
