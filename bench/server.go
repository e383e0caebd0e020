package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ServerName is a server that a run of the server workload asks.
type ServerName string

const (
	// NearliteServer is nearlite serve.
	NearliteServer ServerName = "nearlite"
	// SQLD is libSQL's own server.
	SQLD ServerName = "sqld"
)

// ServerProtocol is how clients talk to a server.
type ServerProtocol string

const (
	// OverHTTP is a POST to /v2/pipeline for each statement, which opens a stream,
	// executes and closes it, on a connection that is kept.
	OverHTTP ServerProtocol = "http"
	// OverWebSocket is hrana2: one stream on a connection for each client.
	OverWebSocket ServerProtocol = "ws"
)

// ServerWork is what clients do.
type ServerWork string

const (
	// ServerInsert is an INSERT of a key and 100 bytes, committed by itself.
	ServerInsert ServerWork = "insert"
	// ServerRead is a SELECT of one row by its key.
	ServerRead ServerWork = "read"
)

// Server is a run of the server workload: clients on loopback that insert rows or
// read them one by one, of one server or of two in turns.
type Server struct {
	URL      string // of a running nearlite serve; "" = start one for the run
	Token    string // sent to it
	Program  string // the nearlite to start; "" = this program, which has to be it
	Peer     bool   // measure sqld too
	PeerURL  string // of a running sqld; "" = start one
	SQLD     string // the sqld to start; "" = where make compat put it
	Dir      string // for the databases of the servers that are started; "" = a temporary one
	Work     []ServerWork
	Protocol []ServerProtocol
	Clients  []int
	Rows     int // of the table that is read
	Rounds   int
	Duration time.Duration // of each measurement, after a warm-up
	Progress Progress      // told about the steps of a run; nil = nobody
}

func (s Server) validate() error {
	switch {
	case s.Rows < 1 || s.Rows > maxServerRows:
		return fmt.Errorf("a table of %d rows: at least one, at most %d", s.Rows, maxServerRows)
	case s.Rounds < 1:
		return fmt.Errorf("%d rounds", s.Rounds)
	case s.Duration <= 0:
		return fmt.Errorf("a duration of %s: clients need time", s.Duration)
	case len(s.Clients) == 0 || slices.Min(s.Clients) < 1:
		return errors.New("no number of clients, or one below 1")
	case len(s.Work) == 0 || len(s.Protocol) == 0:
		return errors.New("nothing to do: no work, or no protocol")
	}
	var errs []error
	for _, w := range s.Work {
		errs = append(errs, oneOf("work", w, ServerInsert, ServerRead))
	}
	for _, p := range s.Protocol {
		errs = append(errs, oneOf("protocol", p, OverHTTP, OverWebSocket))
	}
	return errors.Join(errs...)
}

// Run starts what has to be started, fills a table, measures every combination in
// each round, and reports. A canceled ctx ends it with an error.
func (s Server) Run(ctx context.Context) (_ *ServerReport, err error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	servers, err := s.start(ctx)
	defer func() { err = errors.Join(err, stopAll(servers)) }()
	if err != nil {
		return nil, err
	}
	report := s.newReport(servers)
	for _, server := range servers {
		if err := server.fill(ctx, s.Rows); err != nil {
			return nil, fmt.Errorf("fill the table of %s: %w", server.name, err)
		}
	}
	if err := s.rounds(ctx, servers, report); err != nil {
		return nil, err
	}
	report.finish()
	return report, nil
}

// rounds measures every load on every server, in turns: a machine that slows down
// for a while slows down both.
func (s Server) rounds(ctx context.Context, servers []*runningServer, report *ServerReport) error {
	loads := s.loads()
	steps := int64(s.Rounds * len(loads) * len(servers))
	var done int64
	for round := range s.Rounds {
		for _, load := range loads {
			order := slices.Clone(servers)
			if round%2 == 1 {
				slices.Reverse(order)
			}
			for _, server := range order {
				figures, err := load.measure(ctx, server, s)
				if figures.Stalled && server.name == SQLD && server.process != nil {
					err = s.startAgain(ctx, server) // it does that under many writers
				}
				if err != nil {
					return fmt.Errorf("%s of %d clients over %s, on %s: %w", load.work, load.clients, load.protocol, server.name, err)
				}
				report.add(server.name, load, figures)
				done++
				s.Progress.report("measure", done, steps)
			}
		}
	}
	return nil
}

// serverLoad is one combination of the run.
type serverLoad struct {
	work     ServerWork
	protocol ServerProtocol
	clients  int
}

func (s Server) loads() []serverLoad {
	var all []serverLoad
	for _, work := range s.Work {
		for _, protocol := range s.Protocol {
			for _, n := range s.Clients {
				all = append(all, serverLoad{work, protocol, n})
			}
		}
	}
	return all
}

// The table, the same on every server. Keys to read begin at firstServerRow and
// have all the same number of digits, so that a request is made by writing them
// into bytes that are there already. Inserted ones follow far behind.
const (
	firstServerRow = 100_000_000
	maxServerRows  = 100_000_000
	serverTable    = "CREATE TABLE IF NOT EXISTS kv (k INTEGER PRIMARY KEY, v TEXT)"
	serverFill     = `INSERT OR IGNORE INTO kv
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
		SELECT 100000000 + i, substr(printf('%.100c', 'v') || i, -100) FROM n`
	serverInsertSQL = "INSERT INTO kv (v) VALUES (?)"
	serverReadSQL   = "SELECT v FROM kv WHERE k = ?"
)
