package nearlite

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/nearlite/nearlite/internal/fault"
	"github.com/nearlite/nearlite/sqlite"
)

// A power cut at random moments, under load and with checkpoints: what was not
// synced is kept, dropped or torn, sector by sector. Full loses nothing that was
// acknowledged. Normal loses a tail: what is left are the first commits, whole.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	rounds := 12
	if long {
		rounds = 1000
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 4))
	for round := range rounds {
		durability := Durability(round % 2)
		b := newFaultBed(t, Options{CheckpointBytes: 64 << 10, CacheSize: 64 << 10, Durability: durability, PageMap: round%2 == 1}, nil)
		if err := b.db.Checkpoint(bg); err != nil { // so that the tables survive at least
			t.Fatal(err)
		}
		cuts := b.cuts(t, rng, 6)
		var wg sync.WaitGroup
		for caller := range 16 {
			wg.Go(func() {
				for i := range 12 {
					b.l.write(b.db, caller+i)
				}
			})
		}
		wg.Wait()
		what := fmt.Sprintf("round %d of seed %d, %v", round, seed, durability)
		b.judge(t, what)
		order := orderOf(t, b.path)
		for _, c := range *cuts {
			c.judge(t, b.l, order, durability, what)
		}
		if t.Failed() {
			return
		}
	}
}

// outage is the disk as a power cut left it, and what had been acknowledged by then.
type outage struct {
	dir   string
	acked map[int]bool
	seed  uint64
}

// cuts lets the power fail before some of the next operations.
func (b *faultBed) cuts(t *testing.T, rng *rand.Rand, n int) *[]outage {
	var made []outage
	var mu sync.Mutex
	every := 5 + rng.IntN(40)
	seeds := rng.Uint64()
	calls := 0
	b.vfs.Set(fault.Rule{Ops: fault.Write | fault.Sync | fault.Truncate, Files: fault.AnyFile, At: 1, Times: -1, Do: func() {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%every != 0 || len(made) == n {
			return
		}
		c := outage{dir: t.TempDir(), seed: seeds + uint64(calls)}
		b.l.mu.Lock()
		c.acked = maps.Clone(b.l.acked) // BEFORE the cut
		b.l.mu.Unlock()
		if err := b.vfs.Clone(c.dir, rand.New(rand.NewPCG(c.seed, 5))); err != nil {
			t.Error(err)
		}
		made = append(made, c)
	}})
	return &made
}

// orderOf returns the transactions in the order of their commits.
func orderOf(t *testing.T, path string) (order []int) {
	t.Helper()
	c, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for row, err := range c.Query("SELECT n FROM entry WHERE half = 0 ORDER BY rowid") {
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, row.Int(0))
	}
	return order
}

func (c outage) judge(t *testing.T, l *ledger, order []int, d Durability, what string) {
	t.Helper()
	path := filepath.Join(c.dir, "fault.db")
	then := &ledger{acked: c.acked, failed: l.failed}
	if d == Normal {
		then.acked = nil
	}
	for _, problem := range then.audit(path, true) {
		t.Errorf("%s, cut with seed %d: %s", what, c.seed, problem)
	}
	left := orderOf(t, path)
	if len(left) > len(order) || !slices.Equal(left, order[:len(left)]) {
		t.Errorf("%s, cut with seed %d: %d transactions are left, which are not the first ones", what, c.seed, len(left))
	}
}

// Opening and closing meet faults, too: either works, or fails and leaves
// everything as it was.
func TestFaultsInOpenAndClose(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for _, phase := range []string{"create", "open", "close"} {
				for at := 1; at <= 60; at++ {
					rule := f.rule
					rule.At, rule.Ops = at, rule.Ops|fault.Open|fault.Delete
					if fired := openOrCloseWithFault(t, rule, phase, fmt.Sprintf("%s: %s, number %d", phase, f.name, at)); fired == 0 || t.Failed() {
						break
					}
				}
			}
		})
	}
}

