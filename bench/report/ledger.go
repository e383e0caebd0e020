package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nearlite/nearlite/bench"
)

// ledgerRun is all runs of one system with the same settings.
type ledgerRun struct {
	*bench.LedgerReport // the first
	tps                 []float64
	p50, p99, max       []float64
}

// ledgerSection plots the runs of the ledger, a pair of plots for each table of
// accounts and way of asking.
func ledgerSection(reports []*bench.LedgerReport) Section {
	s := Section{Title: "Ledger", Lead: "Each transaction moves 100 from one account to another in two updates, with many callers at once. Longer is better."}
	var order []string
	facets := map[string][]*ledgerRun{}
	for _, r := range reports {
		key := demand(r.Settings)
		if facets[key] == nil {
			order = append(order, key)
		}
		facets[key] = addRun(facets[key], r)
	}
	for i, key := range order {
		s.Figures = append(s.Figures, ledgerFigures(facets[key], suffix(i))...)
	}
	return s
}

// suffix tells the file of the first plot of a kind from the later ones.
func suffix(i int) string {
	if i == 0 {
		return ""
	}
	return fmt.Sprintf("-%d", i+1)
}

func addRun(runs []*ledgerRun, r *bench.LedgerReport) []*ledgerRun {
	key := func(s bench.LedgerSettings) bench.LedgerSettings { s.DB = ""; return s }
	i := slices.IndexFunc(runs, func(run *ledgerRun) bool { return key(run.Settings) == key(r.Settings) })
	if i < 0 {
		i, runs = len(runs), append(runs, &ledgerRun{LedgerReport: r})
	}
	run := runs[i]
	run.tps = append(run.tps, r.TPS)
	run.p50, run.p99, run.max = append(run.p50, r.P50), append(run.p99, r.P99), append(run.max, r.Max)
	return runs
}

// demand says in words what was asked.
func demand(s bench.LedgerSettings) string {
	how := fmt.Sprintf("%s callers for %s", grouped(float64(s.Callers)), seconds(s.Seconds))
	if s.Burst > 0 {
		how = fmt.Sprintf("a burst of %s requests", grouped(float64(s.Burst)))
	}
	return clean(fmt.Sprintf("%s accounts drawn by %s, %s", grouped(float64(s.Accounts)), law(s.Dist), how))
}

func law(d bench.Dist) string {
	switch d {
	case bench.Power:
		return "power law"
	case bench.Billion:
		return "the power law of a billion"
	}
	return string(d)
}

// conditions are what a group of bars has in common.
func conditions(s bench.LedgerSettings) string {
	words := []string{"acknowledged when " + map[bench.Durability]string{
		bench.Full:   "on disk (full)",
		bench.Normal: "written, not synced (normal)",
	}[s.Durability]}
	if s.Durability != bench.Full && s.Durability != bench.Normal {
		words[0] = string(s.Durability)
	}
	if s.Net > 0 {
		words = append(words, micros(s.Net)+" a network round trip")
	}
	if s.Think > 0 {
		words = append(words, micros(s.Think)+" of thinking in each transaction")
	}
	if s.ExtraQuery {
		words = append(words, "one query more")
	}
	return clean(strings.Join(words, ", "))
}

var peers = map[bench.Peer]struct{ name, class string }{
	bench.Nearlite:     {"Nearlite", "ours"},
	bench.Mattn:        {"mattn/go-sqlite3", "peer-a"},
	bench.MattnBatched: {"mattn, batched by hand", "peer-b"},
	bench.Postgres:     {"PostgreSQL", "peer-c"},
}

func system(p bench.Peer) (name, class string) {
	if known, ok := peers[p]; ok {
		return known.name, known.class
	}
	return clean(string(p)), "peer-d"
}

// label names a run among those of the same conditions.
func (r *ledgerRun) label() string {
	name, _ := system(r.Settings.Peer)
	name += ", " + clean(string(r.Settings.Mode))
	if r.Settings.Peer == bench.Postgres {
		name += fmt.Sprintf(", %s, pool %d", shortIsolation(r.Settings.Isolation), r.Settings.Pool)
	}
	if r.Settings.Net > 0 && !r.Waits.NetApplies {
		name += " (no network: n/a)"
	}
	return name
}

func shortIsolation(i bench.Isolation) string {
	switch i {
	case bench.ReadCommitted:
		return "read c."
	case bench.Serializable:
		return "serial."
	}
	return clean(string(i))
}

func ledgerFigures(runs []*ledgerRun, suffix string) []Figure {
	groups := map[string][]*ledgerRun{}
	var order []string
	for _, r := range runs {
		key := conditions(r.Settings)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], r)
	}
	speed := bars{name: "ledger" + suffix, axis: "transactions a second", unit: brief}
	waits := ranges{name: "ledger-latency" + suffix}
	for _, key := range order {
		slices.SortStableFunc(groups[key], func(a, b *ledgerRun) int { return cmp.Compare(median(b.tps), median(a.tps)) })
		g := barGroup{title: key}
		for _, r := range groups[key] {
			_, class := system(r.Settings.Peer)
			low, high := spread(r.tps)
			g.bars = append(g.bars, bar{label: r.label(), class: class, value: median(r.tps), low: low, high: high})
			label := r.label()
			if len(order) > 1 {
				label += ", " + clean(string(r.Settings.Durability))
			}
			waits.rows = append(waits.rows, distribution{label: label, class: class, p50: median(r.p50), p99: median(r.p99), max: median(r.max)})
		}
		speed.groups = append(speed.groups, g)
	}
	speed.title = ledgerMessage(order, groups)
	waits.title = ledgerLatency(waits.rows)
	notes := ledgerNotes(runs)
	return []Figure{
		{Plot: speed.plot(), Table: speed.table(), Notes: notes},
		{Plot: waits.plot(), Table: waits.table(), Notes: notes},
	}
}

