package nearlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func init() { roles["leaking"] = openAndCloseOften }

// Many databases opened, used in every way and closed leave no goroutine and no
// open file behind. A process of its own counts, where nothing else runs.
func TestLeaks(t *testing.T) {
	t.Parallel()
	c := startChild(t, "leaking", t.TempDir())
	for line, ok := c.line(); ok; line, ok = c.line() {
		t.Error(line)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// openAndCloseOften is the child. It prints what is left over.
func openAndCloseOften(args []string) error {
	rounds := 5
	bad := filepath.Join(args[0], "bad.db")
	if err := os.WriteFile(bad, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		return err
	}
	use := func(i int) error {
		path := filepath.Join(args[0], fmt.Sprint(i, ".db"))
		if i%5 == 0 {
			path = ":memory:"
		}
		if _, err := Open(bg, bad, &Options{Logger: quiet}); err == nil {
			return errors.New("text was taken for a database")
		}
		ended, cancel := context.WithCancel(bg)
		cancel()
		if _, err := Open(ended, filepath.Join(args[0], "never.db"), nil); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("open with a context that has ended: %w", err)
		}
		db, err := Open(bg, path, &Options{Logger: quiet, Durability: Normal, CheckpointBytes: 32 << 10, LeaseContended: 5 * time.Millisecond})
		if err != nil {
			return err
		}
		useInEveryWay(db)
		if err := db.Close(); err != nil {
			return err
		}
		if path == ":memory:" {
			if _, err := os.Stat(filepath.Dir(db.Path())); !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("the temporary directory of :memory: is still there: %v", err)
			}
		}
		return nil
	}
	if err := use(0); err != nil { // what is set up once is no leak
		return err
	}
	goroutines, files := settledCounts()
	for i := range rounds {
		if err := use(1 + i%3*5); err != nil {
			return err
		}
		if err := use(5 * i); err != nil {
			return err
		}
	}
	if g, f := settledCounts(); g > goroutines || f > files {
		buf := make([]byte, 1<<16)
		fmt.Printf("%d goroutines before, %d after; %d open files before, %d after\n%s", goroutines, g, files, f, buf[:runtime.Stack(buf, true)])
	}
	return nil
}

// settledCounts returns the numbers of goroutines and open files once they no
// longer fall: a goroutine may be on its last instructions.
func settledCounts() (goroutines, files int) {
	debug.FreeOSMemory()
	goroutines = runtime.NumGoroutine()
	for same := 0; same < 50; same++ {
		time.Sleep(time.Millisecond)
		if n := runtime.NumGoroutine(); n < goroutines {
			goroutines, same = n, 0
		}
	}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		files = len(list)
	}
	return goroutines, files
}

func useInEveryWay(db *DB) {
	db.Exec(bg, "CREATE TABLE IF NOT EXISTS t(a)")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(bg)
			defer cancel()
			for range 6 {
				db.Update(ctx, func(tx *WriteTx) error { _, err := tx.Exec("INSERT INTO t VALUES (zeroblob(1000))"); return err })
				tryUpdate(db, func(*WriteTx) error { panic("ouch") })
				for range db.Query(ctx, "SELECT * FROM t") {
					break
				}
				tx, _ := db.Begin(ctx, &TxOptions{ReadOnly: i%2 == 0})
				tx.Query(ctx, "SELECT * FROM t")
				if i%3 == 0 {
					tx.Commit(ctx)
				} else {
					tx.Rollback()
				}
			}
			tx, _ := db.Begin(ctx, &TxOptions{ReadOnly: i%2 == 0}) // and never ended
			tx.Query(ctx, "SELECT * FROM t")
		})
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		db.Update(bg, func(*WriteTx) error { runtime.Goexit(); return nil })
	}()
	wg.Wait()
	<-gone
	db.Checkpoint(bg)
}

func TestViewInsideView(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	var nest func(depth int) error
	nest = func(depth int) error {
		return db.View(bg, func(tx *ReadTx) error {
			before := tx.QueryRow("SELECT balance FROM account WHERE id = 1").Int64(0)
			if depth > 0 {
				exec(t, db, "UPDATE account SET balance = balance + 1 WHERE id = 1")
				if err := nest(depth - 1); err != nil {
					return err
				}
			}
			if after := tx.QueryRow("SELECT balance FROM account WHERE id = 1").Int64(0); after != before || before != int64(1020-depth) {
				t.Errorf("at depth %d: %d, then %d", depth, before, after)
			}
			return nil
		})
	}
	within(t, "View in View", func() {
		if err := nest(20); err != nil {
			t.Error(err)
		}
	})
}

