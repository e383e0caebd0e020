package nearlite

import (
	"errors"
	"fmt"
	"testing"
)

// What a savepoint takes back may be larger than what SQLite keeps of it in
// memory; it then lies in a temporary file.
func TestTakesBackMegabytes(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	exec(t, db, "CREATE TABLE large(id INTEGER PRIMARY KEY, body BLOB)")
	exec(t, db, "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < 2000) INSERT INTO large SELECT i, zeroblob(3000) FROM r")
	for _, kept := range []bool{false, true} {
		err := db.Update(bg, func(tx *WriteTx) error {
			for id := range 2000 { // a page each: 8 MB
				if _, err := tx.Exec("UPDATE large SET body = randomblob(3000) WHERE id = ?", id+1); err != nil {
					return fmt.Errorf("row %d: %w", id+1, err)
				}
			}
			if !kept {
				return errBoom
			}
			return nil
		})
		if kept && err != nil || !kept && !errors.Is(err, errBoom) {
			t.Fatal(err)
		}
		want := int64(2000)
		if kept {
			want = 0
		}
		if n := number(t, db, "SELECT count(*) FROM large WHERE body = zeroblob(3000)"); n != want {
			t.Errorf("%d rows are as they were, want %d", n, want)
		}
	}
	if s := number(t, db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"); s != 1 {
		t.Error("the database is damaged")
	}
}
