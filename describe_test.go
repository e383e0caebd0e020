package nearlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// A reader that holds a snapshot from before a change of schema sees the change.
func TestSchemaIsFresh(t *testing.T) {
	t.Parallel()
	db, err := Open(bg, filepath.Join(t.TempDir(), "schema.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ask := map[string]func(table string) error{
		"View": func(table string) error {
			return db.View(bg, func(tx *ReadTx) error {
				return ignoreNoRows(tx.QueryRow("SELECT n FROM " + table).Err())
			})
		},
		"Describe": func(table string) error {
			_, err := db.Describe(bg, "SELECT n FROM "+table)
			return err
		},
		"Tx.Describe": func(table string) error {
			tx, err := db.Begin(bg, &TxOptions{ReadOnly: true})
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = tx.Describe(bg, "SELECT n FROM "+table)
			return err
		},
		"Begin": func(table string) error {
			tx, err := db.Begin(bg, &TxOptions{ReadOnly: true})
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = tx.Query(bg, "SELECT n FROM "+table)
			return err
		},
	}
	tables := 0
	for name, f := range ask {
		for range 3 {
			table := fmt.Sprintf("t%d", tables)
			tables++
			if err := f(table); !errors.Is(err, sqlite.CodeError) {
				t.Errorf("%s before its table is there: %v", name, err)
			}
			if _, err := db.Exec(bg, "CREATE TABLE "+table+" (n)"); err != nil {
				t.Fatal(err)
			}
			if err := f(table); err != nil {
				t.Errorf("%s after CREATE TABLE: %v", name, err)
			}
			if _, err := db.Exec(bg, "ALTER TABLE "+table+" RENAME COLUMN n TO m"); err != nil {
				t.Fatal(err)
			}
			if err := f(table); !errors.Is(err, sqlite.CodeError) {
				t.Errorf("%s after its column was renamed: %v", name, err)
			}
		}
	}
}

// SQLite sets a flag when the PRAGMA is prepared; to describe it must not.
func TestDescribeRunsNothing(t *testing.T) {
	t.Parallel()
	db, err := Open(bg, filepath.Join(t.TempDir(), "flags.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, sql := range []string{"PRAGMA query_only = 0", "PRAGMA foreign_keys = 0"} {
		if _, err := db.Describe(bg, sql); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for sql, want := range map[string]int64{"PRAGMA query_only": 1, "PRAGMA foreign_keys": 1} {
		for row, err := range db.Query(bg, sql) {
			if err != nil || row.Int64(0) != want {
				t.Errorf("%s is not %d, %v", sql, want, err)
			}
		}
	}
}
