//go:build unix

package nearlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	_ "github.com/mattn/go-sqlite3"

	"github.com/nearlite/nearlite/sqlite"
)

func init() {
	roles["stock"] = obeyAsStock
	roles["writer"] = writeAsStock
}

// board is a page of memory that two processes share: the other one writes into
// it what it has committed, as soon as its COMMIT has returned.
type board struct {
	acked atomic.Int64 // the counter's value
	stop  atomic.Int64
}

func openBoard(path string) (*board, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(4096); err != nil {
		return nil, err
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*board)(unsafe.Pointer(unsafe.SliceData(mem))), nil
}

// writeAsStock is another program that writes through the usual driver: two rows
// that must always agree, with checkpoints and changes of the schema in between.
func writeAsStock(args []string) error {
	b, err := openBoard(args[1])
	if err != nil {
		return err
	}
	conn, err := stockConn(args[0])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for n := int64(1); b.stop.Load() == 0; n++ {
		list := []string{"BEGIN IMMEDIATE", "UPDATE foreign_pair SET n = n + 1 WHERE id = 1", "UPDATE foreign_pair SET n = n + 1 WHERE id = 2", "COMMIT"}
		switch n % 29 {
		case 3:
			list = append(list, "PRAGMA wal_checkpoint(PASSIVE)")
		case 7:
			list = append(list, "PRAGMA wal_checkpoint(RESTART)")
		case 11:
			list = append(list, "PRAGMA wal_checkpoint(TRUNCATE)")
		case 15:
			list = append(list, "CREATE TABLE passing(a); CREATE INDEX passing_a ON passing(a)")
		case 16:
			list = append(list, "DROP TABLE passing")
		case 20:
			list = append(list, "ALTER TABLE foreign_pair ADD COLUMN extra")
		case 22:
			list = append(list, "ALTER TABLE foreign_pair DROP COLUMN extra")
		case 26:
			list = append(list, "INSERT INTO bulk SELECT randomblob(2000) FROM foreign_pair, foreign_pair, foreign_pair, foreign_pair, foreign_pair, foreign_pair")
		case 27:
			list = append(list, "DELETE FROM bulk; PRAGMA incremental_vacuum")
		}
		for i, statement := range list {
			if _, err := conn.ExecContext(bg, statement); err != nil && !strings.Contains(err.Error(), "locked") {
				return fmt.Errorf("%s: %w", statement, err)
			} else if err != nil && i < 4 {
				return fmt.Errorf("%s: waited in vain: %w", statement, err)
			}
			if i == 3 {
				b.acked.Store(n)
			}
		}
	}
	return nil
}

func stockConn(path string) (*sql.Conn, error) {
	pool, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=10000&_journal_mode=WAL")
	if err != nil {
		return nil, err
	}
	return pool.Conn(bg)
}

// A View never sees less than what was acknowledged before it began, by this or
// by another process, and never less than an earlier View; whatever checkpoints
// either of them runs, and whatever becomes of the schema.
func TestFreshness(t *testing.T) {
	t.Parallel()
	commits := int64(600)
	if long {
		commits = 100_000
	}
	for _, opts := range []Options{{Durability: Normal, CheckpointBytes: 64 << 10}, {MmapSize: -1}} {
		t.Run(fmt.Sprintf("mmap=%d", opts.MmapSize), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db, err := Open(bg, filepath.Join(dir, "fresh.db"), &opts)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, s := range []string{
				"CREATE TABLE foreign_pair(id INTEGER PRIMARY KEY, n INT)", "CREATE TABLE own_pair(id INTEGER PRIMARY KEY, n INT)",
				"INSERT INTO foreign_pair VALUES (1, 0), (2, 0)", "INSERT INTO own_pair VALUES (1, 0), (2, 0)", "CREATE TABLE bulk(a)",
			} {
				exec(t, db, s)
			}
			f := &freshness{t: t, db: db}
			if f.foreign, err = openBoard(filepath.Join(dir, "board")); err != nil {
				t.Fatal(err)
			}
			c := startChild(t, "writer", db.Path(), filepath.Join(dir, "board"))
			if line, _ := c.line(); line != "ready" {
				t.Fatal("the other process did not come up")
			}
			f.race(commits)
			f.foreign.stop.Store(1)
			if err := c.cmd.Wait(); err != nil {
				t.Errorf("the other process: %v", err)
			}
			if s := checked(t, db); s != "ok" {
				t.Error(s)
			}
			t.Logf("%d commits there, %d here, %d views, %+v", f.foreign.acked.Load(), f.own.Load(), f.views.Load(), db.Stats())
		})
	}
}

type freshness struct {
	t       *testing.T
	db      *DB
	foreign *board
	own     atomic.Int64 // the counter here that was acknowledged last
	views   atomic.Int64
}

// race reads and writes until the other process has made its commits.
func (f *freshness) race(commits int64) {
	done := func() bool { return f.foreign.acked.Load() >= commits || f.t.Failed() }
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var last seen
			for !done() {
				last = f.look(last)
			}
		})
	}
	wg.Go(func() {
		for n := int64(1); !done(); n++ {
			err := f.db.Update(bg, func(tx *WriteTx) error {
				for id := range 2 {
					if _, err := tx.Exec("UPDATE own_pair SET n = ? WHERE id = ?", n, id+1); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				f.t.Errorf("write here: %v", err)
			}
			f.own.Store(n)
			if n%50 == 0 {
				if err := f.db.Checkpoint(bg); err != nil {
					f.t.Errorf("checkpoint here: %v", err)
				}
			}
		}
	})
	within60(f.t, wg.Wait)
}

// within60 is within for work that takes its time.
func within60(t testing.TB, f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(5 * time.Minute):
		t.Fatal("it takes for ever")
	}
}

