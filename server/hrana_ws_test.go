package server

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/token"
)

// A wsClient speaks Hrana over a WebSocket, message by message.
type wsClient struct {
	t    *testing.T
	conn *websocket.Conn
	enc  hrana.Encoding
}

// dial opens a WebSocket with these subprotocols.
func (b *bundle) dial(protocols ...string) *wsClient {
	b.t.Helper()
	// The system keeps little for a client that does not read.
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return conn, err
	}}
	conn, _, err := websocket.Dial(b.t.Context(), b.http.URL, &websocket.DialOptions{Subprotocols: protocols, HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		b.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 26)
	c := &wsClient{t: b.t, conn: conn}
	if conn.Subprotocol() == "hrana3-protobuf" {
		c.enc = hrana.Protobuf
	}
	b.t.Cleanup(func() { _ = conn.CloseNow() })
	return c
}

// raw sends a text message as it is.
func (c *wsClient) raw(text string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// send sends a message.
func (c *wsClient) send(m *hrana.ClientMsg) {
	c.t.Helper()
	typ := websocket.MessageText
	if c.enc == hrana.Protobuf {
		typ = websocket.MessageBinary
	}
	if err := c.conn.Write(c.t.Context(), typ, c.enc.AppendClientMsg(nil, m)); err != nil {
		c.t.Fatal(err)
	}
}

// text waits for a message.
func (c *wsClient) text() string {
	c.t.Helper()
	_, data, err := c.conn.Read(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// receive waits for a message and decodes it.
func (c *wsClient) receive() *hrana.ServerMsg {
	c.t.Helper()
	m, err := c.enc.DecodeServerMsg([]byte(c.text()))
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// ask sends a request and waits for its answer, the next message.
func (c *wsClient) ask(req hrana.Request) *hrana.ServerMsg {
	c.t.Helper()
	c.send(&hrana.ClientMsg{RequestID: 77, Request: &req})
	m := c.receive()
	if m.RequestID != 77 {
		c.t.Fatalf("an answer to %d: %+v", m.RequestID, m)
	}
	return m
}

// ok is ask for a request that has to succeed.
func (c *wsClient) ok(req hrana.Request) *hrana.Response {
	c.t.Helper()
	m := c.ask(req)
	if m.Kind != hrana.ResponseOK {
		c.t.Fatalf("%s: %+v", req.Kind, m.Error)
	}
	return m.Response
}

// sql executes a statement on a stream.
func (c *wsClient) sql(id int32, sql string) *hrana.StmtResult {
	c.t.Helper()
	return c.ok(hrana.Request{Kind: hrana.Execute, StreamID: id, Stmt: &hrana.Stmt{SQL: &sql}}).Result
}

// fails executes a statement that has to fail, and returns the code.
func (c *wsClient) fails(id int32, sql string) string {
	c.t.Helper()
	m := c.ask(hrana.Request{Kind: hrana.Execute, StreamID: id, Stmt: &hrana.Stmt{SQL: &sql}})
	if m.Kind != hrana.ResponseError {
		c.t.Fatalf("%s: %+v", sql, m.Response)
	}
	return m.Error.Code
}

// hello begins, and opens streams.
func (c *wsClient) hello(streams ...int32) *wsClient {
	c.t.Helper()
	c.send(&hrana.ClientMsg{})
	if m := c.receive(); m.Kind != hrana.HelloOK {
		c.t.Fatalf("got %+v", m)
	}
	for _, id := range streams {
		c.ok(hrana.Request{Kind: hrana.OpenStream, StreamID: id})
	}
	return c
}

// closed waits for the end of the socket, and holds its code and reason.
func (c *wsClient) closed(code websocket.StatusCode, reason string) {
	c.t.Helper()
	for {
		_, data, err := c.conn.Read(c.t.Context())
		if err == nil {
			c.t.Logf("before the end: %s", data)
			continue
		}
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != code || !strings.Contains(closed.Reason, reason) {
			c.t.Errorf("got %v, want code %d and %q", err, code, reason)
		}
		return
	}
}

// TestWebSocketVersions speaks every version of the protocol by messages as
// clients send them, all of them before the first answer.
func TestWebSocketVersions(t *testing.T) {
	t.Parallel()
	// What an answer begins with: times are never the same.
	ok := func(id int, response string) string {
		return fmt.Sprintf(`{"type":"response_ok","request_id":%d,"response":%s`, id, response)
	}
	request := func(id int, request string) string {
		return fmt.Sprintf(`{"type":"request","request_id":%d,"request":%s}`, id, request)
	}
	const result = `"affected_row_count":0,"last_insert_rowid":null,"replication_index":null,"rows_read":1,"rows_written":0,"query_duration_ms":`
	first := []string{
		`{"type":"hello","jwt":null}`, `{"type":"hello_ok"}`,
		request(0, `{"type":"open_stream","stream_id":3}`), ok(0, `{"type":"open_stream"}`),
		request(1, `{"type":"execute","stream_id":3,"stmt":{"sql":"SELECT ? AS a","args":[{"type":"text","value":"x"}],"want_rows":true}}`),
		ok(1, `{"type":"execute","result":{"cols":[{"name":"a","decltype":null}],"rows":[[{"type":"text","value":"x"}]],`+result),
		request(2, `{"type":"batch","stream_id":3,"batch":{"steps":[{"stmt":{"sql":"SELECT 1"}},{"condition":{"type":"error","step":0},"stmt":{"sql":"SELECT 2"}}]}}`),
		ok(2, `{"type":"batch","result":{"step_results":[{"cols":[{"name":"1","decltype":null}],"rows":[[{"type":"integer","value":"1"}]],`+result),
	}
	second := []string{
		request(3, `{"type":"store_sql","sql_id":7,"sql":"SELECT 7"}`), ok(3, `{"type":"store_sql"}`),
		request(4, `{"type":"execute","stream_id":3,"stmt":{"sql_id":7,"want_rows":true}}`), ok(4, `{"type":"execute","result":{"cols":[{"name":"7"`),
		request(5, `{"type":"sequence","stream_id":3,"sql":"CREATE TABLE t (a INT); INSERT INTO t VALUES (1)"}`), ok(5, `{"type":"sequence"}`),
		request(6, `{"type":"describe","stream_id":3,"sql":"SELECT a FROM t WHERE a = :x"}`),
		ok(6, `{"type":"describe","result":{"params":[{"name":":x"}],"cols":[{"name":"a","decltype":"INT"}],"is_explain":false,"is_readonly":true}}`),
		request(7, `{"type":"close_sql","sql_id":7}`), ok(7, `{"type":"close_sql"}`),
		`{"type":"hello"}`, `{"type":"hello_ok"}`,
	}
	third := []string{
		request(8, `{"type":"get_autocommit","stream_id":3}`), ok(8, `{"type":"get_autocommit","is_autocommit":true}`),
		request(9, `{"type":"open_cursor","stream_id":3,"cursor_id":1,"batch":{"steps":[{"stmt":{"sql":"SELECT 1 AS b"}}]}}`), ok(9, `{"type":"open_cursor"}`),
		request(10, `{"type":"fetch_cursor","cursor_id":1,"max_count":10}`),
		ok(10, `{"type":"fetch_cursor","entries":[{"type":"step_begin","step":0,"cols":[{"name":"b","decltype":null}]},{"type":"row","row":[{"type":"integer","value":"1"}]},{"type":"step_end","affected_row_count":0,"last_insert_rowid":null}],"done":true}}`),
		request(11, `{"type":"close_cursor","cursor_id":1}`), ok(11, `{"type":"close_cursor"}`),
	}
	last := []string{
		request(12, `{"type":"execute","stream_id":3,"stmt":{"sql":"SELECT * FROM missing"}}`), `{"type":"response_error","request_id":12,"error":{"message":"SQL`,
		request(13, `{"type":"close_stream","stream_id":3}`), ok(13, `{"type":"close_stream"}`),
	}
	for name, test := range map[string]struct {
		offers []string
		want   string
		talk   [][]string
	}{
		"hrana1":             {[]string{"hrana1"}, "hrana1", [][]string{first, last}},
		"no subprotocol":     {nil, "", [][]string{first, last}},
		"@libsql/client":     {[]string{"hrana2", "hrana1"}, "hrana2", [][]string{first, second, last}},
		"hrana3":             {[]string{"hrana1", "hrana2", "hrana3"}, "hrana3", [][]string{first, second, third, last}},
		"the best is chosen": {[]string{"x", "hrana1", "HRANA2"}, "HRANA2", [][]string{first, second, last}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := setup(t, Options{}).dial(test.offers...)
			if got := c.conn.Subprotocol(); got != test.want {
				t.Fatalf("got %q", got)
			}
			for _, part := range test.talk {
				for i := 0; i < len(part); i += 2 {
					c.raw(part[i])
				}
				expectAll(t, c, part)
			}
		})
	}
}

// expectAll waits for the answers of a talk, in any order: control requests may
// overtake those of a stream.
func expectAll(t *testing.T, c *wsClient, talk []string) {
	t.Helper()
	missing := map[string]bool{}
	for i := 1; i < len(talk); i += 2 {
		missing[talk[i]] = true
	}
	for len(missing) > 0 {
		got, found := c.text(), false
		for want := range missing {
			if strings.HasPrefix(got, want) {
				delete(missing, want)
				found = true
				break
			}
		}
		if !found {
			t.Fatalf("got  %s\nwant one of %v", got, missing)
		}
	}
}

// TestWebSocketProtobuf does everything of version 3 in protobuf.
func TestWebSocketProtobuf(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{}).dial("hrana3-protobuf").hello(1)
	c.sql(1, "CREATE TABLE t (a)")
	if res := c.sql(1, "INSERT INTO t VALUES (1), (2)"); res.AffectedRowCount != 2 || *res.LastInsertRowID != 2 {
		t.Errorf("got %+v", res)
	}
	id, text := int32(5), "SELECT a FROM t"
	c.ok(hrana.Request{Kind: hrana.StoreSQL, SQLID: &id, SQL: &text})
	if d := c.ok(hrana.Request{Kind: hrana.Describe, StreamID: 1, SQLID: &id}).Describe; len(d.Cols) != 1 || !d.IsReadonly {
		t.Errorf("got %+v", d)
	}
	c.ok(hrana.Request{Kind: hrana.OpenCursor, StreamID: 1, CursorID: 9, Batch: &hrana.Batch{Steps: []hrana.BatchStep{{Stmt: hrana.Stmt{SQLID: &id}}}}})
	var rows int
	for done := false; !done; {
		res := c.ok(hrana.Request{Kind: hrana.FetchCursor, CursorID: 9, MaxCount: 1})
		for _, e := range res.Entries {
			if e.Kind == hrana.Row {
				rows++
			}
		}
		done = res.Done
	}
	c.ok(hrana.Request{Kind: hrana.CloseCursor, CursorID: 9})
	if rows != 2 {
		t.Errorf("%d rows", rows)
	}
	if !c.ok(hrana.Request{Kind: hrana.GetAutocommit, StreamID: 1}).IsAutocommit {
		t.Error("in a transaction")
	}
	c.ok(hrana.Request{Kind: hrana.CloseStream, StreamID: 1})
}

// TestWebSocketViolations breaks the protocol in every way.
func TestWebSocketViolations(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{MaxBody: 1 << 20})
	const open = `{"type":"request","request_id":1,"request":{"type":"open_stream","stream_id":1}}`
	do := func(request string) string { return `{"type":"request","request_id":1,"request":` + request + `}` }
	for name, test := range map[string]struct {
		protocol string
		messages []string
		code     websocket.StatusCode
		reason   string
	}{
		"no JSON":                   {"hrana3", []string{`x`}, websocket.StatusInvalidFramePayloadData, "Cannot deserialize client message from JSON"},
		"no such message":           {"hrana3", []string{`{"type":"bye"}`}, websocket.StatusInvalidFramePayloadData, "bye"},
		"text in protobuf":          {"hrana3-protobuf", []string{`{"type":"hello"}`}, websocket.StatusUnsupportedData, "Received a text WebSocket message"},
		"a request before hello":    {"hrana3", []string{open}, websocket.StatusPolicyViolation, "before hello"},
		"hello again in hrana1":     {"hrana1", []string{`{"type":"hello"}`, `{"type":"hello"}`}, websocket.StatusPolicyViolation, "Repeated hello"},
		"describe in hrana1":        {"hrana1", []string{`{"type":"hello"}`, open, do(`{"type":"describe","stream_id":1,"sql":"x"}`)}, websocket.StatusPolicyViolation, "only supported in protocol version hrana2"},
		"sql_id in hrana1":          {"hrana1", []string{`{"type":"hello"}`, open, do(`{"type":"execute","stream_id":1,"stmt":{"sql_id":1}}`)}, websocket.StatusPolicyViolation, "only supported in protocol version hrana2"},
		"a cursor in hrana2":        {"hrana2", []string{`{"type":"hello"}`, open, do(`{"type":"open_cursor","stream_id":1,"cursor_id":1,"batch":{"steps":[]}}`)}, websocket.StatusPolicyViolation, "only supported in protocol version hrana3"},
		"a stream twice":            {"hrana2", []string{`{"type":"hello"}`, open, open}, websocket.StatusPolicyViolation, "Stream 1 already exists"},
		"no such stream":            {"hrana2", []string{`{"type":"hello"}`, do(`{"type":"execute","stream_id":5,"stmt":{"sql":"x"}}`)}, websocket.StatusPolicyViolation, "Stream 5 not found"},
		"no such text":              {"hrana2", []string{`{"type":"hello"}`, open, do(`{"type":"execute","stream_id":1,"stmt":{"sql_id":5}}`)}, websocket.StatusPolicyViolation, "SQL text 5 not found"},
		"a text twice":              {"hrana2", []string{`{"type":"hello"}`, do(`{"type":"store_sql","sql_id":5,"sql":"x"}`), do(`{"type":"store_sql","sql_id":5,"sql":"x"}`)}, websocket.StatusPolicyViolation, "SQL text 5 already exists"},
		"neither sql nor sql_id":    {"hrana2", []string{`{"type":"hello"}`, open, do(`{"type":"execute","stream_id":1,"stmt":{}}`)}, websocket.StatusPolicyViolation, "`sql` or `sql_id`"},
		"no such cursor":            {"hrana3", []string{`{"type":"hello"}`, do(`{"type":"fetch_cursor","cursor_id":5,"max_count":1}`)}, websocket.StatusPolicyViolation, "Cursor 5 not found"},
		"two cursors on one stream": {"hrana3", []string{`{"type":"hello"}`, open, do(`{"type":"open_cursor","stream_id":1,"cursor_id":1,"batch":{"steps":[]}}`), do(`{"type":"open_cursor","stream_id":1,"cursor_id":2,"batch":{"steps":[]}}`)}, websocket.StatusPolicyViolation, "already has an open cursor"},
		"too large":                 {"hrana3", []string{strings.Repeat("x", 1<<20+1)}, websocket.StatusMessageTooBig, ""},
		"deep":                      {"hrana3", []string{`{"x":` + strings.Repeat("[", 1e5)}, websocket.StatusInvalidFramePayloadData, "nests deeper"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &wsClient{t: t}
			var err error
			if c.conn, _, err = websocket.Dial(t.Context(), b.http.URL, &websocket.DialOptions{Subprotocols: []string{test.protocol}}); err != nil {
				t.Fatal(err)
			}
			defer c.conn.CloseNow()
			for _, m := range test.messages {
				_ = c.conn.Write(t.Context(), websocket.MessageText, []byte(m)) // it may be closed already
			}
			c.closed(test.code, test.reason)
		})
	}
	_, answer, err := websocket.Dial(t.Context(), b.http.URL, &websocket.DialOptions{Subprotocols: []string{"chat"}})
	if err == nil || answer == nil || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown subprotocol: %v", err)
	}
}

