package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server/stream"
	"github.com/nearlite/nearlite/server/token"
	"github.com/nearlite/nearlite/sqlite"
)

// Options of a server. The zero value of each field is the default it names.
type Options struct {
	// Keys verify tokens. Without them nobody is asked for one, and everybody may
	// do everything: that is for addresses nobody else can reach.
	Keys *token.Keys
	// Version is what GET /version and GET /v1/status say.
	Version string
	// BaseDomain makes db.BaseDomain a host of the database db. Without it every
	// host of three labels or more names a database by its first.
	BaseDomain string
	// Origins are the web pages that may call the server from a browser, as
	// "https://example.com", or "*". With Keys the default is all, since a page
	// has to know a token; without, none but the console.
	Origins []string
	// BaseURL is what clients are told to send further requests of a stream to;
	// where they sent the first.
	BaseURL string
	// Limits of one token.
	Limits Limits
	// QueueTime is how long a statement may wait for others that write; 30 s.
	QueueTime time.Duration
	// TransactionTime is how long the statements of a transaction may take together that
	// one request begins and ends; 30 s. The engine's leases are for the others.
	TransactionTime time.Duration
	// MaxBody is the largest body of a request in bytes; 32 MiB.
	MaxBody int64
	// Memory bounds large requests and answers together, in bytes; 512 MiB.
	Memory int64
	// SQLMemory bounds what statements take in large pieces, in bytes, of all databases
	// of the process together: long values, sorts. See [sqlite.LimitMemory]. 1 GiB.
	SQLMemory int64
	// TempSpace bounds the temporary files of all statements together, in bytes, in
	// which they sort and compare what does not fit in memory. See
	// [sqlite.LimitTempFiles]. 8 GiB.
	TempSpace int64
	// MaxConnections is how many connections are served at a time; 20,000, or fewer
	// where the process may not have as many files. When there are more, those that
	// have waited longest for their client's next request are ended.
	MaxConnections int
	// HeaderTimeout is how long a request's head may take to come; 10 s. BodyTimeout
	// is for all of the request, and of a message over a WebSocket; a minute.
	HeaderTimeout, BodyTimeout time.Duration
	// IdleTimeout is how long a connection stays without a request; 3 minutes.
	IdleTimeout time.Duration
	// WriteTimeout is how long a client may take to read a piece of an answer, which
	// is a megabyte at most; 30 s.
	WriteTimeout time.Duration
	// Slow is how long a statement runs before it is logged; 0 logs none.
	Slow time.Duration
	// LabelledDatabases is how many databases have figures of their own in the
	// metrics, the busiest; the rest are added up as "other". 20.
	LabelledDatabases int
	// Logger receives what has no caller to return to; slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.withDefaults()
	if o.MaxBody == 0 {
		o.MaxBody = 32 << 20
	}
	if o.Memory == 0 {
		o.Memory = 512 << 20
	}
	if o.SQLMemory == 0 {
		o.SQLMemory = 1 << 30
	}
	if o.TempSpace == 0 {
		o.TempSpace = 8 << 30
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 20_000
	}
	for _, t := range []struct {
		set   *time.Duration
		value time.Duration
	}{
		{&o.HeaderTimeout, 10 * time.Second}, {&o.BodyTimeout, time.Minute}, {&o.IdleTimeout, 3 * time.Minute}, {&o.WriteTimeout, 30 * time.Second},
		{&o.QueueTime, 30 * time.Second}, {&o.TransactionTime, 30 * time.Second},
	} {
		if *t.set == 0 {
			*t.set = t.value
		}
	}
	if o.LabelledDatabases == 0 {
		o.LabelledDatabases = 20
	}
	if o.Version == "" {
		o.Version = "nearlite"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// A Server answers HTTP for the databases of a catalog. It owns a goroutine that
// ends what clients have left behind, until Close.
type Server struct {
	cat  *catalog.Catalog
	opts Options
	log  *slog.Logger

	sealer    *sealer
	streams   *streams
	sockets   sockets
	memory    memory // of requests that have come, and of answers that are sent
	middling  memory // of results of middling size
	large     memory // of what they take beyond that
	arriving  arrivals
	texts     memory // of what clients have stored
	callers   *callers
	databases databases
	figures   figures
	metrics   http.Handler
	backups   chan struct{} // a place for each backup under way
	started   time.Time
	instance  string // random, of this start

	draining atomic.Bool
	ctx      context.Context // ends when Close begins
	stop     context.CancelFunc
	tasks    sync.WaitGroup

	mu    sync.Mutex // protects the following
	https []*http.Server
}

// New returns a server for the databases of cat, which stays the caller's to close,
// after the server.
func New(cat *catalog.Catalog, opts Options) (*Server, error) {
	key, err := batonKey(cat.Dir())
	if err != nil {
		return nil, err
	}
	if err := clearScratch(cat.Dir()); err != nil {
		return nil, fmt.Errorf("remove what a backup or an import has left: %w", err)
	}
	s := &Server{cat: cat, opts: opts.withDefaults(), streams: newStreams(), started: time.Now(), backups: make(chan struct{}, backupsMax)}
	s.log = s.opts.Logger
	if s.sealer, err = newSealer(key); err != nil {
		return nil, err
	}
	var instance [8]byte
	rand.Read(instance[:]) // never fails
	s.instance = hex.EncodeToString(instance[:])
	// Whoever has some of one part may wait for the next, and nobody the other way
	// round: so they cannot wait for each other in a circle.
	part := s.opts.Memory / 16
	s.arriving.most, s.memory.most, s.middling.most, s.large.most, s.texts.most = 4*part, 4*part, 4*part, 3*part, part
	s.large.line = max(1, int(s.middling.most/stream.Middling/2)) // each has some of the part before
	s.streams.texts = &s.texts
	if err := errors.Join(sqlite.LimitMemory(s.opts.SQLMemory), sqlite.LimitTempFiles(s.opts.TempSpace)); err != nil {
		return nil, err
	}
	s.callers = newCallers(s.opts.Keys, s.opts.Limits)
	s.metrics = newMetrics(s)
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.tasks.Go(s.sweep)
	return s, nil
}

// sweepEvery is how often is looked for what clients have left behind.
const sweepEvery = time.Second

// lookEvery is how often the databases' figures are collected, in sweeps: often
// enough that one that is closed a minute after its last use is not missed.
const lookEvery = 5

func (s *Server) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-s.ctx.Done():
			return
		case now := <-tick.C:
			s.streams.sweep(now)
			s.sockets.watch(now)
			if n++; n%lookEvery == 0 {
				s.databases.look(s)
			}
		}
	}
}

