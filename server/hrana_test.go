package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
)

// expect fails unless the answer has the status, and its body all of the parts.
func (r reply) expect(t *testing.T, status int, parts ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d: %s", r.status, status, r.body)
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			t.Errorf("%s is not in %s", part, r.body)
		}
	}
}

func TestBatonsOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.pipeline("", execute("CREATE TABLE t (a)"), closeRequest)

	// A transaction goes on from request to request.
	r, first := b.pipeline("", execute("BEGIN"), execute("INSERT INTO t VALUES (1)"))
	r.expect(t, 200)
	r, second := b.pipeline(first, execute("INSERT INTO t VALUES (2)"))
	r.expect(t, 200, `"affected_row_count":1`)
	if second == "" || second == first {
		t.Fatal("the baton is not new")
	}
	r, _ = b.pipeline(first, execute("INSERT INTO t VALUES (3)"))
	r.expect(t, 400, "Received a baton that has already been used")
	r, third := b.pipeline(second, execute("COMMIT"))
	r.expect(t, 200)
	r, _ = b.pipeline(second)
	r.expect(t, 400, "Received a baton that has already been used")

	// What was committed is there, and the stream goes on without a transaction.
	r, fourth := b.pipeline(third, execute("SELECT count(*) FROM t"), `{"type":"store_sql","sql_id":1,"sql":"SELECT 'stored'"}`)
	r.expect(t, 200, `"value":"2"`)

	// An idle stream may go at any time, its texts included; the baton brings it back.
	b.server.streams.sweep(time.Now().Add(idlePatience))
	if idle, busy := b.server.streams.counts(); idle+busy != 0 {
		t.Fatalf("%d idle and %d busy sessions are kept", idle, busy)
	}
	r, fifth := b.pipeline(fourth, `{"type":"execute","stmt":{"sql_id":1}}`)
	r.expect(t, 200, `"value":"stored"`)
	r, _ = b.pipeline(fourth)
	r.expect(t, 400, "Received a baton that has already been used")
	r, none := b.pipeline(fifth, closeRequest)
	r.expect(t, 200, `{"baton":null,`)
	if none != "" {
		t.Error("a closed stream has a baton")
	}
	r, _ = b.pipeline(fifth)
	r.expect(t, 400, "already been used")
	r, _ = b.pipeline("", closeRequest, execute("SELECT 1"))
	r.expect(t, 400, "Stream for this baton was closed")
	r, _ = b.pipeline("abc")
	r.expect(t, 400, "Received an invalid baton")
}

// A transaction whose client does not come back is rolled back, and the client
// learns of it: nothing of what it sends then is committed by itself.
func TestTransactionExpires(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.pipeline("", execute("CREATE TABLE t (a)"), closeRequest)
	_, baton := b.pipeline("", execute("BEGIN"), execute("INSERT INTO t VALUES (1)"))
	b.server.streams.sweep(time.Now().Add(transactionPatience))
	r, _ := b.pipeline(baton, execute("INSERT INTO t VALUES (2)"))
	r.expect(t, 400, `"code":"STREAM_EXPIRED"`, "The stream has expired due to inactivity")
	r, _ = b.pipeline("", execute("SELECT count(*) FROM t"), closeRequest)
	r.expect(t, 200, `"value":"0"`)
}

func TestLeaseEndsBetweenRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.pipeline("", execute("CREATE TABLE t (a)"), closeRequest)
	_, baton := b.pipeline("", execute("BEGIN IMMEDIATE"), execute("INSERT INTO t VALUES (1)"))
	h, err := b.cat.Acquire(t.Context(), catalog.Main)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	if _, err := h.DB().Exec(t.Context(), "INSERT INTO t VALUES (9)"); err != nil { // waits for the lease to end
		t.Fatal(err)
	}
	r, next := b.pipeline(baton, execute("INSERT INTO t VALUES (2)"), execute("INSERT INTO t VALUES (3)"), execute("COMMIT"))
	r.expect(t, 200, `"code":"TRANSACTION_TIMEOUT"`)
	if n := strings.Count(r.body, "TRANSACTION_TIMEOUT"); n != 3 {
		t.Errorf("%d of 3 statements were refused: %s", n, r.body)
	}
	r, _ = b.pipeline(next, execute("SELECT group_concat(a) FROM t"), closeRequest)
	r.expect(t, 200, `"value":"9"`)
}

