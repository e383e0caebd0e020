package hostile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nearlite/nearlite/server"
)

// A socket is a WebSocket of version 3 of Hrana, in JSON.
type socket struct {
	conn *websocket.Conn
	ctx  context.Context
}

// open opens one and says hello.
func (x *target) open(token string) (*socket, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	conn, _, err := websocket.Dial(ctx, "ws://"+x.addr, &websocket.DialOptions{Subprotocols: []string{"hrana3"}})
	if err != nil {
		cancel()
		return nil, err
	}
	conn.SetReadLimit(64 << 20)
	x.t.Cleanup(func() {
		_ = conn.CloseNow()
		cancel()
	})
	s := &socket{conn, ctx}
	jwt, _ := json.Marshal(token)
	return s, s.send(`{"type":"hello","jwt":` + string(jwt) + `}`)
}

func (s *socket) send(text string) error {
	return s.conn.Write(s.ctx, websocket.MessageText, []byte(text))
}

// request sends a request with a number.
func (s *socket) request(id int, request string) error {
	return s.send(fmt.Sprintf(`{"type":"request","request_id":%d,"request":%s}`, id, request))
}

// answer is a message of the server.
type answer struct {
	Type  string
	ID    int `json:"request_id"`
	Error *apiError
}

func (s *socket) read() (a answer, err error) {
	_, text, err := s.conn.Read(s.ctx)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

// socket tries a statement over a WebSocket, by itself, in a transaction, as a batch,
// a sequence, a stored text and a cursor.
func (x *target) socket(token, sql string) {
	x.t.Helper()
	s, err := x.open(token)
	if err != nil {
		x.t.Error(err)
		return
	}
	defer s.conn.CloseNow()
	text, _ := json.Marshal(sql)
	on := func(request string) string { return `{"stream_id":1,` + request[1:] }
	for i, request := range []string{
		`{"type":"open_stream","stream_id":1}`,
		on(execute(sql)),
		on(execute("BEGIN IMMEDIATE")), on(execute(sql)), on(execute("COMMIT")),
		on(batch("BEGIN", sql, "COMMIT")),
		on(`{"type":"sequence","sql":` + string(text) + `}`),
		`{"type":"store_sql","sql_id":1,"sql":` + string(text) + `}`,
		on(`{"type":"execute","stmt":{"sql_id":1}}`),
		on(`{"type":"open_cursor","cursor_id":1,"batch":{"steps":[{"stmt":{"sql":` + string(text) + `}}]}}`),
		`{"type":"fetch_cursor","cursor_id":1,"max_count":10}`,
	} {
		if err := s.request(i, request); err != nil {
			return // the server has ended it
		}
	}
	for range 12 {
		if _, err := s.read(); err != nil {
			return
		}
	}
}

// raw upgrades a connection by hand, for frames that no library sends.
func (x *target) raw() (net.Conn, error) {
	c, err := net.Dial("tcp", x.addr)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: hrana3\r\n\r\n")
	if err == nil {
		_, err = http.ReadResponse(bufio.NewReader(c), nil)
	}
	return c, err
}

// frame is one frame of a client, masked with zeros.
func frame(op byte, final bool, payload string) string {
	if final {
		op |= 0x80
	}
	n := len(payload)
	switch {
	case n < 126:
		return string([]byte{op, 0x80 | byte(n), 0, 0, 0, 0}) + payload
	case n < 1<<16:
		return string([]byte{op, 0x80 | 126, byte(n >> 8), byte(n), 0, 0, 0, 0}) + payload
	}
	return string([]byte{op, 0x80 | 127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0}) + payload
}

// What is no WebSocket's, no JSON, too large, too deep, too slow or too much ends the
// socket that it came on.
func TestSocketsOfStrangers(t *testing.T) {
	t.Parallel()
	const patience = 2 * time.Second
	x := begin(t, setting{Server: server.Options{MaxBody: 1 << 20, BodyTimeout: patience, HeaderTimeout: patience, Memory: 128 << 20}})
	x.reads()
	x.writes()
	hello := frame(1, true, `{"type":"hello","jwt":null}`)
	request := func(id int, request string) string {
		return frame(1, true, fmt.Sprintf(`{"type":"request","request_id":%d,"request":%s}`, id, request))
	}
	endings := map[string]string{
		"garbage":           strings.Repeat("\xff", 1000),
		"unmasked":          string([]byte{0x81, 2}) + "{}",
		"no JSON":           frame(1, true, "nonsense"),
		"binary":            frame(2, true, "{}"),
		"no UTF-8":          frame(1, true, "{\"type\":\"\xff\"}"),
		"too large":         hello + frame(1, true, strings.Repeat(" ", 2<<20)),
		"too large in bits": hello + frame(1, false, " ") + strings.Repeat(frame(0, false, strings.Repeat(" ", 1000)), 2000),
		"a length of 2^62":  hello + string([]byte{0x81, 0x80 | 127, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) + "{}",
		"deep":              hello + frame(1, true, strings.Repeat("[", 500_000)),
		"no hello":          request(1, `{"type":"open_stream","stream_id":1}`),
		"unknown stream":    hello + request(1, `{"type":"execute","stream_id":7,"stmt":{"sql":"SELECT 1"}}`),
		"too many streams":  hello + streams(request, 2000),
		"reserved bits":     string([]byte{0xf1, 0x80, 0, 0, 0, 0}),
		"a long ping":       frame(9, true, strings.Repeat("x", 200)),
		"nothing at all":    "",
		"half a message":    hello + frame(1, false, `{"type":`),
		"half a frame":      hello + frame(1, true, `{"type":"hello"}`)[:10],
	}
	var all sync.WaitGroup
	for name, text := range endings {
		all.Go(func() {
			c, err := x.raw()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			go func() { _, _ = io.WriteString(c, text) }()
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && !cut(err) || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
				t.Errorf("%s: the socket lives: %v", name, err)
			}
		})
	}
	all.Wait()
	// And floods of what is allowed.
	deadline := time.Now().Add(time.Duration(size(2)) * time.Second)
	for _, text := range []string{
		strings.Repeat(frame(9, true, "ping"), 1000),
		strings.Repeat(frame(10, true, "pong"), 1000),
		strings.Repeat(frame(1, false, "")+frame(0, true, " {} ")[:0]+frame(0, true, `{"type":"hello"}`), 500),
		strings.Repeat(hello, 1000),
		strings.Repeat(request(1, `{"type":"get_autocommit","stream_id":1}`), 1000),
	} {
		all.Go(func() {
			c, err := x.raw()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(deadline)
			go func() { _, _ = io.Copy(io.Discard, c) }()
			_, err = io.WriteString(c, hello+request(0, `{"type":"open_stream","stream_id":1}`))
			for err == nil {
				_, err = io.WriteString(c, text)
			}
		})
	}
	all.Wait()
	x.end(bounds{memory: 300})
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// streams opens n of them.
func streams(request func(int, string) string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(request(i, fmt.Sprintf(`{"type":"open_stream","stream_id":%d}`, i)))
	}
	return b.String()
}

// Clients that send request after request and read no answer lose their sockets, and
// take no more memory than there is for all.
func TestSocketsThatNeverRead(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Server: server.Options{WriteTimeout: time.Second, Memory: 128 << 20}})
	x.reads()
	x.writes()
	x.sendsMuch()
	var all sync.WaitGroup
	for range size(12) {
		all.Go(func() {
			s, err := x.open("")
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 20 {
				err = errors.Join(err, s.request(i, fmt.Sprintf(`{"type":"open_stream","stream_id":%d}`, i)))
			}
			sql := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 500) SELECT hex(zeroblob(1000)) FROM n"
			for i := 0; err == nil; i++ {
				err = s.request(100+i, fmt.Sprintf(`{"type":"execute","stream_id":%d,"stmt":{"sql":"%s"}}`, i%20, sql))
			}
			if !cut(err) && s.ctx.Err() != nil {
				t.Errorf("the socket lives: %v", err)
			}
		})
	}
	all.Wait()
	x.end(bounds{memory: 400})
}