// TestWebSocketTransaction has a transaction on one stream while another reads,
// and one that ends with its socket.
func TestWebSocketTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	c := b.dial("hrana3").hello(1, 2)
	c.sql(1, "CREATE TABLE t (a)")
	c.sql(1, "BEGIN IMMEDIATE")
	c.sql(1, "INSERT INTO t VALUES (1)")
	if b.server.inTransaction() != 1 {
		t.Errorf("%d transactions", b.server.inTransaction())
	}
	if c.ok(hrana.Request{Kind: hrana.GetAutocommit, StreamID: 1}).IsAutocommit {
		t.Error("no transaction")
	}
	if rows := c.sql(2, "SELECT * FROM t").Rows; len(rows) != 0 {
		t.Errorf("another stream sees %v", rows)
	}
	c.sql(1, "COMMIT")
	if rows := c.sql(2, "SELECT * FROM t").Rows; len(rows) != 1 {
		t.Errorf("got %v", rows)
	}
	c.sql(1, "BEGIN IMMEDIATE")
	c.sql(1, "INSERT INTO t VALUES (2)")
	began := time.Now()
	_ = c.conn.CloseNow()
	d := b.dial("hrana3").hello(1)
	d.sql(1, "BEGIN IMMEDIATE")
	if rows := d.sql(1, "SELECT * FROM t").Rows; len(rows) != 1 {
		t.Errorf("what was open is %v", rows)
	}
	if took := time.Since(began); took > 400*time.Millisecond { // a lease would have ended it then
		t.Errorf("the transaction of a closed socket was open for %v", took)
	}
	d.sql(1, "ROLLBACK")
}