// Hundreds of readers that take their time stop neither writers nor the readers
// after them; each keeps seeing what it saw first.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	const slow = 300
	db := openTest(t, &Options{Durability: Normal, CheckpointBytes: 64 << 10})
	release := make(chan struct{})
	var ready, done sync.WaitGroup
	ready.Add(slow)
	for i := range slow {
		exec(t, db, "UPDATE account SET balance = ? WHERE id = 1", i)
		seen := make(chan struct{})
		done.Go(func() {
			err := db.View(bg, func(tx *ReadTx) error {
				n := tx.QueryRow("SELECT balance FROM account WHERE id = 1").Int64(0)
				close(seen)
				ready.Done()
				<-release
				if again := tx.QueryRow("SELECT balance FROM account WHERE id = 1").Int64(0); n != int64(i) || again != n {
					t.Errorf("reader %d saw %d, then %d", i, n, again)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
				close(seen)
				ready.Done()
			}
		})
		<-seen
	}
	ready.Wait()
	within(t, "work beside slow readers", func() {
		for i := range 500 {
			exec(t, db, "UPDATE account SET balance = ? WHERE id = 2", i)
			if n := number(t, db, "SELECT balance FROM account WHERE id = 2"); n != int64(i) {
				t.Errorf("read %d after %d", n, i)
			}
		}
	})
	if s := db.Stats(); s.Readers < slow || s.BusyReaders < slow {
		t.Errorf("%d readers, %d busy", s.Readers, s.BusyReaders)
	}
	close(release)
	done.Wait()
}

// When MaxReaders Views are open the next waits, for one to end or for its context.
func TestMaxReaders(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{MaxReaders: 3})
	release := make(chan struct{})
	var ready, done sync.WaitGroup
	ready.Add(3)
	for range 3 {
		done.Go(func() {
			db.View(bg, func(tx *ReadTx) error { ready.Done(); <-release; return nil })
		})
	}
	ready.Wait()
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if err := db.View(ctx, func(*ReadTx) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a fourth View of three: %v", err)
	}
	exec(t, db, "UPDATE account SET balance = 1 WHERE id = 1") // writers do not care
	waited := make(chan error, 1)
	go func() { waited <- db.View(bg, func(*ReadTx) error { return nil }) }()
	release <- struct{}{}
	within(t, "the fourth View", func() {
		if err := <-waited; err != nil {
			t.Error(err)
		}
	})
	close(release)
	done.Wait()
}

// A reader that keeps the WAL from starting again loses its snapshot when the
// WAL has grown too large, and the WAL then stays small.
func TestMaxWALBytes(t *testing.T) {
	t.Parallel()
	const most = 2 << 20
	db := openTest(t, &Options{Durability: Normal, CheckpointBytes: 256 << 10, MaxWALBytes: most, Logger: quiet})
	exec(t, db, "CREATE TABLE big(id INTEGER PRIMARY KEY, filler)")
	var expired atomic.Bool
	started := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.View(bg, func(tx *ReadTx) error {
			sum := tx.QueryRow("SELECT sum(balance) FROM account").Int64(0)
			close(started)
			for {
				row := tx.QueryRow("SELECT sum(balance) FROM account")
				if row.Err() != nil {
					return row.Err()
				}
				if row.Int64(0) != sum {
					return fmt.Errorf("the snapshot moved from %d to %d", sum, row.Int64(0))
				}
				runtime.Gosched()
			}
		})
		if !errors.Is(err, ErrSnapshotExpired) {
			t.Errorf("want ErrSnapshotExpired: %v", err)
		}
		expired.Store(true)
	})
	<-started
	write := func(i int) {
		exec(t, db, "INSERT OR REPLACE INTO big VALUES (?, zeroblob(20000))", i%50)
		exec(t, db, "UPDATE account SET balance = balance + 1")
	}
	within(t, "the end of the snapshot", func() {
		for i := 0; !expired.Load(); i++ {
			if write(i); db.Stats().WALBytes > 8*most { // wait for the clock rather than fill the disk
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	wg.Wait()
	within(t, "the count of it", func() { // which comes after
		for db.Stats().ExpiredSnapshot != 1 {
			runtime.Gosched()
		}
	})
	within(t, "a short WAL", func() {
		for i := 0; db.Stats().WALBytes > most; i++ {
			write(i)
		}
	})
	largest := int64(0)
	for i := range 2000 {
		write(i)
		n := db.Stats().WALBytes
		if largest = max(largest, n); n > 8*most { // 400 MB a second are more than a busy disk takes
			time.Sleep(time.Millisecond)
		}
	}
	if largest > 32<<20 {
		t.Errorf("without a reader in the way the WAL grew to %d bytes", largest)
	}
}

// Readers that come and go without a pause never let the WAL grow.
func TestWALStaysShort(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10
	db := openTest(t, &Options{Durability: Normal, CheckpointBytes: limit})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					number(t, db, "SELECT sum(balance) FROM account")
				}
			}
		})
	}
	largest := int64(0)
	for range 3000 {
		exec(t, db, "UPDATE account SET balance = balance + 1 WHERE id < 300")
		largest = max(largest, db.Stats().WALBytes)
	}
	close(stop)
	wg.Wait()
	s := db.Stats()
	t.Logf("largest WAL %d KiB, %d checkpoints, pause %v on average and %v at most", largest>>10, s.Checkpoints, s.CheckpointPauseMean, s.CheckpointPauseMax)
	if largest > 32<<20 {
		t.Errorf("the WAL grew to %d bytes with a limit of %d", largest, limit)
	}
}
