package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nearlite/nearlite/bench"
)

// readRun is all runs of one way of asking the same query.
type readRun struct {
	*bench.ReadsReport // the first
	by                 map[int][]bench.ReadFigures
}

func readsSection(reports []*bench.ReadsReport) Section {
	s := Section{Title: "Reads", Lead: "Threads that ask one query again and again: in total, and each. A dashed line shows threads that cost each other nothing."}
	var order []string
	facets := map[string][]*readRun{}
	for _, r := range reports {
		key := fmt.Sprintf("%s, %d rows, %s", r.Settings.Query, r.Settings.Rows, memory(r))
		if facets[key] == nil {
			order = append(order, key)
		}
		facets[key] = addReads(facets[key], r)
	}
	for i, key := range order {
		s.Figures = append(s.Figures, readFigures(facets[key], suffix(i))...)
	}
	return s
}

// memory says where the file was while it was read.
func memory(r *bench.ReadsReport) string {
	switch {
	case r.Settings.Cold:
		return "forgotten before each measurement"
	case r.Warmed:
		return "read into memory first"
	case r.Available > 0 && !r.Fits:
		return "larger than memory"
	default:
		return "not read into memory first"
	}
}

func addReads(runs []*readRun, r *bench.ReadsReport) []*readRun {
	i := slices.IndexFunc(runs, func(run *readRun) bool { return run.Settings.Mode == r.Settings.Mode })
	if i < 0 {
		i, runs = len(runs), append(runs, &readRun{ReadsReport: r, by: map[int][]bench.ReadFigures{}})
	}
	for _, f := range r.Threads {
		runs[i].by[f.N] = append(runs[i].by[f.N], f)
	}
	return runs
}

var readModes = map[bench.ReadMode]struct{ name, class string }{
	bench.Ours:         {"Nearlite", "ours"},
	bench.Stock:        {"mattn/go-sqlite3", "peer-a"},
	bench.Faithful2018: {"2018, no locks", "peer-c"},
}

func readMode(m bench.ReadMode) (name, class string) {
	if known, ok := readModes[m]; ok {
		return known.name, known.class
	}
	return clean(string(m)), "peer-d"
}

// rank puts Nearlite before the others.
func rank(m bench.ReadMode) int {
	switch m {
	case bench.Ours:
		return 0
	case bench.Stock:
		return 1
	}
	return 2
}

var queries = map[bench.ReadQuery]string{
	bench.Perftest:  "ten random rows by an index",
	bench.OneRow:    "a table of one row",
	bench.Point:     "one account by its key",
	bench.SelectOne: "SELECT 1",
}

func readFigures(runs []*readRun, suffix string) []Figure {
	slices.SortStableFunc(runs, func(a, b *readRun) int { return cmp.Compare(rank(a.Settings.Mode), rank(b.Settings.Mode)) })
	what := cmp.Or(queries[runs[0].Settings.Query], clean(string(runs[0].Settings.Query)))
	if !runs[0].Warmed {
		what += " of a file " + memory(runs[0].ReadsReport)
	}
	total := lines{name: "reads" + suffix, xAxis: "threads", yAxis: "queries a second", xName: brief, yName: brief}
	each := lines{name: "reads-per-thread" + suffix, xAxis: "threads", yAxis: "queries a second and thread", xName: brief, yName: brief}
	waits := ranges{name: "reads-latency" + suffix}
	for _, r := range runs {
		name, class := readMode(r.Settings.Mode)
		all, one := r.curves()
		total.curves = append(total.curves, curve{label: name, class: class, points: all})
		each.curves = append(each.curves, curve{label: name, class: class, points: one})
		waits.rows = append(waits.rows, r.latency(name, class)...)
	}
	if ideal, ok := idealOf(total.curves); ok {
		total.curves = append(total.curves, ideal)
	}
	total.title, each.title = readMessage(total.curves, what), perThreadMessage(each.curves[0], runs[0].Machine.Cores)
	notes := readNotes(runs)
	figures := []Figure{
		{Plot: total.plot(), Table: total.table(), Notes: notes},
		{Plot: each.plot(), Table: each.table(), Notes: notes},
	}
	if len(waits.rows) > 0 {
		waits.title = "How long a thread waits for " + what
		figures = append(figures, Figure{Plot: waits.plot(), Table: waits.table(), Notes: notes})
	}
	return figures
}

