package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// Not parallel: what it counts is the process's.
func TestClosedConnectionsLeaveNothing(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("the count of open files and the memory are read from /proc")
	}
	path := filepath.Join(t.TempDir(), "leak.db")
	round := func() {
		c, err := Open(path, OpenReadWrite|OpenCreate, "")
		if err != nil {
			t.Fatal(err)
		}
		leaveEverythingOpen(t, c)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // what is kept on purpose
		round()
	}
	files, memory := openFiles(t), residentBytes(t)
	for range 1000 {
		round()
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d open files, %d before", n, files)
	}
	const room = 8 << 20 // of 1,000 rounds of at least 300 kB each
	if n := residentBytes(t); n > memory+room && !asan {
		t.Errorf("%d bytes resident, %d before", n, memory)
	}
}

// leaveEverythingOpen makes one of each thing that Close has to free.
func leaveEverythingOpen(t *testing.T, c *Conn) {
	t.Helper()
	big := strings.Repeat("x", 100_000)
	mustExec(t, c, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a); INSERT OR REPLACE INTO t VALUES (1, zeroblob(1000))")
	mustCreate(t, c, "twice", 1, func(args []Value) (any, error) { return args[0].Text() + args[0].Text(), nil })
	for _, err := range []error{
		c.CreateAggregate("median", FuncOptions{NArgs: 1}, func() Aggregate { return &median{} }),
		c.CreateCollation("reverse", func(a, b []byte) int { return strings.Compare(string(b), string(a)) }),
		c.HoldSnapshots(true),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.SetAuthorizer(func(Action) Decision { return Allow })
	c.SetBusyHandler(func(int) bool { return false })
	c.SetWALHook(func(string, int) {})
	c.Refresh()
	if row := c.QueryRow("SELECT twice(?), median(1), ? COLLATE reverse", big, big); row.Err() != nil || len(row.Text(0)) != 200_000 {
		t.Fatal(row.Err())
	}
	s, _, err := c.PrepareFirst("SELECT ?, i, 'pad' FROM (" + numbers + ")")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Rows(big)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	for i := range 3 {
		if cached, err := c.Prepare(fmt.Sprintf("SELECT %d, ?", i)); err != nil || cached.QueryRow(big).Err() != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.OpenBlob("main", "t", "a", 1, false); err != nil {
		t.Fatal(err)
	}
	memory, err := Open(":memory:", OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := NewBackup(memory, c); err != nil {
		t.Fatal(err)
	} else if _, err := b.Step(1); err != nil {
		t.Fatal(err)
	}
	memory.Close() // one of the two ends, and the backup with it
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func residentBytes(t *testing.T) int {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}
