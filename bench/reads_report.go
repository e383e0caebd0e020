package bench

import (
	"fmt"
	"io"
	"os"
)

// ReadsReport is what a run of reads came to.
type ReadsReport struct {
	Workload string        `json:"workload"` // "reads"
	Threads  []ReadFigures `json:"threads"`

	BytesPerRow float64 `json:"bytes_per_row"` // of the file, its index included
	FileSize    int64   `json:"file_bytes"`
	Warmed      bool    `json:"warmed"` // the whole file was read into memory first
	PeakMemory  int64   `json:"peak_memory_bytes"`

	Settings ReadsSettings `json:"settings"`
	Machine  Machine       `json:"machine"`
	SQLite   Library       `json:"sqlite"`
}

// ReadFigures are those of one number of threads.
type ReadFigures struct {
	N         int       `json:"n"`
	Best      float64   `json:"qps_best"` // of the best single second, which is what the article quotes
	Mean      float64   `json:"qps_mean"`
	P50       float64   `json:"p50_us"`
	P99       float64   `json:"p99_us"`
	PerSecond []float64 `json:"per_second"`
}

// ReadsSettings are the settings of a run as its report records them.
type ReadsSettings struct {
	DB      string    `json:"db"`
	Query   ReadQuery `json:"query"`
	SQL     string    `json:"sql"`
	Mode    ReadMode  `json:"mode"`
	Rows    int64     `json:"rows"`
	Threads []int     `json:"threads"`
	Seconds float64   `json:"seconds"`
}

func (r Reads) newReport(rows int64, warmed bool) *ReadsReport {
	report := &ReadsReport{
		Workload: "reads",
		Warmed:   warmed,
		Settings: ReadsSettings{
			DB:      r.DB,
			Query:   r.Query,
			SQL:     r.Query.sql(),
			Mode:    r.Mode,
			Rows:    rows,
			Threads: r.Threads,
			Seconds: r.Duration.Seconds(),
		},
		Machine: DescribeMachine(r.DB),
		SQLite:  DescribeLibrary(),
	}
	if info, err := os.Stat(r.DB); err == nil {
		report.FileSize = info.Size()
		report.BytesPerRow = ratio(uint64(info.Size()), uint64(rows))
	}
	return report
}

// WriteTable prints the report for people.
func (r *ReadsReport) WriteTable(w io.Writer) error {
	t := table{w: w}
	s := r.Settings
	t.title("reads: %s, %s, %g s for each number of threads", s.Query, s.Mode, s.Seconds)
	t.printf("  %8s %16s %16s %16s %12s %12s\n", "threads", "best second", "mean", "mean/thread", "p50", "p99")
	for _, f := range r.Threads {
		t.printf("  %8d %16s %16s %16s %12s %12s\n", f.N, grouped(int64(f.Best)), grouped(int64(f.Mean)),
			grouped(int64(f.Mean)/int64(f.N)), duration(f.P50), duration(f.P99))
	}
	if s.Rows > 0 {
		t.row("file", fmt.Sprintf("%s rows, %s, %.1f bytes a row", grouped(s.Rows), size(r.FileSize), r.BytesPerRow))
	}
	if !r.Warmed {
		t.row("memory", "the file is too large to be read into it first")
	}
	t.machine(r.Machine, r.SQLite)
	return t.err
}
