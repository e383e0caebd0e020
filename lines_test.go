package nearlite

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// Clients that begin a writing transaction and vanish keep the writer for one lease
// each. Others' writes wait for one of them, not for all.
func TestVanishedTransactions(t *testing.T) {
	t.Parallel()
	const clients, lease = 40, 100 * time.Millisecond
	db := openTest(t, &Options{LeaseContended: lease})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			tx, err := db.Begin(bg, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := tx.Exec(bg, "UPDATE account SET balance = 0 WHERE id = 2"); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
	}
	for db.Stats().QueueDepth < clients-1 {
		time.Sleep(time.Millisecond)
	}
	const writes = 5
	from := time.Now()
	for range writes {
		exec(t, db, "UPDATE account SET balance = balance + 1 WHERE id = 1")
	}
	// Each may find a transaction that has just begun: a lease, and as much again
	// for a busy machine.
	if took := time.Since(from); took > 2*writes*lease {
		t.Errorf("%d writes took %v beside transactions that keep the writer for %v each", writes, took, lease)
	}
	if n := db.Stats().QueueDepth; n < clients/2 {
		t.Fatalf("only %d transactions were waiting still", n)
	}
	go db.Close() // it waits for them
	all.Wait()
}

// Transactions that hold a snapshot each and are not used give way to reads when
// there are no more readers to be had.
func TestVanishedReaders(t *testing.T) {
	t.Parallel()
	const readers = 4
	db := openTest(t, &Options{MaxReaders: readers, LeaseContended: 50 * time.Millisecond})
	var vanished []*Tx
	for i := range readers {
		tx, err := db.Begin(bg, &TxOptions{ReadOnly: i%2 == 0, Deferred: i%2 == 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(bg, "SELECT * FROM account"); err != nil {
			t.Fatal(err)
		}
		vanished = append(vanished, tx)
	}
	within(t, "a read", func() { number(t, db, "SELECT count(*) FROM account") })
	ended := 0
	for _, tx := range vanished {
		switch _, err := tx.Exec(bg, "SELECT 1"); {
		case errors.Is(err, ErrLeaseExpired):
			ended++
		case err != nil:
			t.Error(err)
		}
		tx.Rollback()
	}
	if ended == 0 || ended == readers {
		t.Errorf("%d of %d transactions were ended for one read", ended, readers)
	}
}
