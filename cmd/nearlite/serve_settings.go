package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// serveSettings are all that can be set about a server. Each field is a flag, a
// variable of the environment and a name in the configuration file at once, so the
// three cannot drift apart; the table in docs/OPERATE.md is made from it, too.
type serveSettings struct {
	Config string `env:"NEARLITE_CONFIG" placeholder:"FILE" help:"Read settings from a file: a line of name = value for each flag here."`

	Listen      string   `env:"NEARLITE_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where clients connect; port 0 is any that is free (default: ${default})."`
	AdminListen string   `env:"NEARLITE_ADMIN_LISTEN" placeholder:"HOST:PORT" help:"Where an operator connects: metrics, profiles, sqld's admin API. It asks nobody for a token (default: nowhere)."`
	Keys        string   `env:"NEARLITE_KEYS" placeholder:"FILE" help:"Public keys that verify tokens, as PEM; read again when they change. Without them nobody is asked for a token."`
	Insecure    bool     `env:"NEARLITE_INSECURE" help:"Listen on addresses others can reach although nobody is asked for a token."`
	TLSCert     string   `name:"tls-cert" env:"NEARLITE_TLS_CERT" placeholder:"FILE" help:"Certificate chain for HTTPS, as PEM; read again when it changes."`
	TLSKey      string   `name:"tls-key" env:"NEARLITE_TLS_KEY" placeholder:"FILE" help:"Private key of that certificate."`
	BaseDomain  string   `env:"NEARLITE_BASE_DOMAIN" placeholder:"DOMAIN" help:"db.DOMAIN is the database db. Without it, every host of three labels or more names a database by its first."`
	BaseURL     string   `name:"base-url" env:"NEARLITE_BASE_URL" placeholder:"URL" help:"Where clients are told to send further requests of a stream, behind a load balancer."`
	Origin      []string `env:"NEARLITE_ORIGIN" placeholder:"URL" help:"Web pages that may call from a browser, or * (default: all with keys, none without)."`

	Durability       string        `env:"NEARLITE_DURABILITY" enum:"full,normal,archived" default:"full" placeholder:"MODE" help:"full: a commit survives a power cut; normal: a killed process; archived: losing the disk, for it waits for --archive (default: ${default})."`
	Archive          string        `env:"NEARLITE_ARCHIVE" placeholder:"URL" help:"Where every database goes beyond this disk: a directory elsewhere, or s3://BUCKET/PREFIX?region=…; docs/OPERATE.md has the rest (default: nowhere)."`
	ArchiveDelay     time.Duration `env:"NEARLITE_ARCHIVE_DELAY" default:"1s" placeholder:"TIME" help:"How long commits wait for more to be archived together, unless archived one by one (default: ${default})."`
	ArchiveLag       time.Duration `env:"NEARLITE_ARCHIVE_LAG" default:"0" placeholder:"TIME" help:"How far the archive may be behind before writes wait for it; 0: they never do (default: ${default})."`
	ArchiveRetention time.Duration `env:"NEARLITE_ARCHIVE_RETENTION" default:"168h" placeholder:"TIME" help:"How far back a database can be restored (default: ${default})."`

	Cache     byteSize      `env:"NEARLITE_CACHE" default:"64MiB" placeholder:"SIZE" help:"Page cache of a database's writer (default: ${default})."`
	MaxOpen   int           `env:"NEARLITE_MAX_OPEN" default:"256" placeholder:"N" help:"Databases open at a time; the idlest is closed for another (default: ${default})."`
	IdleClose time.Duration `env:"NEARLITE_IDLE_CLOSE" default:"1m" placeholder:"TIME" help:"A database that nobody uses is closed after this (default: ${default})."`

	MaxBody        byteSize `env:"NEARLITE_MAX_BODY" default:"32MiB" placeholder:"SIZE" help:"Largest body of a request (default: ${default})."`
	MaxMemory      byteSize `env:"NEARLITE_MAX_MEMORY" default:"512MiB" placeholder:"SIZE" help:"Memory of large requests and answers together (default: ${default})."`
	SQLMemory      byteSize `name:"sql-memory" env:"NEARLITE_SQL_MEMORY" default:"1GiB" placeholder:"SIZE" help:"Memory of long values and sorts, of all statements together (default: ${default})."`
	TempSpace      byteSize `env:"NEARLITE_TEMP_SPACE" default:"8GiB" placeholder:"SIZE" help:"Temporary files of all statements together: large sorts, VACUUM (default: ${default})."`
	MaxConnections int      `env:"NEARLITE_MAX_CONNECTIONS" default:"20000" placeholder:"N" help:"Connections at a time, three quarters of the files the process may open at most; those that are idle for longest end for more (default: ${default})."`
	MaxValue       byteSize `env:"NEARLITE_MAX_VALUE" default:"64MiB" placeholder:"SIZE" help:"Largest text, blob or row (default: ${default})."`

	HeaderTimeout time.Duration `env:"NEARLITE_HEADER_TIMEOUT" default:"10s" placeholder:"TIME" help:"How long the head of a request may take to come (default: ${default})."`
	BodyTimeout   time.Duration `env:"NEARLITE_BODY_TIMEOUT" default:"1m" placeholder:"TIME" help:"How long a request, or a message over a WebSocket, may take to come (default: ${default})."`
	IdleTimeout   time.Duration `env:"NEARLITE_IDLE_TIMEOUT" default:"3m" placeholder:"TIME" help:"How long a connection stays without a request (default: ${default})."`
	WriteTimeout  time.Duration `env:"NEARLITE_WRITE_TIMEOUT" default:"30s" placeholder:"TIME" help:"How long a client may take to read a megabyte of an answer (default: ${default})."`

	Rate          float64       `env:"NEARLITE_RATE" default:"0" placeholder:"N" help:"Requests a second of one token; 0: any number (default: ${default})."`
	Burst         int           `env:"NEARLITE_BURST" default:"0" placeholder:"N" help:"Requests at once of one token; 0: those of a second (default: ${default})."`
	MaxStreams    int           `env:"NEARLITE_MAX_STREAMS" default:"10000" placeholder:"N" help:"Open transactions, and streams over WebSockets, of one token (default: ${default})."`
	MaxRows       int           `env:"NEARLITE_MAX_ROWS" default:"1000000" placeholder:"N" help:"Rows of one result (default: ${default})."`
	MaxResult     byteSize      `env:"NEARLITE_MAX_RESULT" default:"10MiB" placeholder:"SIZE" help:"Size of one result (default: ${default})."`
	StatementTime time.Duration `env:"NEARLITE_STATEMENT_TIME" default:"30s" placeholder:"TIME" help:"How long one statement may run (default: ${default})."`

	QueueTime time.Duration `env:"NEARLITE_QUEUE_TIME" default:"30s" placeholder:"TIME" help:"How long a write may wait for those before it (default: ${default})."`

	LeaseIdle      time.Duration `env:"NEARLITE_LEASE_IDLE" default:"5s" placeholder:"TIME" help:"How long a writing transaction may wait for its client when nobody else wants to write (default: ${default})."`
	LeaseContended time.Duration `env:"NEARLITE_LEASE_CONTENDED" default:"500ms" placeholder:"TIME" help:"The same when somebody does (default: ${default})."`
	LeaseTotal     time.Duration `env:"NEARLITE_LEASE_TOTAL" default:"30s" placeholder:"TIME" help:"How long a writing transaction may take in all (default: ${default})."`

	Slow             time.Duration `env:"NEARLITE_SLOW" default:"1s" placeholder:"TIME" help:"Log statements that take longer; 0: none (default: ${default})."`
	MetricsDatabases int           `env:"NEARLITE_METRICS_DATABASES" default:"20" placeholder:"N" help:"Databases with metrics of their own, the busiest; the rest are added up (default: ${default})."`
	LogFormat        string        `env:"NEARLITE_LOG_FORMAT" enum:"text,json" default:"text" placeholder:"FORMAT" help:"text or json (default: ${default})."`
	LogLevel         string        `env:"NEARLITE_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default: ${default})."`
	Grace            time.Duration `env:"NEARLITE_GRACE" default:"10s" placeholder:"TIME" help:"How long open transactions may go on after SIGTERM (default: ${default})."`
}