func openOrCloseWithFault(t *testing.T, rule fault.Rule, phase, what string) (fired int) {
	t.Helper()
	v, err := fault.Register()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Unregister()
	opts := &Options{VFS: v.Name(), Logger: quiet, BusyTimeout: 1}
	path := filepath.Join(t.TempDir(), "fault.db")
	l := newLedger()
	if phase != "create" {
		leaveWAL(t, path, l)
	}
	if phase != "close" {
		v.Set(rule)
	}
	db, err := Open(bg, path, opts)
	if err == nil {
		v.Set(rule)
		if err := db.Close(); err != nil && v.Fired() == 0 {
			t.Errorf("%s: close: %v", what, err)
		}
	} else if v.Fired() == 0 {
		t.Errorf("%s: open: %v", what, err)
	}
	fired = v.Fired()
	v.Set(fault.Rule{})
	db, err = Open(bg, path, opts)
	if err != nil {
		t.Errorf("%s: open after it: %v", what, err)
		return fired
	}
	if phase == "create" {
		exec(t, db, "CREATE TABLE t(a)")
	} else {
		l.write(db, 0)
	}
	if err := db.Close(); err != nil {
		t.Errorf("%s: close after it: %v", what, err)
	}
	if phase == "create" {
		return fired
	}
	for _, problem := range l.audit(path, true) {
		t.Errorf("%s: %s", what, problem)
	}
	return fired
}

// leaveWAL makes a database with transactions in a WAL that has to be recovered.
func leaveWAL(t *testing.T, path string, l *ledger) {
	t.Helper()
	b := newFaultBed(t, Options{}, l)
	for kind := range 4 {
		l.write(b.db, kind)
	}
	if err := b.vfs.Copy(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
}

func init() { roles["dying"] = dieAtOperation }

// The process dies at each write, sync and truncation of the script, not
// somewhere near one.
func TestDieAtEachOperation(t *testing.T) {
	t.Parallel()
	step := 3
	if long {
		step = 1
	}
	for at := 1; ; at += step {
		path := filepath.Join(t.TempDir(), "fault.db")
		c := startChild(t, "dying", path, strconv.Itoa(at))
		l := newLedger()
		died := true
		for line, ok := c.line(); ok; line, ok = c.line() {
			var n int
			if _, err := fmt.Sscanf(line, "acked %d.", &n); err == nil {
				l.acked[n] = true
			} else if _, err := fmt.Sscanf(line, "failed %d.", &n); err == nil {
				l.failed[n] = errBoom
			}
			died = died && line != "done"
		}
		c.kill()
		db, err := Open(bg, path, nil)
		if err != nil {
			t.Fatalf("open after death at operation %d: %v", at, err)
		}
		if len(l.acked) > 0 {
			l.next = 1_000_000
			l.write(db, 0)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if len(l.acked) > 0 {
			for _, problem := range l.audit(path, true) {
				t.Errorf("death at operation %d: %s", at, problem)
			}
		}
		if !died {
			t.Logf("%d operations", at)
			return
		}
		if t.Failed() {
			return
		}
	}
}

// dieAtOperation is the child: it does the script and tells how each transaction ended.
func dieAtOperation(args []string) error {
	at, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	v, err := fault.Register()
	if err != nil {
		return err
	}
	v.Set(fault.Rule{Ops: fault.Write | fault.Sync | fault.Truncate | fault.Delete, Files: fault.AnyFile, At: at, Torn: true, Die: true})
	db, err := Open(bg, args[0], &Options{VFS: v.Name(), Logger: quiet, CheckpointBytes: 32 << 10, Durability: Durability(at / 2 % 2), PageMap: at%3 == 0})
	if err != nil {
		return err
	}
	if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec(ledgerSchema) }); err != nil {
		return err
	}
	l := newLedger()
	l.told = func(n int, err error) {
		switch {
		case err == nil:
			fmt.Printf("acked %d.\n", n)
		case !errors.Is(err, ErrCommitUnknown):
			fmt.Printf("failed %d.\n", n)
		}
	}
	script(db, l)
	if err := db.Close(); err != nil {
		return err
	}
	fmt.Println("done")
	os.Stdout.Sync()
	return nil
}
