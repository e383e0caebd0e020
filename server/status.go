package server

import (
	"net/http"
	"sort"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server/stream"
)

// Status is what GET /v1/status answers: the figures of one moment, for the console
// and `nearlite status`. Counters count from Started, so a reader takes the
// difference of two answers; when Instance changed between them, the server was
// started anew and counts from zero.
type Status struct {
	Version  string    `json:"version"`
	Instance string    `json:"instance"` // random, another one with each start
	Started  time.Time `json:"started"`
	Now      time.Time `json:"now"`
	Access   Access    `json:"access"`

	Databases Databases `json:"databases"`
	Streams   Streams   `json:"streams"`
	Requests  uint64    `json:"requests"`
	Archive   *Archive  `json:"archive,omitempty"` // nil: there is none

	Database DatabaseStatus `json:"database"` // the one the request names
}

// Access is what the bearer of this request's token may do.
type Access struct {
	Token bool `json:"token"` // one was given; false: the server asks nobody
	Write bool `json:"write"` // in the database of the request
	Admin bool `json:"admin"` // create, fork, rename and delete databases
}

// Databases counts those of the catalog.
type Databases struct {
	Known int `json:"known"`
	Open  int `json:"open"`
}

// Streams counts the clients that are there now, in all databases.
type Streams struct {
	Open         int `json:"open"`         // WebSocket streams, and those over HTTP that hold something
	Transactions int `json:"transactions"` // of them in a transaction
	WebSockets   int `json:"websockets"`   // sockets; each may carry many streams
}

// Archive is what all databases together have asked of the archive's storage.
type Archive struct {
	Puts     int64 `json:"puts"`
	Lists    int64 `json:"lists"` // pages of a thousand
	Gets     int64 `json:"gets"`
	Deletes  int64 `json:"deletes"`
	Sent     int64 `json:"sent_bytes"`
	Received int64 `json:"received_bytes"`
}

// DatabaseStatus are the figures of one database. Those that nearlite.Stats has too
// are explained there.
type DatabaseStatus struct {
	Name     string `json:"name"`
	ID       string `json:"id"`
	Position string `json:"position"`
	Bytes    int64  `json:"bytes"` // of its files

	Transactions uint64 `json:"transactions"`
	Commits      uint64 `json:"commits"`
	Reruns       uint64 `json:"reruns"`
	QueueDepth   int    `json:"queue_depth"`

	Reads         uint64 `json:"reads"`     // statements that read, answered
	RowsRead      uint64 `json:"rows_read"` // returned to clients
	Readers       int    `json:"readers"`
	BusyReaders   int    `json:"busy_readers"`
	WALBytes      int64  `json:"wal_bytes"`
	Checkpoints   uint64 `json:"checkpoints"`
	CommitLatency Spread `json:"commit_latency"` // from the request to the durable commit
	ReadLatency   Spread `json:"read_latency"`

	BatchSize          Spread  `json:"batch_size"`  // transactions
	CommitTime         Spread  `json:"commit_time"` // of a batch, until the disk has it
	QueueWait          Spread  `json:"queue_wait"`
	Failed             uint64  `json:"failed"` // statements that ended with an error
	OldestSnapshot     float64 `json:"oldest_snapshot_seconds"`
	CheckpointPauseMax float64 `json:"checkpoint_pause_max_seconds"`
	SnapshotsExpired   uint64  `json:"snapshots_expired"`

	ArchiveEntry uint64  `json:"archive_entry"`           // the last in the archive; 0: none
	ArchiveLag   float64 `json:"archive_lag_seconds"`     // age of the oldest commit that is not in it
	ArchiveError string  `json:"archive_error,omitempty"` // what it answered last, if that was an error
}

// status answers GET /v1/status.
func (c *call) status() error {
	s := c.s
	name := c.handle.Name()
	info, err := s.cat.Lookup(c.r.Context(), name)
	if err != nil {
		return err
	}
	known := s.cat.Stats()
	idle, busy := s.streams.counts()
	working, busySockets := int(s.figures.working.Load()), int(s.figures.wsBusy.Load())
	status := Status{
		Version: s.opts.Version, Instance: s.instance, Started: s.started, Now: time.Now(),
		Access: Access{
			Token: c.caller.claims != nil,
			Write: c.caller.mayWrite(name) && !c.handle.Config().BlockWrites,
			Admin: c.caller.mayAdmin() == nil,
		},
		Databases: Databases{Known: known.Known, Open: known.Open},
		Streams: Streams{
			Open:         idle + busy + working + int(s.figures.wsStreams.Load()),
			Transactions: busy + working + busySockets,
			WebSockets:   int(s.figures.sockets.Load()),
		},
		Requests: s.figures.requests.Load(),
		Database: s.databases.status(s, c.handle),
	}
	status.Database.Name, status.Database.ID = name, info.ID.String()
	if r := known.Archive; s.cat.Archived() {
		status.Archive = &Archive{Puts: r.Puts, Lists: r.Lists, Gets: r.Gets, Deletes: r.Deletes, Sent: r.Sent, Received: r.Received}
	}
	return c.sendJSON(&status)
}

