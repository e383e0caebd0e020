package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is the PostgreSQL of this package's tests: the one that
// NEARLITE_POSTGRES names, or a throw-away one that ends with the tests.
var server struct {
	once  sync.Once
	dsn   string
	why   string // there is none
	stdin io.Closer
	cmd   *exec.Cmd
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.cmd != nil {
		server.stdin.Close()
		if err := server.cmd.Wait(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// postgresLedger is tiny on a real server, one test after the other: they all
// share its table.
func postgresLedger(t *testing.T) Ledger {
	t.Helper()
	server.once.Do(startServer)
	if server.dsn == "" {
		t.Skip(server.why)
	}
	l := tiny(t)
	// Enough accounts that few wait for one another's rows: a deadlock takes a second.
	l.DB, l.Peer, l.DSN, l.Callers, l.Dist, l.Accounts = "", Postgres, server.dsn, 8, Billion, 20_000
	return l
}

// startServer leaves the work to the script, and has it end when its standard
// input does: with these tests, whatever they die of.
func startServer() {
	if server.dsn = os.Getenv("NEARLITE_POSTGRES"); server.dsn != "" {
		return
	}
	script := filepath.Join("..", "scripts", "with-postgres")
	cmd := exec.Command(script, "--no-install", "sh", "-c", `echo "$NEARLITE_POSTGRES"; cat >/dev/null`)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		server.why = err.Error()
		return
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		server.why = err.Error()
		return
	}
	if err := cmd.Start(); err != nil {
		server.why = fmt.Sprintf("scripts/with-postgres: %v", err)
		return
	}
	server.cmd, server.stdin = cmd, stdin
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if server.dsn = strings.TrimSpace(line); server.dsn == "" {
		server.why = "no PostgreSQL here: apt-get install postgresql"
	}
}

func TestLedgerOnPostgres(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Ledger)
		trips  float64 // a transaction that is not begun again
	}{
		{"interactive", func(l *Ledger) { l.Mode = Savepoint }, 4},
		{"serializable, full", func(l *Ledger) { l.Isolation, l.Durability = Serializable, Full }, 4},
		{"extra query", func(l *Ledger) { l.ExtraQuery = true }, 5},
		{"batch", func(l *Ledger) { l.Mode = Batch }, 1},
		{"mixed", func(l *Ledger) { l.Mode = Mixed }, 7},
		{"burst", func(l *Ledger) { l.Burst = 100 }, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := postgresLedger(t)
			test.change(&l)
			report, err := l.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			checkLedgerReport(t, report)
			if !report.Waits.NetApplies || report.Waits.RoundTrips < test.trips {
				t.Errorf("%+v, want at least %v round trips", report.Waits, test.trips)
			}
			if report.BusyRetries == 0 && report.Waits.RoundTrips != test.trips {
				t.Errorf("%v round trips and nothing begun again, want %v", report.Waits.RoundTrips, test.trips)
			}
			checkServer(t, l, report)
		})
	}
}

// checkServer looks whether the server did what the settings say.
func checkServer(t *testing.T, l Ledger, r *LedgerReport) {
	t.Helper()
	want := map[string]string{"synchronous_commit": "off", "default_transaction_isolation": "read committed"}
	if l.Durability == Full {
		want["synchronous_commit"] = "on"
	}
	if l.Isolation == Serializable {
		want["default_transaction_isolation"] = "serializable"
	}
	for name, value := range want {
		if got := r.Postgres.Settings[name]; got != value {
			t.Errorf("the server's %s is %q, want %q", name, got, value)
		}
	}
	if r.Postgres.Settings["server_version"] == "" || r.Disk != nil || r.Settings.Pool != 8 {
		t.Errorf("server %+v, disk %v, pool %d", r.Postgres, r.Disk, r.Settings.Pool)
	}
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ledger on PostgreSQL", "round trips a transaction", "begun again", "8, " + string(r.Settings.Isolation), "fsync ", "pgx"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, &table)
		}
	}
	text := fmt.Sprintf("%+v\n%s", asJSON(t, r), &table)
	if _, rest, ok := strings.Cut(l.DSN, "//bench:"); ok {
		if password, _, _ := strings.Cut(rest, "@"); strings.Contains(text, password) {
			t.Error("the report has the password")
		}
	}
}

// Two connections that want the same two rows from both ends are told to begin
// again, which costs time and never money.
func TestLedgerOnPostgresBeginsAgain(t *testing.T) {
	l := postgresLedger(t)
	// With so few accounts that matter everybody is in everybody's way.
	l.Dist, l.Isolation, l.Think, l.Callers = Power, Serializable, time.Millisecond, 4
	report, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Retries; r == nil || r.Serialization == 0 || report.BusyRetries != r.Serialization+r.Deadlocks {
		t.Errorf("begun again %d times: %+v", report.BusyRetries, r)
	}
	if report.Waits.ThinkPaid < 1000 {
		t.Errorf("%v µs of thinking in each transaction, want at least 1000", report.Waits.ThinkPaid)
	}
}

func TestLedgerOnPostgresFindsItsAccounts(t *testing.T) {
	l := postgresLedger(t)
	l.Duration = time.Millisecond
	if _, err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Accounts = 77
	if _, err := l.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "it has 20000 accounts, not 77") {
		t.Errorf("another number of accounts: %v", err)
	}
}

// A burst that is interrupted does not first finish what still waits for a
// connection: a hundred seconds of thinking here.
func TestLedgerOnPostgresEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := postgresLedger(t)
	l.Burst, l.Think, l.Pool = 10_000, 10*time.Millisecond, 1
	began := time.Now()
	time.AfterFunc(500*time.Millisecond, cancel)
	if _, err := l.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if took := time.Since(began); took > 50*time.Second {
		t.Errorf("it took %s to end", took)
	}
}

// Nobody listens on port 1 of loopback.
const nowhere = "postgres://nobody:secret@127.0.0.1:1/nothing?sslmode=disable"

func TestLedgerWithoutPostgres(t *testing.T) {
	t.Parallel()
	l := tiny(t)
	l.Peer, l.DSN = Postgres, nowhere
	_, err := l.Run(t.Context())
	if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "127.0.0.1:1/nothing as nobody") {
		t.Errorf("error %v, want one that says there is none at that address", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is in the error: %v", err)
	}
	l.DSN = "postgres://nobody:secret@127.0.0.1:what/nothing"
	if _, err := l.Run(t.Context()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a DSN that makes no sense: %v", err)
	}
}
