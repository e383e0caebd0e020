package catalog

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/nearlite/nearlite"
)

// Config is what an operator decides about one database. The zero value of each
// field takes nothing away; see [Catalog.Configure] for when a change takes effect.
type Config struct {
	// MaxBytes is the largest size of the database file. A transaction that needs
	// more fails with [nearlite.ErrSizeLimit]; reading and deleting go on. 0: no limit.
	MaxBytes int64 `json:"max_bytes,omitempty"`
	// WriterShare is the largest part of the time that the database's writer may
	// work, from 0 to 1: it rests between two batches. 0: all the time.
	WriterShare float64 `json:"writer_share,omitempty"`
	// MaxReaders is how many snapshots may be open at a time, and so how many files;
	// a further reader waits. 0: as many as Options.Engine says.
	MaxReaders int `json:"max_readers,omitempty"`
	// CacheBytes is the memory for pages while the database is open: half for the
	// writer, the rest for the readers together. 0: as Options.Engine says.
	CacheBytes int64 `json:"cache_bytes,omitempty"`
	// BlockReads and BlockWrites ask whoever serves the database to refuse them,
	// with BlockReason; the catalog itself refuses nothing.
	BlockReads  bool   `json:"block_reads,omitempty"`
	BlockWrites bool   `json:"block_writes,omitempty"`
	BlockReason string `json:"block_reason,omitempty"`
}

// Check reports what about a configuration makes no sense.
func (cfg Config) Check() error {
	switch {
	case cfg.MaxBytes < 0:
		return fmt.Errorf("%w: max_bytes is negative: %d", ErrConfig, cfg.MaxBytes)
	case cfg.MaxBytes > 0 && cfg.MaxBytes < minBytes:
		return fmt.Errorf("%w: max_bytes is %d, and an empty database takes %d: give it more, or 0 for no limit", ErrConfig, cfg.MaxBytes, minBytes)
	case !(cfg.WriterShare >= 0 && cfg.WriterShare <= 1):
		return fmt.Errorf("%w: writer_share is %v, and a part of the time is from 0 to 1", ErrConfig, cfg.WriterShare)
	case cfg.WriterShare > 0 && cfg.WriterShare < minShare:
		return fmt.Errorf("%w: writer_share is %v: with less than %v a single transaction would keep the next waiting for minutes; block writes instead", ErrConfig, cfg.WriterShare, minShare)
	case cfg.MaxReaders < 0:
		return fmt.Errorf("%w: max_readers is negative: %d", ErrConfig, cfg.MaxReaders)
	case cfg.CacheBytes < 0:
		return fmt.Errorf("%w: cache_bytes is negative: %d", ErrConfig, cfg.CacheBytes)
	case len(cfg.BlockReason) > 1<<10:
		return fmt.Errorf("%w: block_reason has %d bytes, 1024 are allowed", ErrConfig, len(cfg.BlockReason))
	}
	return nil
}

const (
	minBytes = 64 << 10
	minShare = 0.001
)

// options returns the engine's options for a database with this configuration.
func (cfg Config) options(o nearlite.Options) *nearlite.Options {
	o.Limits = cfg.limits()
	if cfg.MaxReaders > 0 {
		o.MaxReaders = cfg.MaxReaders
	}
	if cfg.CacheBytes > 0 {
		o.CacheSize = max(cfg.CacheBytes/2, 1)
		o.ReaderCacheSize = max(cfg.CacheBytes/2/int64(runtime.GOMAXPROCS(0)), 1)
	}
	return &o
}

// limits are what can be changed while the database is open.
func (cfg Config) limits() nearlite.Limits {
	return nearlite.Limits{MaxBytes: cfg.MaxBytes, WriterShare: cfg.WriterShare}
}

func (cfg Config) text() string {
	b, err := json.Marshal(cfg)
	if err != nil {
		panic(err) // only numbers, strings and truth values
	}
	return string(b)
}

func parseConfig(text string) (cfg Config, err error) {
	err = json.Unmarshal([]byte(text), &cfg)
	return cfg, err
}
