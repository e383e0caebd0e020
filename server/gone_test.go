package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/hrana"
)

// The transaction of a client that has gone before it was answered is rolled back at
// once: nobody has its baton, and others wait for the writer.
func TestClientGone(t *testing.T) {
	t.Parallel()
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT "
	for name, test := range map[string]struct{ path, body string }{
		"a pipeline": {"/v3/pipeline", `{"requests":[` + execute("BEGIN IMMEDIATE") + `,` + execute("INSERT INTO t VALUES (1)") + `,` + execute(endless+"count(*) FROM n") + `]}`},
		"a cursor": {"/v3/cursor", `{"batch":{"steps":[{"stmt":{"sql":"BEGIN IMMEDIATE"}},{"stmt":{"sql":"INSERT INTO t VALUES (1)"}},` +
			`{"stmt":{"sql":"` + endless + `hex(zeroblob(1000)) FROM n LIMIT 4000"}},{"stmt":{"sql":"` + endless + `count(*) FROM n"}}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			b.do("POST", "/v1/query", `{"sql":"CREATE TABLE t (a)"}`).expect(t, 200)
			ended := make(chan struct{}, 1)
			h := b.server.Handler()
			s := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { ended <- struct{}{} }()
				h.ServeHTTP(w, r)
			}))
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, "POST", s.URL+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := (&http.Transport{}).RoundTrip(r); err == nil { // of a cursor, the head and some rows
				<-ctx.Done()
				answer.Body.Close()
			}
			<-ended
			if _, busy := b.server.streams.counts(); busy != 0 {
				t.Error("its transaction is open")
			}
		})
	}
}

// As with a pipeline, so with a WebSocket.
func TestWebSocketGone(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	c := b.dial("hrana3").hello(1)
	c.sql(1, "CREATE TABLE t (a)")
	c.sql(1, "BEGIN IMMEDIATE")
	c.sql(1, "INSERT INTO t VALUES (1)")
	sql := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"
	c.send(&hrana.ClientMsg{Request: &hrana.Request{Kind: hrana.Execute, StreamID: 1, Stmt: &hrana.Stmt{SQL: &sql}}})
	for b.server.figures.wsBusy.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	_ = c.conn.CloseNow()
	for from := time.Now(); b.server.figures.wsBusy.Load() > 0 || len(b.server.sockets.all()) > 0; time.Sleep(time.Millisecond) {
		if time.Since(from) > 10*time.Second {
			t.Fatal("its transaction is open")
		}
	}
}
