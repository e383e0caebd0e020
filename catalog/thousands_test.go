package catalog

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// Thousands of databases are made, used and closed in one process; what they
// take while they are open and while they are not is in the log.
func TestThousands(t *testing.T) { // not in parallel: it measures the process
	many, open := 300, 40
	if os.Getenv("NEARLITE_LONG") != "" {
		many, open = 5000, 256
	}
	c := openTest(t, &Options{MaxOpen: open, IdleClose: time.Hour})
	put(t, c, Main, "x") // whatever is made once
	before := usage(t)
	step := func(what string, f func(i int)) {
		from := time.Now()
		var wg sync.WaitGroup
		work := make(chan int)
		for range 8 {
			wg.Go(func() {
				for i := range work {
					f(i)
				}
			})
		}
		for i := range many {
			work <- i
		}
		close(work)
		wg.Wait()
		u := usage(t)
		t.Logf("%-30s %5.2f s; %4d open; %3d MiB more, %4d descriptors more, %4d goroutines more", what, time.Since(from).Seconds(),
			c.Stats().Open, (u.memory-before.memory)>>20, u.files-before.files, u.goroutines-before.goroutines)
	}
	step(fmt.Sprintf("%d databases created", many), func(i int) { mustCreate(t, c, fmt.Sprint("db", i), nil) })
	step("each opened and written to", func(i int) { put(t, c, fmt.Sprint("db", i), fmt.Sprint(i)) })
	step("each opened and read", func(i int) {
		if got := get(t, c, fmt.Sprint("db", i)); got != fmt.Sprint(i) {
			t.Errorf("db%d has %q", i, got)
		}
	})
	if s := c.Stats(); s.Open > open {
		t.Errorf("%d are open", s.Open)
	}
	c.closeUnused(time.Now().Add(2 * time.Hour))
	sqlite.TrimHeap()
	step("closed when idle", func(int) {})
	if s := c.Stats(); s.Open != 0 {
		t.Errorf("%d are open", s.Open)
	}
	if u := usage(t); u.goroutines > before.goroutines+10 {
		t.Errorf("%d goroutines are left of %d", u.goroutines, before.goroutines)
	} else if got := u.memory - before.memory; got > 128<<20 {
		t.Errorf("%d MiB are left", got>>20)
	}
	from := time.Now()
	c.Close()
	c = openIn(t, c.Dir(), nil)
	t.Logf("closed and opened again in %v, with %d databases", time.Since(from).Round(time.Millisecond), c.Stats().Known)
	if n := c.Stats().Known; n != many+1 {
		t.Errorf("there are %d databases", n)
	}
}

type use struct {
	memory            int64 // resident
	files, goroutines int
}

func usage(t *testing.T) (u use) {
	t.Helper()
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			u.memory = kb << 10
		}
	}
	list, _ := os.ReadDir("/proc/self/fd")
	u.files, u.goroutines = len(list), runtime.NumGoroutine()
	return u
}
