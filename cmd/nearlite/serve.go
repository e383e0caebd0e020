package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server"
	"github.com/nearlite/nearlite/server/token"
	"github.com/nearlite/nearlite/storage"
)

// ServeCmd is nearlite serve.
type ServeCmd struct {
	Dir string `arg:"" optional:"" name:"directory" env:"NEARLITE_DIR" default:"nearlite-data" help:"Where the databases are; made if it is not there (default: ${default})."`
	serveSettings
}

// Help is the end of nearlite serve --help.
func (ServeCmd) Help() string {
	return `Every client of libSQL and Turso can connect, and curl. One process has the directory.
Each flag is also a variable of the environment, and a name in the --config file.
SIGTERM ends it when the open transactions are done, a second one at once.

  nearlite serve data
  nearlite serve data --listen 0.0.0.0:8080 --keys keys.pem --tls-cert cert.pem --tls-key key.pem
  nearlite serve data --archive 's3://backups/app?region=eu-central-1'
  NEARLITE_LISTEN=127.0.0.1:0 nearlite serve --log-format json
  curl http://127.0.0.1:8080/v1/query -d '{"sql": "SELECT sqlite_version()"}'`
}

// Run serves until a signal comes.
func (c *ServeCmd) Run(ctx context.Context, env *Env) error {
	if err := c.check(); err != nil {
		return advise(err, "nearlite serve --help")
	}
	if err := c.guard(); err != nil {
		return err
	}
	log := c.logger(env)
	var keys *token.Keys
	if c.Keys != "" {
		var err error
		if keys, err = token.Load(c.Keys, log); err != nil {
			return err
		}
	}
	store, err := c.openArchive(ctx)
	if err != nil {
		return err
	}
	if store != nil {
		defer store.Close()
	}
	cat, err := c.open(ctx, store, log)
	if errors.Is(err, catalog.ErrArchived) {
		return advise(err, "--archive URL, as before")
	}
	if err != nil {
		return err
	}
	s, err := server.New(cat, c.options(keys, log))
	if err != nil {
		return errors.Join(err, cat.Close())
	}
	err = c.serve(ctx, env, s, log)
	return errors.Join(err, s.Close(), cat.Close())
}

// openArchive opens the storage of --archive; nil if there is none.
func (c *ServeCmd) openArchive(ctx context.Context) (storage.Store, error) {
	if c.Archive == "" {
		return nil, nil
	}
	if dir, ok := directoryOf(c.Archive); ok {
		if inside, err := filepath.Rel(absolute(c.Dir), absolute(dir)); err == nil && filepath.IsLocal(inside) {
			return nil, advise(fmt.Errorf("--archive %s is in %s: what takes the one takes the other", c.Archive, c.Dir), "a directory on another disk, or s3://BUCKET/PREFIX")
		}
	}
	return openStore(ctx, c.Archive, false)
}

// guard refuses to be open to everybody by mistake.
func (c *ServeCmd) guard() error {
	for _, a := range []struct{ flag, address string }{{"--listen", c.Listen}, {"--admin-listen", c.AdminListen}} {
		if _, _, err := net.SplitHostPort(a.address); err != nil && a.address != "" {
			return advise(fmt.Errorf("%s %s is not HOST:PORT", a.flag, a.address), a.flag+" 127.0.0.1:8080, or 127.0.0.1:0 for any port that is free")
		}
	}
	if c.Insecure {
		return nil
	}
	if c.Keys == "" && !loopback(c.Listen) {
		return advise(fmt.Errorf("listen on %s: others can reach that address, and nobody would be asked for a token", c.Listen),
			"--keys keys.pem (“nearlite token --help” makes them), --listen 127.0.0.1:8080, or --insecure if something else keeps others away")
	}
	if c.AdminListen != "" && !loopback(c.AdminListen) {
		return advise(fmt.Errorf("listen on %s: others can reach that address, and the admin API asks nobody for a token", c.AdminListen),
			"--admin-listen 127.0.0.1:9090, or --insecure if something else keeps others away")
	}
	return nil
}

// loopback says whether only this machine reaches an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *ServeCmd) logger(env *Env) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // an enum
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(env.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(env.Stderr, o))
}

