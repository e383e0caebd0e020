package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tinyReads is a run that is over at once.
func tinyReads(t *testing.T) Reads {
	t.Helper()
	return Reads{
		DB:       filepath.Join(t.TempDir(), "reads.db"),
		Query:    Perftest,
		Mode:     Ours,
		Rows:     1000,
		Threads:  []int{1, 2},
		Duration: 100 * time.Millisecond,
	}
}

func TestReadsEveryWay(t *testing.T) {
	t.Parallel()
	for _, mode := range []ReadMode{Ours, Stock, Faithful2018} {
		for _, query := range []ReadQuery{Perftest, OneRow, Point, SelectOne} {
			t.Run(fmt.Sprintf("%s/%s", mode, query), func(t *testing.T) {
				t.Parallel()
				r := tinyReads(t)
				r.Mode, r.Query = mode, query
				if query == OneRow {
					r.Rows = 0
				}
				report, err := r.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				checkReadsReport(t, report, 2)
			})
		}
	}
}

// checkReadsReport allows for a machine so busy that nothing was answered in
// the moment that is measured.
func checkReadsReport(t *testing.T, r *ReadsReport, steps int) {
	t.Helper()
	if len(r.Threads) != steps {
		t.Fatalf("%d measurements, want %d", len(r.Threads), steps)
	}
	for i, f := range r.Threads {
		if f.N != r.Settings.Threads[i] || f.Best < f.Mean*0.999 || f.Mean > 0 && f.P50 <= 0 || f.P99 < f.P50 || len(f.PerSecond) == 0 {
			t.Errorf("figures do not fit together: %+v", f)
		}
	}
}

func TestReadsReportAsJSON(t *testing.T) {
	t.Parallel()
	report, err := tinyReads(t).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, report)
	steps := got["threads"].([]any)
	if len(steps) != 2 {
		t.Fatalf("%d measurements, want 2", len(steps))
	}
	for _, name := range []string{"n", "qps_best", "qps_mean", "p50_us", "p99_us"} {
		if n, ok := steps[0].(map[string]any)[name].(float64); !ok || n < 0 {
			t.Errorf("%s is %v", name, steps[0])
		}
	}
	if perRow := got["bytes_per_row"].(float64); perRow < 10 {
		t.Errorf("%v bytes a row", perRow)
	}
	checkMachineJSON(t, got)
}

func TestReadsOfALedgersFile(t *testing.T) {
	t.Parallel()
	l := tiny(t)
	if _, err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := tinyReads(t)
	r.DB, r.Query, r.Rows = l.DB, Point, 0
	report, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Settings.Rows != l.Accounts {
		t.Errorf("%d rows, want the ledger's %d accounts", report.Settings.Rows, l.Accounts)
	}
	r.Rows = 77
	if _, err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "it has 1000 accounts, not 77") {
		t.Errorf("another number of rows: %v", err)
	}
}

// Numbers of threads are measured in the order asked for, as often as asked for.
func TestReadsUpAndDown(t *testing.T) {
	t.Parallel()
	r := tinyReads(t)
	r.Query, r.Threads, r.Duration = SelectOne, []int{1, 2, 3, 2, 1}, 20*time.Millisecond
	report, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkReadsReport(t, report, 5)
	steps := asJSON(t, report)["threads"].([]any)
	for i, want := range []float64{1, 2, 3, 2, 1} {
		if n := steps[i].(map[string]any)["n"]; n != want {
			t.Errorf("measurement %d is of %v threads, want %v", i, n, want)
		}
	}
}

func TestReadsOfOneRow(t *testing.T) {
	t.Parallel()
	r := tinyReads(t)
	r.Query, r.Rows = OneRow, 0
	report, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Settings.Rows != 1 || report.Settings.SQL != perftestSQL {
		t.Errorf("%d rows, asked with %q", report.Settings.Rows, report.Settings.SQL)
	}
	r.Query, r.Rows = Perftest, 1000
	if _, err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "it has 1 rows, not 1000") {
		t.Errorf("a table of one row asked for a thousand: %v", err)
	}
}

func TestReadsOfAColdFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("cold files are measured on Linux")
	}
	r := tinyReads(t)
	r.Rows, r.Cold, r.Threads = 50_000, true, []int{2, 1}
	report, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkReadsReport(t, report, 2)
	// Where the temporary directory is in memory nothing can be put out of it.
	if kept := report.Threads[1].Resident; report.Warmed || kept > 0.5 && !strings.HasPrefix(report.Machine.FileSystem, "tmpfs") {
		t.Errorf("warmed %v, %v of the file in memory", report.Warmed, kept)
	}
	var text strings.Builder
	if err := report.WriteTable(&text); err != nil || !strings.Contains(text.String(), "cold: ") {
		t.Errorf("the table does not say that it was cold: %v\n%s", err, &text)
	}
}

