package bench

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

// PostgresServer is the server that the peer postgres ran on.
type PostgresServer struct {
	Address  string            `json:"address"`  // host, port, database and user
	Driver   string            `json:"driver"`   // pgx and its version
	Settings map[string]string `json:"settings"` // as the server shows them to the connections measured
	// CheckpointRefused is true if the user may not ask for a checkpoint, so
	// that the clock stopped without one.
	CheckpointRefused bool `json:"checkpoint_refused"`
}

// postgresSettings are those that a figure depends on.
var postgresSettings = []string{
	"server_version", "shared_buffers", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method",
	"max_wal_size", "checkpoint_timeout", "deadlock_timeout", "max_connections", "default_transaction_isolation", "ssl",
}

// addTo describes the server. What this process did to the disk is left out: the
// server did more.
func (p *postgres) addTo(ctx context.Context, r *LedgerReport) error {
	server := &PostgresServer{Address: p.host, Driver: driver(), Settings: map[string]string{}, CheckpointRefused: p.checkpointRefused}
	for _, name := range postgresSettings {
		value, err := p.setting(ctx, name)
		if err != nil {
			return fmt.Errorf("ask the server for %s: %w", name, err)
		}
		server.Settings[name] = value
	}
	r.Postgres, r.Retries, r.Disk = server, p.retries.report(), nil
	r.BusyRetries = r.Retries.Serialization + r.Retries.Deadlocks
	r.Machine.FileSystem = p.fileSystem(ctx)
	return nil
}

// driver returns the name and version of the driver; a binary that was not built
// from a module does not know the second.
func driver() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if strings.HasPrefix(module.Path, "github.com/jackc/pgx/") {
				return "pgx " + module.Version
			}
		}
	}
	return "pgx"
}

// setting asks a connection of the pool; a setting unknown to the server is "".
func (p *postgres) setting(ctx context.Context, name string) (value string, err error) {
	err = p.pool.QueryRow(ctx, "SELECT coalesce(current_setting($1, true), '')", name).Scan(&value)
	return value, err
}

// fileSystem is what the server's data lies on, if its directory is seen from
// here and the user may know it; otherwise "".
func (p *postgres) fileSystem(ctx context.Context) string {
	dir, err := p.setting(ctx, "data_directory")
	if err != nil {
		return ""
	}
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return fileSystem(dir)
}