// Handler returns what answers the clients' requests. See Serve, which adds the
// bounds on time that only a connection has.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// AdminHandler returns what answers an operator: metrics, profiles, sqld's admin
// API. It asks nobody for a token, so its address is to be out of reach.
func (s *Server) AdminHandler() http.Handler { return http.HandlerFunc(s.serveAdmin) }

// Serve answers connections until Drain or Close, and then returns nil. With admin
// it serves AdminHandler.
func (s *Server) Serve(l net.Listener, admin bool) error {
	h := &http.Server{
		Handler: s.Handler(),
		// A client has as long to send its request's head, and then all of the
		// request. Answers have a bound for each piece; see patient.
		ReadHeaderTimeout: s.opts.HeaderTimeout,
		ReadTimeout:       s.opts.BodyTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if admin {
		h.Handler = s.AdminHandler()
	}
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		return errors.Join(http.ErrServerClosed, l.Close())
	}
	p := newPatient(l, s)
	h.ConnState, h.ConnContext = p.state, p.context
	s.https = append(s.https, h)
	s.mu.Unlock()
	err := h.Serve(p)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Drain ends the server without losing anything: from now on it takes only requests
// of transactions that are open, and when these are done, or ctx ends, no more
// connections; what is being answered is answered first. What is open then is
// rolled back. Call Close afterwards.
func (s *Server) Drain(ctx context.Context) error {
	s.draining.Store(true)
	s.awaitTransactions(ctx)
	s.sockets.drain(ctx)
	s.mu.Lock()
	https := s.https
	s.mu.Unlock()
	var errs []error
	for _, h := range https {
		if err := h.Shutdown(ctx); err != nil {
			errs = append(errs, err, h.Close())
		}
	}
	return errors.Join(errs...)
}

// awaitTransactions returns when no transaction is open between two requests.
func (s *Server) awaitTransactions(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.inTransaction() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// inTransaction returns how many transactions clients have open.
func (s *Server) inTransaction() int {
	_, busy := s.streams.counts()
	return busy + int(s.figures.working.Load()+s.figures.wsBusy.Load())
}

// Close ends everything at once: connections, and transactions, which are rolled
// back. What was acknowledged is on the disk.
func (s *Server) Close() error {
	s.draining.Store(true)
	s.stop()
	s.mu.Lock()
	https := s.https
	s.mu.Unlock()
	var errs []error
	for _, h := range https {
		errs = append(errs, h.Close())
	}
	s.sockets.close()
	s.tasks.Wait()
	s.streams.close()
	return errors.Join(errs...)
}
