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

// The table by which changes() is made 0 would outlive a transaction, and is not bounded
// by the size of the database.
func TestEnginesTable(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	exec(t, db, "CREATE VIEW changed AS SELECT changes() AS n")
	err := db.Update(bg, func(tx *WriteTx) error {
		if n := tx.QueryRow("SELECT n FROM changed"); n.Err() != nil || n.Int(0) != 0 {
			t.Error(n.Err())
		}
		for _, sql := range []string{
			`INSERT INTO temp."nearlite:zero" VALUES (1)`, `SELECT * FROM "nearlite:zero"`, `SELECT count(*) FROM temp."nearlite:zero"`,
			`UPDATE temp."nearlite:zero" SET x = 1`, `DELETE FROM temp."nearlite:zero"`, `DROP TABLE temp."nearlite:zero"`,
			`ALTER TABLE temp."nearlite:zero" ADD y`, `ALTER TABLE temp."nearlite:zero" RENAME TO y`, `CREATE INDEX temp.i ON "nearlite:zero"(x)`,
		} {
			if _, err := tx.Exec(sql); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %v", sql, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
