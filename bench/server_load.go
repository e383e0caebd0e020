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

// serverClients are the clients of one measurement.
type serverClients struct {
	conns   []*serverConn
	latency shards

	measuring atomic.Bool // false while warming up
	stopped   atomic.Bool
	done      atomic.Int64
	failed    atomic.Int64
	failure   atomic.Pointer[error] // the first answer that said no
	stop      context.CancelCauseFunc
}

// answerPatience is how long is waited for the answers that are due when the
// clients stop.
const answerPatience = 10 * time.Second

// measure connects the clients, warms up, and counts for the run's duration.
func (l serverLoad) measure(ctx context.Context, server *runningServer, s Server) (ServerRound, error) {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	clients := &serverClients{latency: newShards(), stop: stop}
	defer clients.close()
	for range l.clients {
		c, err := server.dial(l)
		if err != nil {
			return ServerRound{}, fmt.Errorf("connect client %d: %w", len(clients.conns)+1, err)
		}
		// A server that no longer answers must not hold the run for ever.
		c.conn.SetDeadline(time.Now().Add(s.Duration + answerPatience))
		clients.conns = append(clients.conns, c)
	}
	var working sync.WaitGroup
	for i, c := range clients.conns {
		working.Go(func() { clients.work(c, i, l, s.Rows) })
	}
	round := clients.watch(running, server, s.Duration)
	clients.stopped.Store(true)
	if ctx.Err() != nil {
		clients.close()
	}
	for _, c := range clients.conns {
		c.conn.SetDeadline(time.Now().Add(answerPatience))
	}
	working.Wait()
	if err := cmp.Or(ctx.Err(), context.Cause(running)); err != nil {
		return ServerRound{}, err
	}
	if round.Done == 0 {
		err := errors.New("nothing was answered")
		if failure := clients.failure.Load(); failure != nil {
			err = *failure
		}
		return ServerRound{Failed: clients.failed.Load(), Stalled: errors.Is(err, os.ErrDeadlineExceeded)}, err
	}
	all := clients.latency.merged()
	round.P50, round.P99, round.Max = micros(all.percentile(0.50)), micros(all.percentile(0.99)), micros(time.Duration(all.max.Load()))
	return round, nil
}

func (c *serverClients) close() {
	for _, conn := range c.conns {
		if conn != nil {
			conn.conn.Close()
		}
	}
}

// work asks until it is stopped.
func (c *serverClients) work(conn *serverConn, client int, load serverLoad, rows int) {
	pick := newPicker(Uniform, int64(rows), client)
	latency := c.latency.of(client)
	for !c.stopped.Load() {
		number := int(pick.next())
		if load.work == ServerRead {
			number += firstServerRow
		}
		began := time.Now()
		err := conn.ask(number)
		switch failed := (*errAnswer)(nil); {
		case err == nil && c.measuring.Load():
			latency.record(time.Since(began))
			c.done.Add(1)
		case errors.As(err, &failed):
			c.failure.CompareAndSwap(nil, &err)
			c.failed.Add(1)
		case errors.Is(err, os.ErrDeadlineExceeded): // sqld forgets a writer now and then
			err = fmt.Errorf("a request was not answered for %v and more: %w", answerPatience, err)
			c.failure.CompareAndSwap(nil, &err)
			c.failed.Add(1)
			return
		case err != nil:
			c.stop(err)
			return
		}
	}
}

// watch lets the clients warm up, and then counts.
func (c *serverClients) watch(running context.Context, server *runningServer, duration time.Duration) ServerRound {
	if !sleep(running, min(duration/4, time.Second)) {
		return ServerRound{}
	}
	cpu, served := cpuTime(), server.cpuTime()
	c.failed.Store(0)
	began := time.Now()
	c.measuring.Store(true)
	for sleep(running, duration) && c.done.Load() == 0 && c.failed.Load() == 0 {
		// Nothing at all is no figure; connections have a deadline.
	}
	c.measuring.Store(false)
	took := time.Since(began).Seconds()
	round := ServerRound{Done: c.done.Load(), Failed: c.failed.Load()}
	round.PerSecond = float64(round.Done) / took
	round.LoadCPU = (cpuTime() - cpu).Seconds() / took
	round.ServerCPU = (server.cpuTime() - served).Seconds() / took
	round.Memory = server.memory()
	return round
}
