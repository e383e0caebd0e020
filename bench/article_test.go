package bench

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tinyArticle is over soon.
func tinyArticle(t *testing.T) Article {
	t.Helper()
	return Article{
		DB:       filepath.Join(t.TempDir(), "article.db"),
		DSN:      nowhere,
		Pools:    []int{8, 64},
		Accounts: 1000,
		Dist:     Billion,
		Callers:  16,
		Duration: time.Millisecond,
		Burst:    400,
		Rounds:   1,
	}
}

// The plan has all that the article measured, and says for each who has it.
func TestArticlePlan(t *testing.T) {
	t.Parallel()
	tables := tinyArticle(t).plan()
	if len(tables) != 2 {
		t.Fatalf("%d tables, want the closed loop and the burst", len(tables))
	}
	names := map[string]bool{}
	for i, table := range tables {
		for _, row := range table.rows {
			if len(row.runs) != 4 {
				t.Errorf("%s: %d runs for 4 columns", row.name, len(row.runs))
			}
			for _, l := range row.runs {
				if l == nil {
					continue
				}
				names[l.name()] = true
				if err := l.validate(); err != nil {
					t.Errorf("%s: %v", l.name(), err)
				}
				if burst := l.Burst > 0; burst != (i == 1) {
					t.Errorf("%s is in table %d", l.name(), i)
				}
				if l.Peer != Postgres && l.Net > 0 {
					t.Errorf("%s: the engine has no network", l.name())
				}
			}
		}
	}
	for _, want := range []string{
		"postgres-pool8-savepoint-read-committed-full", "postgres-pool64-savepoint-read-committed-full-net10ms",
		"postgres-pool64-savepoint-serializable-full-net1ms", "postgres-pool8-savepoint-serializable-full-think10ms-extra",
		"postgres-pool8-savepoint-read-committed-normal-burst", "postgres-pool64-mixed-read-committed-full-burst",
		"nearlite-single-full", "nearlite-batch-normal", "nearlite-savepoint-full-burst", "nearlite-mixed-normal-burst",
		"nearlite-savepoint-full-think5ms", "nearlite-savepoint-normal-think10ms-extra-burst",
	} {
		if !names[want] {
			t.Errorf("the plan has no %s", want)
		}
	}
}

// Without a server the rest of the tables is there, and the error says why.
func TestArticleWithoutPostgres(t *testing.T) {
	t.Parallel()
	a := tinyArticle(t)
	a.Rounds, a.Records = 2, t.TempDir()
	var told []string
	a.Tell = func(line string) { told = append(told, line) }
	report, err := a.Run(t.Context())
	if !errors.Is(err, ErrNoPostgres) || report == nil {
		t.Fatalf("report %v, error %v", report, err)
	}
	if asked := strings.Count(strings.Join(told, "\n"), "no connection"); asked != 1 {
		t.Errorf("PostgreSQL was asked for %d times, want once:\n%s", asked, strings.Join(told, "\n"))
	}
	for _, table := range report.Tables {
		for _, row := range table.Rows {
			for i, cell := range row.Cells {
				if server := i < 2; cell.Run != "" && (server != cell.missing || server == (cell.TPS > 0)) {
					t.Errorf("%s, %s: %+v", row.Name, report.Columns[i], cell)
				}
			}
		}
	}
	var text strings.Builder
	if err := report.WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Closed loop: 16 callers, 2 where a transaction waits", "Burst: 400 requests at once, 40 where each commits alone, 2 where", "not there", "n/a", "PostgreSQL, 64"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the tables do not say %q:\n%s", want, &text)
		}
	}
	checkRecords(t, a.Records)
}

func checkRecords(t *testing.T, dir string) {
	t.Helper()
	for file, workload := range map[string]string{
		"article.json": "article", "nearlite-savepoint-full.json": "ledger", "nearlite-savepoint-full.2.json": "ledger",
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		var record struct{ Workload string }
		if err := json.Unmarshal(text, &record); err != nil || record.Workload != workload {
			t.Errorf("%s: workload %q, %v", file, record.Workload, err)
		}
	}
}

func TestArticleOnPostgres(t *testing.T) {
	l := postgresLedger(t)
	a := tinyArticle(t)
	a.DSN, a.Accounts, a.Burst, a.Pools = l.DSN, l.Accounts, 0, []int{2, 3}
	report, err := a.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Postgres == nil {
		t.Error("the server is not described")
	}
	for _, row := range report.Tables[0].Rows {
		for i, cell := range row.Cells {
			if cell.Run != "" && cell.TPS <= 0 {
				t.Errorf("%s, %s: %+v", row.Name, report.Columns[i], cell)
			}
		}
	}
}

func TestArticleEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if report, err := tinyArticle(t).Run(ctx); !errors.Is(err, context.Canceled) || report != nil {
		t.Errorf("report %v, error %v", report, err)
	}
}

func TestArticleRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Article){
		"0 rounds":      func(a *Article) { a.Rounds = 0 },
		"a burst of -1": func(a *Article) { a.Burst = -1 },
		"a pool of 0":   func(a *Article) { a.Pools = []int{8, 0} },
		"0 callers":     func(a *Article) { a.Callers = 0 },
	} {
		a := tinyArticle(t)
		change(&a)
		if _, err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}
