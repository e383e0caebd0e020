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
	for _, sql := range []string{
		"VACUUM", "vacuum main", "VACUUM INTO 'copy.db'", "/* now */ ;; -- or never\n\tVacuum;",
		"ATTACH ':memory:' AS x", "ATTACH DATABASE ? AS x", "DETACH x", "DETACH main",
		"PRAGMA journal_mode=DELETE", "PRAGMA journal_mode = WAL", "PRAGMA main.journal_mode(delete)",
	} {
		for name, run := range ways(db) {
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
