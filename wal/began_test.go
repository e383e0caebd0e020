package wal

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/internal/fault"
	"github.com/nearlite/nearlite/sqlite"
)

func faulty(t testing.TB) *fault.VFS {
	t.Helper()
	v, err := fault.Register()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Unregister)
	return v
}

func (b *bed) checkpoint(mode sqlite.CheckpointMode) {
	b.t.Helper()
	if _, _, err := b.writer.Checkpoint(mode); err != nil {
		b.t.Fatal(err)
	}
}

// onDisk reads the salts of the header and of the first frame.
func (b *bed) onDisk() (header, frame uint64) {
	b.t.Helper()
	f, err := os.Open(b.path + "-wal")
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	var start [headerSize + frameHeader]byte
	if _, err := f.ReadAt(start[:], 0); err != nil && err != io.EOF {
		b.t.Fatal(err)
	}
	return binary.BigEndian.Uint64(start[16:]), binary.BigEndian.Uint64(start[headerSize+8:])
}

// Each run of the WAL is told once, before its header is written: the frames of the
// run before are still good. And every commit is of a run that was told.
func TestBegan(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"full", "normal", "off"} {
		t.Run(synchronous, func(t *testing.T) {
			t.Parallel()
			v := faulty(t)
			b := newBedOn(t, v.Name())
			b.exec("PRAGMA synchronous = " + synchronous)
			var run uint64
			runs := 0
			b.began = func(salt1, salt2 uint32) error {
				run = uint64(salt1)<<32 | uint64(salt2)
				runs++
				if header, frame := b.onDisk(); header == run || frame != header {
					t.Errorf("told %x when the header has %x and the first frame %x", run, header, frame)
				}
				if v.Seen() != 0 {
					t.Errorf("told behind %d syncs", v.Seen())
				}
				return nil
			}
			b.answer = func(c *Commit) error {
				s1, s2 := c.Salts()
				if got := uint64(s1)<<32 | uint64(s2); got != run {
					t.Errorf("a commit of the run %x, told was %x", got, run)
				}
				return nil
			}
			b.exec("CREATE TABLE t(x)")
			runs = 0
			for i, mode := range []sqlite.CheckpointMode{sqlite.CheckpointTruncate, sqlite.CheckpointRestart, sqlite.CheckpointPassive, sqlite.CheckpointRestart} {
				b.checkpoint(mode)
				v.Set(fault.Rule{Ops: fault.Sync, Files: fault.WAL})
				b.exec("INSERT INTO t VALUES (1)")
				if header, frame := b.onDisk(); header != run || frame != run {
					t.Errorf("the WAL is of the run %x, its first frame of %x, told was %x", header, frame, run)
				}
				if synchronous != "off" && v.Seen() != 1 {
					t.Errorf("%d syncs for the new header, want 1", v.Seen())
				}
				b.exec("INSERT INTO t VALUES (2)")
				if runs != i+1 {
					t.Errorf("told %d times of %d runs", runs, i+1)
				}
			}
		})
	}
}

// When nobody takes note of a new run it does not begin; the next transaction tries
// again.
func TestBeganFails(t *testing.T) {
	t.Parallel()
	cause := errors.New("no room for a note")
	for name, test := range map[string]struct {
		setting, sql string
		code         sqlite.ResultCode
		say          func() error
	}{
		"a commit":          {"PRAGMA synchronous = full", "INSERT INTO t VALUES (1)", sqlite.CodeIOErrWrite, func() error { return cause }},
		"a spill":           {"PRAGMA cache_size = 2", "INSERT INTO t VALUES (zeroblob(100000))", sqlite.CodeIOErrWrite, func() error { return cause }},
		"without any sync":  {"PRAGMA synchronous = off", "INSERT INTO t VALUES (1)", sqlite.CodeIOErrWrite, func() error { return cause }},
		"a panic":           {"PRAGMA synchronous = full", "INSERT INTO t VALUES (1)", sqlite.CodeIOErrWrite, func() error { panic(cause.Error()) }},
		"normal durability": {"PRAGMA synchronous = normal", "INSERT INTO t VALUES (1)", sqlite.CodeIOErrWrite, func() error { return cause }},
	} {
		for _, mode := range []sqlite.CheckpointMode{sqlite.CheckpointTruncate, sqlite.CheckpointRestart} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := newBed(t, "PRAGMA cache_spill = 1")
				b.exec("CREATE TABLE t(x)")
				b.exec("INSERT INTO t VALUES ('before')")
				b.checkpoint(mode)
				before := content(t, b.reader)
				b.exec(test.setting)
				told := 0
				b.began = func(uint32, uint32) error { told++; return test.say() }
				for i := range 3 {
					err := b.writer.Exec(test.sql)
					if !errors.Is(err, test.code) || told != i+1 {
						t.Fatalf("%v, told %d times", err, told)
					}
					if err := b.barrier.Err(); err == nil || !strings.Contains(err.Error(), cause.Error()) || b.barrier.Unknown() {
						t.Errorf("the barrier says %v, unknown %v", err, b.barrier.Unknown())
					}
					if err := b.barrier.RolledBack(); err != nil {
						t.Error(err)
					}
					if got := content(t, b.reader); got != before || b.afterCrash() != before {
						t.Errorf("visible %q, after a crash %q, want %q", got, b.afterCrash(), before)
					}
				}
				b.began = func(uint32, uint32) error { told++; return nil }
				b.exec(test.sql)
				b.exec(test.sql)
				if told != 4 || b.barrier.Err() != nil {
					t.Errorf("told %d times, %v", told, b.barrier.Err())
				}
				if got := content(t, b.reader); got == before || b.afterCrash() != got {
					t.Errorf("visible %q, after a crash %q", got, b.afterCrash())
				}
			})
		}
	}
}