// A socket that ends, however it ends, takes its transaction along at once.
func TestSocketsThatVanish(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{})
	x.reads()
	x.writes()
	each(4, size(1000), func(_ *client, i int) {
		s, err := x.open("")
		if err != nil {
			t.Error(err)
			return
		}
		for id, request := range []string{
			`{"type":"open_stream","stream_id":1}`,
			`{"type":"execute","stream_id":1,"stmt":{"sql":"BEGIN IMMEDIATE"}}`,
			`{"type":"execute","stream_id":1,"stmt":{"sql":"INSERT INTO work (body) VALUES ('vanished')"}}`,
		} {
			err = errors.Join(err, s.request(id, request))
		}
		for range 4 {
			a, failed := s.read()
			err = errors.Join(err, failed)
			if a.Error != nil {
				err = errors.Join(err, a.Error)
			}
		}
		if err != nil {
			t.Error(err)
		}
		_ = s.conn.CloseNow()
	}, x)
	if got, err := x.client().query("SELECT count(*) FROM work WHERE body = 'vanished'"); err != nil || got != "[[0]]" {
		t.Errorf("%s rows of transactions that nobody has committed, %v", got, err)
	}
	x.end(bounds{memory: 200, requests: 10})
}

// WebSockets cannot be ended to make place for others, so they do not get all places.
func TestSocketsTakeNotAllPlaces(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Server: server.Options{MaxConnections: 100}})
	refused := 0
	for range 120 {
		if _, err := x.open(""); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("nobody was refused")
	}
	x.connects()
	x.reads()
	c := x.client()
	for range 100 {
		if _, err := c.query("SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	x.await("the witnesses work", 20*time.Second, func() bool { return x.witnesses[0].done.Load() > 30 && x.witnesses[1].done.Load() > 30 })
	x.end(bounds{memory: 150, goroutines: 200})
}
