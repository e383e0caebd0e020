package nearlite

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// More Views that never end than there are processors: each gets its turn, a short one
// is not kept waiting, and all end when their contexts do.
func TestLongViewsTakeTurns(t *testing.T) {
	t.Parallel()
	counts := make([]atomic.Int64, 3*runtime.GOMAXPROCS(0)+2)
	db := openTest(t, &Options{OnConnect: func(c *sqlite.Conn) error {
		return c.CreateFunction("seen", sqlite.FuncOptions{NArgs: 1}, func(args []sqlite.Value) (any, error) {
			return counts[args[0].Int()].Add(1), nil
		})
	}})
	ctx, cancel := context.WithCancel(bg)
	var all sync.WaitGroup
	for i := range counts {
		all.Go(func() {
			err := db.View(ctx, func(tx *ReadTx) error {
				return tx.QueryRow("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(seen(?)) FROM n", i).Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	// Each is at work, and is again some time after all were old enough to take turns.
	for range 3 {
		from := make([]int64, len(counts))
		for i := range counts {
			from[i] = counts[i].Load()
		}
		for i := range counts {
			for deadline := time.Now().Add(20 * time.Second); counts[i].Load() == from[i]; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("view %d stands still at %d", i, from[i])
				}
			}
		}
		if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
			t.Error(n)
		}
		time.Sleep(2 * longAge)
	}
	cancel()
	within(t, "the views", all.Wait)
	// Nobody who comes later is made to wait.
	for range 20 {
		number(t, db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) SELECT count(*) FROM n")
	}
}
