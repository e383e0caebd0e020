package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// parseBench parses the arguments of nearlite bench.
func parseBench(t *testing.T, args ...string) (*BenchCmd, *kong.Context, error) {
	t.Helper()
	cmd := new(BenchCmd)
	parser, err := kong.New(cmd)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := parser.Parse(args)
	return cmd, ctx, err
}

func TestBenchLedgerFlags(t *testing.T) {
	t.Parallel()
	defaults := LedgerCmd{DB: "ledger.db", Accounts: 1_000_000, Callers: 1024, Duration: 10 * time.Second,
		Mode: "savepoint", Durability: "full", Dist: "power"}
	all := LedgerCmd{DB: "x.db", Accounts: 5, Callers: 6, Duration: 7 * time.Second, Burst: 8, Mode: "mixed",
		Durability: "normal", Dist: "uniform", Peer: "postgres", ExtraQuery: true, Net: 9 * time.Millisecond, Think: 10 * time.Millisecond,
		DSN: "host=h", Pool: 11, Isolation: "serializable", Cold: true, NoCheck: true, JSON: "x.json"}
	for _, test := range []struct {
		args string
		want LedgerCmd
	}{
		{"ledger", defaults},
		{"ledger --db x.db --accounts 5 --callers 6 --duration 7s --burst 8 --mode mixed --durability normal --dist uniform --peer postgres --extra-query --net 9ms --think 10ms --dsn host=h --pool 11 --isolation serializable --cold --no-check --json x.json", all},
	} {
		cmd, _, err := parseBench(t, strings.Fields(test.args)...)
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
		} else if !reflect.DeepEqual(cmd.Ledger, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.args, cmd.Ledger, test.want)
		}
	}
}

func TestBenchReadsFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		want ReadsCmd
		db   string
	}{
		{"reads", ReadsCmd{Query: "point", Mode: "ours", Threads: []int{1, 2}, Seconds: 5}, "ledger.db"},
		{"reads --query perftest", ReadsCmd{Query: "perftest", Mode: "ours", Threads: []int{1, 2}, Seconds: 5}, "perftest.db"},
		{"reads --query onerow --threads 1,2,1 --cold", ReadsCmd{Query: "onerow", Mode: "ours", Threads: []int{1, 2, 1}, Seconds: 5, Cold: true}, "onerow.db"},
		{"reads --db x.db --query select1 --mode faithful-2018 --rows 9 --threads 1,2,4 --seconds 0.5 --json x.json",
			ReadsCmd{DB: "x.db", Query: "select1", Mode: "faithful-2018", Rows: 9, Threads: []int{1, 2, 4}, Seconds: 0.5, JSON: "x.json"}, "x.db"},
	} {
		cmd, _, err := parseBench(t, strings.Fields(test.args)...)
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		if !reflect.DeepEqual(cmd.Reads, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.args, cmd.Reads, test.want)
		}
		if db := cmd.Reads.database(); db != test.db {
			t.Errorf("%s: reads %s, want %s", test.args, db, test.db)
		}
	}
}

func TestBenchArticleFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		want ArticleCmd
	}{
		{"article", ArticleCmd{DB: "article.db", Pools: []int{8, 64}, Accounts: 1_000_000, Dist: "billion", Callers: 1024,
			Duration: 5 * time.Second, Burst: 200_000, Rounds: 1}},
		{"article --db x.db --dsn host=h --pools 1,2 --accounts 3 --dist power --callers 4 --duration 5s --burst 0 --rounds 6 --no-check --json d",
			ArticleCmd{DB: "x.db", DSN: "host=h", Pools: []int{1, 2}, Accounts: 3, Dist: "power", Callers: 4,
				Duration: 5 * time.Second, Rounds: 6, NoCheck: true, JSON: "d"}},
	} {
		cmd, _, err := parseBench(t, strings.Fields(test.args)...)
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
		} else if cmd.Article.DSN == os.Getenv("NEARLITE_POSTGRES") {
			cmd.Article.DSN = test.want.DSN
		}
		if !reflect.DeepEqual(cmd.Article, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.args, cmd.Article, test.want)
		}
	}
}

func TestBenchRefusesFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"ledger --mode quick":     "--mode must be one of",
		"ledger --durability low": "--durability must be one of",
		"ledger --dist zipf":      "--dist must be one of",
		"ledger --peer oracle":    "--peer must be one of",
		"ledger --isolation none": "--isolation must be one of",
		"ledger --net far":        "--net",
		"ledger --duration fast":  "--duration",
		"reads --query scan":      "--query must be one of",
		"reads --mode turbo":      "--mode must be one of",
		"reads --threads one":     "--threads",
	} {
		if _, _, err := parseBench(t, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", args, err, want)
		}
	}
}

func TestBenchPrintsAndRecords(t *testing.T) {
	t.Parallel()
	for workload, test := range map[string]struct {
		args  string
		table []string
		json  []string
	}{
		"ledger": {"--accounts 1000 --callers 4 --duration 50ms --durability normal", []string{"transactions a second", "latency p99", "loading accounts: 1000"},
			[]string{"tps", "p50_us", "p99_us", "batch_mean", "settings", "machine", "sqlite"}},
		"reads": {"--query perftest --rows 1000 --threads 1,2 --seconds 0.05", []string{"best second", "loading rows: 1000"},
			[]string{"threads", "settings", "machine", "sqlite"}},
	} {
		t.Run(workload, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			record := filepath.Join(dir, "report.json")
			args := append([]string{workload, "--db", filepath.Join(dir, "x.db"), "--json", record}, strings.Fields(test.args)...)
			_, parsed, err := parseBench(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			parsed.BindTo(t.Context(), (*context.Context)(nil))
			if err := parsed.Run(&Env{Stdout: &out, Stderr: &out}); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.table {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output does not say %q:\n%s", want, &out)
				}
			}
			checkRecord(t, record, test.json)
		})
	}
}

func checkRecord(t *testing.T, file string, names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, ok := report[name]; !ok {
			t.Errorf("the record has no %s: %s", name, text)
		}
	}
}
