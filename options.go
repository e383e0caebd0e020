package nearlite

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// Durability says what a commit has survived before it is acknowledged.
type Durability int

const (
	// Full acknowledges a commit after the WAL was flushed to the disk: it
	// survives a power cut. It is the default.
	Full Durability = iota
	// Normal acknowledges a commit after it was written to the WAL: it survives
	// a killed process, and a power cut may take the last commits, never the
	// database.
	Normal
	// Archived acknowledges a commit, and lets it be seen, once Options.Log has it
	// too: it survives losing the disk. With a log that is slower than a disk it is
	// for callers who are many: all that wait share one entry.
	Archived
)

// String returns "full", "normal" or "archived".
func (d Durability) String() string {
	switch d {
	case Normal:
		return "normal"
	case Archived:
		return "archived"
	}
	return "full"
}

// Options of a database. The zero value of each field is the default it names;
// a nil *Options is all defaults.
type Options struct {
	// Durability of every commit; Full.
	Durability Durability
	// ReadOnly opens the file for reading only: Update and its like return [ErrReadOnly].
	// It also opens one on a medium where nothing can be written, or a full one, unless the WAL
	// beside it holds commits that are not in the file yet.
	ReadOnly bool
	// MustExist makes Open fail instead of creating a missing file.
	MustExist bool
	// PageSize of a new database in bytes, a power of two from 512 to 65536; 4096.
	// An existing database keeps its own.
	PageSize int
	// CacheSize is the page cache of the writing connection in bytes; 64 MiB.
	CacheSize int64
	// ReaderCacheSize is the page cache of one reader in bytes; 16 MiB. Only
	// pages that are used take memory, and a mapped file needs no cache.
	ReaderCacheSize int64
	// MmapSize is how much of the file readers map into memory, in bytes. 0 maps
	// the file while it is smaller than half of the memory this process may use;
	// negative maps nothing.
	MmapSize int64
	// NoForeignKeys switches the enforcement of foreign keys off; it is on.
	NoForeignKeys bool
	// BusyTimeout is how long the writer waits for another process's write; 5 s.
	BusyTimeout time.Duration
	// QueueMax is how many transactions may wait for the writer; 200,000. One
	// more fails with a [QueueFullError].
	QueueMax int
	// MaxReaders is how many snapshots may be open at a time; 512. A further View
	// waits for one to end.
	MaxReaders int
	// MaxSnapshotAge is how long a View may keep its snapshot; 60 s. Then its
	// queries fail with [ErrSnapshotExpired].
	MaxSnapshotAge time.Duration
	// MaxWALBytes is how large the WAL may grow because of a snapshot that is
	// still in use; 1 GiB. Above it the oldest snapshots expire,
	// but for one younger than a second.
	MaxWALBytes int64
	// CheckpointBytes is the size from which the WAL is started again. 0 has it
	// chosen from the size of the commits: room for eight, between 4 and 16 MiB.
	CheckpointBytes int64
	// MaxClosure is how long a closure may hold the writer before it is logged
	// with its place in the code; 1 s.
	MaxClosure time.Duration
	// LeaseIdle, LeaseContended and LeaseTotal bound an interactive transaction
	// that has the writer: how long its client may be idle when nobody waits
	// (5 s), when somebody does (500 ms), and how long it may take in all (30 s).
	LeaseIdle, LeaseContended, LeaseTotal time.Duration
	// Limits bound what the database may take of the machine; none. They can be
	// changed by [DB.SetLimits].
	Limits Limits
	// OnConnect is called with every connection before its first use, for
	// example to register functions. It must be safe for concurrent use.
	OnConnect func(*sqlite.Conn) error
	// VFS is the name of SQLite's VFS to open files with; "" is the default one.
	VFS string
	// Logger receives what has no caller to return to; slog.Default().
	Logger *slog.Logger
	// PageMap keeps the number of each page's last change beside the database, in a
	// file of its name and "-map", so that positions outlive Close and a replica can
	// be told what it lacks. A Log brings it along.
	PageMap bool
	// Log is where commits go beyond the local disk; nil: nowhere. With [Archived]
	// each commit is an entry, and decided by the log. With the other durabilities
	// an entry is what has changed since the one before, shipped behind the commits.
	Log Log
	// LogDelay is how long what was committed waits for more to share an entry, with
	// Full and Normal; 1 s. It is longer while making entries would take more than a
	// fifth of one processor.
	LogDelay time.Duration
	// LogLag is how old the oldest commit may get that is not in the log before
	// writes wait for it, with Full and Normal; 0: they never do, and a log that
	// cannot be reached is caught up with later.
	LogLag time.Duration
}

// withDefaults returns a copy with every zero field set, or says which is wrong.
func (o *Options) withDefaults() (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
		name  string
	}{
		{&out.BusyTimeout, 5 * time.Second, "BusyTimeout"},
		{&out.MaxSnapshotAge, time.Minute, "MaxSnapshotAge"},
		{&out.MaxClosure, time.Second, "MaxClosure"},
		{&out.LeaseIdle, 5 * time.Second, "LeaseIdle"},
		{&out.LeaseContended, 500 * time.Millisecond, "LeaseContended"},
		{&out.LeaseTotal, 30 * time.Second, "LeaseTotal"},
		{&out.LogDelay, time.Second, "LogDelay"},
		{&out.LogLag, 0, "LogLag"},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
		if *d.field < 0 {
			return out, fmt.Errorf("option %s is negative: %v", d.name, *d.field)
		}
	}
	for _, n := range []struct {
		field *int64
		def   int64
		name  string
	}{
		{&out.CacheSize, 64 << 20, "CacheSize"},
		{&out.ReaderCacheSize, 16 << 20, "ReaderCacheSize"},
		{&out.MaxWALBytes, 1 << 30, "MaxWALBytes"},
		{&out.CheckpointBytes, 0, "CheckpointBytes"},
	} {
		if *n.field == 0 {
			*n.field = n.def
		}
		if *n.field < 0 {
			return out, fmt.Errorf("option %s is negative: %d", n.name, *n.field)
		}
	}
	for _, n := range []struct {
		field *int
		def   int
		name  string
	}{{&out.QueueMax, 200_000, "QueueMax"}, {&out.MaxReaders, 512, "MaxReaders"}, {&out.PageSize, 4096, "PageSize"}} {
		if *n.field == 0 {
			*n.field = n.def
		}
		if *n.field < 0 {
			return out, fmt.Errorf("option %s is negative: %d", n.name, *n.field)
		}
	}
	if err := out.Limits.check(); err != nil {
		return out, err
	}
	if p := out.PageSize; p < 512 || p > 65536 || p&(p-1) != 0 {
		return out, fmt.Errorf("option PageSize: %d is not a power of two from 512 to 65536", p)
	}
	if out.Durability != Full && out.Durability != Normal && out.Durability != Archived {
		return out, fmt.Errorf("option Durability: %d is neither Full, Normal nor Archived", out.Durability)
	}
	if out.Durability == Archived && out.Log == nil {
		return out, errors.New("option Durability is Archived, and there is no Log")
	}
	if out.ReadOnly && out.Log != nil {
		return out, errors.New("options ReadOnly and Log do not go together: who only reads has nothing to log")
	}
	if out.Logger == nil {
		out.Logger = slog.Default()
	}
	return out, nil
}