// TestWebSocketPipelining sends requests to many streams without waiting, and
// closes a text while requests with it are on their way.
func TestWebSocketPipelining(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{}).dial("hrana2").hello(0, 1, 2, 3)
	c.sql(0, "CREATE TABLE t (a)")
	const each = 50
	id, sql := int32(0), "INSERT INTO t VALUES (1)"
	c.ok(hrana.Request{Kind: hrana.StoreSQL, SQLID: &id, SQL: &sql})
	for i := range int32(4 * each) {
		c.send(&hrana.ClientMsg{RequestID: i, Request: &hrana.Request{Kind: hrana.Execute, StreamID: i % 4, Stmt: &hrana.Stmt{SQLID: &id}}})
	}
	c.send(&hrana.ClientMsg{RequestID: 4 * each, Request: &hrana.Request{Kind: hrana.CloseSQL, SQLID: &id}})
	seen := map[int32]bool{}
	last := map[int32]int32{}
	for range 4*each + 1 {
		m := c.receive()
		if m.Kind != hrana.ResponseOK || seen[m.RequestID] {
			t.Fatalf("got %+v", m)
		}
		seen[m.RequestID] = true
		if before, ok := last[m.RequestID%4]; ok && m.RequestID < before && m.RequestID != 4*each {
			t.Errorf("%d after %d on one stream", m.RequestID, before)
		}
		if m.RequestID != 4*each {
			last[m.RequestID%4] = m.RequestID
		}
	}
	if n := c.sql(0, "SELECT count(*) FROM t").Rows[0][0].Integer; n != 4*each {
		t.Errorf("%d rows", n)
	}
}