// seen is what a View saw.
type seen struct {
	foreign, own int64
	position     Position
}

func (f *freshness) look(last seen) (now seen) {
	foreign, own := f.foreign.acked.Load(), f.own.Load()
	err := f.db.View(bg, func(tx *ReadTx) error {
		a, err := All[int64](tx, "SELECT n FROM foreign_pair ORDER BY id")
		if err != nil {
			return err
		}
		b, err := All[int64](tx, "SELECT n FROM own_pair ORDER BY id")
		if err != nil {
			return err
		}
		if len(a) != 2 || a[0] != a[1] || len(b) != 2 || b[0] != b[1] {
			f.t.Errorf("a view saw half a transaction: %v %v", a, b)
			return nil
		}
		now.foreign, now.own = a[0], b[0]
		now.position, err = tx.Position()
		return err
	})
	if err != nil {
		f.t.Errorf("view: %v", err)
		return last
	}
	f.views.Add(1)
	switch order, _ := now.position.Compare(last.position); {
	case now.foreign < foreign || now.own < own:
		f.t.Errorf("a view saw %d and %d after %d and %d were acknowledged", now.foreign, now.own, foreign, own)
	case now.foreign < last.foreign || now.own < last.own:
		f.t.Errorf("a view saw %d and %d after one that saw %d and %d", now.foreign, now.own, last.foreign, last.own)
	case order < 0 && last.position.Log == now.position.Log:
		f.t.Errorf("position %v came after %v", now.position, last.position)
	case order == 0 && last.position.Log == now.position.Log && (now.foreign != last.foreign || now.own != last.own):
		f.t.Errorf("position %v stands for (%d, %d) and (%d, %d)", now.position, last.foreign, last.own, now.foreign, now.own)
	}
	return now
}

// obeyAsStock is another program that does as it is told, a line at a time.
func obeyAsStock(args []string) error {
	conn, err := stockConn(args[0])
	if err != nil {
		return err
	}
	var line string
	for {
		if line, err = readLine(os.Stdin); err != nil {
			return nil
		}
		if _, err := conn.ExecContext(bg, line); err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
	}
}

func readLine(f *os.File) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if n, err := f.Read(b); n == 0 || err != nil {
			return "", errors.Join(err, errors.New("end"))
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}

// Another process's transaction holds up ours and is waited for, up to BusyTimeout.
func TestForeignProcessWrites(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{BusyTimeout: 20 * time.Second})
	c := startChild(t, "stock", db.Path())
	must := func(sql string) {
		t.Helper()
		if answer := c.say(sql); answer != "ok" {
			t.Fatalf("%s: %s", sql, answer)
		}
	}
	must("BEGIN IMMEDIATE")
	must("UPDATE account SET balance = 7 WHERE id = 1")
	done := make(chan error, 1)
	go func() {
		_, err := db.Exec(bg, "UPDATE account SET balance = balance + 1 WHERE id = 1")
		done <- err
	}()
	ctx, cancel := context.WithTimeout(bg, 30*time.Millisecond)
	defer cancel()
	if _, err := db.Exec(ctx, "DELETE FROM account"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline behind a foreign transaction: %v", err)
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 1000 {
		t.Errorf("a view saw %d, of an open transaction", n)
	}
	select {
	case err := <-done:
		t.Fatalf("ours did not wait: %v", err)
	default:
	}
	must("COMMIT")
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n < 7 {
		t.Errorf("a view saw %d after the other process's commit", n)
	}
	within(t, "our transaction", func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 8 {
		t.Error(n)
	}
	// It may not take the WAL away from under us.
	if answer := c.say("PRAGMA journal_mode = DELETE"); answer == "ok" {
		if s := db.writer.conn.QueryRow("PRAGMA journal_mode").Text(0); s != "wal" {
			t.Errorf("another process switched us to journal mode %s", s)
		}
	}
	// It dies with its transaction open.
	must("BEGIN IMMEDIATE")
	must("DELETE FROM account")
	c.kill()
	exec(t, db, "UPDATE account SET balance = 9 WHERE id = 1")
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Error(n)
	}
}

// Beyond BusyTimeout the error says who is in the way, and nothing has happened.
func TestForeignProcessStays(t *testing.T) {
	t.Parallel()
	db := openTest(t, &Options{BusyTimeout: 100 * time.Millisecond})
	c := startChild(t, "stock", db.Path())
	if answer := c.say("BEGIN IMMEDIATE"); answer != "ok" {
		t.Fatal(answer)
	}
	from := time.Now()
	_, err := db.Exec(bg, "DELETE FROM account")
	if !errors.Is(err, sqlite.CodeBusy) || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), db.Path()) {
		t.Errorf("want an error that names the file and the other process: %v", err)
	}
	if took := time.Since(from); took < 100*time.Millisecond {
		t.Errorf("it waited %v only", took)
	}
	tx, err := db.Begin(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(bg, "DELETE FROM account"); !errors.Is(err, sqlite.CodeBusy) {
		t.Errorf("interactive: %v", err)
	}
	if answer := c.say("COMMIT"); answer != "ok" {
		t.Fatal(answer)
	}
	exec(t, db, "UPDATE account SET balance = 1")
}
