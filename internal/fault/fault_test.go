package fault_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/nearlite/nearlite/internal/fault"
	"github.com/nearlite/nearlite/sqlite"
)

func register(t *testing.T) *fault.VFS {
	t.Helper()
	v, err := fault.Register()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Unregister)
	return v
}

func open(t *testing.T, path, vfs string) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, vfs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func exec(t *testing.T, c *sqlite.Conn, sql string) {
	t.Helper()
	if err := c.Exec(sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	v := register(t)
	c := open(t, filepath.Join(t.TempDir(), "test.db"), v.Name())
	exec(t, c, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t(a)")
	for _, test := range []struct {
		name string
		rule fault.Rule
	}{
		{"write", fault.Rule{Ops: fault.Write, Files: fault.WAL, At: 1, Code: sqlite.CodeIOErrWrite}},
		{"torn", fault.Rule{Ops: fault.Write, Files: fault.WAL, At: 2, Code: sqlite.CodeIOErrWrite, Torn: true}},
		{"full", fault.Rule{Ops: fault.Write, Files: fault.AnyFile, At: 1, Code: sqlite.CodeFull}},
		{"sync", fault.Rule{Ops: fault.Sync, Files: fault.WAL, At: 1, Code: sqlite.CodeIOErrFsync}},
		{"late sync", fault.Rule{Ops: fault.Sync, Files: fault.WAL, At: 1, Code: sqlite.CodeIOErrFsync, Late: true}},
	} {
		v.Set(test.rule)
		if err := c.Exec("INSERT INTO t VALUES (1)"); !errors.Is(err, test.rule.Code) {
			t.Errorf("%s: %v, want %v", test.name, err, test.rule.Code)
		}
		if v.Fired() != 1 || v.Seen() < 1 {
			t.Errorf("%s: fired %d times of %d", test.name, v.Fired(), v.Seen())
		}
		v.Set(fault.Rule{})
		exec(t, c, "INSERT INTO t VALUES (2)")
	}
	if got := c.QueryRow("SELECT group_concat(a) FROM t").Text(0); got != "2,2,2,2,2" {
		t.Errorf("the table holds %s", got)
	}
}

// With every write synced a power cut loses nothing; with none, it may lose all
// but never leaves half a transaction.
func TestClone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		synchronous string
		least       int
	}{{"FULL", 100}, {"NORMAL", 0}} {
		v := register(t)
		v.Remember()
		c := open(t, filepath.Join(t.TempDir(), "test.db"), v.Name())
		exec(t, c, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t(a); PRAGMA synchronous = "+test.synchronous)
		for range 100 {
			exec(t, c, "BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT")
		}
		lost := false
		for seed := range uint64(20) {
			dir := t.TempDir()
			if err := v.Clone(dir, rand.New(rand.NewPCG(1, seed))); err != nil {
				t.Fatal(err)
			}
			n := open(t, filepath.Join(dir, "test.db"), "").QueryRow("SELECT count(*) FROM t").Int(0)
			if n%2 != 0 || n < 2*test.least {
				t.Errorf("synchronous=%s, seed %d: %d rows survived", test.synchronous, seed, n)
			}
			lost = lost || n < 200
		}
		if !lost && test.least == 0 {
			t.Error("no clone lost anything that was not synced")
		}
	}
}