// TestWebSocketLost ends a transaction under a client that has sent more for it.
func TestWebSocketLost(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	c := b.dial("hrana2").hello(1)
	c.sql(1, "CREATE TABLE t (a)")
	c.sql(1, "BEGIN IMMEDIATE")
	c.sql(1, "INSERT INTO t VALUES (1)")
	// Another writer ends it by its lease.
	d := b.dial("hrana2").hello(1)
	d.sql(1, "INSERT INTO t VALUES (100)")
	sql := "INSERT INTO t VALUES (2)"
	for i := range int32(3) {
		c.send(&hrana.ClientMsg{RequestID: i, Request: &hrana.Request{Kind: hrana.Execute, StreamID: 1, Stmt: &hrana.Stmt{SQL: &sql}}})
	}
	failed := 0
	for range 3 {
		if m := c.receive(); m.Kind == hrana.ResponseError && m.Error.Code == "TRANSACTION_TIMEOUT" {
			failed++
		}
	}
	// The first is told; those that came before it was are not done either.
	if n := d.sql(1, "SELECT count(*) FROM t WHERE a < 100").Rows[0][0].Integer; failed == 0 || int(n) != 3-failed {
		t.Errorf("%d requests failed, and %d rows are there", failed, n)
	}
}

// TestWebSocketBounds goes beyond what one socket may keep.
func TestWebSocketBounds(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Limits: Limits{Streams: 2, Rate: 1, Burst: 3}})
	c := b.dial("hrana3").hello(1, 2)
	if m := c.ask(hrana.Request{Kind: hrana.OpenStream, StreamID: 3}); m.Kind != hrana.ResponseError || m.Error.Code != "TOO_MANY_STREAMS" {
		t.Errorf("got %+v", m)
	}
	sql := "SELECT 1"
	if m := c.ask(hrana.Request{Kind: hrana.Execute, StreamID: 3, Stmt: &hrana.Stmt{SQL: &sql}}); m.Kind != hrana.ResponseError ||
		m.Error.Code != "STREAM_NOT_OPEN" || !strings.Contains(m.Error.Message, "to open: More than 2 streams") {
		t.Errorf("got %+v", m)
	}
	c.ok(hrana.Request{Kind: hrana.CloseStream, StreamID: 3})
	for range 3 {
		c.sql(1, "SELECT 1")
	}
	if code := c.fails(1, "SELECT 1"); code != "RATE_LIMIT" {
		t.Errorf("got %s", code)
	}
	for i := range int32(textsMax) {
		c.ok(hrana.Request{Kind: hrana.StoreSQL, SQLID: &i, SQL: new(string)})
	}
	id, long := int32(1000), strings.Repeat("x", textsSizeMax+1)
	if m := c.ask(hrana.Request{Kind: hrana.StoreSQL, SQLID: &id, SQL: new(string)}); m.Error == nil || m.Error.Code != "SQL_STORE_TOO_MANY" {
		t.Errorf("got %+v", m)
	}
	id = 1
	c.ok(hrana.Request{Kind: hrana.CloseSQL, SQLID: &id})
	if m := c.ask(hrana.Request{Kind: hrana.StoreSQL, SQLID: &id, SQL: &long}); m.Error == nil || m.Error.Code != "SQL_STORE_TOO_LARGE" {
		t.Errorf("got %+v", m)
	}
	_ = c.conn.Close(websocket.StatusNormalClosure, "")
	b.settle(func() bool {
		return b.server.figures.wsStreams.Load() == 0 && b.server.callers.everyone.streams.Load() == 0
	})
}

