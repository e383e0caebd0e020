package nearlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// A transaction beyond the size limit fails, and only that one: neighbours in its
// batch are committed, deleting makes room, and the limit can be raised.
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	const most = 256 << 10
	db := openTest(t, &Options{Limits: Limits{MaxBytes: most}})
	exec := func(sql string, args ...any) error { _, err := db.Exec(bg, sql, args...); return err }
	insert := func() error { return exec("INSERT INTO t VALUES (zeroblob(?))", 10_000) }
	if err := exec("CREATE TABLE t(a)"); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := insert()
	for ; err == nil; err = insert() {
		if n++; n > 100 {
			t.Fatal("there is no limit")
		}
	}
	if !errors.Is(err, ErrSizeLimit) || !errors.Is(err, sqlite.CodeFull) || errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "262144 bytes") {
		t.Errorf("at the limit: %v", err)
	}
	var wg sync.WaitGroup
	small := make([]error, 50)
	for i := range small {
		wg.Go(func() { small[i] = exec("UPDATE t SET a = a WHERE rowid = ?", i%n+1) })
		wg.Go(func() {
			if err := insert(); !errors.Is(err, ErrSizeLimit) {
				t.Errorf("one of many: %v", err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(small...); err != nil {
		t.Errorf("neighbours: %v", err)
	}
	for name, err := range map[string]error{
		"Update": db.Update(bg, func(tx *WriteTx) error { _, err := tx.Exec("INSERT INTO t SELECT zeroblob(10000) FROM t"); return err }),
		"Begin": func() error {
			tx, err := db.Begin(bg, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = tx.Exec(bg, "INSERT INTO t SELECT zeroblob(10000) FROM t")
			return err
		}(),
	} {
		if !errors.Is(err, ErrSizeLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(exec("DELETE FROM t WHERE rowid = 1"), insert()); err != nil {
		t.Errorf("after some was deleted: %v", err)
	}
	if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec("INSERT INTO t VALUES (zeroblob(100000))") }); !errors.Is(err, sqlite.CodeFull) {
		t.Errorf("Exclusive: %v", err)
	}
	if err := db.SetLimits(bg, Limits{MaxBytes: 2 * most}); err != nil {
		t.Fatal(err)
	}
	if err := insert(); err != nil {
		t.Errorf("with a higher limit: %v", err)
	}
	if err := db.SetLimits(bg, Limits{MaxBytes: most / 2}); err != nil {
		t.Fatal(err)
	}
	for err = insert(); err == nil; err = insert() { // what is free inside
	}
	if !errors.Is(err, ErrSizeLimit) {
		t.Errorf("with a lower limit: %v", err)
	}
	if err := errors.Join(db.SetLimits(bg, Limits{}), exec("INSERT INTO t VALUES (zeroblob(1000000))")); err != nil {
		t.Errorf("with no limit: %v", err)
	}
	if info, err := os.Stat(db.Path()); err != nil || info.Size() > 4*most {
		t.Errorf("%v, %v", info.Size(), err)
	}
}

func TestLimitsRefused(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	for _, l := range []Limits{{MaxBytes: -1}, {WriterShare: -0.1}, {WriterShare: 1.1}} {
		if err := db.SetLimits(bg, l); err == nil {
			t.Errorf("%+v was taken", l)
		}
		if _, err := Open(bg, filepath.Join(t.TempDir(), "a.db"), &Options{Limits: l}); err == nil {
			t.Errorf("%+v was taken by Open", l)
		}
	}
}

// The writer rests in proportion to what it has worked; the time in the bubble is
// what its transactions say they take.
func TestWriterShare(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "share.db")
	synctest.Test(t, func(t *testing.T) {
		db, err := Open(bg, path, &Options{Limits: Limits{WriterShare: 0.1}})
		if err != nil {
			t.Fatal(err)
		}
		work := func(d time.Duration) {
			if err := db.Update(bg, func(*WriteTx) error { time.Sleep(d); return nil }); err != nil {
				t.Error(err)
			}
		}
		took := func(f func()) time.Duration { from := time.Now(); f(); return time.Since(from).Round(time.Millisecond) }
		work(0)
		if d := took(func() { work(10 * time.Millisecond) }); d != 10*time.Millisecond {
			t.Errorf("the first took %v", d)
		}
		if d := took(func() { work(10 * time.Millisecond) }); d != 100*time.Millisecond {
			t.Errorf("the second took %v", d)
		}
		time.Sleep(time.Second)
		if d := took(func() { work(10 * time.Millisecond) }); d != 10*time.Millisecond {
			t.Errorf("one after a pause took %v", d)
		}
		// Waiting for a client is no work.
		if d := took(func() {
			tx, err := db.Begin(bg, nil)
			if err == nil {
				_, err = tx.Exec(bg, "SELECT 1")
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond)
			tx.Commit(bg)
			work(0)
		}); d > 300*time.Millisecond {
			t.Errorf("after an interactive transaction it took %v", d)
		}
		// Who gives up while the writer rests is gone; a new share counts at once.
		work(100 * time.Millisecond)
		ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
		defer cancel()
		if d := took(func() { err = db.Update(ctx, func(*WriteTx) error { t.Error("it ran"); return nil }) }); d != 50*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it gave up after %v: %v", d, err)
		}
		if d := took(func() { err = db.SetLimits(bg, Limits{WriterShare: 0.5}) }); d != 50*time.Millisecond || err != nil {
			t.Errorf("SetLimits took %v: %v", d, err)
		}
		if d := took(func() { err = db.SetLimits(bg, Limits{}) }); d != 0 || err != nil {
			t.Errorf("SetLimits took %v: %v", d, err)
		}
		work(time.Second)
		if d := took(func() { work(0) }); d != 0 {
			t.Errorf("without a share it waited %v", d)
		}
		// Close does not wait for the rest, and does what was queued.
		db.SetLimits(bg, Limits{WriterShare: 0.01})
		work(time.Second)
		done := make(chan error)
		go func() { done <- db.Update(bg, func(*WriteTx) error { return nil }) }()
		synctest.Wait()
		if d := took(func() { err = db.Close() }); d != 0 || err != nil {
			t.Errorf("Close took %v: %v", d, err)
		}
		if err := <-done; err != nil {
			t.Errorf("what was queued: %v", err)
		}
	})
}
