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
	Warmed      bool    `json:"warmed"`                 // the whole file was read into memory first
	Available   int64   `json:"memory_available_bytes"` // for the file's pages, when the run began; the cgroup's limit counts
	Fits        bool    `json:"fits_in_memory"`         // the file does, into that
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
	Disk      DiskUse   `json:"disk"`     // what the queries above made the disk do
	Resident  float64   `json:"resident"` // of a cold measurement: the share of the file that was in memory all the same
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
	Cold    bool      `json:"cold"`
}

// newReport describes what is about to be read.
func (r Reads) newReport(rows int64) (*ReadsReport, error) {
	info, err := os.Stat(r.DB)
	if err != nil {
		return nil, err
	}
	available := memoryAvailable()
	return &ReadsReport{
		Workload:    "reads",
		FileSize:    info.Size(),
		BytesPerRow: ratio(uint64(info.Size()), uint64(rows)),
		Available:   available,
		Fits:        info.Size() <= available || available == 0,
		Settings: ReadsSettings{
			DB:      r.DB,
			Query:   r.Query,
			SQL:     r.Query.sql(),
			Mode:    r.Mode,
			Rows:    rows,
			Threads: r.Threads,
			Seconds: r.Duration.Seconds(),
			Cold:    r.Cold,
		},
		Machine: DescribeMachine(r.DB),
		SQLite:  DescribeLibrary(),
	}, nil
}

// WriteTable prints the report for people.
func (r *ReadsReport) WriteTable(w io.Writer) error {
	t := table{w: w}
	s := r.Settings
	t.title("reads: %s, %s, %g s for each number of threads", s.Query, s.Mode, s.Seconds)
	t.printf("  %8s %16s %16s %16s %12s %12s %14s %8s\n", "threads", "best second", "mean", "mean/thread", "p50", "p99", "disk a query", "faults")
	for _, f := range r.Threads {
		t.printf("  %8d %16s %16s %16s %12s %12s %14s %8s\n", f.N, grouped(int64(f.Best)), grouped(int64(f.Mean)),
			grouped(int64(f.Mean)/int64(f.N)), duration(f.P50), duration(f.P99), size(f.diskPerQuery()), grouped(f.Disk.MajorFaults))
	}
	if s.Rows > 0 {
		t.row("file", fmt.Sprintf("%s rows, %s, %.1f bytes a row", grouped(s.Rows), size(r.FileSize), r.BytesPerRow))
	}
	t.row("memory", r.memory())
	t.machine(r.Machine, r.SQLite)
	return t.err
}

// diskPerQuery returns the bytes that came from the disk for one query: none, as
// long as everything that is asked for is in memory.
func (f ReadFigures) diskPerQuery() int64 {
	return int64(float64(f.Disk.ReadBytes) / max(f.Mean*float64(len(f.PerSecond)), 1))
}

// memory says where the file was while it was read.
func (r *ReadsReport) memory() string {
	room := fmt.Sprintf("%s for a file of %s", size(r.Available), size(r.FileSize))
	switch {
	case r.Settings.Cold:
		var kept float64
		for _, f := range r.Threads {
			kept = max(kept, f.Resident)
		}
		return fmt.Sprintf("%s; cold: %.1f %% of the file was there at the beginning, the first second counts", room, 100*kept)
	case r.Warmed:
		return room + ", read into it first"
	case r.Fits:
		return room + ": not read into it first, for little else would be left"
	default:
		return room + ": it does not fit, and queries wait for the disk"
	}
}
