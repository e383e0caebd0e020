package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Article is the tables of "100000 TPS over a billion rows", measured here:
// the ledger on PostgreSQL and on the engine, in turn.
type Article struct {
	DB       string        // path of the engine's database; made and filled if it is not there
	DSN      string        // of PostgreSQL; see Ledger
	Pools    []int         // its connections, a column for each; the article has 8, its readers wanted 64
	Accounts int64         // in each of them
	Dist     Dist          // how they are chosen
	Callers  int           // of a run that never waits; one that does has an eighth, at most
	Duration time.Duration // of each run of the closed loop
	Burst    int           // requests at once in a run of the other kind; 0 = none of these. See articlePlan.
	Rounds   int           // how often everything is run; a cell is the median
	Records  string        // a directory for the runs' reports as JSON; "" = none
	NoCheck  bool
	Progress Progress          // of loading; nil = nobody
	Tell     func(line string) // told what each run came to; nil = nobody
}

func (a Article) validate() error {
	switch {
	case a.Rounds < 1:
		return fmt.Errorf("%d rounds: the tables have to be measured once", a.Rounds)
	case a.Burst < 0:
		return fmt.Errorf("a burst of %d requests", a.Burst)
	case a.Callers < 1:
		return fmt.Errorf("%d callers: at least one has to ask", a.Callers)
	}
	for _, pool := range a.Pools {
		if pool < 1 {
			return fmt.Errorf("a pool of %d connections", pool)
		}
	}
	return nil
}

// Run measures the tables. Where PostgreSQL is missing its cells say so, the
// others are measured all the same, and the error comes with the report. Only a
// canceled ctx ends the run.
func (a Article) Run(ctx context.Context) (*ArticleReport, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	if a.Records != "" {
		if err := os.MkdirAll(a.Records, 0o755); err != nil {
			return nil, fmt.Errorf("make the directory of records: %w", err)
		}
	}
	run := articleRun{Article: a, done: map[string]*articleCell{}}
	tables := a.plan()
	for round := range a.Rounds {
		if err := run.round(ctx, tables, round); err != nil {
			return nil, err
		}
	}
	report := run.report(tables)
	if a.Records != "" {
		run.fail(WriteJSON(filepath.Join(a.Records, "article.json"), report))
	}
	return report, errors.Join(run.errs...)
}

// articleRun is the tables being measured.
type articleRun struct {
	Article
	done       map[string]*articleCell // by the name of the run
	noPostgres error                   // why it cannot be had: it is asked once
	errs       []error
}

// articleCell is one run, or one for each round.
type articleCell struct {
	reports []*LedgerReport
	err     error
}

// round measures every run once. The columns take turns, so that whatever else
// the machine does is everybody's.
func (r *articleRun) round(ctx context.Context, tables []articleTable, round int) error {
	seen := map[string]bool{}
	for _, table := range tables {
		for _, row := range table.rows {
			for _, l := range row.runs {
				if l == nil || seen[l.name()] {
					continue
				}
				seen[l.name()] = true
				r.measure(ctx, *l, round)
				if err := ctx.Err(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *articleRun) measure(ctx context.Context, l Ledger, round int) {
	name := l.name()
	if r.done[name] == nil {
		r.done[name] = &articleCell{}
	}
	cell := r.done[name]
	if l.Peer == Postgres && r.noPostgres != nil {
		cell.err = r.noPostgres
		return
	}
	report, err := l.Run(ctx)
	if err != nil {
		cell.err = err
		if errors.Is(err, ErrNoPostgres) {
			r.noPostgres = err
		}
		r.fail(fmt.Errorf("%s: %w", name, err))
		r.tell(name + ": " + err.Error())
		return
	}
	cell.reports = append(cell.reports, report)
	r.tell(fmt.Sprintf("%s: %s a second, p99 %s", name, grouped(int64(report.TPS)), duration(report.P99)))
	if r.Records != "" {
		r.fail(WriteJSON(filepath.Join(r.Records, recordName(name, round)), report))
	}
}

// recordName is the file of a run's report; the first round's has no number.
func recordName(name string, round int) string {
	if round == 0 {
		return name + ".json"
	}
	return fmt.Sprintf("%s.%d.json", name, round+1)
}

func (r *articleRun) fail(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

func (r *articleRun) tell(line string) {
	if r.Tell != nil {
		r.Tell(line)
	}
}

// name says in one word what is special about a run.
func (l Ledger) name() string {
	words := []string{"nearlite", string(l.Mode), string(l.Durability)}
	if l.Peer == Postgres {
		words = []string{"postgres", fmt.Sprintf("pool%d", l.Pool), string(l.Mode), string(l.Isolation), string(l.Durability)}
	}
	if l.Net > 0 {
		words = append(words, "net"+l.Net.String())
	}
	if l.Think > 0 {
		words = append(words, "think"+l.Think.String())
	}
	if l.ExtraQuery {
		words = append(words, "extra")
	}
	if l.Burst > 0 {
		words = append(words, "burst")
	}
	return strings.Join(words, "-")
}

// figures is what a cell's runs come to: the median, and how far they lie apart.
func (c *articleCell) figures(name string) ArticleCell {
	if c.err != nil && len(c.reports) == 0 {
		return ArticleCell{Run: name, Error: c.err.Error(), missing: errors.Is(c.err, ErrNoPostgres)}
	}
	sorted := slices.SortedFunc(slices.Values(c.reports), func(a, b *LedgerReport) int { return cmp.Compare(a.TPS, b.TPS) })
	middle := sorted[len(sorted)/2]
	return ArticleCell{
		Run:     name,
		TPS:     middle.TPS,
		Least:   sorted[0].TPS,
		Most:    sorted[len(sorted)-1].TPS,
		P50:     middle.P50,
		P99:     middle.P99,
		Retries: middle.BusyRetries,
	}
}