func (c *ServeCmd) open(ctx context.Context, store storage.Store, log *slog.Logger) (*catalog.Catalog, error) {
	return catalog.Open(ctx, c.Dir, &catalog.Options{
		MaxOpen:       c.MaxOpen,
		IdleClose:     c.IdleClose,
		MaxValueBytes: int(c.MaxValue),
		Logger:        log,
		Archive:       store,
		Archiving:     archive.Options{Retention: c.ArchiveRetention},
		Engine: nearlite.Options{
			Durability:     durabilities[c.Durability],
			LogDelay:       c.ArchiveDelay,
			LogLag:         c.ArchiveLag,
			CacheSize:      int64(c.Cache),
			LeaseIdle:      c.LeaseIdle,
			LeaseContended: c.LeaseContended,
			LeaseTotal:     c.LeaseTotal,
		},
	})
}

func (c *ServeCmd) options(keys *token.Keys, log *slog.Logger) server.Options {
	return server.Options{
		Keys:       keys,
		Version:    "nearlite " + thisBuild().Version,
		BaseDomain: c.BaseDomain,
		BaseURL:    c.BaseURL,
		Origins:    c.Origin,
		Limits: server.Limits{
			Rate: c.Rate, Burst: c.Burst, Streams: c.MaxStreams,
			Rows: c.MaxRows, Bytes: int64(c.MaxResult), Time: c.StatementTime,
		},
		MaxBody:           int64(c.MaxBody),
		Memory:            int64(c.MaxMemory),
		QueueTime:         c.QueueTime,
		TransactionTime:   c.LeaseTotal,
		SQLMemory:         int64(c.SQLMemory),
		TempSpace:         int64(c.TempSpace),
		MaxConnections:    c.MaxConnections,
		HeaderTimeout:     c.HeaderTimeout,
		BodyTimeout:       c.BodyTimeout,
		IdleTimeout:       c.IdleTimeout,
		WriteTimeout:      c.WriteTimeout,
		Slow:              c.Slow,
		LabelledDatabases: c.MetricsDatabases,
		Logger:            log,
	}
}

// serve listens, says so, and serves until ctx ends and everything is drained.
func (c *ServeCmd) serve(ctx context.Context, env *Env, s *server.Server, log *slog.Logger) error {
	clients, err := c.listen(c.Listen, "--listen")
	if err != nil {
		return err
	}
	var admin net.Listener
	if c.AdminListen != "" {
		if admin, err = c.listen(c.AdminListen, "--admin-listen"); err != nil {
			return errors.Join(err, clients.Close())
		}
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
		if clients, err = c.secure(clients, log); err != nil {
			return err
		}
	}
	c.announce(env, scheme+"://"+clients.Addr().String(), admin)
	ended := make(chan error, 2)
	go func() { ended <- s.Serve(clients, false) }()
	if admin != nil {
		go func() { ended <- s.Serve(admin, true) }()
	}
	select {
	case err := <-ended: // it could not go on
		return err
	case <-ctx.Done():
	}
	log.Info("shutting down", "why", context.Cause(ctx), "grace", c.Grace)
	grace, cancel := context.WithTimeout(context.Background(), c.Grace)
	defer cancel()
	if err := s.Drain(grace); err != nil {
		log.Warn("what was open at the end of the grace was rolled back", "err", err)
	}
	return nil
}

func (c *ServeCmd) listen(address, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, advise(err, flag+" 127.0.0.1:0 takes a port that is free")
	}
	return l, err
}

// announce says what a newcomer can do now.
func (c *ServeCmd) announce(env *Env, url string, admin net.Listener) {
	bearer := ""
	if c.Keys != "" {
		bearer = ` -H "Authorization: Bearer $TOKEN"`
	}
	fmt.Fprintf(env.Stdout, "%s serves the databases in %s; Ctrl-C ends it\n", url, c.Dir)
	if admin != nil {
		fmt.Fprintf(env.Stdout, "admin:   http://%s/metrics\n", admin.Addr())
	}
	if c.Archive != "" {
		fmt.Fprintf(env.Stdout, "archive: %s\n", c.Archive)
	}
	fmt.Fprintf(env.Stdout, "console: %s/console/\n", url)
	fmt.Fprintf(env.Stdout, "try:     curl%s %s/v1/query -d '{\"sql\": \"SELECT sqlite_version()\"}'\n", bearer, url)
}