func TestReadsSayWhatFits(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]ReadsReport{
		"read into it first":            {Fits: true, Warmed: true},
		"for little else would be left": {Fits: true},
		"queries wait for the disk":     {},
		"2.0 MiB for a file of 4.0 MiB": {FileSize: 4 << 20, Available: 2 << 20},
		"cold: 50.0 % of the file was":  {Settings: ReadsSettings{Cold: true}, Threads: []ReadFigures{{Resident: 0.25}, {Resident: 0.5}}},
	} {
		if got := r.memory(); !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	f := ReadFigures{Mean: 1000, PerSecond: []float64{900, 1100}, Disk: DiskUse{ReadBytes: 8_192_000}}
	if got := f.diskPerQuery(); got != 4096 {
		t.Errorf("%d bytes a query, want 4096", got)
	}
}

func TestResident(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux is asked")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if share, err := resident(path); err != nil || share < 0.9 {
		t.Errorf("%v of a file just written are in memory, %v", share, err)
	}
	if err := evict(path); err != nil {
		t.Fatal(err)
	}
	onDisk := !strings.HasPrefix(fileSystem(filepath.Dir(path)), "tmpfs")
	if share, err := resident(path); err != nil || onDisk && share > 0.5 {
		t.Errorf("%v of it after it was put out, %v", share, err)
	}
	if _, err := resident(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no file: %v", err)
	}
}

func TestReadsRefuse(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Reads){
		"no path":              func(r *Reads) { r.DB = "" },
		"-1 rows":              func(r *Reads) { r.Rows = -1 },
		"no number of threads": func(r *Reads) { r.Threads = nil },
		"0 threads":            func(r *Reads) { r.Threads = []int{1, 0} },
		"a duration of 0s":     func(r *Reads) { r.Duration = 0 },
		"5 rows in the table":  func(r *Reads) { r.Query, r.Rows = OneRow, 5 },
		"never cold":           func(r *Reads) { r.Query, r.Cold = SelectOne, true },
		`no query "scan"`:      func(r *Reads) { r.Query = "scan" },
		`no mode "turbo"`:      func(r *Reads) { r.Mode = "turbo" },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			r := tinyReads(t)
			change(&r)
			if _, err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %q", err, want)
			}
		})
	}
}

// The 2018 program takes no locks, so that it must have the file to itself.
func TestFaithfulRefusesCompany(t *testing.T) {
	t.Parallel()
	r := tinyReads(t)
	r.Mode = Faithful2018
	db, err := openMattnDB(r.DB, Full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := perftest.fill(t.Context(), db, r.Rows, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another program has the database open") {
		t.Errorf("beside an open connection: %v", err)
	}
	if err := db.exec(t.Context(), "UPDATE perfTest SET nonIndexedColumn = 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "-wal has") {
		t.Errorf("with commits in the write-ahead log: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context()); err != nil {
		t.Errorf("alone: %v", err)
	}
}

// While it runs, nobody else gets in.
func TestFaithfulKeepsCompanyOut(t *testing.T) {
	t.Parallel()
	r := tinyReads(t)
	if _, err := r.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	system, err := openFaithful(r)
	if err != nil {
		t.Fatal(err)
	}
	defer system.close()
	if _, err := system.reader(t.Context(), newPicker(Uniform, 1, 0)); err != nil {
		t.Fatal(err)
	}
	db, err := openMattnDB(r.DB, Full, "_busy_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.exec(t.Context(), "CREATE TABLE more(x)"); !busy(err) {
		t.Errorf("a writer beside the readers without locks: %v, want that the database is locked", err)
	}
}

func TestReadsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := tinyReads(t)
	r.Duration = time.Hour
	r.Progress = func(string, int64, int64) { time.AfterFunc(50*time.Millisecond, cancel) }
	if _, err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestMachineIsDescribed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := DescribeMachine(filepath.Join(dir, "x.db"))
	if m.OS == "" || m.Arch == "" || m.Cores < 1 || m.GOMAXPROCS < 1 || m.Go == "" {
		t.Errorf("incomplete: %+v", m)
	}
	if _, err := os.Stat("/proc/meminfo"); err == nil && (m.Memory == 0 || m.Kernel == "" || m.FileSystem == "") {
		t.Errorf("incomplete on a system with /proc: %+v", m)
	}
}
