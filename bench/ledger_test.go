package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tiny is a run that is over at once.
func tiny(t *testing.T) Ledger {
	t.Helper()
	return Ledger{
		DB:         filepath.Join(t.TempDir(), "ledger.db"),
		Accounts:   1000,
		Callers:    8,
		Duration:   200 * time.Millisecond,
		Mode:       Savepoint,
		Durability: Normal,
		Dist:       Power,
	}
}

// The books balance with three updates in a transaction as they do with two.
func TestLedgerWithExtraQuery(t *testing.T) {
	t.Parallel()
	for _, l := range []Ledger{
		{Mode: Single}, {Mode: Batch}, {Mode: Savepoint}, {Mode: Savepoint, Dist: Billion},
		{Mode: Single, Peer: Mattn}, {Mode: Savepoint, Peer: MattnBatched},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", peerName(l.Peer), l.Mode, l.Dist), func(t *testing.T) {
			t.Parallel()
			run := tiny(t)
			run.Mode, run.Peer, run.ExtraQuery = l.Mode, l.Peer, true
			run.Dist = cmp.Or(l.Dist, run.Dist)
			report, err := run.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			checkLedgerReport(t, report)
		})
	}
}

func TestLedgerOfAColdFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("cold files are measured on Linux")
	}
	l := tiny(t)
	l.Cold, l.NoCheck = true, true
	for range 2 { // a new file, and one that is there
		report, err := l.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !report.Settings.Cold || report.Checked {
			t.Errorf("cold %v, checked %v", report.Settings.Cold, report.Checked)
		}
	}
}

func TestLedgerEveryWay(t *testing.T) {
	t.Parallel()
	for _, peer := range []Peer{Nearlite, Mattn, MattnBatched} {
		for _, mode := range []LedgerMode{Single, Batch, Savepoint, Mixed} {
			if peer == MattnBatched && mode == Single {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", peerName(peer), mode), func(t *testing.T) {
				t.Parallel()
				l := tiny(t)
				l.Peer, l.Mode = peer, mode
				report, err := l.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				checkLedgerReport(t, report)
				if alone := peer == Mattn || mode == Single; alone && report.BatchMean != 1 {
					t.Errorf("%v transfers in a commit, want every one alone", report.BatchMean)
				}
			})
		}
	}
}

func checkLedgerReport(t *testing.T, r *LedgerReport) {
	t.Helper()
	if r.TPS <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.Max < r.P99 || r.BatchMean < 1 {
		t.Errorf("tps %v, p50 %v µs, p99 %v µs, max %v µs, batch mean %v do not fit together", r.TPS, r.P50, r.P99, r.Max, r.BatchMean)
	}
	if r.Transfers == 0 || r.Commits == 0 || !r.Checked {
		t.Errorf("%d transfers, %d commits, checked %v", r.Transfers, r.Commits, r.Checked)
	}
}

func TestLedgerUniformFull(t *testing.T) {
	t.Parallel()
	l := tiny(t)
	l.Dist, l.Durability = Uniform, Full
	report, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkLedgerReport(t, report)
}

func TestLedgerBurst(t *testing.T) {
	t.Parallel()
	for _, peer := range []Peer{Nearlite, MattnBatched} {
		t.Run(peerName(peer), func(t *testing.T) {
			t.Parallel()
			l := tiny(t)
			l.Peer, l.Burst = peer, 5000
			report, err := l.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			checkLedgerReport(t, report)
			if report.Transfers != 5000 {
				t.Errorf("%d transfers, want one for each of 5000 requests", report.Transfers)
			}
		})
	}
}

func TestLedgerIsFilledOnce(t *testing.T) {
	t.Parallel()
	var loaded int64
	l := tiny(t)
	l.Duration = time.Millisecond
	l.Accounts = chunk + 1
	l.Progress = func(_ string, done, _ int64) { loaded = done }
	if _, err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if loaded != l.Accounts {
		t.Errorf("%d accounts loaded, want %d", loaded, l.Accounts)
	}
	// The file is everybody's: a peer finds the accounts, and the money.
	loaded = 0
	l.Peer = Mattn
	if _, err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if loaded != 0 {
		t.Errorf("%d accounts loaded again", loaded)
	}
	l.Accounts = 5000
	_, err := l.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "it has 100001 accounts, not 5000") || !strings.Contains(err.Error(), l.DB) {
		t.Errorf("another number of accounts: %v", err)
	}
}

func TestLedgerRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Ledger){
		"no path":                          func(l *Ledger) { l.DB = "" },
		"0 accounts":                       func(l *Ledger) { l.Accounts = 0 },
		"0 callers":                        func(l *Ledger) { l.Callers = 0 },
		"a duration of 0s":                 func(l *Ledger) { l.Duration = 0 },
		"a burst of -1":                    func(l *Ledger) { l.Burst = -1 },
		`no mode "quick"`:                  func(l *Ledger) { l.Mode = "quick" },
		`no durability "high"`:             func(l *Ledger) { l.Durability = "high" },
		`no distribution "zipf"`:           func(l *Ledger) { l.Dist = "zipf" },
		`no peer "oracle"`:                 func(l *Ledger) { l.Peer = "oracle" },
		"no readers beside its writer":     func(l *Ledger) { l.LookFirst, l.Peer = true, Mattn },
		"goes without that check":          func(l *Ledger) { l.Cold = true },
		"cannot be put out of it":          func(l *Ledger) { l.Cold, l.Peer, l.DSN = true, Postgres, nowhere },
		"a round trip of -1ns":             func(l *Ledger) { l.Net = -1 },
		"thinking for -1ns":                func(l *Ledger) { l.Think = -1 },
		"nobody can think between them":    func(l *Ledger) { l.Think, l.Mode = 1, Batch },
		"a DSN is for the peer postgres":   func(l *Ledger) { l.DSN = "host=localhost" },
		"a pool of connections is for":     func(l *Ledger) { l.Pool = 8 },
		"always serializable":              func(l *Ledger) { l.Isolation = ReadCommitted },
		"a pool of -1 connections":         func(l *Ledger) { l.Peer, l.Pool = Postgres, -1 },
		`no isolation "snapshot"`:          func(l *Ledger) { l.Peer, l.Isolation = Postgres, "snapshot" },
		"mattn-batched has no mode single": func(l *Ledger) { l.Peer, l.Mode = MattnBatched, Single },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			l := tiny(t)
			change(&l)
			if _, err := l.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %q", err, want)
			}
		})
	}
}

func TestLedgerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l := tiny(t)
	l.Duration = time.Hour
	l.Progress = func(string, int64, int64) { time.AfterFunc(50*time.Millisecond, cancel) }
	if _, err := l.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestAuditFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	l := tiny(t)
	db, err := openMattnDB(l.DB, Normal)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := accounts.fill(t.Context(), db, l.Accounts, nil); err != nil {
		t.Fatal(err)
	}
	before, err := l.openAudit(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name  string
		sql   []string
		ids   []int64
		moved int64
		want  string // "" = the books balance
	}{
		{"a transfer", []string{creditSQL, debitSQL}, []int64{900, 1}, 100 * 899, ""},
		{"an acknowledged one that is not there", nil, nil, 100*899 + 100, "exactly the transfers it acknowledged"},
		{"half of one", []string{creditSQL}, []int64{5}, 100 * 899, "half a transfer"},
	}
	for _, step := range steps {
		for i, sql := range step.sql {
			if err := db.exec(t.Context(), sql, step.ids[i]); err != nil {
				t.Fatal(err)
			}
		}
		err := before.close(t.Context(), db, step.moved)
		if step.want == "" && err != nil || step.want != "" && (err == nil || !strings.Contains(err.Error(), step.want)) {
			t.Errorf("%s: %v, want %q", step.name, err, step.want)
		}
	}
}

func TestLedgerReportAsJSON(t *testing.T) {
	t.Parallel()
	l := tiny(t)
	report, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, report)
	for _, name := range []string{"tps", "p50_us", "p99_us", "batch_mean"} {
		if n, ok := got[name].(float64); !ok || n <= 0 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	settings := got["settings"].(map[string]any)
	for name, want := range map[string]any{
		"db": l.DB, "accounts": 1000.0, "callers": 8.0, "duration_seconds": 0.2, "burst": 0.0,
		"mode": "savepoint", "durability": "normal", "dist": "power", "peer": "",
		"extra_query": false, "cold": false, "net_us": 0.0, "think_us": 0.0, "isolation": "serializable", "pool": 0.0,
	} {
		if settings[name] != want {
			t.Errorf("setting %s is %v, want %v", name, settings[name], want)
		}
	}
	checkMachineJSON(t, got)
}

func checkMachineJSON(t *testing.T, report map[string]any) {
	t.Helper()
	machine := report["machine"].(map[string]any)
	if machine["cores"].(float64) < 1 || machine["gomaxprocs"].(float64) < 1 {
		t.Errorf("machine without processors: %v", machine)
	}
	for _, name := range []string{"os", "kernel", "cpu", "governor", "cgroup_cpus", "cgroup_memory_bytes", "file_system", "go"} {
		if _, ok := machine[name]; !ok {
			t.Errorf("the machine has no %s", name)
		}
	}
	library := report["sqlite"].(map[string]any)
	if library["source_id"] == "" || len(library["compile_options"].([]any)) == 0 {
		t.Errorf("the library is not described: %v", library)
	}
}

// asJSON writes a report to a file and reads it back.
func asJSON(t *testing.T, report any) map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.json")
	if err := WriteJSON(path, report); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLedgerReportAsTable(t *testing.T) {
	t.Parallel()
	report := &LedgerReport{TPS: 123456.7, P50: 8123, P99: 31.25, BatchMean: 987.6, Transfers: 1234567, Checked: true,
		Settings: LedgerSettings{Accounts: 1_000_000_000, Callers: 1024, Seconds: 10, Mode: Savepoint, Dist: Power, Durability: Full}}
	var text strings.Builder
	if err := report.WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1,000,000,000 accounts", "1,024 callers for 10 s", "123,456", "8.12 ms", "31.25 µs", "987.6", "add up"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, &text)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{12: "12 B", 2048: "2.0 KiB", 3 << 20: "3.0 MiB", 5 << 30: "5.00 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are written %s, want %s", n, got, want)
		}
	}
	for us, want := range map[float64]string{1.5: "1.50 µs", 1500: "1.50 ms", 1.5e6: "1.50 s"} {
		if got := duration(us); got != want {
			t.Errorf("%v µs are written %s, want %s", us, got, want)
		}
	}
}
