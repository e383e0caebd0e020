package bench

import (
	"context"
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
	BusyRetries       uint64  `json:"busy_retries"` // transactions a peer had to begin again; Retries says why
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

	Waits    Waits           `json:"waits"`
	Retries  *Retries        `json:"retries,omitempty"`      // of the peer postgres
	Cache    *CacheUse       `json:"writer_cache,omitempty"` // of the engine's writer, empty at the beginning
	Disk     *DiskUse        `json:"disk,omitempty"`         // of this process; a server's is not known
	Postgres *PostgresServer `json:"postgres,omitempty"`     // what the peer postgres ran on

	Settings LedgerSettings `json:"settings"`
	Machine  Machine        `json:"machine"`
	SQLite   Library        `json:"sqlite"`
}

// Waits is what was waited for each acknowledged transfer, over and above the
// work, transactions that were begun again included.
type Waits struct {
	NetApplies bool    `json:"net_applies"` // statements cross a network at all
	RoundTrips float64 `json:"round_trips"` // statements that crossed it
	NetPaid    float64 `json:"net_paid_us"`
	ThinkPaid  float64 `json:"think_paid_us"`
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
	ExtraQuery bool       `json:"extra_query"`
	LookFirst  bool       `json:"look_first"`
	PageMap    bool       `json:"page_map"`
	Archive    string     `json:"archive"` // "": none
	Cold       bool       `json:"cold"`
	Net        float64    `json:"net_us"` // asked for; Waits.NetApplies says whether there was a network
	Think      float64    `json:"think_us"`
	Isolation  Isolation  `json:"isolation"`
	Pool       int        `json:"pool"` // 0: no connections to a server
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
		ExtraQuery: l.ExtraQuery,
		LookFirst:  l.LookFirst,
		PageMap:    l.PageMap,
		Archive:    l.Archive,
		Cold:       l.Cold,
		Net:        micros(l.Net),
		Think:      micros(l.Think),
		Isolation:  l.Isolation,
		Pool:       l.Pool,
	}
	if l.Burst > 0 {
		s.Callers, s.Seconds = 0, 0
	}
	return s
}

// report puts a run's figures together.
func (m *meter) report(ctx context.Context, latency *histogram) (*LedgerReport, error) {
	transfers := latency.count()
	r := &LedgerReport{
		Workload:          "ledger",
		TPS:               float64(transfers) / m.took.Seconds(),
		P50:               micros(latency.percentile(0.50)),
		P99:               micros(latency.percentile(0.99)),
		Max:               micros(time.Duration(latency.max.Load())),
		BatchMean:         ratio(transfers, m.commits),
		Transfers:         transfers,
		Commits:           m.commits,
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
		Waits:             m.waits(transfers),
		Disk:              &m.disk,
		Settings:          m.ledger.settings(),
		Machine:           DescribeMachine(m.ledger.DB),
		SQLite:            DescribeLibrary(),
	}
	if system, ok := m.system.(reporter); ok {
		return r, system.addTo(ctx, r)
	}
	return r, nil
}

// reporter is a system that knows more about a run than its callers saw.
type reporter interface {
	// addTo writes it into the report, after the run.
	addTo(ctx context.Context, r *LedgerReport) error
}

// waits puts what was waited on the transfers.
func (m *meter) waits(transfers uint64) Waits {
	trips, net, think := m.system.paid()
	return Waits{
		NetApplies: m.ledger.Peer == Postgres,
		RoundTrips: ratio(trips, transfers),
		NetPaid:    micros(net) / float64(max(transfers, 1)),
		ThinkPaid:  micros(think) / float64(max(transfers, 1)),
	}
}