// settle waits until something has come about that nobody announces.
func (b *bundle) settle(done func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); runtime.Gosched() {
		if time.Now().After(deadline) {
			b.t.Fatal("it does not come about")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestWebSocketCursors fetches more than is kept, closes in the middle, and lets a
// request wait behind a cursor.
func TestWebSocketCursors(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{}).dial("hrana3").hello(1)
	many := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i, printf('%100d', i) FROM n"
	open := func() {
		c.ok(hrana.Request{Kind: hrana.OpenCursor, StreamID: 1, CursorID: 1, Batch: &hrana.Batch{Steps: []hrana.BatchStep{{Stmt: hrana.Stmt{SQL: &many}}}}})
	}
	open()
	next := int64(1)
	for done := false; !done; {
		res := c.ok(hrana.Request{Kind: hrana.FetchCursor, CursorID: 1, MaxCount: 5000})
		for _, e := range res.Entries {
			if e.Kind == hrana.Row {
				if e.Row[0].Integer != next {
					t.Fatalf("row %d instead of %d", e.Row[0].Integer, next)
				}
				next++
			}
		}
		done = res.Done
	}
	if next != 20001 {
		t.Errorf("%d rows", next-1)
	}
	c.ok(hrana.Request{Kind: hrana.CloseCursor, CursorID: 1})

	open()
	one := "SELECT 1"
	c.send(&hrana.ClientMsg{RequestID: 5, Request: &hrana.Request{Kind: hrana.Execute, StreamID: 1, Stmt: &hrana.Stmt{SQL: &one}}})
	if res := c.ok(hrana.Request{Kind: hrana.FetchCursor, CursorID: 1, MaxCount: 3}); len(res.Entries) != 3 || res.Done {
		t.Errorf("got %+v", res)
	}
	c.send(&hrana.ClientMsg{RequestID: 6, Request: &hrana.Request{Kind: hrana.CloseCursor, CursorID: 1}})
	got := map[int32]bool{c.receive().RequestID: true, c.receive().RequestID: true}
	if !got[5] || !got[6] {
		t.Errorf("got %v", got)
	}

	// A batch that fails as a whole says so at its end.
	bad := "SELEC"
	c.ok(hrana.Request{Kind: hrana.OpenCursor, StreamID: 1, CursorID: 1, Batch: &hrana.Batch{Steps: []hrana.BatchStep{{Stmt: hrana.Stmt{SQL: &bad}}}}})
	if res := c.ok(hrana.Request{Kind: hrana.FetchCursor, CursorID: 1, MaxCount: 10}); !res.Done || len(res.Entries) != 1 || res.Entries[0].Error == nil {
		t.Errorf("got %+v", res)
	}
}

// TestWebSocketTokens signs in, wrongly, rightly, and anew.
func TestWebSocketTokens(t *testing.T) {
	t.Parallel()
	private, public, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.pub")
	if err := os.WriteFile(path, public, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := token.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t, Options{Keys: keys})
	for name, test := range map[string]struct{ jwt, want string }{
		"none":  {"null", `{"type":"hello_error","error":{"message":"Authentication failed: Expected authorization header but none given","code":"AUTH_HEADER_NOT_FOUND"}}`},
		"wrong": {`"x.y.z"`, `{"type":"hello_error","error":{"message":"Authentication failed: The JWT is invalid","code":"AUTH_JWT_INVALID"}}`},
		"old":   {quoted(minted(t, key, &token.Claims{Access: token.Write, Expires: time.Now().Add(-time.Hour)})), `{"type":"hello_error","error":{"message":"Authentication failed: The JWT has expired","code":"AUTH_JWT_EXPIRED"}}`},
	} {
		c := b.dial("hrana2")
		c.raw(`{"type":"hello","jwt":` + test.jwt + `}`)
		if got := c.text(); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		c.closed(websocket.StatusNormalClosure, "")
	}

	c := b.dial("hrana2")
	login := func(claims *token.Claims) {
		t.Helper()
		jwt := minted(t, key, claims)
		c.send(&hrana.ClientMsg{JWT: &jwt})
		if m := c.receive(); m.Kind != hrana.HelloOK {
			t.Fatalf("got %+v", m)
		}
	}
	login(&token.Claims{Access: token.Write, Database: "other"})
	if m := c.ask(hrana.Request{Kind: hrana.OpenStream, StreamID: 1}); m.Error == nil || m.Error.Code != "FORBIDDEN" {
		t.Errorf("another's database: %+v", m)
	}
	login(&token.Claims{Access: token.Read})
	c.ok(hrana.Request{Kind: hrana.OpenStream, StreamID: 2})
	if code := c.fails(2, "CREATE TABLE t (a)"); code != "FORBIDDEN" && code != "BLOCKED" {
		t.Errorf("writing with a token to read: %s", code)
	}
	login(&token.Claims{Access: token.Write})
	c.sql(2, "CREATE TABLE t (a)")

	// The key goes, and with it who signed in by it.
	_, other, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keys.Reload(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(authEvery) // the promise is about this time
	c.raw(`{"type":"request","request_id":1,"request":{"type":"execute","stream_id":2,"stmt":{"sql":"SELECT 1"}}}`)
	c.closed(websocket.StatusPolicyViolation, "The JWT is invalid")
}

func minted(t *testing.T, key ed25519.PrivateKey, claims *token.Claims) string {
	t.Helper()
	text, err := token.Mint(key, claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// TestWebSocketDatabases chooses a database by path, and by header.
func TestWebSocketDatabases(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	if _, err := b.cat.Create(t.Context(), "orders", nil); err != nil {
		t.Fatal(err)
	}
	main := b.dial("hrana2").hello(1)
	main.sql(1, "CREATE TABLE t AS SELECT 'main' AS name")
	open := func(path string, header http.Header) *wsClient {
		conn, _, err := websocket.Dial(t.Context(), b.http.URL+path, &websocket.DialOptions{Subprotocols: []string{"hrana2"}, HTTPHeader: header})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		return &wsClient{t: t, conn: conn}
	}
	orders := open("/db/orders", nil).hello(1)
	orders.sql(1, "CREATE TABLE t AS SELECT 'orders' AS name")
	byHeader := open("/", http.Header{"X-Nearlite-Database": {"orders"}}).hello(1)
	if got := byHeader.sql(1, "SELECT name FROM t").Rows[0][0].Text; got != "orders" {
		t.Errorf("got %s", got)
	}
	none := open("/db/nothing", nil)
	none.hello()
	if m := none.ask(hrana.Request{Kind: hrana.OpenStream, StreamID: 1}); m.Error == nil || m.Error.Code != "DATABASE_NOT_FOUND" {
		t.Errorf("got %+v", m)
	}
	if err := b.cat.Rename(t.Context(), "orders", "sales"); err != nil {
		t.Fatal(err)
	}
	if got := orders.sql(1, "SELECT name FROM t").Rows[0][0].Text; got != "orders" {
		t.Errorf("after a rename: got %s", got)
	}
	if err := b.cat.Delete(t.Context(), "sales"); err != nil {
		t.Fatal(err)
	}
	if code := orders.fails(1, "SELECT name FROM t"); code != "DATABASE_NOT_FOUND" {
		t.Errorf("after it was deleted: %s", code)
	}
}

// TestWebSocketDrain ends sockets when their transactions are over.
func TestWebSocketDrain(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	idle, busy := b.dial("hrana2").hello(1), b.dial("hrana2").hello(1, 2)
	busy.sql(1, "CREATE TABLE t (a)")
	busy.sql(1, "BEGIN IMMEDIATE")
	drained := make(chan error)
	go func() { drained <- b.server.Drain(context.WithoutCancel(t.Context())) }()
	b.settle(func() bool { return b.server.draining.Load() })
	if code := busy.fails(2, "SELECT 1"); code != "SERVER_STOPPING" {
		t.Errorf("got %s", code)
	}
	busy.sql(1, "INSERT INTO t VALUES (1)")
	busy.sql(1, "COMMIT")
	idle.closed(websocket.StatusGoingAway, "shutting down")
	busy.closed(websocket.StatusGoingAway, "shutting down")
	if err := <-drained; err != nil {
		t.Error(err)
	}
	b.settle(func() bool { return b.server.figures.sockets.Load() == 0 })
}

// TestWebSocketSilence has clients that are there, that have lost their power, and
// that never say who they are.
func TestWebSocketSilence(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.server.sockets.patience = time.Second
	here := b.dial("hrana2").hello(1)
	ctx := here.conn.CloseRead(t.Context()) // which answers pings
	dead := idleSocket(t, strings.TrimPrefix(b.http.URL, "http://"))
	defer dead.Close()
	stranger := b.dial("hrana2")
	b.settle(func() bool { return b.server.figures.sockets.Load() == 3 })
	b.server.sockets.watch(time.Now())
	if n := b.server.sockets.pings.Load(); n != 0 {
		t.Errorf("%d pings at once", n)
	}
	b.settle(func() bool {
		b.server.sockets.watch(time.Now().Add(pingEvery + time.Second))
		return b.server.figures.sockets.Load() == 1
	})
	if ctx.Err() != nil {
		t.Error("the one that is there was cut off")
	}
	if _, _, err := stranger.conn.Read(t.Context()); err == nil {
		t.Error("the stranger is there still")
	}
}

// TestWebSocketDeaf has a client that asks for much and reads nothing.
func TestWebSocketDeaf(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Memory: 16 << 20})
	c := b.dial("hrana2").hello(1, 2)
	big := "SELECT printf('%1000000d', 1)"
	go func() { // until nobody takes more
		for i := int32(0); ; i++ {
			m := hrana.JSON.AppendClientMsg(nil, &hrana.ClientMsg{RequestID: i, Request: &hrana.Request{Kind: hrana.Execute, StreamID: 1 + i%2, Stmt: &hrana.Stmt{SQL: &big}}})
			if c.conn.Write(t.Context(), websocket.MessageText, m) != nil {
				return
			}
		}
	}()
	b.settle(func() bool { return b.server.memory.inUse() > 0 })
	if n := b.server.memory.inUse(); n > 16<<20 {
		t.Errorf("%d bytes are in use", n)
	}
	// Others are served.
	d := b.dial("hrana2").hello(1)
	d.sql(1, "SELECT 1")
	_ = c.conn.CloseNow()
	b.settle(func() bool { return b.server.memory.inUse() == 0 && b.server.figures.sockets.Load() <= 2 })
}

// TestIdleSocketMemory opens sockets that do nothing, each with a stream that has
// been used, and holds what one costs.
func TestIdleSocketMemory(t *testing.T) {
	const count = 500
	b := setup(t, Options{})
	before := inUse()
	conns := make([]net.Conn, 0, count)
	for range count {
		conns = append(conns, idleSocket(t, strings.TrimPrefix(b.http.URL, "http://")))
	}
	warm := float64(inUse()-before) / count
	for _, k := range b.server.sockets.all() {
		for _, st := range k.streams {
			st.mu.Lock()
			st.used = st.used.Add(-idlePatience)
			st.mu.Unlock()
			st.rest()
		}
	}
	idle := float64(inUse()-before) / count
	t.Logf("a socket with a stream: %.1f KiB after use, %.1f KiB when idle", warm/1024, idle/1024)
	if idle > 30<<10 {
		t.Errorf("an idle socket takes %.0f bytes", idle)
	}
	for _, c := range conns {
		_ = c.Close()
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// idleSocket opens a socket by hand, so that the client costs next to nothing,
// and executes a statement on it.
func idleSocket(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	send := func(message string) {
		t.Helper()
		frame := []byte{0x81, 0x80 | 126, byte(len(message) >> 8), byte(len(message)), 0, 0, 0, 0}
		if _, err := conn.Write(append(frame, message...)); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 1024)
	receive := func(want string) {
		t.Helper()
		for got := ""; !strings.Contains(got, want); {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got += string(buf[:n])
		}
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: hrana2\r\n\r\n")
	receive("\r\n\r\n")
	send(`{"type":"hello"}`)
	send(`{"type":"request","request_id":1,"request":{"type":"open_stream","stream_id":1}}`)
	send(`{"type":"request","request_id":2,"request":{"type":"execute","stream_id":1,"stmt":{"sql":"SELECT 1"}}}`)
	receive(`"request_id":2`)
	return conn
}
