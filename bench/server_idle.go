package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ServerIdle is what clients and databases cost a server when nothing happens.
type ServerIdle struct {
	Streams   int          `json:"streams"`   // WebSockets with a stream each, on one database
	Databases int          `json:"databases"` // with a table and a row each
	Seconds   float64      `json:"seconds"`   // of silence
	Steps     []IdleMemory `json:"steps"`
}

// IdleMemory is the server's memory after one of the steps.
type IdleMemory struct {
	Step      string `json:"step"`
	Resident  int64  `json:"resident_bytes"`  // everything that is in memory, mapped files included
	Anonymous int64  `json:"anonymous_bytes"` // without pages of files, which the system may drop
}

// Idle is a run that measures a server's memory: databases are made and written
// once, WebSockets are opened and asked once, and then nothing happens.
type Idle struct {
	Server    Server // which server, and where its files go
	Streams   int
	Databases int
	Silence   time.Duration
}

// Run starts the server and reports how much memory it has after each step. That
// streams still work at the end is part of it.
func (i Idle) Run(ctx context.Context) (_ *ServerReport, err error) {
	server, err := i.Server.nearlite(ctx)
	if server != nil {
		defer func() { err = errors.Join(err, server.stop()) }()
	}
	if err != nil {
		return nil, err
	}
	report := i.Server.newReport([]*runningServer{server})
	report.Idle = &ServerIdle{Streams: i.Streams, Databases: i.Databases, Seconds: i.Silence.Seconds()}
	report.Settings = ServerSettings{Rows: idleRows, Read: serverReadSQL}
	report.Idle.note(server, "started")
	if err := i.makeDatabases(ctx, server); err != nil {
		return nil, err
	}
	report.Idle.note(server, fmt.Sprintf("%s databases made and written", grouped(int64(i.Databases))))
	if err := server.fill(ctx, idleRows); err != nil {
		return nil, err
	}
	streams, err := i.openStreams(ctx, server)
	defer streams.close()
	if err != nil {
		return nil, err
	}
	report.Idle.note(server, fmt.Sprintf("%s WebSockets with a stream that has read", grouped(int64(i.Streams))))
	i.Server.Progress.report("silence", 0, 1)
	if err := streams.rest(ctx, i.Silence); err != nil {
		return nil, err
	}
	i.Server.Progress.report("silence", 1, 1)
	report.Idle.note(server, fmt.Sprintf("%s of silence later", i.Silence))
	return report, streams.stillWork()
}

const idleRows = 1000

func (r *ServerIdle) note(server *runningServer, step string) {
	r.Steps = append(r.Steps, IdleMemory{Step: step, Resident: server.resident(), Anonymous: server.memory()})
}

// makeDatabases makes databases with a row each, a few at a time.
func (i Idle) makeDatabases(ctx context.Context, server *runningServer) error {
	var next atomic.Int64
	made := i.Server.Progress.each("make databases", i.Databases)
	return together(8, func() error {
		for {
			n := next.Add(1)
			if n > int64(i.Databases) || ctx.Err() != nil {
				return ctx.Err()
			}
			name := fmt.Sprintf("idle-%05d", n)
			if _, err := server.post(ctx, server.path+"/v1/databases", map[string]string{"name": name}); err != nil {
				return fmt.Errorf("make database %s: %w", name, err)
			}
			one := *server
			one.path = server.path + "/db/" + name
			if err := errors.Join(one.execute(ctx, serverTable), one.execute(ctx, serverFill, 1)); err != nil {
				return fmt.Errorf("write to database %s: %w", name, err)
			}
			made()
		}
	})
}

// openStreams opens WebSockets with a stream each, which reads one row.
func (i Idle) openStreams(ctx context.Context, server *runningServer) (*serverClients, error) {
	streams := &serverClients{conns: make([]*serverConn, i.Streams)}
	var next atomic.Int64
	opened := i.Server.Progress.each("open WebSockets", i.Streams)
	err := together(8, func() error {
		for {
			n := next.Add(1)
			if n > int64(i.Streams) || ctx.Err() != nil {
				return ctx.Err()
			}
			c, err := server.dial(serverLoad{work: ServerRead, protocol: OverWebSocket})
			if err != nil {
				return fmt.Errorf("open WebSocket %d: %w", n, err)
			}
			streams.conns[n-1] = c
			if err := c.ask(firstServerRow); err != nil {
				return fmt.Errorf("read on WebSocket %d: %w", n, err)
			}
			opened()
		}
	})
	return streams, err
}

// rest does nothing but to answer the pings of the server, as every client does.
func (c *serverClients) rest(ctx context.Context, silence time.Duration) error {
	errs := make([]error, len(c.conns))
	var resting sync.WaitGroup
	until := time.Now().Add(silence)
	for i, conn := range c.conns {
		conn.conn.SetReadDeadline(until)
		resting.Go(func() {
			if err := conn.receive(conn); err == nil {
				errs[i] = fmt.Errorf("WebSocket %d was sent %.100q without asking", i+1, conn.body)
			} else if !errors.Is(err, os.ErrDeadlineExceeded) {
				errs[i] = fmt.Errorf("WebSocket %d in the silence: %w", i+1, err)
			}
		})
	}
	defer context.AfterFunc(ctx, func() {
		for _, conn := range c.conns {
			conn.conn.SetReadDeadline(time.Unix(1, 0))
		}
	})()
	resting.Wait()
	return cmp.Or(ctx.Err(), firstError(errs))
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// stillWork asks one in a hundred streams again.
func (c *serverClients) stillWork() error {
	for i := 0; i < len(c.conns); i += 100 {
		c.conns[i].conn.SetDeadline(time.Now().Add(10 * time.Second))
		if err := c.conns[i].ask(firstServerRow); err != nil {
			return fmt.Errorf("WebSocket %d after the silence: %w", i+1, err)
		}
	}
	return nil
}

// together runs n times the same and returns the first error.
func together(n int, do func() error) error {
	errs := make([]error, n)
	var working sync.WaitGroup
	for i := range n {
		working.Go(func() { errs[i] = do() })
	}
	working.Wait()
	return errors.Join(errs...)
}

func (r *ServerIdle) write(t *table) {
	t.title("server at rest: %s WebSockets, %s databases", grouped(int64(r.Streams)), grouped(int64(r.Databases)))
	t.printf("  %-44s %14s %22s\n", "", "resident", "without mapped files")
	for _, step := range r.Steps {
		t.printf("  %-44s %14s %22s\n", step.Step, size(step.Resident), size(step.Anonymous))
	}
}
