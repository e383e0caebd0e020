package sqlite

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// A paused statement stands still, goes on when it may, and ends by an interrupt
// even while it waits.
func TestPause(t *testing.T) {
	t.Parallel()
	c := open(t)
	var count atomic.Int64
	if err := c.CreateFunction("counted", FuncOptions{}, func([]Value) (any, error) { return count.Add(1), nil }); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- c.QueryRow("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(counted()) FROM n").Err()
	}()
	moves := func() bool {
		from := count.Load()
		for deadline := time.Now().Add(50 * time.Millisecond); time.Now().Before(deadline); runtime.Gosched() {
			if count.Load() > from {
				return true
			}
		}
		return false
	}
	await := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !done(); {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	await("it does not run", moves)
	for range 3 {
		c.Pause(true)
		await("it runs on", func() bool { return !moves() })
		c.Pause(false)
		await("it stands still", moves)
	}
	c.Pause(true)
	await("it runs on", func() bool { return !moves() })
	c.Interrupt()
	select {
	case err := <-ended:
		if !errors.Is(err, CodeInterrupt) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it waits in spite of the interrupt")
	}
	c.Pause(false)
	if err := c.QueryRow("SELECT 1").Err(); err != nil {
		t.Error(err)
	}
}
