package bench

import (
	"fmt"
	"io"
	"time"
)

// LedgerReport is what a run of the ledger came to.
type LedgerReport struct {
	Workload  string  `json:"workload"` // "ledger"
	TPS       float64 `json:"tps"`      // transfers a second, the last checkpoint included
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	Max       float64 `json:"max_us"`
	BatchMean float64 `json:"batch_mean"` // transfers in a commit

	Transfers         uint64  `json:"transfers"`
	Commits           uint64  `json:"commits"`
	BusyRetries       uint64  `json:"busy_retries"` // transactions a peer had to begin again
	Seconds           float64 `json:"seconds"`
	CheckpointSeconds float64 `json:"checkpoint_seconds"` // of Seconds, at the end
	CPUSeconds        float64 `json:"cpu_seconds"`        // of callers and database together
	AllocsPerTransfer float64 `json:"allocs_per_transfer"`
	WALMax            int64   `json:"wal_max_bytes"`
	Checkpoints       uint64  `json:"checkpoints"`       // of the engine, during the run
	PauseP50          float64 `json:"checkpoint_p50_us"` // how long a checkpoint kept transfers waiting
	PauseMax          float64 `json:"checkpoint_max_us"`
	PeakMemory        int64   `json:"peak_memory_bytes"` // resident, of the process so far
	Checked           bool    `json:"checked"`           // the balances added up

	Settings LedgerSettings `json:"settings"`
	Machine  Machine        `json:"machine"`
	SQLite   Library        `json:"sqlite"`
}

// LedgerSettings are the settings of a run as its report records them.
type LedgerSettings struct {
	DB         string     `json:"db"`
	Accounts   int64      `json:"accounts"`
	Callers    int        `json:"callers"`
	Seconds    float64    `json:"duration_seconds"`
	Burst      int        `json:"burst"`
	Mode       LedgerMode `json:"mode"`
	Durability Durability `json:"durability"`
	Dist       Dist       `json:"dist"`
	Peer       Peer       `json:"peer"` // empty: Nearlite
}

func (l Ledger) settings() LedgerSettings {
	s := LedgerSettings{
		DB:         l.DB,
		Accounts:   l.Accounts,
		Callers:    l.Callers,
		Seconds:    l.Duration.Seconds(),
		Burst:      l.Burst,
		Mode:       l.Mode,
		Durability: l.Durability,
		Dist:       l.Dist,
		Peer:       l.Peer,
	}
	if l.Burst > 0 {
		s.Callers, s.Seconds = 0, 0
	}
	return s
}

// report puts a run's figures together.
func (m *meter) report(latency *histogram) *LedgerReport {
	transfers := latency.count()
	return &LedgerReport{
		Workload:          "ledger",
		TPS:               float64(transfers) / m.took.Seconds(),
		P50:               micros(latency.percentile(0.50)),
		P99:               micros(latency.percentile(0.99)),
		Max:               micros(time.Duration(latency.max.Load())),
		BatchMean:         ratio(transfers, m.commits),
		Transfers:         transfers,
		Commits:           m.commits,
		BusyRetries:       m.busyRetries,
		Seconds:           m.took.Seconds(),
		CheckpointSeconds: (m.took - m.worked).Seconds(),
		CPUSeconds:        m.cpu.Seconds(),
		AllocsPerTransfer: ratio(m.allocs, transfers),
		WALMax:            m.walMax,
		Checkpoints:       m.pauses.count(),
		PauseP50:          micros(m.pauses.percentile(0.50)),
		PauseMax:          micros(time.Duration(m.pauses.max.Load())),
		PeakMemory:        peakMemory(),
		Checked:           !m.ledger.NoCheck,
		Settings:          m.ledger.settings(),
		Machine:           DescribeMachine(m.ledger.DB),
		SQLite:            DescribeLibrary(),
	}
}

// WriteTable prints the report for people.
func (r *LedgerReport) WriteTable(w io.Writer) error {
	t := table{w: w}
	s := r.Settings
	t.title("ledger on %s: %s, %s accounts by %s, %s", peerName(s.Peer), s.demand(), grouped(s.Accounts), lawName(s.Dist), s.Mode)
	t.row("durability", string(s.Durability))
	t.row("transactions a second", grouped(int64(r.TPS)))
	t.row("latency p50", duration(r.P50))
	t.row("latency p99", duration(r.P99))
	t.row("longest", duration(r.Max))
	t.row("transactions a commit", fmt.Sprintf("%.1f", r.BatchMean))
	t.row("transactions", fmt.Sprintf("%s in %.2f s, of which %.2f s were the checkpoint", grouped(int64(r.Transfers)), r.Seconds, r.CheckpointSeconds))
	t.row("processor time", fmt.Sprintf("%s each", duration(r.CPUSeconds*1e6/float64(max(r.Transfers, 1)))))
	t.row("allocations", fmt.Sprintf("%.1f each", r.AllocsPerTransfer))
	t.row("write-ahead log", fmt.Sprintf("%s at most", size(r.WALMax)))
	if r.Checkpoints > 0 {
		t.row("checkpoints", fmt.Sprintf("%d, a pause of %s (median), %s at most", r.Checkpoints, duration(r.PauseP50), duration(r.PauseMax)))
	}
	if r.BusyRetries > 0 {
		t.row("database was busy", fmt.Sprintf("%s times", grouped(int64(r.BusyRetries))))
	}
	if r.Checked {
		t.row("balances", "add up, and hold every acknowledged transfer")
	}
	t.machine(r.Machine, r.SQLite)
	return t.err
}

// demand says in words what was asked of the ledger.
func (s LedgerSettings) demand() string {
	if s.Burst > 0 {
		return fmt.Sprintf("a burst of %s requests", grouped(int64(s.Burst)))
	}
	return fmt.Sprintf("%s callers for %g s", grouped(int64(s.Callers)), s.Seconds)
}

func peerName(p Peer) string {
	switch p {
	case Mattn:
		return "mattn/go-sqlite3"
	case MattnBatched:
		return "mattn/go-sqlite3 behind a batcher"
	default:
		return "Nearlite"
	}
}

func lawName(d Dist) string {
	if d == Uniform {
		return "equal chance"
	}
	return "power law"
}

func ratio(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
