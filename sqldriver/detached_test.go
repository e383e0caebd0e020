package sqldriver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// A client that falls silent does not keep the writer for ever.
func TestDetachedLease(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, err := nearlite.Open(ctx, ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(ctx, "CREATE TABLE t (n)"); err != nil {
		t.Fatal(err)
	}
	d := newDetached(&conn{db: db, statements: newStatements(), keysOff: true})
	d.idle = 20 * time.Millisecond
	if _, err := d.Exec(ctx, "INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, "INSERT INTO t VALUES (2)"); err != nil { // waits for the lease to end
		t.Fatal(err)
	}
	if _, err := d.Exec(ctx, "INSERT INTO t VALUES (3)"); !errors.Is(err, nearlite.ErrLeaseExpired) {
		t.Errorf("a statement after that: %v", err)
	}
	if err := d.Commit(ctx); !errors.Is(err, nearlite.ErrLeaseExpired) {
		t.Errorf("a commit after that: %v", err)
	}
	res, err := db.Exec(ctx, "SELECT sum(n) FROM t")
	if err != nil || res.Rows[0][0] != int64(2) {
		t.Errorf("got %v, %v", res.Rows, err)
	}
}

// Waiting for the writer ends with the context, and an interrupted write takes
// its transaction along.
func TestDetachedContext(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, err := nearlite.Open(ctx, ":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(ctx, "CREATE TABLE t (n)"); err != nil {
		t.Fatal(err)
	}
	c := &conn{db: db, statements: newStatements(), keysOff: true}
	first := newDetached(c)
	if _, err := first.Exec(ctx, "INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	second := newDetached(c)
	if _, err := second.Exec(short, "INSERT INTO t VALUES (2)"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind another: %v", err)
	}
	short, cancel = context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	const forever = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
	if _, err := first.Exec(short, forever); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := first.Exec(ctx, "INSERT INTO t VALUES (3)"); !errors.Is(err, nearlite.ErrTxDone) {
		t.Errorf("after that: %v", err)
	}
	if err := first.Commit(ctx); !errors.Is(err, nearlite.ErrTxDone) {
		t.Errorf("a commit after that: %v", err)
	}
	if _, err := db.Exec(ctx, "INSERT INTO nowhere VALUES (1)"); !errors.Is(err, sqlite.CodeError) {
		t.Errorf("the writer: %v", err)
	}
}
