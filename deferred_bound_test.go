package nearlite

import (
	"errors"
	"testing"
	"time"
)

// Reads that were quick may take for ever by the time they are confirmed, and
// everybody waits for the writer that confirms them.
func TestDeferredConfirmsQuickly(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	exec(t, db, "CREATE TABLE few(x)")
	exec(t, db, "INSERT INTO few VALUES (1)")
	tx := deferred(t, db)
	defer tx.Rollback()
	if n, err := firstOf(tx, "SELECT count(*) FROM few a, few b, few c WHERE a.x + b.x + c.x > 0"); err != nil || n != int64(1) {
		t.Fatal(n, err)
	}
	exec(t, db, "INSERT INTO few SELECT id FROM account a") // a thousand, and so a thousand million
	from := time.Now()
	_, err := tx.Exec(bg, "INSERT INTO few VALUES (2)")
	if took := time.Since(from); !errors.Is(err, ErrConflict) || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	exec(t, db, "INSERT INTO few VALUES (3)") // the writer is free
	if n := number(t, db, "SELECT count(*) FROM few"); n != 1002 {
		t.Errorf("%d rows", n)
	}
}
