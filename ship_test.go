package nearlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// A line leads to a log until it is cut.
type line struct {
	Log
	cut atomic.Bool
}

func (l *line) Append(ctx context.Context, e *Entry) error {
	if l.cut.Load() {
		return fmt.Errorf("%w: the line is cut", ErrNotCommitted)
	}
	return l.Log.Append(ctx, e)
}

func openLogged(t testing.TB, path string, l Log, d Durability) *DB {
	t.Helper()
	db, err := Open(bg, path, &Options{Log: l, Durability: d, LogDelay: time.Millisecond, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// logHas compares what a log leads to with a database.
func logHas(t testing.TB, l Log, db *DB) {
	t.Helper()
	if err := db.FlushLog(bg); err != nil {
		t.Fatal(err)
	}
	got, want := filepath.Join(t.TempDir(), "of-log.db"), filepath.Join(t.TempDir(), "want.db")
	if _, err := writeLogTo(bg, l, got); err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(bg, want, nil); err != nil {
		t.Fatal(err)
	}
	if err := sameContent(got, want); err != nil {
		t.Error(err)
	}
	head, _ := l.Head(bg)
	if sum, err := fileSum(got, db.pageSize); err != nil || uint32(sum) != head.Sum {
		t.Errorf("what the log leads to has the sum %08x, its last entry says %08x, %v", uint32(sum), head.Sum, err)
	}
}

// After each of many random transactions the log leads to what the database has,
// whatever the durability.
func TestLogLeadsToTheDatabase(t *testing.T) {
	t.Parallel()
	rounds := 60
	if long {
		rounds = 2000
	}
	for _, d := range []Durability{Full, Normal, Archived} {
		for _, size := range []int{512, 4096, 65536} {
			t.Run(fmt.Sprintf("%v of %d", d, size), func(t *testing.T) {
				t.Parallel()
				seed := rand.Uint64()
				r := rand.New(rand.NewPCG(seed, 6))
				l := &memoryLog{}
				db, err := Open(bg, filepath.Join(t.TempDir(), "l.db"), &Options{Log: l, Durability: d, LogDelay: time.Millisecond, PageSize: size, CacheSize: 64 << 10, CheckpointBytes: 256 << 10, Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				for i := range rounds {
					step := randomStep(t, db, r)
					if i%10 == 0 || r.IntN(20) == 0 {
						logHas(t, l, db)
					}
					if t.Failed() {
						t.Fatalf("seed %d, step %d: after %s", seed, i, step)
					}
				}
				logHas(t, l, db)
			})
		}
	}
}

// A log that fails now and then, that takes entries and says it has not, or says
// nothing at all, has everything in the end, and once.
func TestMoodyLogIsShippedTo(t *testing.T) {
	t.Parallel()
	l := &memoryLog{}
	db := openLogged(t, filepath.Join(t.TempDir(), "l.db"), l, Full)
	exec(t, db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
	r := rand.New(rand.NewPCG(1, 7))
	for i := range 60 {
		l.mu.Lock()
		l.answer, l.stored = nil, false
		switch r.IntN(4) {
		case 0:
			l.answer = fmt.Errorf("%w: not now", ErrNotCommitted)
		case 1:
			l.answer, l.stored = errors.New("no answer"), r.IntN(2) == 0
		}
		l.mu.Unlock()
		exec(t, db, "INSERT INTO t VALUES (?, randomblob(300))", i)
		ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
		db.FlushLog(ctx)
		cancel()
	}
	l.say(nil)
	logHas(t, l, db)
	if s := db.Stats(); s.LogTXID != l.head().TXID || s.LogLag != 0 || s.LogError != nil {
		t.Errorf("%+v", s)
	}
}

// Writes wait for a log that is too far behind, and say why.
func TestLogLag(t *testing.T) {
	t.Parallel()
	l := &memoryLog{}
	db, err := Open(bg, filepath.Join(t.TempDir(), "l.db"), &Options{Log: l, LogDelay: time.Millisecond, LogLag: 20 * time.Millisecond, BusyTimeout: 50 * time.Millisecond, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec(t, db, "CREATE TABLE t(a)")
	l.say(fmt.Errorf("%w: unplugged", ErrNotCommitted))
	within(t, "a refusal", func() {
		for err == nil {
			_, err = db.Exec(bg, "INSERT INTO t VALUES (1)")
		}
	})
	if !errors.Is(err, ErrLogBehind) || !strings.Contains(err.Error(), "unplugged") {
		t.Fatal(err)
	}
	l.say(nil)
	if err := db.FlushLog(bg); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "INSERT INTO t VALUES (2)")
}

// Two databases that began as one, on one log: the one that is first goes on, the
// other learns who it was at its next entry, refuses writes, and what it had
// acknowledged meanwhile is kept.
func TestFenced(t *testing.T) {
	t.Parallel()
	for _, d := range []Durability{Full, Archived} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			l := &memoryLog{}
			a := openLogged(t, filepath.Join(t.TempDir(), "l.db"), l, d)
			exec(t, a, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
			if err := a.FlushLog(bg); err != nil {
				t.Fatal(err)
			}
			b := openLogged(t, copyDatabase(t, a.Path(), t.TempDir()), l, d)
			exec(t, b, "INSERT INTO t VALUES (1, 'b')")
			if err := b.FlushLog(bg); err != nil {
				t.Fatal(err)
			}
			_, err := a.Exec(bg, "INSERT INTO t VALUES (2, 'a')")
			if d == Full && err == nil {
				err = a.FlushLog(bg)
			}
			if !errors.Is(err, ErrFenced) || errors.Is(err, ErrCommitUnknown) || !strings.Contains(err.Error(), fmt.Sprintf("%08x", b.ship.epoch)) {
				t.Fatal(err)
			}
			if _, err := a.Exec(bg, "INSERT INTO t VALUES (3, 'a')"); !errors.Is(err, ErrFenced) || !errors.Is(err, ErrPoisoned) {
				t.Error(err)
			}
			exec(t, b, "INSERT INTO t VALUES (4, 'b')")
			logHas(t, l, b)
			orphans, _ := filepath.Glob(filepath.Join(filepath.Dir(a.Path()), "orphaned-l.db-*.ltx"))
			if want := map[Durability]int{Full: 1}[d]; len(orphans) != want {
				t.Errorf("kept: %v", orphans)
			}
			a.Close()
			if _, err := Open(bg, a.Path(), &Options{Log: l, Durability: d, Logger: quiet}); !errors.Is(err, ErrFenced) && !errors.Is(err, ErrLogMismatch) {
				t.Errorf("opened again: %v", err)
			}
		})
	}
}

// What Open does with a file and a log, by the table of reconciliation.
func TestReconcile(t *testing.T) {
	t.Parallel()
	const schema = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES (1, 'one')"
	for _, tt := range []struct {
		name string
		then func(t *testing.T, l *memoryLog, db *DB) (path string, log Log)
		rows int    // there are afterwards; 0: an error
		err  string // which says this
	}{
		{"no file", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			db.Close()
			return filepath.Join(t.TempDir(), "new.db"), l
		}, 3, ""},
		{"closed", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			db.Close()
			return db.Path(), l
		}, 3, ""},
		{"killed", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			return copyDatabase(t, db.Path(), t.TempDir()), l
		}, 3, ""},
		{"killed, with commits beyond the log", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			db.opts.Log.(*line).cut.Store(true)
			db.Exec(bg, "INSERT INTO t VALUES (4, 'four')")
			return copyDatabase(t, db.Path(), t.TempDir()), l
		}, -1, ""},
		{"copied", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			db.Close()
			return copyDatabase(t, db.Path(), t.TempDir()), l
		}, 3, ""},
		{"never part of it", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			path := filepath.Join(t.TempDir(), "other.db")
			other := openLogged(t, path, &memoryLog{}, Full)
			exec(t, other, "CREATE TABLE other(a)")
			other.Close()
			os.Remove(path + "-map")
			return path, l
		}, 0, "never part of it"},
		{"another database's", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			db.Close()
			other := &memoryLog{}
			o := openLogged(t, filepath.Join(t.TempDir(), "other.db"), other, Archived)
			for i := range 10 {
				exec(t, o, fmt.Sprintf("CREATE TABLE x%d(a)", i))
			}
			return db.Path(), other
		}, 0, "another"},
		{"an empty log", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			db.Close()
			return db.Path(), &memoryLog{}
		}, 0, "empty"},
		{"a log put back", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			db.Close()
			return db.Path(), &memoryLog{entries: l.entries[:1]}
		}, 0, "older copy"},
		{"a file put back", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			if err := db.Checkpoint(bg); err != nil {
				t.Fatal(err)
			}
			old, err := os.ReadFile(db.Path())
			if err != nil {
				t.Fatal(err)
			}
			exec(t, db, "INSERT INTO t VALUES (4, 'four')")
			db.Close()
			if err := os.WriteFile(db.Path(), old, 0o644); err != nil {
				t.Fatal(err)
			}
			return db.Path(), l
		}, 0, "not the one that was closed"},
		{"a disk put back", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			old := copyDatabase(t, db.Path(), t.TempDir())
			exec(t, db, "INSERT INTO t VALUES (4, 'four')")
			db.FlushLog(bg)
			return old, l
		}, 4, ""},
		{"written to while closed", func(t *testing.T, l *memoryLog, db *DB) (string, Log) {
			db.Close()
			foreign(t, db.Path(), "INSERT INTO t VALUES (4, 'four')")
			return db.Path(), l
		}, 0, "another program wrote to it"},
	} {
		for _, d := range []Durability{Full, Archived} {
			t.Run(tt.name+", "+d.String(), func(t *testing.T) {
				t.Parallel()
				l := &memoryLog{}
				db := openLogged(t, filepath.Join(t.TempDir(), "l.db"), &line{Log: l}, d)
				if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec(schema) }); err != nil {
					t.Fatal(err)
				}
				for i := 2; i < 4; i++ {
					exec(t, db, "INSERT INTO t VALUES (?, 'more')", i)
					if err := db.FlushLog(bg); err != nil {
						t.Fatal(err)
					}
				}
				path, log := tt.then(t, l, db)
				before := fileHashes(t, path)
				db, err := Open(bg, path, &Options{Log: log, Durability: d, LogDelay: time.Millisecond, Logger: quiet})
				if tt.rows == 0 {
					if err == nil || !strings.Contains(err.Error(), tt.err) || !errors.Is(err, ErrLogMismatch) && !errors.Is(err, ErrFenced) {
						t.Fatalf("%v, want %q", err, tt.err)
					}
					if after := fileHashes(t, path); after != before {
						t.Errorf("it was changed from %s to %s", before, after)
					}
					_, again := Open(bg, path, &Options{Log: log, Durability: d, Logger: quiet})
					if again == nil || again.Error() != err.Error() {
						t.Errorf("first %v, then %v", err, again)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				rows := tt.rows
				if rows < 0 { // one was acknowledged by the disk, if that was enough
					rows = map[Durability]int{Full: 4, Archived: 3}[d]
				}
				if n := number(t, db, "SELECT count(*) FROM t"); n != int64(rows) {
					t.Errorf("%d rows, want %d", n, rows)
				}
				exec(t, db, "INSERT INTO t VALUES (100, 'after')")
				logHas(t, log, db)
			})
		}
	}
}

// fileHashes tells whether a database's files were changed.
func fileHashes(t testing.TB, path string) (all string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-map"} {
		b, err := os.ReadFile(path + suffix)
		if ignoreNotExist(err) != nil {
			t.Fatal(err)
		}
		all += fmt.Sprintf("%s %d bytes %x; ", suffix, len(b), hash(b))
	}
	return all
}

func hash(b []byte) (h uint64) {
	for _, c := range b {
		h = h*1099511628211 ^ uint64(c)
	}
	return h
}
