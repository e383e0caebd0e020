package server

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nearlite/nearlite/hrana"
)

// What a socket keeps, since its client does not read or fetch, is others' when they
// need it.
func TestSocketsGiveWay(t *testing.T) {
	t.Parallel()
	short := "SELECT printf('%15000d', 1)" // whose answer is not counted by itself
	long := short + " --" + strings.Repeat("x", 20_000)
	const shorts = 950 // answers are more than the system keeps for a client, requests fewer than one may have
	many := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT printf('%1000d', i) FROM n"
	for _, tt := range []struct {
		name    string
		streams int32
		count   int32
		reads   bool
		request func(i int32) hrana.Request
	}{
		{"requests behind answers that nobody reads", 1, shorts + 47, false, func(i int32) hrana.Request {
			sql := &short
			if i >= shorts {
				sql = &long
			}
			return hrana.Request{Kind: hrana.Execute, StreamID: 0, Stmt: &hrana.Stmt{SQL: sql}}
		}},
		{"cursors that nobody fetches from", batchesFree + 8, batchesFree + 8, true, func(i int32) hrana.Request {
			return hrana.Request{Kind: hrana.OpenCursor, StreamID: i, CursorID: i, Batch: &hrana.Batch{Steps: []hrana.BatchStep{{Stmt: hrana.Stmt{SQL: &many}}}}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{Memory: 16 << 20})
			c := b.dial("hrana3").hello()
			for i := range tt.streams {
				c.ok(hrana.Request{Kind: hrana.OpenStream, StreamID: i})
			}
			if tt.reads {
				go func() {
					for {
						if _, _, err := c.conn.Read(t.Context()); err != nil {
							return
						}
					}
				}()
			}
			go func() {
				for i := range tt.count {
					req := tt.request(i)
					m := hrana.JSON.AppendClientMsg(nil, &hrana.ClientMsg{RequestID: i, Request: &req})
					if c.conn.Write(t.Context(), websocket.MessageText, m) != nil {
						return
					}
				}
			}()
			most := b.server.memory.most
			b.settle(func() bool { return b.server.memory.inUse() > most-batchSize })
			if err := b.server.memory.take(t.Context(), most); err != nil {
				t.Fatal(err)
			}
			b.server.memory.give(most)
		})
	}
}

// Whoever holds a result does not wait for the memory of those who wait for that of
// results.
func TestResultsDoNotWait(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Memory: 16 << 20})
	c := b.dial("hrana3").hello(1, 2)
	most := b.server.memory.most
	if err := b.server.memory.take(t.Context(), most); err != nil {
		t.Fatal(err)
	}
	defer b.server.memory.give(most)
	// One that is short as a text and not in memory, and enough on its way before it.
	for k := range b.server.sockets.open {
		k.outgoing.Add(outgoingFree)
	}
	from := time.Now()
	if rows := c.sql(1, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) SELECT NULL FROM n").Rows; len(rows) != 2000 {
		t.Errorf("%d rows", len(rows))
	}
	if took := time.Since(from); took >= memoryPatience {
		t.Errorf("it took %v", took)
	}
}

// A connection that comes when all others work gets the place of the first that does
// not any more.
func TestPlaceOfTheFirstIdle(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{MaxConnections: 1})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newPatient(l, b.server)
	defer p.Close()
	accepted := make(chan error)
	var last net.Conn
	accept := func() {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		go func() {
			var err error
			last, err = p.Accept()
			accepted <- err
		}()
	}
	accept()
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	first := last.(*patientConn)
	first.work()
	accept()
	b.settle(p.full.Load)
	first.await()
	select {
	case err = <-accepted:
	case <-time.After(10 * time.Second):
		err = fmt.Errorf("it waits still")
	}
	if err != nil || !first.closed.Load() {
		t.Error(err, "the one that is idle has ended:", first.closed.Load())
	}
}
