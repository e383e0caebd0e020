package nearlite

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nearlite/nearlite/internal/fault"
	"github.com/nearlite/nearlite/sqlite"
)

// quiet keeps what is expected to go wrong out of the test's output.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// An account of what callers were told about transactions, each of which writes
// two rows under one number.
type ledger struct {
	mu      sync.Mutex // protects the following
	acked   map[int]bool
	failed  map[int]error
	unknown map[int]bool
	next    int
	told    func(n int, err error) // called for each, if set
}

func newLedger() *ledger {
	return &ledger{acked: map[int]bool{}, failed: map[int]error{}, unknown: map[int]bool{}}
}

func (l *ledger) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return l.next
}

func (l *ledger) note(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told != nil {
		l.told(n, err)
	}
	switch {
	case err == nil:
		l.acked[n] = true
	case errors.Is(err, ErrCommitUnknown):
		l.unknown[n] = true
	default:
		l.failed[n] = err
	}
}

const ledgerSchema = `CREATE TABLE entry(n INT, half INT, filler, PRIMARY KEY(n, half)); CREATE TABLE total(id INTEGER PRIMARY KEY, sum INT); INSERT INTO total VALUES (0, 0), (1, 0)`

// audit compares what is in the database with what callers were told. With
// certain set, a transaction that failed must not be there.
func (l *ledger) audit(path string, certain bool) (problems []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
	if err != nil {
		return []string{err.Error()}
	}
	defer c.Close()
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	there := map[int]bool{}
	for row, err := range c.Query("SELECT n, count(*) FROM entry GROUP BY n") {
		if err != nil {
			add("%v", err)
			break
		}
		n := row.Int(0)
		there[n] = true
		if row.Int(1) != 2 {
			add("transaction %d is there by half", n)
		}
		if err := l.failed[n]; err != nil && certain {
			add("transaction %d is there and failed with: %v", n, err)
		}
	}
	var lost []int
	for n := range l.acked {
		if !there[n] {
			lost = append(lost, n)
		}
	}
	if len(lost) > 0 {
		add("%d of %d transactions were acknowledged and are lost: %v", len(lost), len(l.acked), lost)
	}
	if row := c.QueryRow("SELECT sum(sum) FROM total"); row.Err() != nil || row.Int(0) != 0 {
		add("the totals do not add up: %v", row.Err())
	}
	if row := c.QueryRow("PRAGMA integrity_check"); row.Err() != nil || row.Text(0) != "ok" {
		add("integrity check: %v", row.Err())
	}
	return problems
}

// entries are the statements of transaction n.
func entries(n int) []Statement {
	filler := strings.Repeat(strconv.Itoa(n), 200)
	return []Statement{
		{"INSERT INTO entry VALUES (?, 0, ?)", []any{n, filler}},
		{"UPDATE total SET sum = sum + ? WHERE id = 0", []any{n}},
		{"INSERT INTO entry VALUES (?, 1, ?)", []any{n, filler}},
		{"UPDATE total SET sum = sum - ? WHERE id = 1", []any{n}},
	}
}

// script is the load that faults are injected into: transactions of every kind
// alone and in batches, a checkpoint, and a restart of the WAL. It ends early
// when the database refuses to go on.
func script(db *DB, l *ledger) {
	for round := range 3 {
		l.write(db, 0)
		var wg sync.WaitGroup
		for kind := range 8 {
			wg.Go(func() { l.write(db, kind) })
		}
		wg.Wait()
		db.View(bg, func(tx *ReadTx) error { return tx.QueryRow("SELECT count(*) FROM entry").Err() })
		if round == 1 {
			db.Checkpoint(bg)
		}
	}
}

func (l *ledger) write(db *DB, kind int) {
	n := l.number()
	l.note(n, writeEntry(db, n, kind))
}