func TestBatonSurvivesRestartAndRename(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	if _, err := b.cat.Create(t.Context(), "before", nil); err != nil {
		t.Fatal(err)
	}
	send := func(host, baton string, requests ...string) (reply, string) {
		text := "null"
		if baton != "" {
			text = `"` + baton + `"`
		}
		r := b.do("POST", "/v2/pipeline", `{"baton":`+text+`,"requests":[`+strings.Join(requests, ",")+`]}`, "Host", host)
		var m struct{ Baton string }
		_ = json.Unmarshal([]byte(r.body), &m)
		return r, m.Baton
	}
	_, baton := send("before.localhost", "", execute("CREATE TABLE here (a)"), `{"type":"store_sql","sql_id":7,"sql":"SELECT 'seven' FROM here"}`, execute("INSERT INTO here VALUES (1)"))
	_, busy := send("before.localhost", "", execute("BEGIN"))
	if err := b.cat.Rename(t.Context(), "before", "after"); err != nil {
		t.Fatal(err)
	}
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.server, err = New(b.cat, Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.server.Close() })
	b.http.Config.Handler = b.server.Handler()
	r, _ := send("before.localhost", baton, `{"type":"execute","stmt":{"sql_id":7}}`)
	r.expect(t, 200, `"value":"seven"`)
	r, _ = send("before.localhost", busy, execute("SELECT 1"))
	r.expect(t, 400, "STREAM_EXPIRED")
	r, _ = send("before.localhost", "", execute("SELECT 1"))
	r.expect(t, 404, "Namespace `before` doesn't exist")
}

func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{MaxBody: 1000})
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		part               string
	}{
		"no JSON":             {"POST", "/v2/pipeline", `{nope`, 400, "Cannot deserialize client message from JSON"},
		"no protobuf":         {"POST", "/v3-protobuf/pipeline", "\xff", 400, "Cannot deserialize client message from Protobuf"},
		"nothing":             {"POST", "/v3/pipeline", ``, 400, "Cannot deserialize"},
		"another method":      {"GET", "/v2/pipeline", ``, 405, "Use POST"},
		"too new a request":   {"POST", "/v2/pipeline", `{"requests":[{"type":"get_autocommit"}]}`, 400, "The `get_autocommit` request is only supported in protocol version hrana3 and higher"},
		"too new a condition": {"POST", "/v2/pipeline", `{"requests":[{"type":"batch","batch":{"steps":[{"condition":{"type":"not","cond":{"type":"is_autocommit"}},"stmt":{"sql":"SELECT 1"}}]}}]}`, 400, "is only supported in protocol version hrana3 and higher"},
		"too large":           {"POST", "/v2/pipeline", `{"requests":[],"x":"` + strings.Repeat("x", 1000) + `"}`, 413, "BODY_TOO_LARGE"},
		"nothing there":       {"GET", "/nowhere", ``, 404, "There is nothing at /nowhere"},
		"no version below":    {"GET", "/db/main/v9", ``, 404, "There is nothing at /v9"},
		"index":               {"GET", "/v3-protobuf", ``, 200, "Hello, this is HTTP API v2 (Hrana over HTTP)"},
		"info":                {"GET", "/info", ``, 404, ""},
		"health":              {"GET", "/health", ``, 200, ""},
		"ready":               {"GET", "/readyz", ``, 200, "ready"},
		"version":             {"GET", "/version", ``, 200, "nearlite"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.do(test.method, test.path, test.body).expect(t, test.status, test.part)
		})
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	step := func(sql string) string { return `{"stmt":{"sql":"` + sql + `"}}` }
	cursor := func(baton string, steps ...string) []string {
		text := "null"
		if baton != "" {
			text = `"` + baton + `"`
		}
		r := b.do("POST", "/v3/cursor", `{"baton":`+text+`,"batch":{"steps":[`+strings.Join(steps, ",")+`]}}`)
		r.expect(t, 200)
		return strings.Split(strings.TrimSuffix(r.body, "\n"), "\n")
	}
	baton := func(head string) string {
		return regexp.MustCompile(`"baton":"([^"]*)"`).FindStringSubmatch(head)[1]
	}
	lines := cursor("", step("SELECT 1 AS a"), step("SELECT * FROM nowhere"))
	want := []string{
		`{"type":"step_begin","step":0,"cols":[{"name":"a","decltype":null}]}`,
		`{"type":"row","row":[{"type":"integer","value":"1"}]}`,
		`{"type":"step_end","affected_row_count":0,"last_insert_rowid":null}`,
		`{"type":"step_error","step":1,"error":{"message":"SQLite error: no such table: nowhere","code":"SQLITE_UNKNOWN"}}`,
	}
	if got := strings.Join(lines[1:], "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	// Many rows come as a stream, and the baton that went before them is good.
	lines = cursor(baton(lines[0]), step("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < 20000) SELECT i FROM r"))
	if len(lines) != 20003 || lines[20001] != `{"type":"row","row":[{"type":"integer","value":"20000"}]}` {
		t.Errorf("%d lines, the last row is %s", len(lines), lines[len(lines)-2])
	}
	// A transaction that a cursor has begun goes on, too.
	lines = cursor(baton(lines[0]), step("BEGIN"), step("CREATE TABLE t (a)"), step("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < 2000) SELECT i FROM r"))
	r, next := b.pipeline(baton(lines[0]), execute("INSERT INTO t VALUES (1)"), execute("COMMIT"))
	r.expect(t, 200, `"affected_row_count":1`)
	if next == "" {
		t.Error("no baton")
	}
}