// ledgerMessage compares the fastest way of Nearlite with the fastest of each
// peer under the same conditions.
func ledgerMessage(order []string, groups map[string][]*ledgerRun) string {
	for _, key := range order {
		fastest := map[bench.Peer]*ledgerRun{} // they are sorted: the first is the fastest
		var found []bench.Peer
		for _, r := range groups[key] {
			if p := r.Settings.Peer; fastest[p] == nil {
				fastest[p] = r
				found = append(found, p)
			}
		}
		ours := fastest[bench.Nearlite]
		if ours == nil || len(found) < 2 {
			continue
		}
		var words []string
		for _, p := range found {
			if p != bench.Nearlite {
				name, _ := system(p)
				words = append(words, times(median(ours.tps)/median(fastest[p].tps))+" "+name)
			}
		}
		return fmt.Sprintf("Nearlite: %s transactions a second, %s; %s", brief(median(ours.tps)), list(words), key)
	}
	best := groups[order[0]][0]
	return fmt.Sprintf("%s: %s transactions a second, %s", best.label(), brief(median(best.tps)), order[0])
}

func ledgerLatency(rows []distribution) string {
	best := slices.MinFunc(rows, func(a, b distribution) int { return cmp.Compare(a.p99, b.p99) })
	return fmt.Sprintf("How long a caller waits: 99 %% within %s on %s", micros(best.p99), best.label)
}

func ledgerNotes(runs []*ledgerRun) []Note {
	var all []on
	for _, r := range runs {
		all = append(all, on{r.Machine, r.SQLite})
	}
	return []Note{
		{"Machine", machines(all)},
		{"Settings", demand(runs[0].Settings) + ". The clock stops after a checkpoint."},
		{"Spread", runsSpread(runs)},
		{"Limit", ledgerLimit(runs)},
		{"Not fair", ledgerUnfair(runs)},
	}
}

func runsSpread(runs []*ledgerRun) string {
	fewest, widest := len(runs[0].tps), 0.0
	for _, r := range runs {
		fewest = min(fewest, len(r.tps))
		if low, high := spread(r.tps); low > 0 {
			widest = max(widest, high/low-1)
		}
	}
	switch {
	case fewest < 2 && widest == 0:
		return "One run each: no spread is known. Give the files of several runs to see it."
	case fewest < 2:
		return fmt.Sprintf("Some ran once. Of several runs a bar is the median, the line through its end goes from the slowest to the fastest, %.0f %% apart at most.", widest*100)
	}
	return fmt.Sprintf("At least %d runs each; a bar is the median, the line through its end goes from the slowest to the fastest, %.0f %% apart at most.", fewest, widest*100)
}

// ledgerLimit is what the processors' time, and the disk's, would allow.
func ledgerLimit(runs []*ledgerRun) string {
	var r *ledgerRun
	for _, run := range runs {
		if run.Settings.Peer == bench.Nearlite && run.CPUSeconds > 0 && run.Transfers > 0 && (r == nil || run.TPS > r.TPS) {
			r = run
		}
	}
	if r == nil {
		return "Not known: no run of Nearlite says how much processor time it used."
	}
	each := r.CPUSeconds / float64(r.Transfers)
	cores := float64(max(r.Machine.Cores, 1))
	text := fmt.Sprintf("Back of the envelope, %s: callers and database used %s of processor time a transaction, so %g processors without a moment's rest would do %s a second; %s were measured.",
		r.label(), micros(each*1e6), cores, brief(cores/each), brief(r.TPS))
	if r.Settings.Durability == bench.Full && r.Commits > 0 && r.Seconds > 0 {
		text += fmt.Sprintf(" It committed %s times a second, %s transactions in each commit: at one fsync a transaction that many a second would be all.",
			grouped(float64(r.Commits)/r.Seconds), significant(r.BatchMean))
	}
	return text
}

func ledgerUnfair(runs []*ledgerRun) string {
	text := "Callers and database share the processors. An absolute figure says more about the machine than about the program."
	has := func(p bench.Peer) bool {
		return slices.ContainsFunc(runs, func(r *ledgerRun) bool { return r.Settings.Peer == p })
	}
	if has(bench.Mattn) {
		text += " mattn/go-sqlite3 runs as people use it, without the batches that make the difference; the same SQLite is under both."
	}
	if has(bench.MattnBatched) {
		text += " The batcher written by hand has no savepoints: one failed transfer takes its neighbours along."
	}
	if has(bench.Postgres) {
		text += " PostgreSQL is a server that takes sockets and a process switch for each statement, can be used from many machines, and has many writers; its tuning is what its notes say. Here it shares the machine with its clients."
	}
	return text
}
