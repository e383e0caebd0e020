package bench

import (
	"fmt"
	"time"
)

// columns are who is measured, from the left: a pool each, then the engine.
func (a Article) columns() []string {
	var names []string
	for _, pool := range a.Pools {
		names = append(names, fmt.Sprintf("PostgreSQL, %d", pool))
	}
	return append(names, "Nearlite, full", "Nearlite, normal")
}

// articleTable is one table: its rows, and for each the runs of its columns.
type articleTable struct {
	title string
	rows  []articleRow
}

type articleRow struct {
	name string
	runs []*Ledger // nil: there is no such thing, n/a
}

// plan is the whole of the article, and what its readers asked for: first with
// callers that ask again when they are answered, then as bursts, where all
// requests are there at once and nobody asks again.
func (a Article) plan() []articleTable {
	waiting := max(a.Callers/8, 1)
	loop := articleTable{
		title: fmt.Sprintf("Closed loop: %s callers, %s where a transaction waits, %s each",
			grouped(int64(a.Callers)), grouped(int64(waiting)), a.Duration),
		rows: a.rows(func(l Ledger) Ledger {
			l.Callers, l.Duration = a.Callers, a.Duration
			if l.waits() {
				l.Callers = waiting
			}
			return l
		}),
	}
	if a.Burst == 0 {
		return []articleTable{loop}
	}
	// The article's bursts too are the smaller the longer a transaction takes.
	server, slow := max(a.Burst/10, 1), max(a.Burst/200, 1)
	burst := articleTable{
		title: fmt.Sprintf("Burst: %s requests at once, %s where each commits alone, %s where a transaction waits",
			grouped(int64(a.Burst)), grouped(int64(server)), grouped(int64(slow))),
		rows: a.rows(func(l Ledger) Ledger {
			switch {
			case l.waits():
				l.Burst = slow
			case l.Peer == Postgres, l.Mode == Single:
				l.Burst = server
			default:
				l.Burst = a.Burst
			}
			return l
		}),
	}
	return []articleTable{loop, burst}
}

// waits reports whether a transaction waits for more than the database.
func (l Ledger) waits() bool { return l.Net > 0 || l.Think > 0 }

// articleLatencies are the article's, and the one its readers asked for.
var articleLatencies = []time.Duration{time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond}

// rows are those of one table. A run that stands in several rows is one run.
func (a Article) rows(demand func(Ledger) Ledger) []articleRow {
	var rows []articleRow
	// add makes a row of a run on each of PostgreSQL's pools and one at each of
	// the engine's durabilities.
	add := func(name string, server, engine *Ledger) {
		row := articleRow{name: name}
		for _, pool := range a.Pools {
			row.runs = append(row.runs, a.onPostgres(server, pool, demand))
		}
		for _, durability := range []Durability{Full, Normal} {
			row.runs = append(row.runs, a.onEngine(engine, durability, demand))
		}
		rows = append(rows, row)
	}
	for _, isolation := range []Isolation{ReadCommitted, Serializable} {
		suffix := ""
		if isolation == Serializable {
			suffix = ", serializable"
		}
		add("direct"+suffix, &Ledger{Isolation: isolation}, &Ledger{Mode: Single})
		for _, d := range articleLatencies {
			add(fmt.Sprintf("%s a round trip%s", d, suffix), &Ledger{Isolation: isolation, Net: d}, nil)
		}
		for _, d := range articleLatencies {
			add(fmt.Sprintf("%s of thinking%s", d, suffix), &Ledger{Isolation: isolation, Think: d}, &Ledger{Think: d})
		}
	}
	const slowest = 10 * time.Millisecond
	add("extra query", &Ledger{ExtraQuery: true}, &Ledger{ExtraQuery: true})
	add("10ms a round trip, extra query, serializable", &Ledger{Isolation: Serializable, Net: slowest, ExtraQuery: true}, nil)
	add("10ms of thinking, extra query, serializable", &Ledger{Isolation: Serializable, Think: slowest, ExtraQuery: true}, &Ledger{Think: slowest, ExtraQuery: true})
	add("direct, asynchronous commit", &Ledger{Durability: Normal}, nil)
	add("batch: all statements handed over at once", &Ledger{Mode: Batch}, &Ledger{Mode: Batch})
	add("batch with savepoints", nil, &Ledger{Mode: Savepoint})
	add("batch with savepoints, and reads", &Ledger{Mode: Mixed}, &Ledger{Mode: Mixed})
	return rows
}

func (a Article) onPostgres(l *Ledger, pool int, demand func(Ledger) Ledger) *Ledger {
	if l == nil {
		return nil
	}
	run := a.common(*l)
	run.Peer, run.DSN, run.Pool = Postgres, a.DSN, pool
	if run.Durability == "" {
		run.Durability = Full
	}
	run = demand(run).withDefaults()
	return &run
}

func (a Article) onEngine(l *Ledger, durability Durability, demand func(Ledger) Ledger) *Ledger {
	if l == nil {
		return nil
	}
	run := a.common(*l)
	run.DB, run.Durability = a.DB, durability
	run = demand(run).withDefaults()
	return &run
}

func (a Article) common(l Ledger) Ledger {
	l.Accounts, l.Dist, l.NoCheck, l.Progress = a.Accounts, a.Dist, a.NoCheck, a.Progress
	if l.Mode == "" {
		l.Mode = Savepoint
	}
	return l
}