func TestProtobuf(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	sql := "SELECT 42"
	body := hrana.Protobuf.AppendPipelineRequest(nil, &hrana.PipelineRequest{Requests: []hrana.Request{{Kind: hrana.Execute, Stmt: &hrana.Stmt{SQL: &sql}}}})
	r := b.do("POST", "/v3-protobuf/pipeline", string(body))
	m, err := hrana.Protobuf.DecodePipelineResponse([]byte(r.body))
	if err != nil || r.header.Get("Content-Type") != "application/x-protobuf" {
		t.Fatalf("%v, %s", err, r.header)
	}
	if got := m.Results[0].OK.Result.Rows[0][0].Integer; got != 42 || m.Baton == nil {
		t.Errorf("got %d, baton %v", got, m.Baton)
	}
}

func TestLegacy(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	r := b.do("POST", "/", `{"statements":["CREATE TABLE t (a, b)",{"q":"INSERT INTO t VALUES (?, ?)","params":[1,{"base64":"AAE"}]},
		{"q":"INSERT INTO t VALUES (:a, :b)","params":{"a":2.5,":b":null}},"SELECT * FROM t","SELECT * FROM nowhere","SELECT 1"]}`)
	r.expect(t, 200, `{"results":{"columns":["a","b"],"rows":[[1,{"base64":"AAE="}],[2.5,null]]`, `{"error":"no such table: nowhere"},null]`)
	b.do("POST", "/", `{"statements":["BEGIN"]}`).expect(t, 400, "interactive transaction not allowed in HTTP queries")
	for _, left := range []string{`["SAVEPOINT a","CREATE TABLE left (a)"]`, `["BEGIN","SAVEPOINT a","CREATE TABLE left (a)","ROLLBACK TO a"]`} {
		b.do("POST", "/", `{"statements":`+left+`}`).expect(t, 400, "interactive transaction not allowed in HTTP queries")
	}
	b.do("POST", "/", `{"statements":["SAVEPOINT a","SELECT 1","RELEASE a"]}`).expect(t, 200)
	b.do("POST", "/", `{`).expect(t, 400, "Failed to parse the request body as JSON")
	b.do("POST", "/v1/execute", `{"stmt":{"sql":"SELECT ? + 1","args":[{"type":"integer","value":"1"}]}}`).expect(t, 200, `{"result":{"cols":[{"name":"? + 1"`, `"value":"2"`)
	b.do("POST", "/v1/execute", `{"stmt":{"sql":"SELEC"}}`).expect(t, 400, `"code":"SQL_PARSE_ERROR"`)
	b.do("POST", "/v1/batch", `{"batch":{"steps":[{"stmt":{"sql":"SELECT 1"}},{"stmt":{"sql":"SELECT * FROM nowhere"}}]}}`).expect(t, 200, `"step_errors":[null,{"message"`)
}

func TestDump(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.do("POST", "/v1/query", `{"sql":"CREATE TABLE t (a); INSERT INTO t VALUES (1), ('it''s'); CREATE TABLE u (b)"}`).expect(t, 200)
	want := "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\nINSERT INTO \"t\" VALUES(1);\nINSERT INTO \"t\" VALUES('it''s');\nCREATE TABLE u (b);\nCOMMIT;\n"
	if r := b.do("GET", "/dump", ""); r.body != want {
		t.Errorf("got\n%s\nwant\n%s", r.body, want)
	}
	b.do("GET", "/dump?like=u", "").expect(t, 200, "BEGIN TRANSACTION;\nCREATE TABLE u (b);\nCOMMIT;")
}

