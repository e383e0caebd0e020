//go:build unix

package nearlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Another program that now and then has something to write gets its turn beside
// a writer that never pauses by itself.
func TestForeignWriterGetsItsTurn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		callers    int
		durability Durability
	}{{1, Full}, {64, Normal}} {
		t.Run(fmt.Sprintf("%d callers, %v", test.callers, test.durability), func(t *testing.T) {
			t.Parallel()
			db := openTest(t, &Options{Durability: test.durability})
			ctx, stop := context.WithCancel(bg)
			var load sync.WaitGroup
			for i := range test.callers {
				load.Go(func() {
					for ctx.Err() == nil {
						_, err := db.Exec(ctx, "UPDATE account SET balance = balance + 1 WHERE id = ?", i)
						if err != nil && !errors.Is(err, context.Canceled) {
							t.Error(err)
						}
					}
				})
			}
			defer load.Wait()
			defer stop()
			c := startChild(t, "stock", db.Path())
			from := time.Now()
			const commits = 20
			for range commits { // each waits 10 s at most
				if answer := c.say("UPDATE account SET balance = balance + 1 WHERE id = 999"); answer != "ok" {
					t.Fatal(answer)
				}
			}
			t.Logf("%d commits there in %v, %d here", commits, time.Since(from), db.Stats().Commits)
			if n := number(t, db, "SELECT balance FROM account WHERE id = 999"); n != 1000+commits {
				t.Error(n)
			}
			c.kill()
			within(t, "to notice that the other program has gone", func() {
				for db.writer.strangers.present.Load() {
					time.Sleep(tick)
				}
			})
		})
	}
}

// This process's own connections are no strangers.
func TestNoStrangers(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	second, err := Open(bg, db.Path(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	var d descriptor
	if d.openElsewhere(db.Path()) {
		t.Error("nobody else has the database open")
	}
	c := startChild(t, "stock", db.Path())
	if answer := c.say("SELECT * FROM account"); answer != "ok" {
		t.Fatal(answer)
	}
	if !d.openElsewhere(db.Path()) {
		t.Error("another process has the database open")
	}
	c.kill()
	if d.openElsewhere(db.Path()) {
		t.Error("the other process is dead")
	}
}
