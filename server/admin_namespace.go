package server

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/nearlite/nearlite/catalog"
)

// A namespaceConfig is a database's configuration as sqld's admin API has it.
type namespaceConfig struct {
	BlockReads   bool            `json:"block_reads"`
	BlockWrites  bool            `json:"block_writes"`
	BlockReason  *string         `json:"block_reason"`
	MaxSize      json.RawMessage `json:"max_db_size"`
	HeartbeatURL *string         `json:"heartbeat_url"`
	JWTKey       *string         `json:"jwt_key"`
	AllowAttach  bool            `json:"allow_attach"`
	TxnTimeout   *int            `json:"txn_timeout_s"`
	Durability   *string         `json:"durability_mode,omitempty"`
}

// namespaceConfig answers for a configuration.
func (c *call) namespaceConfig(name string) error {
	info, err := c.s.cat.Lookup(c.r.Context(), name)
	if err != nil {
		return err
	}
	cfg := info.Config
	out := namespaceConfig{BlockReads: cfg.BlockReads, BlockWrites: cfg.BlockWrites, MaxSize: json.RawMessage("null")}
	if cfg.BlockReason != "" {
		out.BlockReason = &cfg.BlockReason
	}
	if cfg.MaxBytes > 0 {
		out.MaxSize = json.RawMessage(strconv.FormatInt(cfg.MaxBytes, 10))
	}
	return c.sendJSON(out)
}

// namespaceConfigure changes what the configuration has in common with sqld's.
func (c *call) namespaceConfigure(name string) error {
	var in namespaceConfig
	if err := c.readJSON(&in); err != nil {
		return err
	}
	info, err := c.s.cat.Lookup(c.r.Context(), name)
	if err != nil {
		return err
	}
	cfg := info.Config
	cfg.BlockReads, cfg.BlockWrites, cfg.BlockReason = in.BlockReads, in.BlockWrites, ""
	if in.BlockReason != nil {
		cfg.BlockReason = *in.BlockReason
	}
	if err := in.apply(&cfg); err != nil {
		return err
	}
	return c.emptied(c.s.cat.Configure(c.r.Context(), name, cfg))
}

// apply takes over the rest, or refuses it.
func (in *namespaceConfig) apply(cfg *catalog.Config) error {
	switch {
	case in.JWTKey != nil:
		return unsupported("jwt_key", "all databases have the keys that the server was started with; a token names the databases it is for")
	case in.HeartbeatURL != nil:
		return unsupported("heartbeat_url", "metrics are at /metrics")
	case in.AllowAttach:
		return unsupported("allow_attach", "ATTACH is closed to clients")
	}
	if size := bytes.TrimSpace(in.MaxSize); len(size) > 0 && string(size) != "null" {
		n, err := parseByteSize(string(size))
		if err != nil {
			return err
		}
		cfg.MaxBytes = n
	}
	return nil
}

// parseByteSize reads a size as sqld's clients write it: a number, or a text such as
// "10 MB" or "10MiB".
func parseByteSize(raw string) (int64, error) {
	text := strings.ToLower(strings.ReplaceAll(strings.Trim(raw, `"`), " ", ""))
	unit := 1.0
	for _, u := range []struct {
		suffix string
		bytes  float64
	}{
		{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40}, {"pib", 1 << 50},
		{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"pb", 1e15}, {"b", 1},
	} {
		if number, ok := strings.CutSuffix(text, u.suffix); ok {
			text, unit = number, u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || n*unit > 1<<60 {
		return 0, badRequest("%s is no size: 1048576 or \"1MB\" are", raw)
	}
	return int64(n * unit), nil
}

// A namespaceCreate is the body of sqld's request for a new database.
type namespaceCreate struct {
	namespaceConfig
	DumpURL      *string         `json:"dump_url"`
	MaxRowSize   json.RawMessage `json:"max_row_size"`
	SharedSchema bool            `json:"shared_schema"`
	SharedName   *string         `json:"shared_schema_name"`
	BottomlessID *string         `json:"bottomless_db_id"`
}

// namespaceCreate makes a database, of a dump if there is one. One of that name that
// is there already is not touched, and that is no error to sqld.
func (c *call) namespaceCreate(name string) error {
	var in namespaceCreate
	if err := c.readJSON(&in); err != nil {
		return err
	}
	if in.SharedSchema || in.SharedName != nil {
		return unsupported("shared_schema", "fork one database from another")
	}
	var cfg catalog.Config
	if err := in.apply(&cfg); err != nil {
		return err
	}
	if _, err := c.named(name); err == nil {
		return c.emptied(nil)
	}
	if in.DumpURL == nil {
		_, err := c.s.cat.Create(c.r.Context(), name, &cfg)
		return c.emptied(err)
	}
	u, err := url.Parse(*in.DumpURL)
	if err != nil || u.Scheme != "file" {
		return unsupported("a dump_url that is not file:", "download it first, then “nearlite import”")
	}
	if _, err := c.s.cat.Import(c.r.Context(), name, u.Path, nil); err != nil {
		return err
	}
	return c.emptied(c.s.cat.Configure(c.r.Context(), name, cfg))
}

// namespaceStats answers for the figures that sqld has, too.
func (c *call) namespaceStats(name string) error {
	info, err := c.s.cat.Lookup(c.r.Context(), name)
	if err != nil {
		return err
	}
	h, err := c.s.cat.Acquire(c.r.Context(), name)
	if err != nil {
		return err
	}
	defer h.Release()
	status := c.s.databases.status(c.s, h)
	return c.sendJSON(map[string]any{
		"id": info.ID, "storage_bytes_used": info.Bytes, "query_count": status.Reads + status.Transactions,
		"rows_read_count": status.RowsRead, "rows_written_count": status.Transactions, "write_requests_delegated": 0,
		"elapsed_ms": 1000 * (status.ReadLatency.Sum + status.CommitLatency.Sum), "top_queries": []any{}, "slowest_queries": []any{},
	})
}

// readJSON reads a body; none at all is an empty object.
func (c *call) readJSON(into any) error {
	b, err := c.s.readBody(c)
	if err != nil {
		return err
	}
	defer b.release()
	if len(bytes.TrimSpace(b.bytes())) == 0 {
		return nil
	}
	if err := json.Unmarshal(b.bytes(), into); err != nil {
		return errNotJSON(err)
	}
	return nil
}
