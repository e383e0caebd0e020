package nearlite

import (
	"errors"
	"testing"
)

// An empty argument is one: PRAGMA query_only = ” would open a reader for writing,
// and many PRAGMAs act when they are prepared, behind EXPLAIN and in Describe, too.
func TestEmptyPragmaArgument(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	cache := number(t, db, "PRAGMA cache_size")
	for _, sql := range []string{"PRAGMA query_only = ''", "EXPLAIN PRAGMA query_only('')", "EXPLAIN QUERY PLAN PRAGMA cache_size = ''", "PRAGMA temp_store_directory = ''"} {
		if _, err := db.Describe(bg, sql); !errors.Is(err, ErrRefused) {
			t.Errorf("describe %s: %v", sql, err)
		}
		err := db.View(bg, func(tx *ReadTx) error { return tx.QueryRow(sql).Err() })
		if !errors.Is(err, ErrRefused) && !errors.Is(err, ErrReadOnly) {
			t.Errorf("View: %s: %v", sql, err)
		}
		if _, err := db.Exec(bg, sql); !errors.Is(err, ErrRefused) {
			t.Errorf("Exec: %s: %v", sql, err)
		}
	}
	if got := number(t, db, "PRAGMA query_only"); got != 1 {
		t.Errorf("query_only of a reader is %d", got)
	}
	if got := number(t, db, "PRAGMA cache_size"); got != cache {
		t.Errorf("cache_size of a reader is %d", got)
	}
}

// PRAGMA optimize is a table as well, and to read that writes.
func TestOptimizeAsTable(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	const sql = "SELECT * FROM pragma_optimize(0x10012)"
	err := db.View(bg, func(tx *ReadTx) error { return tx.QueryRow(sql).Err() })
	if !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	err = db.Update(bg, func(tx *WriteTx) error { return tx.QueryRow(sql).Err() })
	if !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}