// WriteTable prints the report for people.
func (r *LedgerReport) WriteTable(w io.Writer) error {
	t := table{w: w}
	s := r.Settings
	t.title("ledger on %s: %s, %s accounts by %s, %s", peerName(s.Peer), s.demand(), grouped(s.Accounts), lawName(s.Dist), s.Mode)
	t.row("durability", string(s.Durability))
	switch {
	case s.Archive != "":
		t.row("archive", s.Archive)
	case s.PageMap:
		t.row("barrier and page map", "on")
	}
	r.writeWaits(&t)
	t.row("transactions a second", grouped(int64(r.TPS)))
	t.row("latency p50", duration(r.P50))
	t.row("latency p99", duration(r.P99))
	t.row("longest", duration(r.Max))
	t.row("transactions a commit", fmt.Sprintf("%.1f", r.BatchMean))
	t.row("transactions", fmt.Sprintf("%s in %.2f s, of which %.2f s were the checkpoint", grouped(int64(r.Transfers)), r.Seconds, r.CheckpointSeconds))
	each := duration(r.CPUSeconds * 1e6 / float64(max(r.Transfers, 1)))
	if s.Peer == Postgres {
		t.row("processor time", each+" each, of the callers; the server's comes on top")
	} else {
		t.row("processor time", each+" each")
		t.row("write-ahead log", fmt.Sprintf("%s at most", size(r.WALMax)))
	}
	t.row("allocations", fmt.Sprintf("%.1f each", r.AllocsPerTransfer))
	if r.Checkpoints > 0 {
		t.row("checkpoints", fmt.Sprintf("%d, a pause of %s (median), %s at most", r.Checkpoints, duration(r.PauseP50), duration(r.PauseMax)))
	}
	r.writeDisk(&t)
	r.writeRetries(&t)
	if r.Checked {
		t.row("balances", "add up, and hold every acknowledged transfer")
	}
	if r.Postgres != nil {
		r.writeServer(&t)
	} else {
		t.machine(r.Machine, r.SQLite)
	}
	return t.err
}

// writeWaits says what was waited for, by whom, and what was not.
func (r *LedgerReport) writeWaits(t *table) {
	s := r.Settings
	switch {
	case r.Waits.NetApplies && s.Net == 0:
		t.row("network", fmt.Sprintf("as it is, %.1f round trips a transaction", r.Waits.RoundTrips))
	case r.Waits.NetApplies:
		t.row("network", fmt.Sprintf("%s a round trip, %.1f round trips a transaction: %s", duration(s.Net), r.Waits.RoundTrips, duration(r.Waits.NetPaid)))
	case s.Net > 0:
		t.row("network", "n/a: an embedded database has no round trips; nothing was waited")
	}
	if s.Think > 0 {
		t.row("thinking", fmt.Sprintf("%s between statements, %s a transaction%s", duration(s.Think), duration(r.Waits.ThinkPaid), s.thinkers()))
	}
}

// thinkers says how many can think at once, which bounds what thinking allows.
func (s LedgerSettings) thinkers() string {
	if s.Peer == Postgres {
		return fmt.Sprintf(", %d at a time", s.Pool)
	}
	return ", one at a time: one writer"
}

func (r *LedgerReport) writeDisk(t *table) {
	if c := r.Cache; c != nil {
		t.row("writer's cache", fmt.Sprintf("%.1f %% of %s pages were there", 100*c.HitRate, grouped(int64(c.Hits+c.Misses))))
	}
	if d := r.Disk; d != nil {
		t.row("disk", d.String())
	}
}

func (r *LedgerReport) writeRetries(t *table) {
	switch {
	case r.Retries != nil:
		t.row("begun again", fmt.Sprintf("%s times: %s not serializable, %s deadlocks", grouped(int64(r.BusyRetries)),
			grouped(int64(r.Retries.Serialization)), grouped(int64(r.Retries.Deadlocks))))
	case r.BusyRetries > 0:
		t.row("database was busy", fmt.Sprintf("%s times", grouped(int64(r.BusyRetries))))
	}
}

func (r *LedgerReport) writeServer(t *table) {
	s := r.Postgres.Settings
	t.row("server", fmt.Sprintf("PostgreSQL %s at %s", s["server_version"], r.Postgres.Address))
	t.row("connections", fmt.Sprintf("%d, %s", r.Settings.Pool, r.Settings.Isolation))
	t.row("server's settings", fmt.Sprintf("fsync %s, synchronous_commit %s, shared_buffers %s", s["fsync"], s["synchronous_commit"], s["shared_buffers"]))
	if r.Postgres.CheckpointRefused {
		t.row("checkpoint", "not measured: the user may not ask for one")
	}
	t.hardware(r.Machine)
	t.row("software", fmt.Sprintf("%s, %s", r.Postgres.Driver, r.Machine.Go))
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
	case Postgres:
		return "PostgreSQL"
	default:
		return "Nearlite"
	}
}

func lawName(d Dist) string {
	switch d {
	case Uniform:
		return "equal chance"
	case Billion:
		return "the power law of a billion"
	default:
		return "power law"
	}
}

func ratio(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