// curves are the medians over runs, in total and for each thread. The spread is
// that of the runs, or of the seconds of a single one.
func (r *readRun) curves() (all, each []point) {
	for _, n := range r.threads() {
		var means, seconds []float64
		for _, f := range r.by[n] {
			means = append(means, f.Mean)
			seconds = append(seconds, f.PerSecond...)
		}
		low, high := spread(means)
		if low == 0 {
			low, high = spread(seconds)
		}
		p := point{float64(n), median(means), low, high}
		all = append(all, p)
		each = append(each, point{p.x, p.y / p.x, p.low / p.x, p.high / p.x})
	}
	return all, each
}

func (r *readRun) threads() []int {
	var threads []int
	for n := range r.by {
		threads = append(threads, n)
	}
	slices.Sort(threads)
	return threads
}

func (r *readRun) latency(name, class string) (rows []distribution) {
	for _, n := range r.threads() {
		if f := r.by[n][0]; good(f.P50) && good(f.P99) {
			rows = append(rows, distribution{label: name + ", " + plural(n, "thread"), class: class, p50: f.P50, p99: f.P99})
		}
	}
	return rows
}

// idealOf continues the first curve from its first point in proportion.
func idealOf(curves []curve) (curve, bool) {
	points := curves[0].points
	if len(points) < 2 {
		return curve{}, false
	}
	ideal := curve{label: "ideal", dashed: true}
	for _, p := range points {
		ideal.points = append(ideal.points, point{x: p.x, y: points[0].y / points[0].x * p.x})
	}
	return ideal, true
}

func readMessage(curves []curve, what string) string {
	best := curves[0].points[0]
	for _, p := range curves[0].points {
		if p.y > best.y {
			best = p
		}
	}
	text := fmt.Sprintf("%s, %s: %s a second", curves[0].label, what, brief(best.y))
	for _, c := range curves[1:] {
		for _, p := range c.points {
			if p.x == best.x && c.class == "peer-a" {
				return text + fmt.Sprintf(", %s %s", times(best.y/p.y), c.label)
			}
		}
	}
	return text
}

// perThreadMessage says what is left of one thread's speed when every processor
// has one: with more than that they only take turns.
func perThreadMessage(c curve, cores int) string {
	first, last := c.points[0], c.points[0]
	for _, p := range c.points {
		if cores == 0 || p.x <= float64(cores) {
			last = p
		}
	}
	if last == first {
		return fmt.Sprintf("%s, each thread: %s a second", c.label, brief(first.y))
	}
	return fmt.Sprintf("With %s threads each keeps %.0f %% of what %s does", brief(last.x), 100*last.y/first.y,
		map[bool]string{true: "one alone", false: "each of " + brief(first.x)}[first.x == 1])
}

func readNotes(runs []*readRun) []Note {
	var all []on
	var settings []string
	fewest := 0
	for _, r := range runs {
		s := r.Settings
		all = append(all, on{r.Machine, r.SQLite})
		settings = append(settings, clean(fmt.Sprintf("%s, %s rows, a file of %s, %s, %s for each number of threads", strings.Join(strings.Fields(s.SQL), " "),
			grouped(float64(s.Rows)), bytes(float64(r.FileSize)), memory(r.ReadsReport), seconds(s.Seconds))))
		for _, f := range r.by {
			if fewest == 0 || len(f) < fewest {
				fewest = len(f)
			}
		}
	}
	spread := fmt.Sprintf("At least %d runs; a point is their median, the line through it goes from the slowest to the fastest.", fewest)
	if fewest < 2 {
		spread = "One run; the line through a point goes from its slowest second to its fastest. The article quotes the fastest, these points are means."
	}
	return []Note{
		{"Machine", machines(all)},
		{"Settings", strings.Join(same(settings), " · ")},
		{"Spread", spread},
		{"Limit", readLimit(runs[0])},
		{"Not fair", readUnfair(runs)},
	}
}

func readLimit(r *readRun) string {
	first := r.threads()[0]
	each := r.by[first][0].Mean / float64(first)
	name, _ := readMode(r.Settings.Mode)
	cores := max(r.Machine.Cores, 1)
	return fmt.Sprintf("Back of the envelope: %s takes %s of a processor for a query, so %d processors can do %s a second at most. More threads than processors can only take turns.",
		name, micros(1e6/each), cores, brief(each*float64(cores)))
}

func readUnfair(runs []*readRun) string {
	text := "The query runs in the program that asks: no network, and nobody writes meanwhile."
	for _, r := range runs {
		switch r.Settings.Mode {
		case bench.Stock:
			text += " mattn/go-sqlite3 runs through database/sql, whose pool and conversions are part of what it costs."
		case bench.Faithful2018:
			text += " The article's way takes no locks, so that nobody may ever write; it parses its query every time."
		}
	}
	return text
}