// status returns the figures of a database.
func (d *databases) status(s *Server, h *catalog.Handle) DatabaseStatus {
	t, stats, bytes := d.one(s, h)
	counter := func(i int) uint64 { return uint64(t.counters[i]) }
	failed := ""
	if stats.LogError != nil {
		failed = stream.ArchiveFailure(stats.LogError)
	}
	return DatabaseStatus{
		ArchiveEntry: stats.LogTXID, ArchiveLag: stats.LogLag.Seconds(), ArchiveError: failed,
		Position: h.DB().Position().String(), Bytes: bytes,
		Transactions: counter(countTransactions), Commits: counter(countCommits), Reruns: counter(countReruns), QueueDepth: stats.QueueDepth,
		Reads: count(t.histograms[spreadReads]), RowsRead: counter(countRows), Failed: counter(countFailed),
		Readers: stats.Readers, BusyReaders: stats.BusyReaders, OldestSnapshot: stats.OldestSnapshot.Seconds(), SnapshotsExpired: counter(countExpired),
		WALBytes: stats.WALBytes, Checkpoints: counter(countCheckpoints), CheckpointPauseMax: stats.CheckpointPauseMax.Seconds(),
		CommitLatency: Spread(t.histograms[spreadWrites]), ReadLatency: Spread(t.histograms[spreadReads]),
		BatchSize: Spread(t.histograms[spreadBatch]), CommitTime: Spread(t.histograms[spreadCommit]), QueueWait: Spread(t.histograms[spreadQueue]),
	}
}

// schema answers GET /v1/schema.
func (c *call) schema() error {
	if err := c.unblocked(); err != nil {
		return err
	}
	var found *schema
	err := c.handle.DB().View(c.r.Context(), func(tx *nearlite.ReadTx) (err error) {
		found, err = readSchema(tx)
		return err
	})
	if err != nil {
		return err
	}
	found.Database = c.handle.Name()
	return c.sendJSON(found)
}

// sendJSON answers with a value that is nobody else's business to keep.
func (c *call) sendJSON(v any) error {
	c.w.Header().Set("Cache-Control", "no-store")
	return send(c.w, http.StatusOK, typeJSON, marshal(v))
}

// A Spread is a histogram of durations. Counts has one place more than Bounds: the
// last counts what was longer than every bound.
type Spread struct {
	Bounds []float64 `json:"bounds"` // upper bounds in seconds, ascending
	Counts []uint64  `json:"counts"` // of each interval alone, not added up
	Sum    float64   `json:"sum"`    // seconds, of all
}

// NewSpread returns an empty histogram with these bounds.
func NewSpread(bounds []float64) Spread {
	return Spread{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
}

// Add counts one duration. It is not safe for concurrent use.
func (s *Spread) Add(d time.Duration) {
	s.Counts[sort.SearchFloat64s(s.Bounds, d.Seconds())]++
	s.Sum += d.Seconds()
}

// Quantile returns an estimate of the q-quantile in seconds: the place inside its
// interval is taken to be in proportion. It is 0 when nothing was counted, and the
// last bound when it is longer than that.
func (s *Spread) Quantile(q float64) float64 {
	var total, below uint64
	for _, n := range s.Counts {
		total += n
	}
	rank := q * float64(total)
	for i, n := range s.Counts {
		if n == 0 || float64(below+n) < rank {
			below += n
			continue
		}
		if i == len(s.Bounds) {
			break
		}
		from := 0.0
		if i > 0 {
			from = s.Bounds[i-1]
		}
		return from + (s.Bounds[i]-from)*(rank-float64(below))/float64(n)
	}
	if total == 0 || len(s.Bounds) == 0 {
		return 0
	}
	return s.Bounds[len(s.Bounds)-1]
}
