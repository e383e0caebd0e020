package bench

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ArticleReport is what the article's tables came to.
type ArticleReport struct {
	Workload string          `json:"workload"` // "article"
	Columns  []string        `json:"columns"`
	Tables   []ArticleTable  `json:"tables"`
	Settings ArticleSettings `json:"settings"`
	Postgres *PostgresServer `json:"postgres,omitempty"`
	Machine  Machine         `json:"machine"`
	SQLite   Library         `json:"sqlite"`
}

// ArticleTable is one of them.
type ArticleTable struct {
	Title string       `json:"title"`
	Rows  []ArticleRow `json:"rows"`
}

// ArticleRow has a cell for each column; an empty one is n/a.
type ArticleRow struct {
	Name  string        `json:"name"`
	Cells []ArticleCell `json:"cells"`
}

// ArticleCell is the median of a run's rounds. Everything else about it is in
// the file that is named like the run.
type ArticleCell struct {
	Run     string  `json:"run,omitempty"`
	TPS     float64 `json:"tps,omitempty"`
	Least   float64 `json:"tps_min,omitempty"`
	Most    float64 `json:"tps_max,omitempty"`
	P50     float64 `json:"p50_us,omitempty"`
	P99     float64 `json:"p99_us,omitempty"`
	Retries uint64  `json:"busy_retries,omitempty"`
	Error   string  `json:"error,omitempty"`

	missing bool // there was no PostgreSQL
}

// ArticleSettings are the settings of the tables as their report records them.
type ArticleSettings struct {
	DB       string  `json:"db"`
	Accounts int64   `json:"accounts"`
	Dist     Dist    `json:"dist"`
	Callers  int     `json:"callers"`
	Seconds  float64 `json:"duration_seconds"`
	Burst    int     `json:"burst"`
	Rounds   int     `json:"rounds"`
}

func (r *articleRun) report(tables []articleTable) *ArticleReport {
	report := &ArticleReport{
		Workload: "article",
		Columns:  r.columns(),
		Settings: ArticleSettings{DB: r.DB, Accounts: r.Accounts, Dist: r.Dist, Callers: r.Callers,
			Seconds: r.Duration.Seconds(), Burst: r.Burst, Rounds: r.Rounds},
		Postgres: r.server(),
		Machine:  DescribeMachine(r.DB),
		SQLite:   DescribeLibrary(),
	}
	for _, planned := range tables {
		table := ArticleTable{Title: planned.title}
		for _, row := range planned.rows {
			cells := make([]ArticleCell, len(row.runs))
			for i, l := range row.runs {
				if l != nil {
					cells[i] = r.done[l.name()].figures(l.name())
				}
			}
			table.Rows = append(table.Rows, ArticleRow{Name: row.name, Cells: cells})
		}
		report.Tables = append(report.Tables, table)
	}
	return report
}

// server is what PostgreSQL's runs had in common; nil if there was none.
func (r *articleRun) server() *PostgresServer {
	for _, cell := range r.done {
		for _, report := range cell.reports {
			if report.Postgres != nil {
				return report.Postgres
			}
		}
	}
	return nil
}

// String is the cell as the table prints it.
func (c ArticleCell) String() string {
	switch {
	case c.missing:
		return "not there"
	case c.Error != "":
		return "failed"
	case c.Run == "":
		return "n/a"
	case c.Least != c.Most:
		return fmt.Sprintf("%s (%s–%s)", grouped(int64(c.TPS)), grouped(int64(c.Least)), grouped(int64(c.Most)))
	default:
		return grouped(int64(c.TPS))
	}
}

// WriteTable prints the report for people.
func (r *ArticleReport) WriteTable(w io.Writer) error {
	t := table{w: w}
	for _, one := range r.Tables {
		r.writeTable(&t, one)
	}
	s := r.Settings
	t.row("accounts", fmt.Sprintf("%s, by %s", grouped(s.Accounts), lawName(s.Dist)))
	t.row("a round trip", "is paid for every statement, BEGIN and COMMIT too; an embedded database has none: n/a")
	t.row("thinking", "is once between two statements: the article's sleep. One writer lets one transaction think at a time")
	if r.Postgres != nil {
		p := r.Postgres.Settings
		t.row("server", fmt.Sprintf("PostgreSQL %s at %s, fsync %s, shared_buffers %s", p["server_version"], r.Postgres.Address, p["fsync"], p["shared_buffers"]))
	}
	t.machine(r.Machine, r.SQLite)
	return t.err
}

func (r *ArticleReport) writeTable(t *table, one ArticleTable) {
	grid := [][]string{append([]string{"transactions a second"}, r.Columns...)}
	for _, row := range one.Rows {
		line := []string{row.Name}
		for _, cell := range row.Cells {
			line = append(line, cell.String())
		}
		grid = append(grid, line)
	}
	widths := make([]int, len(grid[0]))
	for _, line := range grid {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	t.title("%s", one.Title)
	for _, line := range grid {
		var text strings.Builder
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				text.WriteString("  " + cell + pad)
			} else {
				text.WriteString("   " + pad + cell)
			}
		}
		t.printf("%s\n", text.String())
	}
	t.printf("\n")
}
