package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, what := range []Config{ConfigForeignKeys, ConfigTriggers, ConfigLoadExtension, ConfigNoCheckpointOnClose, ConfigResetDatabase, ConfigDefensive,
		ConfigWritableSchema, ConfigDoubleQuotedDML, ConfigDoubleQuotedDDL, ConfigViews, ConfigTrustedSchema} {
		was, err := c.Config(what)
		if err != nil {
			t.Errorf("%d: %v", what, err)
			continue
		}
		if err := c.SetConfig(what, !was); err != nil {
			t.Errorf("%d: %v", what, err)
		}
		if now, _ := c.Config(what); now == was {
			t.Errorf("%d stayed %t", what, was)
		}
		if err := c.SetConfig(what, was); err != nil {
			t.Errorf("%d: %v", what, err)
		}
	}
	mustExec(t, c, "CREATE TABLE t(a)")
	if err := c.SetConfig(ConfigDefensive, true); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema"); err == nil {
		t.Error("a defensive connection let its schema be deleted")
	}
	if _, err := c.Config(-1); err == nil {
		t.Error("a switch that does not exist")
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	c := open(t)
	if was := c.Limit(LimitLength, 1000); was < 1_000_000 || c.Limit(LimitLength, -1) != 1000 {
		t.Errorf("it was %d, is %d", was, c.Limit(LimitLength, -1))
	}
	for name, v := range map[string]any{"text": strings.Repeat("x", 2000), "own memory": strings.Repeat("x", 200_000), "zero blob": ZeroBlob(2000)} {
		for range 3 {
			if err := c.QueryRow("SELECT ?", v).Err(); !errors.Is(err, CodeTooBig) {
				t.Errorf("%s: %v", name, err)
			}
			if err := c.Exec("SELECT ?, ?", v, v); !errors.Is(err, CodeTooBig) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if c.Limit(LimitWorkerThreads, 1_000_000) < 0 || c.Limit(LimitWorkerThreads, -1) > 100 {
		t.Error("a limit went beyond the library's own")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	c := open(t)
	got, err := filepath.EvalSymlinks(c.DBFilename("main"))
	want, _ := filepath.EvalSymlinks(c.Path())
	if err != nil || got != want || c.DBFilename("temp") != "" || c.DBFilename("nobody") != "" {
		t.Errorf("%q, want %q", got, want)
	}
	if names := VFSNames(); len(names) == 0 || !slices.Contains(names, "unix") {
		t.Errorf("%q", names)
	}
}

func TestTransaction(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a UNIQUE)")
	rows := func() int { return c.QueryRow("SELECT count(*) FROM t").Int(0) }
	oops := errors.New("oops")
	if err := c.Transaction(func() error {
		if c.AutoCommit() || c.TxnState("main") != TxnWrite || c.TxnState("") != TxnWrite {
			t.Error("no transaction")
		}
		mustExec(t, c, "INSERT INTO t VALUES (1)")
		if err := c.Transaction(func() error { mustExec(t, c, "INSERT INTO t VALUES (2)"); return oops }); err != oops {
			t.Error(err)
		}
		return c.Transaction(func() error { return c.Exec("INSERT INTO t VALUES (3)") })
	}); err != nil || rows() != 2 {
		t.Errorf("%d rows: %v", rows(), err)
	}
	if err := c.Transaction(func() error { mustExec(t, c, "INSERT INTO t VALUES (4)"); return oops }); err != oops || rows() != 2 || !c.AutoCommit() {
		t.Errorf("%d rows: %v", rows(), err)
	}
	func() {
		defer func() {
			if recover() != oops || rows() != 2 || !c.AutoCommit() {
				t.Errorf("%d rows after a panic", rows())
			}
		}()
		c.Transaction(func() error { mustExec(t, c, "INSERT INTO t VALUES (4)"); panic(oops) })
	}()
	if err := c.Transaction(func() error { return c.Exec("INSERT OR ROLLBACK INTO t VALUES (3)") }); !errors.Is(err, CodeConstraintUnique) || !c.AutoCommit() {
		t.Errorf("a transaction that SQLite ended: %v", err)
	}
	mustExec(t, c, "CREATE TABLE f(a REFERENCES t(a) DEFERRABLE INITIALLY DEFERRED)")
	mustExec(t, c, "PRAGMA foreign_keys=ON")
	if err := c.Transaction(func() error { return c.Exec("INSERT INTO f VALUES (99)") }); !errors.Is(err, CodeConstraintForeignKey) || !c.AutoCommit() {
		t.Errorf("a commit that was refused: %v", err)
	}
	mustExec(t, c, "BEGIN")
	if s := c.TxnState("main"); s != TxnNone {
		t.Error(s)
	}
	if rows(); c.TxnState("main") != TxnRead {
		t.Error(c.TxnState("main"))
	}
	mustExec(t, c, "ROLLBACK")
	if s := c.TxnState("nobody"); s != TxnNone {
		t.Error(s)
	}
}

func TestWALHookAndCheckpoints(t *testing.T) {
	t.Parallel()
	c := open(t)
	var frames []int
	c.SetWALHook(func(schema string, n int) {
		if schema != "main" {
			t.Error(schema)
		}
		frames = append(frames, n)
	})
	mustExec(t, c, "CREATE TABLE t(a)")
	mustExec(t, c, "INSERT INTO t VALUES (1)")
	if len(frames) != 2 || frames[0] == 0 || frames[1] <= frames[0] {
		t.Errorf("frames %v", frames)
	}
	total, copied, err := c.Checkpoint(CheckpointPassive)
	if err != nil || total != frames[1] || copied != total {
		t.Errorf("passive: %d of %d, %v", copied, total, err)
	}
	r := second(t, c)
	mustExec(t, r, "BEGIN; SELECT * FROM t")
	mustExec(t, c, "INSERT INTO t VALUES (2)")
	for _, mode := range []CheckpointMode{CheckpointRestart, CheckpointTruncate} {
		if _, _, err := c.Checkpoint(mode); !errors.Is(err, CodeBusy) {
			t.Errorf("mode %d beside a reader: %v", mode, err)
		}
	}
	mustExec(t, r, "ROLLBACK")
	if _, _, err := c.Checkpoint(CheckpointTruncate); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(c.Path() + "-wal"); err != nil || st.Size() != 0 {
		t.Errorf("the WAL was not truncated: %v", err)
	}
	// The hook may use the connection that committed.
	c.SetWALHook(func(string, int) {
		if got := c.QueryRow("SELECT ?", "in the hook").Text(0); got != "in the hook" {
			t.Error(got)
		}
		if _, _, err := c.Checkpoint(CheckpointPassive); err != nil {
			t.Error(err)
		}
	})
	mustExec(t, c, "INSERT INTO t VALUES (?)", strings.Repeat("x", 10_000))
	if _, copied, ok := c.WAL(); !ok || copied == 0 {
		t.Errorf("%d frames were copied by the hook", copied)
	}
	c.SetWALHook(func(string, int) { panic("no") })
	var p *PanicError
	if err := c.Exec("INSERT INTO t VALUES (3)"); !errors.As(err, &p) || p.Func != "the WAL hook" {
		t.Error(err)
	}
	c.AutoCheckpoint(1)
	mustExec(t, c, "INSERT INTO t VALUES (4)")
	if h, copied, ok := c.WAL(); !ok || copied != h.MaxFrame() {
		t.Errorf("%d of %d frames were copied", copied, h.MaxFrame())
	}
	if n := c.QueryRow("SELECT count(*) FROM t").Int(0); n != 5 {
		t.Errorf("%d rows", n)
	}
	if n, _, err := create(t, "new.db").Checkpoint(CheckpointFull); n != -1 || err != nil {
		t.Errorf("no WAL: %d, %v", n, err)
	}
}

func TestBusyHandler(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a)")
	other := second(t, c)
	mustExec(t, other, "BEGIN IMMEDIATE")
	var calls []int
	c.SetBusyHandler(func(n int) bool {
		calls = append(calls, n)
		if len(calls) == 3 {
			mustExec(t, other, "COMMIT")
		}
		return n < 10
	})
	if err := c.Exec("INSERT INTO t VALUES (1)"); err != nil || len(calls) != 3 || calls[2] != 2 {
		t.Errorf("calls %v, %v", calls, err)
	}
	mustExec(t, other, "BEGIN IMMEDIATE")
	if err := c.Exec("INSERT INTO t VALUES (1)"); !errors.Is(err, CodeBusy) {
		t.Error(err)
	}
	c.SetBusyHandler(func(int) bool { panic("no") })
	var p *PanicError
	if err := c.Exec("INSERT INTO t VALUES (1)"); !errors.Is(err, CodeBusy) || !errors.As(err, &p) {
		t.Error(err)
	}
	for name, set := range map[string]func(){
		"none": func() { c.SetBusyHandler(nil) }, "timeout": func() { c.BusyTimeout(time.Millisecond) }, "poll": func() { c.BusyPoll(time.Millisecond) },
	} {
		set()
		if err := c.Exec("INSERT INTO t VALUES (1)"); !errors.Is(err, CodeBusy) || errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What hundreds of closed connections have freed goes back to the system.
func TestTrimHeap(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t AS SELECT zeroblob(1000000)")
	c.Close()
	TrimHeap()
}
