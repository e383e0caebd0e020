package server

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus" // what every exporter in Go uses
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// collector turns the server's figures into metrics when it is asked; nothing is
// counted twice.
type collector struct{ s *Server }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("nearlite_"+name, help, labels, nil)
}

// What is counted of each database.
var (
	counterDescs = [countersEnd]*prometheus.Desc{
		countTransactions: desc("transactions_total", "Transactions answered by the writer.", "database"),
		countCommits:      desc("commits_total", "Batches of transactions committed.", "database"),
		countReruns:       desc("reruns_total", "Transactions run again because a neighbour failed.", "database"),
		countCheckpoints:  desc("checkpoints_total", "Checkpoints finished.", "database"),
		countExpired:      desc("snapshots_expired_total", "Reads whose snapshot was taken away.", "database"),
		countRows:         desc("rows_returned_total", "Rows of results.", "database"),
		countFailed:       desc("statements_failed_total", "Statements that ended with an error.", "database"),
	}
	histogramDescs = [histogramsEnd]*prometheus.Desc{
		spreadBatch:  desc("batch_size", "Transactions in each batch.", "database"),
		spreadCommit: desc("commit_seconds", "The COMMIT of a batch, until the disk has it.", "database"),
		spreadQueue:  desc("queue_wait_seconds", "Wait for the writer, of the first of each 64 callers or fewer.", "database"),
		spreadWrites: desc("write_seconds", "Writing statements outside of transactions, and COMMITs: from the request to the durable commit.", "database"),
		spreadReads:  desc("read_seconds", "Reading statements.", "database"),
	}
	gaugeDescs = [gaugesEnd]*prometheus.Desc{
		gaugeQueue:    desc("queue_depth", "Transactions that wait for the writer.", "database"),
		gaugeReaders:  desc("readers", "Reader connections open.", "database"),
		gaugeBusy:     desc("readers_busy", "Reader connections in use.", "database"),
		gaugeOldest:   desc("oldest_snapshot_seconds", "Age of the oldest read that runs.", "database"),
		gaugeWAL:      desc("wal_bytes", "Size of the write-ahead log.", "database"),
		gaugeBytes:    desc("database_bytes", "Size of the database file.", "database"),
		gaugePauseMax: desc("checkpoint_pause_max_seconds", "Longest time a checkpoint kept the writer.", "database"),
		gaugeEntry:    desc("archive_entry", "The last entry in the archive; 0: there is none.", "database"),
		gaugeLag:      desc("archive_lag_seconds", "Age of the oldest commit that is not in the archive.", "database"),
		gaugeFailing:  desc("archive_failing", "1: the archive has refused the last entry, or not answered.", "database"),
	}
)

