package server

import (
	"strings"
	"testing"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
)

func batchOf(sqls ...string) string {
	steps := make([]string, len(sqls))
	for i, sql := range sqls {
		steps[i] = `{"stmt":{"sql":"` + sql + `"}}`
	}
	return `{"type":"batch","batch":{"steps":[` + strings.Join(steps, ",") + `]}}`
}

// What a pipeline has for a transaction that is lost in it is not committed alone,
// however it was lost, and whoever has found out.
func TestPipelineLosesTransaction(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before   []string
		by       func(t *testing.T, b *bundle)
		requests []string
		code     string
		n        int // of it in the answer
	}{
		"a conflict": {[]string{execute("BEGIN"), execute("SELECT count(*) FROM t")}, func(t *testing.T, b *bundle) { b.insert("other") },
			[]string{execute("INSERT INTO t VALUES ('lost')"), execute("INSERT INTO t VALUES ('after')"), batchOf("INSERT INTO t VALUES ('after')"), execute("COMMIT")}, `"code":"SQLITE_BUSY"`, 4},
		"a lease, found by a batch": {[]string{execute("BEGIN IMMEDIATE"), execute("INSERT INTO t VALUES ('lost')")}, func(t *testing.T, b *bundle) { b.insert("other") },
			[]string{batchOf("INSERT INTO t VALUES ('after')"), execute("INSERT INTO t VALUES ('after')"), execute("COMMIT")}, `"code":"TRANSACTION_TIMEOUT"`, 3},
		"a lease, found by a description": {[]string{execute("BEGIN IMMEDIATE"), execute("INSERT INTO t VALUES ('lost')")}, func(t *testing.T, b *bundle) { b.insert("other") },
			[]string{`{"type":"describe","sql":"SELECT 1"}`, execute("INSERT INTO t VALUES ('after')")}, `"code":"TRANSACTION_TIMEOUT"`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			b.pipeline("", execute("CREATE TABLE t (a)"), closeRequest)
			_, baton := b.pipeline("", test.before...)
			test.by(t, b)
			r, baton := b.pipeline(baton, test.requests...)
			r.expect(t, 200)
			if n := strings.Count(r.body, test.code); n != test.n {
				t.Errorf("%d times %s, not %d: %s", n, test.code, test.n, r.body)
			}
			// The client knows by now.
			r, _ = b.pipeline(baton, execute("SELECT group_concat(a) FROM t"), closeRequest)
			r.expect(t, 200, `"value":"other"`)
		})
	}
}

// insert adds a row past the server, waiting for the lease of whoever writes.
func (b *bundle) insert(text string) {
	b.t.Helper()
	h, err := b.cat.Acquire(b.t.Context(), catalog.Main)
	if err != nil {
		b.t.Fatal(err)
	}
	defer h.Release()
	if _, err := h.DB().Exec(b.t.Context(), "INSERT INTO t VALUES (?)", text); err != nil {
		b.t.Fatal(err)
	}
}

// TestWebSocketLostStays loses a transaction whose client sends the rest of it later
// than the error goes out: the client has not seen it yet.
func TestWebSocketLostStays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		begin, first, code string
	}{
		"a lease":    {"BEGIN IMMEDIATE", "INSERT INTO t VALUES ('lost')", "TRANSACTION_TIMEOUT"},
		"a conflict": {"BEGIN", "SELECT count(*) FROM t", "SQLITE_BUSY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			c := b.dial("hrana3").hello(1)
			c.sql(1, "CREATE TABLE t (a)")
			c.sql(1, test.begin)
			c.sql(1, test.first)
			b.insert("other")
			for range 2 {
				if code := c.fails(1, "INSERT INTO t VALUES ('after')"); code != test.code {
					t.Errorf("got %s", code)
				}
			}
			seq := "INSERT INTO t VALUES ('after')"
			if m := c.ask(hrana.Request{Kind: hrana.Sequence, StreamID: 1, SQL: &seq}); m.Error == nil || m.Error.Code != test.code {
				t.Errorf("got %+v", m)
			}
			if !c.ok(hrana.Request{Kind: hrana.GetAutocommit, StreamID: 1}).IsAutocommit {
				t.Error("in a transaction")
			}
			if code := c.fails(1, "COMMIT"); code != test.code {
				t.Errorf("COMMIT: got %s", code)
			}
			if got := c.sql(1, "SELECT group_concat(a) FROM t").Rows[0][0].Text; got != "other" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestWebSocketLostEnds tells by what the client shows that it knows.
func TestWebSocketLostEnds(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{"ROLLBACK", "begin", " /* anew */ BEGIN IMMEDIATE", "END"} {
		t.Run(sql, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			c := b.dial("hrana3").hello(1)
			c.sql(1, "CREATE TABLE t (a)")
			c.sql(1, "BEGIN")
			c.sql(1, "SELECT count(*) FROM t")
			b.insert("other")
			c.fails(1, "INSERT INTO t VALUES ('lost')")
			c.ask(hrana.Request{Kind: hrana.Execute, StreamID: 1, Stmt: &hrana.Stmt{SQL: &sql}})
			c.sql(1, "INSERT INTO t VALUES ('mine')")
		})
	}
}
