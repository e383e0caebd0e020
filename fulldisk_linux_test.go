package nearlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite/internal/smalldisk"
)

// fill makes a file of what room there is.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 16; size >= 1; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

func openSmall(t *testing.T, dir string, opts *Options) *DB {
	t.Helper()
	opts.Logger = quiet
	db, err := Open(bg, filepath.Join(dir, "small.db"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	exec(t, db, "CREATE TABLE t(a INTEGER PRIMARY KEY, filler)")
	return db
}

// A full disk makes the database read only: writes fail with an error that says
// so, nothing acknowledged is lost, reads go on; and when there is room, writes
// go on by themselves.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		opts Options
		rows int // of one transaction
	}{
		{"small transactions", Options{}, 1},
		{"larger than the cache", Options{CacheSize: 64 << 10}, 200},
		{"with a page map", Options{PageMap: true, CheckpointBytes: 256 << 10}, 10},
		{"mapped and checkpointed", Options{CheckpointBytes: 256 << 10, Durability: Normal}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := smalldisk.Mount(t, 6<<20)
			db := openSmall(t, dir, &test.opts)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 3<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			acked, failed := int64(0), 0
			insert := func() error {
				return db.Update(bg, func(tx *WriteTx) error {
					for range test.rows {
						if _, err := tx.Exec("INSERT INTO t(filler) VALUES (?)", strings.Repeat("x", 3000)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			write := func(callers int, enough func() bool) {
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						for !enough() {
							err := insert()
							mu.Lock()
							switch {
							case err == nil:
								acked += int64(test.rows)
							case errors.Is(err, ErrDiskFull):
								failed++
							default:
								t.Errorf("want ErrDiskFull: %v", err)
								failed += 1000
							}
							mu.Unlock()
							if n := number(t, db, "SELECT count(*) FROM t"); n%int64(test.rows) != 0 {
								t.Errorf("%d rows: a transaction is there by half", n)
							}
						}
					})
				}
				wg.Wait()
			}
			write(8, func() bool { mu.Lock(); defer mu.Unlock(); return failed > 50 })
			if n := number(t, db, "SELECT count(*) FROM t"); n != acked || n == 0 {
				t.Fatalf("%d rows, %d acknowledged", n, acked)
			}
			err := insert()
			if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "room") {
				t.Errorf("want ErrDiskFull, which says what to do: %v", err)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			before := acked
			within(t, "recovery", func() {
				for err := insert(); err != nil; err = insert() {
					if !errors.Is(err, ErrDiskFull) {
						t.Errorf("after making room: %v", err)
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
			if n := number(t, db, "SELECT count(*) FROM t"); n != before+int64(test.rows) {
				t.Errorf("%d rows, %d acknowledged", n, before+int64(test.rows))
			}
			if s := checked(t, db); s != "ok" {
				t.Error(s)
			}
		})
	}
}

func checked(t testing.TB, db *DB) (s string) {
	t.Helper()
	err := db.View(bg, func(tx *ReadTx) (err error) {
		s, err = One[string](tx, "PRAGMA integrity_check")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return s
}

// With no room for a single block, opening says so; deleting makes room.
func TestOpenOnFullDisk(t *testing.T) {
	t.Parallel()
	dir := smalldisk.Mount(t, 1<<20)
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	_, err := Open(bg, filepath.Join(dir, "new.db"), &Options{Logger: quiet})
	if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "new.db") {
		t.Errorf("want ErrDiskFull with the path: %v", err)
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("it has left a file that it made itself: %v", left)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	db := openSmall(t, dir, &Options{})
	for i := range 100 {
		exec(t, db, "INSERT INTO t(filler) VALUES (?)", strings.Repeat("x", i))
	}
	fill(t, ballast)
	if err := db.Close(); err != nil { // what cannot be copied back stays in the WAL
		t.Errorf("close on a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	again, err := Open(bg, filepath.Join(dir, "small.db"), &Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n := number(t, again, "SELECT count(*) FROM t"); n != 100 {
		t.Errorf("%d rows", n)
	}
}

// A database that was closed cleanly can be read with no room for a -shm.
func TestReadOnFullDisk(t *testing.T) {
	t.Parallel()
	dir := smalldisk.Mount(t, 1<<20)
	path := filepath.Join(dir, "a.db")
	if err := os.WriteFile(path, database(t), 0o600); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	for range 2 { // also beside what the first left
		if n := number(t, openReadOnly(t, path), "SELECT length(a) FROM t"); n != 20_000 {
			t.Errorf("%d bytes", n)
		}
	}
	before := openReadOnly(t, path)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	db, err := Open(bg, path, &Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec(t, db, "INSERT INTO t VALUES (1)")
	err = before.View(bg, func(*ReadTx) error { return nil })
	wants{nil, []string{"another program has written", "open it again"}}.check(t, err)
}
