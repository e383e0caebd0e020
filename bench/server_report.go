package bench

import (
	"fmt"
	"io"
	"slices"
)

// ServerReport is what a run of the server workload came to.
type ServerReport struct {
	Workload string          `json:"workload"` // "server"
	Loads    []ServerFigures `json:"loads"`
	Idle     *ServerIdle     `json:"idle,omitempty"`
	Servers  []ServerAbout   `json:"servers"`

	Settings ServerSettings `json:"settings"`
	Machine  Machine        `json:"machine"`
	SQLite   Library        `json:"sqlite"` // of this program, and so of nearlite serve
}

// ServerAbout describes one of the servers.
type ServerAbout struct {
	Name    ServerName `json:"name"`
	Version string     `json:"version"`
	Flags   []string   `json:"flags"` // it was started with; none: it was running
}

// ServerFigures are those of one load on one server: the medians of its rounds.
type ServerFigures struct {
	Server    ServerName     `json:"server"`
	Work      ServerWork     `json:"work"`
	Protocol  ServerProtocol `json:"protocol"`
	Clients   int            `json:"clients"`
	PerSecond float64        `json:"per_second"`
	Low       float64        `json:"per_second_low"`
	High      float64        `json:"per_second_high"`
	P50       float64        `json:"p50_us"`
	P99       float64        `json:"p99_us"`
	Failed    int64          `json:"failed"` // in all rounds
	Rounds    []ServerRound  `json:"rounds"`
}

// ServerRound is one measurement.
type ServerRound struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	Max       float64 `json:"max_us"`
	Done      int64   `json:"done"`
	Failed    int64   `json:"failed"`       // answers that were errors; they count in nothing else
	Stalled   bool    `json:"stalled"`      // it answered nothing, and was started again
	ServerCPU float64 `json:"server_cpu"`   // processors the server used; 0 = not known
	LoadCPU   float64 `json:"load_cpu"`     // processors the clients used
	Memory    int64   `json:"memory_bytes"` // of the server afterwards, resident, without files; 0 = not known
}

// ServerSettings are the settings of a run as its report records them.
type ServerSettings struct {
	Rows    int     `json:"rows"`
	Rounds  int     `json:"rounds"`
	Seconds float64 `json:"seconds"`
	Insert  string  `json:"insert"`
	Read    string  `json:"read"`
}

func (s Server) newReport(servers []*runningServer) *ServerReport {
	report := &ServerReport{
		Workload: "server",
		Settings: ServerSettings{Rows: s.Rows, Rounds: s.Rounds, Seconds: s.Duration.Seconds(), Insert: serverInsertSQL, Read: serverReadSQL},
		SQLite:   DescribeLibrary(),
	}
	where := s.Dir
	for _, server := range servers {
		if server.dir != "" {
			where = server.dir
		}
		report.Servers = append(report.Servers, ServerAbout{server.name, server.version, server.flags})
	}
	report.Machine = DescribeMachine(where + "/.")
	return report
}

func (r *ServerReport) add(server ServerName, load serverLoad, round ServerRound) {
	i := slices.IndexFunc(r.Loads, func(f ServerFigures) bool {
		return f.Server == server && serverLoad{f.Work, f.Protocol, f.Clients} == load
	})
	if i < 0 {
		i = len(r.Loads)
		r.Loads = append(r.Loads, ServerFigures{Server: server, Work: load.work, Protocol: load.protocol, Clients: load.clients})
	}
	r.Loads[i].Rounds = append(r.Loads[i].Rounds, round)
}

// finish computes what the rounds came to.
func (r *ServerReport) finish() {
	for i := range r.Loads {
		f := &r.Loads[i]
		pick := func(of func(ServerRound) float64) []float64 {
			var values []float64
			for _, round := range f.Rounds {
				values = append(values, of(round))
			}
			slices.Sort(values)
			return values
		}
		rates := pick(func(r ServerRound) float64 { return r.PerSecond })
		f.Low, f.PerSecond, f.High = rates[0], middle(rates), rates[len(rates)-1]
		f.P50 = middle(pick(func(r ServerRound) float64 { return r.P50 }))
		f.P99 = middle(pick(func(r ServerRound) float64 { return r.P99 }))
		f.Failed = 0
		for _, round := range f.Rounds {
			f.Failed += round.Failed
		}
	}
}

// middle returns the median of sorted values.
func middle(sorted []float64) float64 {
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// WriteTable prints the report for people.
func (r *ServerReport) WriteTable(w io.Writer) error {
	t := table{w: w}
	if len(r.Loads) > 0 {
		t.title("server: clients on loopback, %d rounds of %g s in turns, medians", r.Settings.Rounds, r.Settings.Seconds)
		t.printf("  %-7s %-5s %8s  %-9s %12s %25s %10s %10s %7s %8s\n", "work", "over", "clients", "server", "per second", "slowest – fastest", "p50", "p99", "cores", "")
	}
	for _, f := range r.Loads {
		t.printf("  %-7s %-5s %8d  %-9s %12s %25s %10s %10s %7s %8s\n", f.Work, f.Protocol, f.Clients, f.Server, grouped(int64(f.PerSecond)),
			grouped(int64(f.Low))+" – "+grouped(int64(f.High)), duration(f.P50), duration(f.P99), f.cores(), r.against(f))
		if f.Failed > 0 {
			t.printf("  %-24s %s answers were errors and are not counted\n", "", grouped(f.Failed))
		}
		if n := f.stalls(); n > 0 {
			t.printf("  %-24s in %d of %d rounds it answered nothing for %v, counted as 0, and was started again\n", "", n, len(f.Rounds), answerPatience)
		}
	}
	if r.Idle != nil {
		r.Idle.write(&t)
	}
	for _, server := range r.Servers {
		t.row(string(server.Name), server.Version)
	}
	t.machine(r.Machine, r.SQLite)
	return t.err
}

// stalls counts the rounds in which the server answered nothing.
func (f ServerFigures) stalls() (n int) {
	for _, round := range f.Rounds {
		if round.Stalled {
			n++
		}
	}
	return n
}

// cores says what the server used, and its clients.
func (f ServerFigures) cores() string {
	last := f.Rounds[len(f.Rounds)-1]
	return fmt.Sprintf("%.1f+%.1f", last.ServerCPU, last.LoadCPU)
}

// against compares with sqld under the same load.
func (r *ServerReport) against(f ServerFigures) string {
	if f.Server == SQLD {
		return ""
	}
	for _, other := range r.Loads {
		if other.Server == SQLD && other.Work == f.Work && other.Protocol == f.Protocol && other.Clients == f.Clients {
			return fmt.Sprintf("%.1f ×", f.PerSecond/other.PerSecond)
		}
	}
	return ""
}
