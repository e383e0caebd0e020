package nearlite

import (
	"errors"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// What works outside transactions only is refused by the same error wherever it
// is tried, and the error names what to use instead.
func TestOutsideTransactionsOnly(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	one := func(next func(yield func(Row, error) bool)) (err error) {
		for _, err = range next {
		}
		return err
	}
	interactive := func(opts *TxOptions, sql string) error {
		tx, err := db.Begin(bg, opts)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		_, err = tx.Exec(bg, sql)
		_, second := tx.Query(bg, sql)
		if !errors.Is(second, ErrRefused) {
			t.Errorf("Tx.Query %s: %v", sql, second)
		}
		return err
	}
	ways := map[string]func(sql string) error{
		"Exec":  func(sql string) error { _, err := db.Exec(bg, sql); return err },
		"Query": func(sql string) error { return one(db.Query(bg, sql)) },
		"Batch": func(sql string) error {
			_, err := db.Batch(bg, Statement{SQL: sql}, Statement{SQL: "SELECT 1"})
			return err
		},
		"Batch2": func(sql string) error {
			_, err := db.Batch(bg, Statement{SQL: "DELETE FROM account"}, Statement{SQL: sql})
			return err
		},
		"Begin":         func(sql string) error { return interactive(nil, sql) },
		"Begin to read": func(sql string) error { return interactive(&TxOptions{ReadOnly: true}, sql) },
		"WriteTx.Exec": func(sql string) error {
			return db.Update(bg, func(tx *WriteTx) error { _, err := tx.Exec(sql); return err })
		},
		"WriteTx.Query": func(sql string) error {
			return db.Update(bg, func(tx *WriteTx) error { return one(tx.Query(sql)) })
		},
		"WriteTx.QueryRow": func(sql string) error {
			return db.Update(bg, func(tx *WriteTx) error { return tx.QueryRow(sql).Err() })
		},
		"ReadTx.Query": func(sql string) error {
			return db.View(bg, func(tx *ReadTx) error { return one(tx.Query(sql)) })
		},
		"ReadTx.QueryRow": func(sql string) error {
			return db.View(bg, func(tx *ReadTx) error { return tx.QueryRow(sql).Err() })
		},
	}
	for _, sql := range []string{
		"VACUUM", "vacuum main", "VACUUM INTO 'copy.db'", "/* now */ ;; -- or never\n\tVacuum;",
		"ATTACH ':memory:' AS x", "ATTACH DATABASE ? AS x", "DETACH x", "DETACH main",
		"PRAGMA journal_mode=DELETE", "PRAGMA journal_mode = WAL", "PRAGMA main.journal_mode(delete)",
	} {
		for name, run := range ways {
			for range 2 { // the second time it may be in a cache
				err := run(sql)
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "DB.Exclusive") {
					t.Errorf("%s %s: %v", name, sql, err)
				}
			}
		}
		if sql == "VACUUM" { // and the remedy is one
			if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec(sql) }); err != nil {
				t.Error(err)
			}
		}
	}
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Errorf("%d rows: a refused batch has left something", n)
	}
	if n := number(t, db, "SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'"); n != 1 {
		t.Errorf("%d databases are attached", n)
	}
}
