package wal

import (
	"fmt"
	"testing"

	"github.com/nearlite/nearlite/internal/fault"
	"github.com/nearlite/nearlite/sqlite"
)

// toFail is a bed whose next transaction is to fail.
func toFail(t *testing.T, restarted bool) (*bed, *fault.VFS) {
	t.Helper()
	v := faulty(t)
	b := newBedOn(t, v.Name(), "PRAGMA cache_size = 3", "PRAGMA cache_spill = 1")
	b.exec("CREATE TABLE t(x)")
	b.exec("INSERT INTO t SELECT zeroblob(3000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) SELECT i FROM n)")
	if restarted {
		b.checkpoint(sqlite.CheckpointRestart)
	}
	return b, v
}

// transaction leaves the cache and comes back to what it had written, so that its
// COMMIT computes checksums again.
func (b *bed) transaction() error {
	for _, sql := range []string{"BEGIN IMMEDIATE",
		"UPDATE t SET x = zeroblob(3001) WHERE rowid < 12",
		"UPDATE t SET x = zeroblob(3002) WHERE rowid < 12"} {
		if err := b.writer.Exec(sql); err != nil {
			return err
		}
	}
	return b.writer.Exec("COMMIT")
}

// Whatever read or write fails under a transaction, done or half done all the same:
// after a crash it is not there, and the next one is.
func TestFailedWrites(t *testing.T) {
	t.Parallel()
	for _, restarted := range []bool{false, true} {
		for name, rule := range map[string]fault.Rule{
			"not done":    {Ops: fault.Write, Code: sqlite.CodeIOErrWrite},
			"done":        {Ops: fault.Write, Code: sqlite.CodeIOErrWrite, Late: true},
			"half done":   {Ops: fault.Write, Code: sqlite.CodeFull, Torn: true},
			"no room":     {Ops: fault.Write, Code: sqlite.CodeFull, Late: true},
			"not read":    {Ops: fault.Read, Code: sqlite.CodeIOErrRead},
			"not cut yet": {Ops: fault.Write | fault.Truncate, Code: sqlite.CodeIOErrWrite, Late: true, Times: 2},
		} {
			t.Run(fmt.Sprintf("%s, restarted %v", name, restarted), func(t *testing.T) {
				t.Parallel()
				b, v := toFail(t, restarted)
				rule.Files = fault.WAL
				before := content(t, b.reader)
				failed := 0
				for rule.At = 1; ; rule.At++ {
					v.Set(rule)
					err := b.transaction()
					fired := v.Fired()
					if rule.Times == 0 {
						v.Set(fault.Rule{})
					}
					if fired == 0 {
						break
					}
					if err == nil {
						t.Fatalf("operation %d failed, and the transaction did not", rule.At)
					}
					if b.barrier.Unknown() { // it was the sink that could not read
						return
					}
					failed++
					if !b.writer.AutoCommit() {
						b.exec("ROLLBACK")
					}
					if err := b.barrier.RolledBack(); err != nil {
						t.Fatalf("operation %d: %v", rule.At, err)
					}
					v.Set(fault.Rule{})
					if got := content(t, b.reader); got != before {
						t.Fatalf("operation %d: visible", rule.At)
					}
					if got := b.afterCrash(); got != before {
						t.Fatalf("operation %d: a crash brings the failed transaction to life", rule.At)
					}
				}
				if failed < 20 {
					t.Errorf("only %d operations could fail", failed)
				}
				if rule.Ops == fault.Read {
					t.Error("the sink could read")
				}
				if got := content(t, b.reader); got == before || b.afterCrash() != got {
					t.Error("the next transaction is not there")
				}
				if b.barrier.Unknown() {
					t.Error(b.barrier.Err())
				}
				b.same(nil)
			})
		}
	}
}

// When the WAL cannot be cut either, nobody knows.
func TestNotCut(t *testing.T) {
	t.Parallel()
	b, v := toFail(t, false)
	v.Set(fault.Rule{Ops: fault.Write, Files: fault.WAL})
	if err := b.transaction(); err != nil {
		t.Fatal(err)
	}
	last := v.Seen()
	v.Set(fault.Rule{Ops: fault.Write | fault.Truncate, Files: fault.WAL, At: last, Times: -1, Code: sqlite.CodeIOErrTruncate})
	if err := b.transaction(); err == nil {
		t.Fatal("committed")
	}
	if err := b.barrier.RolledBack(); sqlite.Code(err) != sqlite.CodeIOErrTruncate || !b.barrier.Unknown() || b.barrier.Err() != err {
		t.Errorf("%v, unknown %v", err, b.barrier.Unknown())
	}
}

// What somebody else has committed since the rollback stays.
func TestForeignCommitAfterFailure(t *testing.T) {
	t.Parallel()
	b, v := toFail(t, false)
	v.Set(fault.Rule{Ops: fault.Write, Files: fault.WAL})
	if err := b.transaction(); err != nil {
		t.Fatal(err)
	}
	last := v.Seen()
	v.Set(fault.Rule{Ops: fault.Write | fault.Truncate, Files: fault.WAL, At: last, Times: 2, Code: sqlite.CodeIOErrTruncate, Late: true})
	if err := b.transaction(); err == nil {
		t.Fatal("committed")
	}
	other := open(t, b.path, "")
	defer other.Close()
	if err := other.Exec("INSERT INTO t VALUES ('by another')"); err != nil {
		t.Fatal(err)
	}
	if err := b.barrier.RolledBack(); err != nil {
		t.Error(err)
	}
	if got := b.afterCrash(); got != content(t, b.reader) {
		t.Error("another's commit is gone")
	}
}

func BenchmarkRolledBack(b *testing.B) {
	bed := newBed(b)
	bed.exec("CREATE TABLE t(x)")
	for b.Loop() {
		if err := bed.barrier.RolledBack(); err != nil {
			b.Fatal(err)
		}
	}
}
