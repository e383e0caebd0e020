package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nearlite/nearlite/bench"
)

// articleSection plots the tables of "100000 TPS over a billion rows": a group of
// bars for each row, a bar for each cell that has a figure.
func articleSection(reports []*bench.ArticleReport) Section {
	s := Section{Title: "Article", Lead: "The tables of “100000 TPS over a billion rows”, measured here. What is missing has no meaning there: an embedded database has no network, PostgreSQL no batches."}
	for i, r := range reports {
		for j, t := range r.Tables {
			if b := articleBars(r, t); len(b.groups) > 0 {
				b.name = fmt.Sprintf("article%s-%d", suffix(i), j+1)
				s.Figures = append(s.Figures, Figure{Plot: b.plot(), Table: b.table(), Notes: articleNotes(r)})
			}
		}
	}
	return s
}

func articleBars(r *bench.ArticleReport, t bench.ArticleTable) bars {
	b := bars{title: articleMessage(r, t), axis: "transactions a second", unit: brief}
	for _, row := range t.Rows {
		g := barGroup{title: clean(row.Name)}
		for i, cell := range row.Cells {
			if good(cell.TPS) && i < len(r.Columns) {
				g.bars = append(g.bars, bar{label: clean(r.Columns[i]), class: columnClass(r.Columns[i]), value: cell.TPS, low: cell.Least, high: cell.Most})
			}
		}
		if len(g.bars) > 0 {
			b.groups = append(b.groups, g)
		}
	}
	return b
}

// articleMessage says what each system's best cell is.
func articleMessage(r *bench.ArticleReport, t bench.ArticleTable) string {
	best := map[string]string{}
	most := map[string]float64{}
	for _, row := range t.Rows {
		for i, cell := range row.Cells {
			if i >= len(r.Columns) || !good(cell.TPS) {
				continue
			}
			name, _, _ := strings.Cut(r.Columns[i], ",")
			if cell.TPS > most[name] {
				most[name] = cell.TPS
				best[name] = fmt.Sprintf("%s up to %s (%s)", name, brief(cell.TPS), row.Name)
			}
		}
	}
	return clean(t.Title + ". " + list(slices.Sorted(maps.Values(best))))
}

func columnClass(name string) string {
	switch {
	case strings.HasPrefix(name, "PostgreSQL"):
		return "peer-c"
	case strings.HasSuffix(name, "normal"):
		return "ours-light"
	default:
		return "ours"
	}
}

func articleNotes(r *bench.ArticleReport) []Note {
	s := r.Settings
	server := ""
	if r.Postgres != nil {
		server = "; PostgreSQL " + r.Postgres.Settings["server_version"]
	}
	return []Note{
		{"Machine", machines([]on{{r.Machine, r.SQLite}}) + clean(server)},
		{"Settings", clean(fmt.Sprintf("%s accounts drawn by %s, up to %s callers for %s", grouped(float64(s.Accounts)), law(s.Dist), grouped(float64(s.Callers)), seconds(s.Seconds)))},
		{"Spread", fmt.Sprintf("%d rounds, the columns in turns; a bar is the median, the line through its end goes from the slowest to the fastest.", s.Rounds)},
		{"Limit", "Back of the envelope: who waits for a round trip or for thinking inside a transaction does at most as many transactions a second as he has connections, or writers, divided by that wait."},
		{"Not fair", "PostgreSQL is a server: it takes sockets and a process switch for each statement, serves many machines and has many writers. It shares the machine with its clients here."},
	}
}