// Which database a request is for.
func TestChosenDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for _, name := range []string{catalog.Main, "shop", "x"} {
		if name != catalog.Main {
			if _, err := b.cat.Create(t.Context(), name, nil); err != nil {
				t.Fatal(err)
			}
		}
		b.do("POST", "/db/"+name+"/v1/query", fmt.Sprintf(`{"sql":"CREATE TABLE n AS SELECT '%s' AS name"}`, name)).expect(t, 200)
	}
	domain, err := New(b.cat, Options{BaseDomain: "nearlite.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = domain.Close() })
	for name, test := range map[string]struct {
		want    string // "" means that there is none
		path    string
		headers []string
		based   bool // with a base domain
	}{
		"none":                         {"main", "", nil, false},
		"an address":                   {"main", "", []string{"Host", "127.0.0.1:8080"}, false},
		"an IPv6 address":              {"main", "", []string{"Host", "[::1]:8080"}, false},
		"a name of one label":          {"main", "", []string{"Host", "localhost:8080"}, false},
		"a name of two labels":         {"main", "", []string{"Host", "example.com"}, false},
		"a label":                      {"shop", "", []string{"Host", "shop.example.com:8080"}, false},
		"a label in capitals":          {"shop", "", []string{"Host", "SHOP.example.com"}, false},
		"a label of localhost":         {"shop", "", []string{"Host", "shop.localhost:8080"}, false},
		"an unknown label":             {"", "", []string{"Host", "nope.example.com"}, false},
		"our header":                   {"shop", "", []string{"x-nearlite-database", "shop"}, false},
		"libSQL's header":              {"shop", "", []string{"x-namespace", "shop"}, false},
		"libSQL's header in base64":    {"shop", "", []string{"x-namespace-bin", "c2hvcA"}, false},
		"as replicas send it":          {"main", "", []string{"Host", "127.0.0.1:8080", "x-namespace-bin", "MTI3"}, false},
		"an unknown header":            {"", "", []string{"x-nearlite-database", "nope"}, false},
		"what sqld calls the first":    {"main", "", []string{"x-namespace", "default"}, false},
		"a path":                       {"shop", "/db/shop", nil, false},
		"sqld's path":                  {"shop", "/dev/shop", nil, false},
		"an unknown path":              {"", "/db/nope", nil, false},
		"a path before a header":       {"x", "/db/x", []string{"x-namespace", "shop"}, false},
		"a header before the host":     {"x", "", []string{"x-namespace", "x", "Host", "shop.example.com"}, false},
		"the base domain":              {"main", "", []string{"Host", "nearlite.example.com"}, true},
		"below the base domain":        {"shop", "", []string{"Host", "shop.nearlite.example.com"}, true},
		"another host, with a base":    {"main", "", []string{"Host", "shop.example.org"}, true},
		"below localhost, with a base": {"shop", "", []string{"Host", "shop.localhost"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := *b
			if test.based {
				to.server = domain
				to.http = serveHandler(t, domain.Handler())
			}
			r := to.do("POST", test.path+"/v2/pipeline", `{"requests":[`+execute("SELECT name FROM n")+`,`+closeRequest+`]}`, test.headers...)
			if test.want == "" {
				r.expect(t, 404, `"error":"Namespace `, `"code":"DATABASE_NOT_FOUND"`)
				return
			}
			r.expect(t, 200, `"value":"`+test.want+`"`)
		})
	}
}

// The tables of sessions are bounded whatever clients do.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Limits: Limits{Streams: 3}})
	for i := range 3 {
		r, baton := b.pipeline("", execute("BEGIN"), execute("SELECT 1"))
		if r.expect(t, 200); baton == "" {
			t.Errorf("transaction %d has no baton", i)
		}
	}
	r, _ := b.pipeline("", execute("BEGIN"), execute("SELECT 1"))
	r.expect(t, http.StatusServiceUnavailable, `"code":"TRANSACTION_BUSY"`)
	if r.header.Get("Retry-After") == "" {
		t.Error("nothing says when to try again")
	}
	r, _ = b.pipeline("", execute("SELECT 1"), closeRequest)
	r.expect(t, 200)
	b.server.streams.sweep(time.Now().Add(time.Hour))
	r, _ = b.pipeline("", execute("BEGIN"), execute("SELECT 1"))
	r.expect(t, 200)
}

func TestUsedBatonsAreBounded(t *testing.T) {
	t.Parallel()
	u := used{fresh: map[streamID]uint32{}}
	id := func(i int) streamID { return streamID{byte(i), byte(i >> 8), byte(i >> 16)} }
	for i := range 5 * usedMax {
		u.set(id(i), uint32(i))
		if i%1000 == 0 {
			u.set(id(0), 7) // used all the time
		}
	}
	if n := len(u.fresh) + len(u.stale); n > 2*usedMax {
		t.Errorf("%d batons are remembered", n)
	}
	if seq, ok := u.next(id(0)); !ok || seq != 7 {
		t.Errorf("a stream that is used is forgotten: %d %v", seq, ok)
	}
	if _, ok := u.next(id(1)); ok {
		t.Error("a stream that was never used again is not forgotten")
	}
}