func writeEntry(db *DB, n, kind int) error {
	stmts := entries(n)
	switch kind % 4 {
	case 0:
		return db.Update(bg, func(tx *WriteTx) error {
			for _, st := range stmts {
				if _, err := tx.Exec(st.SQL, st.Args...); err != nil {
					return err
				}
			}
			return nil
		})
	case 1:
		_, err := db.Batch(bg, stmts...)
		return err
	case 2:
		tx, err := db.Begin(bg, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for _, st := range stmts {
			if _, err := tx.Exec(bg, st.SQL, st.Args...); err != nil {
				return err
			}
		}
		return tx.Commit(bg)
	}
	return db.Update(bg, func(tx *WriteTx) error { // one that fails takes its group along
		for _, st := range stmts {
			if _, err := tx.Exec(st.SQL, st.Args...); err != nil {
				return err
			}
		}
		return errBoom
	})
}

// faultBed is a database on a VFS that can fail.
type faultBed struct {
	vfs  *fault.VFS
	db   *DB
	path string
	full bool // durability
	l    *ledger
}

func newFaultBed(t testing.TB, opts Options, l *ledger) *faultBed {
	t.Helper()
	if l == nil {
		l = newLedger()
	}
	v, err := fault.Register()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Unregister)
	v.Remember()
	opts.VFS, opts.Logger = v.Name(), quiet
	b := &faultBed{vfs: v, full: opts.Durability == Full, path: filepath.Join(t.TempDir(), "fault.db"), l: l}
	if b.db, err = Open(bg, b.path, &opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.db.Close() })
	if err := b.db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec(ledgerSchema) }); err != nil {
		t.Fatal(err)
	}
	return b
}

// After a fault the database works again, or says clearly that it does not.
func (b *faultBed) goOn(t testing.TB) {
	t.Helper()
	b.vfs.Set(fault.Rule{})
	if err := b.db.View(bg, func(tx *ReadTx) error { return tx.QueryRow("SELECT count(*) FROM entry").Err() }); err != nil {
		t.Errorf("read after the fault: %v", err)
	}
	b.db.tryFullDiskNow()
	n := b.l.number()
	err := writeEntry(b.db, n, 0)
	b.l.note(n, err)
	if err != nil && !errors.Is(err, ErrPoisoned) {
		t.Errorf("write after the fault: %v", err)
	}
}

// tryFullDiskNow spares a test the second for which a full disk is left alone.
func (db *DB) tryFullDiskNow() {
	db.write(request{ctx: bg, excl: &exclusive{engine: func(w *writer) error {
		w.fullAt = time.Time{}
		return nil
	}}})
}

// crash looks at what a killed process would leave at this moment, and a power cut.
func (b *faultBed) crash(t testing.TB, what string) {
	t.Helper()
	dir := t.TempDir()
	if err := b.vfs.Copy(dir); err != nil {
		t.Fatal(err)
	}
	for _, problem := range b.l.audit(filepath.Join(dir, "fault.db"), true) {
		t.Errorf("%s, then kill -9: %s", what, problem)
	}
	if !b.full {
		return
	}
	dir = t.TempDir()
	if err := b.vfs.Clone(dir, rand.New(rand.NewPCG(3, uint64(b.vfs.Seen())))); err != nil {
		t.Fatal(err)
	}
	for _, problem := range b.l.audit(filepath.Join(dir, "fault.db"), true) {
		t.Errorf("%s, then a power cut: %s", what, problem)
	}
}

func (b *faultBed) judge(t testing.TB, what string) {
	t.Helper()
	if err := b.db.Close(); err != nil && !errors.Is(err, ErrClosed) {
		t.Errorf("%s: close: %v", what, err)
	}
	for _, problem := range b.l.audit(b.path, true) {
		t.Errorf("%s: %s", what, problem)
	}
}