// serverMetrics are those of the server as a whole.
var serverMetrics = []struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  func(s *Server) float64
	labels []string
}{
	{desc("requests_total", "Requests."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.figures.requests.Load()) }, nil},
	{desc("requests_refused_total", "Requests answered with a status from 400 to 499."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.figures.refused.Load()) }, nil},
	{desc("requests_limited_total", "Requests answered with 429."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.figures.limited.Load()) }, nil},
	{desc("requests_failed_total", "Requests answered with a status from 500."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.figures.broken.Load()) }, nil},
	{desc("received_bytes_total", "Bytes that came from clients."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.figures.received.Load()) }, nil},
	{desc("sent_bytes_total", "Bytes sent to clients."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.figures.sent.Load()) }, nil},
	{desc("slow_statements_total", "Statements that were logged as slow."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.figures.slow.Load()) }, nil},
	{desc("connections", "Connections."), prometheus.GaugeValue, func(s *Server) float64 { return float64(s.figures.connections.Load()) }, nil},
	{desc("connections_evicted_total", "Connections that were ended, while they waited for their clients, to make place for others."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.figures.evicted.Load()) }, nil},
	{desc("websockets", "WebSockets."), prometheus.GaugeValue, func(s *Server) float64 { return float64(s.figures.sockets.Load()) }, nil},
	{streamsDesc, prometheus.GaugeValue, func(s *Server) float64 { idle, _ := s.streams.counts(); return float64(idle) }, []string{"http", "idle"}},
	{streamsDesc, prometheus.GaugeValue, func(s *Server) float64 { return float64(s.inTransaction()) }, []string{"http", "transaction"}},
	{streamsDesc, prometheus.GaugeValue, func(s *Server) float64 {
		return float64(s.figures.wsStreams.Load() - s.figures.wsBusy.Load())
	}, []string{"websocket", "idle"}},
	{streamsDesc, prometheus.GaugeValue, func(s *Server) float64 { return float64(s.figures.wsBusy.Load()) }, []string{"websocket", "transaction"}},
	{desc("memory_bytes", "Memory of large requests and answers."), prometheus.GaugeValue, func(s *Server) float64 { return float64(s.memoryInUse()) }, nil},
	{desc("sql_memory_bytes", "Memory of long values and sorts in statements."), prometheus.GaugeValue, func(*Server) float64 { return float64(sqlite.LargeMemory()) }, nil},
	{desc("temp_files_bytes", "Temporary files of statements."), prometheus.GaugeValue, func(*Server) float64 { return float64(sqlite.TempFiles()) }, nil},
	{databasesDesc, prometheus.GaugeValue, func(s *Server) float64 { return float64(s.cat.Stats().Known) }, []string{"known"}},
	{databasesDesc, prometheus.GaugeValue, func(s *Server) float64 { return float64(s.cat.Stats().Open) }, []string{"open"}},
	{desc("database_opens_total", "Databases opened."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.cat.Stats().Opens) }, nil},
	{archiveRequestsDesc, prometheus.CounterValue, func(s *Server) float64 { return float64(s.cat.Stats().Archive.Puts) }, []string{"put"}},
	{archiveRequestsDesc, prometheus.CounterValue, func(s *Server) float64 { return float64(s.cat.Stats().Archive.Lists) }, []string{"list"}},
	{archiveRequestsDesc, prometheus.CounterValue, func(s *Server) float64 { return float64(s.cat.Stats().Archive.Gets) }, []string{"get"}},
	{archiveRequestsDesc, prometheus.CounterValue, func(s *Server) float64 { return float64(s.cat.Stats().Archive.Deletes) }, []string{"delete"}},
	{desc("archive_sent_bytes_total", "Bytes stored in the archive."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.cat.Stats().Archive.Sent) }, nil},
	{desc("archive_received_bytes_total", "Bytes read from the archive."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.cat.Stats().Archive.Received) }, nil},
	{desc("database_closes_total", "Databases closed."), prometheus.CounterValue, func(s *Server) float64 { return float64(s.cat.Stats().Closes) }, nil},
}

var (
	archiveRequestsDesc = desc("archive_requests_total", "Requests to the archive's storage.", "operation")

	streamsDesc   = desc("streams", "Streams that hold something on the server.", "transport", "state")
	databasesDesc = desc("databases", "Databases: known, or open.", "state")
)

// Describe names the metrics.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, list := range [][]*prometheus.Desc{counterDescs[:], histogramDescs[:], gaugeDescs[:]} {
		for _, d := range list {
			ch <- d
		}
	}
	for _, m := range serverMetrics {
		ch <- m.desc
	}
}

// Collect reads the figures.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range serverMetrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(c.s), m.labels...)
	}
	for _, r := range c.s.databases.readings(c.s) {
		for i, d := range counterDescs {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, r.tally.counters[i], r.name)
		}
		for i, d := range gaugeDescs {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, r.gauges[i], r.name)
		}
		for i, d := range histogramDescs {
			ch <- constHistogram(d, r.tally.histograms[i], r.name)
		}
	}
}

// constHistogram adds the intervals up, as Prometheus wants them.
func constHistogram(d *prometheus.Desc, h nearlite.Histogram, label string) prometheus.Metric {
	buckets, n := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, bound := range h.Bounds {
		n += h.Counts[i]
		buckets[bound] = n
	}
	return prometheus.MustNewConstHistogram(d, count(h), h.Sum, buckets, label)
}

// newMetrics returns what answers GET /metrics.
func newMetrics(s *Server) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "nearlite_build_info", Help: "1.", ConstLabels: prometheus.Labels{"version": s.opts.Version}})
	build.Set(1)
	registry.MustRegister(build)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// serveMetrics answers GET /metrics.
func (c *call) serveMetrics() error {
	c.s.metrics.ServeHTTP(c.w, c.r)
	return nil
}