// byteSize is a number of bytes, with or without a unit.
type byteSize int64

var byteUnits = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// UnmarshalText reads 1048576, 1MiB or 1.5MB.
func (s *byteSize) UnmarshalText(text []byte) error {
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(string(text), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || n < 0 || n*u.bytes > 1<<60 {
			break
		}
		*s = byteSize(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size: 1048576, 64MiB or 64MB are", text)
}

// BeforeResolve adds the configuration file to what kong looks into. A flag goes
// before the environment, and that before the file.
func (c *ServeCmd) BeforeResolve(ctx *kong.Context) error {
	path := os.Getenv("NEARLITE_CONFIG")
	for _, flag := range ctx.Flags() {
		if value := ctx.FlagValue(flag); flag.Name == "config" && value != nil && value != "" {
			path, _ = value.(string)
		}
	}
	if path == "" {
		return nil
	}
	file, err := readConfig(path)
	if err != nil {
		return err
	}
	ctx.AddResolver(file)
	return file.check(ctx)
}

// configFile are the settings of a file.
type configFile struct {
	path   string
	values map[string]string
	lines  map[string]int
}

// comment is one behind a value: a # without a blank before it is a part of that.
var comment = regexp.MustCompile(`\s+#.*$`)

// readConfig reads lines of name = value; "…" may stand around a value. A comment
// begins with #, and has a blank before it if it is not a line of its own.
func readConfig(path string) (*configFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	c := &configFile{path: path, values: map[string]string{}, lines: map[string]int{}}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("%s, line %d: %q is not name = value", path, n, line)
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if strings.HasPrefix(value, `"`) {
			quoted, err := strconv.QuotedPrefix(value)
			if err != nil || comment.ReplaceAllString(value[len(quoted):], "") != "" {
				return nil, fmt.Errorf("%s, line %d: the value of %s is not quoted well", path, n, name)
			}
			value, _ = strconv.Unquote(quoted)
		} else {
			value = strings.TrimSpace(comment.ReplaceAllString(" "+value, ""))
		}
		if c.lines[name] > 0 {
			return nil, fmt.Errorf("%s, line %d: %s was set in line %d already", path, n, name, c.lines[name])
		}
		c.values[name], c.lines[name] = value, n
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", path, err)
	}
	return c, nil
}

// check refuses names that are no setting: a misspelt one would do nothing.
func (c *configFile) check(ctx *kong.Context) error {
	known := map[string]bool{}
	for _, flag := range ctx.Flags() {
		known[flag.Name] = true
	}
	for name, line := range c.lines {
		if !known[name] || name == "config" || name == "help" {
			return fmt.Errorf("%s, line %d: there is no setting %s; “nearlite serve --help” lists them", c.path, line, name)
		}
	}
	return nil
}

// Validate has nothing to say about the whole command line.
func (c *configFile) Validate(*kong.Application) error { return nil }

// Resolve returns the value of a flag, unless the environment has one.
func (c *configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := c.values[flag.Name]
	if !ok {
		return nil, nil
	}
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	if flag.Name != "keys" && flag.Name != "tls-cert" && flag.Name != "tls-key" || filepath.IsAbs(value) || value == "" {
		return value, nil
	}
	return filepath.Join(filepath.Dir(c.path), value), nil // beside the file that names it
}

// check refuses settings that make no sense together.
func (c *serveSettings) check() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key belong together")
	}
	if err := c.checkArchive(); err != nil {
		return err
	}
	for _, n := range []struct {
		name  string
		value float64
	}{
		{"--archive-delay", float64(c.ArchiveDelay)}, {"--archive-retention", float64(c.ArchiveRetention)},
		{"--max-open", float64(c.MaxOpen)}, {"--max-connections", float64(c.MaxConnections)}, {"--max-streams", float64(c.MaxStreams)},
		{"--max-rows", float64(c.MaxRows)}, {"--max-result", float64(c.MaxResult)}, {"--max-body", float64(c.MaxBody)},
		{"--max-memory", float64(c.MaxMemory)}, {"--sql-memory", float64(c.SQLMemory)}, {"--temp-space", float64(c.TempSpace)}, {"--max-value", float64(c.MaxValue)}, {"--cache", float64(c.Cache)},
		{"--header-timeout", float64(c.HeaderTimeout)}, {"--body-timeout", float64(c.BodyTimeout)},
		{"--idle-timeout", float64(c.IdleTimeout)}, {"--write-timeout", float64(c.WriteTimeout)},
		{"--idle-close", float64(c.IdleClose)}, {"--statement-time", float64(c.StatementTime)}, {"--queue-time", float64(c.QueueTime)}, {"--lease-idle", float64(c.LeaseIdle)},
		{"--lease-contended", float64(c.LeaseContended)}, {"--lease-total", float64(c.LeaseTotal)}, {"--metrics-databases", float64(c.MetricsDatabases)},
	} {
		if n.value <= 0 {
			return fmt.Errorf("%s has to be more than 0", n.name)
		}
	}
	if c.Rate < 0 || c.Burst < 0 || c.Slow < 0 || c.Grace < 0 {
		return errors.New("--rate, --burst, --slow and --grace cannot be less than 0")
	}
	return nil
}

// checkArchive refuses settings of an archive that is not there, or that would do
// nothing.
func (c *serveSettings) checkArchive() error {
	archived := c.Durability == "archived"
	switch {
	case c.ArchiveLag < 0:
		return errors.New("--archive-lag cannot be less than 0")
	case archived && c.Archive == "":
		return errors.New("--durability archived needs an --archive")
	case c.ArchiveLag > 0 && c.Archive == "":
		return errors.New("--archive-lag needs an --archive")
	case c.ArchiveLag > 0 && archived:
		return errors.New("--archive-lag and --durability archived do not go together: there is never a commit that the archive does not have")
	}
	return nil
}
