package report

import (
	"fmt"
	"strings"

	"github.com/nearlite/nearlite/bench"
)

func serverSection(reports []*bench.ServerReport) Section {
	s := Section{Title: "Server", Lead: "Clients on the same machine as the server: each asks, waits for the answer, and asks again. An insert is committed by itself."}
	for i, r := range reports {
		for _, work := range []bench.ServerWork{bench.ServerInsert, bench.ServerRead} {
			s.Figures = append(s.Figures, serverFigures(r, work, suffix(i))...)
		}
		if r.Idle != nil {
			s.Figures = append(s.Figures, idleFigure(r, suffix(i)))
		}
	}
	return s
}

// serverKinds are the curves of a plot, in their order.
var serverKinds = []struct {
	server   bench.ServerName
	protocol bench.ServerProtocol
	name     string
	class    string
}{
	{bench.NearliteServer, bench.OverHTTP, "Nearlite, HTTP", "ours"},
	{bench.NearliteServer, bench.OverWebSocket, "Nearlite, WebSocket", "ours-light"},
	{bench.SQLD, bench.OverHTTP, "sqld, HTTP", "peer-a"},
	{bench.SQLD, bench.OverWebSocket, "sqld, WebSocket", "peer-b"},
}

// serverFigures are the throughput and the waiting of one kind of work.
func serverFigures(r *bench.ServerReport, work bench.ServerWork, suffix string) []Figure {
	rate := lines{name: "server-" + clean(string(work)) + suffix, xAxis: "clients", yAxis: serverWork(work) + " a second", xName: brief, yName: brief, logX: true}
	waits := ranges{name: rate.name + "-latency", title: "How long a client waits for " + map[bench.ServerWork]string{bench.ServerInsert: "an insert", bench.ServerRead: "a read"}[work]}
	for _, kind := range serverKinds {
		c := curve{label: kind.name, class: kind.class}
		for _, f := range r.Loads {
			if f.Server != kind.server || f.Protocol != kind.protocol || f.Work != work {
				continue
			}
			p := point{x: float64(f.Clients), y: f.PerSecond}
			if len(f.Rounds) > 1 {
				p.low, p.high = f.Low, f.High
			}
			c.points = append(c.points, p)
			waits.rows = append(waits.rows, distribution{label: kind.name + ", " + plural(f.Clients, "client"), class: kind.class, p50: f.P50, p99: f.P99})
		}
		if len(c.points) > 0 {
			rate.curves = append(rate.curves, c)
		}
	}
	if len(rate.curves) == 0 {
		return nil
	}
	rate.title = serverMessage(r, work)
	notes := serverNotes(r)
	return []Figure{
		{Plot: rate.plot(), Table: rate.table(), Notes: notes},
		{Plot: waits.plot(), Table: waits.table(), Notes: notes},
	}
}

func serverWork(work bench.ServerWork) string {
	if work == bench.ServerInsert {
		return "inserts"
	}
	return "reads"
}

// serverMessage says where Nearlite does most, and what sqld does there.
func serverMessage(r *bench.ServerReport, work bench.ServerWork) string {
	var best *bench.ServerFigures
	for i, f := range r.Loads {
		if f.Work == work && f.Server == bench.NearliteServer && (best == nil || f.PerSecond > best.PerSecond) {
			best = &r.Loads[i]
		}
	}
	if best == nil {
		return "sqld alone: " + serverWork(work)
	}
	over := map[bench.ServerProtocol]string{bench.OverHTTP: "HTTP", bench.OverWebSocket: "WebSocket"}[best.Protocol]
	text := fmt.Sprintf("%s %s a second from %s over %s", brief(best.PerSecond), serverWork(work), plural(best.Clients, "client"), over)
	for _, f := range r.Loads {
		if f.Server == bench.SQLD && f.Work == work && f.Protocol == best.Protocol && f.Clients == best.Clients {
			text += fmt.Sprintf(", %s sqld", times(best.PerSecond/f.PerSecond))
		}
	}
	return text
}

func serverNotes(r *bench.ServerReport) []Note {
	s := r.Settings
	spread := fmt.Sprintf("%d rounds of %s, the servers in turns; a point is their median, the line through it goes from the slowest to the fastest.", s.Rounds, seconds(s.Seconds))
	if s.Rounds < 2 {
		spread = fmt.Sprintf("One round of %s.", seconds(s.Seconds))
	}
	var servers []string
	for _, about := range r.Servers {
		servers = append(servers, strings.TrimSpace(clean(fmt.Sprintf("%s %s", about.Version, strings.Join(about.Flags, " ")))))
	}
	return []Note{
		{"Machine", machines([]on{{r.Machine, r.SQLite}})},
		{"Settings", clean(fmt.Sprintf("%s rows; %s; %s; %s", grouped(float64(s.Rows)), s.Insert, s.Read, strings.Join(servers, " · ")))},
		{"Spread", spread},
		{"Limit", serverLimit(r)},
		{"Not fair", "The clients take processors from the server they ask. Nearlite waits for the disk at each commit (Full); sqld, as it comes, does not. Nearlite speaks to its clients in Go, sqld in Rust."},
	}
}

// serverLimit says what the processors were used for, where Nearlite did most.
func serverLimit(r *bench.ServerReport) string {
	var best bench.ServerFigures
	for _, f := range r.Loads {
		if f.Server == bench.NearliteServer && f.PerSecond > best.PerSecond {
			best = f
		}
	}
	if len(best.Rounds) == 0 || best.Rounds[0].ServerCPU == 0 {
		return "What the server took of the processors is not known."
	}
	last := best.Rounds[len(best.Rounds)-1]
	return fmt.Sprintf("Back of the envelope: at its fastest Nearlite took %s of %d processors and its clients %s, so that one answer costs the server %s of a processor.",
		significant(last.ServerCPU), max(r.Machine.Cores, 1), significant(last.LoadCPU), micros(1e6*last.ServerCPU/best.PerSecond))
}

// idleFigure is the memory of a server at rest.
func idleFigure(r *bench.ServerReport, suffix string) Figure {
	b := bars{name: "server-idle" + suffix, axis: "resident memory", unit: bytes}
	var group barGroup
	last := bench.IdleMemory{}
	for _, step := range r.Idle.Steps {
		group.bars = append(group.bars, bar{label: clean(step.Step), class: "ours", value: max(float64(step.Resident), 1)})
		last = step
	}
	b.groups = []barGroup{group}
	b.title = fmt.Sprintf("%s WebSockets and %s databases at rest take %s", grouped(float64(r.Idle.Streams)), grouped(float64(r.Idle.Databases)), bytes(float64(last.Resident)))
	notes := []Note{
		{"Machine", machines([]on{{r.Machine, r.SQLite}})},
		{"Settings", fmt.Sprintf("Each database has a table and a row, each stream has read one; %s of silence.", seconds(r.Idle.Seconds))},
		{"Spread", "One run."},
		{"Limit", fmt.Sprintf("Back of the envelope: %s for each WebSocket, if databases at rest were free.", bytes(float64(last.Resident)/float64(max(r.Idle.Streams, 1))))},
		{"Not fair", "What the kernel keeps for sockets is not in a process's memory."},
	}
	return Figure{Plot: b.plot(), Table: b.table(), Notes: notes}
}