var faults = []struct {
	name string
	rule fault.Rule
}{
	{"write to the WAL", fault.Rule{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeIOErrWrite}},
	{"torn write to the WAL", fault.Rule{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeIOErrWrite, Torn: true}},
	{"write to the WAL reported late", fault.Rule{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeIOErrWrite, Late: true}},
	{"full disk under the WAL", fault.Rule{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeFull}},
	{"no memory", fault.Rule{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeIOErrNoMem}},
	{"sync of the WAL", fault.Rule{Ops: fault.Sync, Files: fault.WAL, Code: sqlite.CodeIOErrFsync}},
	{"sync of the WAL reported late", fault.Rule{Ops: fault.Sync, Files: fault.WAL, Code: sqlite.CodeIOErrFsync, Late: true}},
	{"sync finds the disk full", fault.Rule{Ops: fault.Sync, Files: fault.WAL, Code: sqlite.CodeIOErrFsync, Errno: syscall.ENOSPC}},
	{"write to the database", fault.Rule{Ops: fault.Write, Files: fault.Database, Code: sqlite.CodeIOErrWrite}},
	{"torn write to the database", fault.Rule{Ops: fault.Write, Files: fault.Database, Code: sqlite.CodeIOErrWrite, Torn: true}},
	{"full disk under the database", fault.Rule{Ops: fault.Write, Files: fault.Database, Code: sqlite.CodeFull}},
	{"sync of the database", fault.Rule{Ops: fault.Sync, Files: fault.Database, Code: sqlite.CodeIOErrFsync}},
	{"truncation", fault.Rule{Ops: fault.Truncate, Files: fault.AnyFile, Code: sqlite.CodeIOErrTruncate}},
	{"read", fault.Rule{Ops: fault.Read, Files: fault.AnyFile, Code: sqlite.CodeIOErrRead}},
	{"any operation", fault.Rule{Ops: fault.Write | fault.Sync | fault.Truncate | fault.Read, Files: fault.AnyFile, Code: sqlite.CodeIOErr}},
	{"busy", fault.Rule{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeBusy}},
}

// A fault at each write, sync, truncation and read of a load, once and for good:
// what was acknowledged is there, what failed is not, and the database goes on
// or says why not.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			most := 40
			if long {
				most = 10_000
			}
			var told struct{ faults, acked, failed, unknown, poisoned int }
			for _, times := range []int{1, 3, -1} {
				for at := 1; at <= most; at++ {
					opts := Options{CheckpointBytes: 32 << 10, MmapSize: -1, ReaderCacheSize: 1, CacheSize: 1, BusyTimeout: 50 * time.Millisecond}
					if at%2 == 0 {
						opts.Durability = Normal
					}
					opts.PageMap = at%3 == 0
					b := newFaultBed(t, opts, nil)
					f.rule.At, f.rule.Times = at, times
					b.vfs.Set(f.rule)
					script(b.db, b.l)
					fired := b.vfs.Fired()
					what := fmt.Sprintf("%s, number %d, %d times, %v", f.name, at, times, opts.Durability)
					b.crash(t, what)
					b.goOn(t)
					b.judge(t, what)
					told.faults += fired
					told.acked += len(b.l.acked)
					told.failed += len(b.l.failed)
					told.unknown += len(b.l.unknown)
					if b.db.writer.poisoned.Load() != nil {
						told.poisoned++
					}
					if t.Failed() {
						return
					}
					if fired == 0 {
						t.Logf("%d of them in the load", at-1)
						break
					}
				}
			}
			t.Logf("%+v", told)
		})
	}
}

// Faults in the middle of many callers' transactions, at random.
func TestFaultsUnderLoad(t *testing.T) {
	t.Parallel()
	rounds := 40
	if long {
		rounds = 2000
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 2))
	for round := range rounds {
		b := newFaultBed(t, Options{CheckpointBytes: 64 << 10, CacheSize: 64 << 10, Durability: Durability(round % 2), PageMap: round%3 == 0}, nil)
		var wg sync.WaitGroup
		for caller := range 16 {
			wg.Go(func() {
				for i := range 12 {
					b.l.write(b.db, caller+i)
				}
			})
		}
		f := faults[rng.IntN(len(faults))]
		rule := f.rule
		rule.At, rule.Times = 1+rng.IntN(60), 1+rng.IntN(4)
		b.vfs.Set(rule)
		wg.Wait()
		what := fmt.Sprintf("round %d of seed %d: %s, numbers %d to %d", round, seed, f.name, rule.At, rule.At+rule.Times-1)
		b.crash(t, what)
		b.goOn(t)
		b.judge(t, what)
		if t.Failed() {
			return
		}
	}
}
