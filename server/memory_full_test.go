package server

import (
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/hrana"
)

// What is done is answered as done: nothing asks for another try of it.
func TestAnswerAfterWrite(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.pipeline("", execute("CREATE TABLE t (a)"), closeRequest)
	large := execute("SELECT hex(zeroblob(4500000))")
	r, baton := b.pipeline("", execute("INSERT INTO t VALUES ('first')"), large, large, large, large, execute("INSERT INTO t VALUES ('last')"))
	r.expect(t, 200)
	if n := strings.Count(r.body, `"code":"RESPONSE_TOO_LARGE"`); n != 2 {
		t.Errorf("%d of 2 requests are told that the answer is full", n)
	}
	r, _ = b.pipeline(baton, execute("SELECT group_concat(a) FROM t"), closeRequest)
	r.expect(t, 200, `"value":"first"`)

	// There is no memory for a while.
	all := []*memory{&b.server.memory, &b.server.middling, &b.server.large}
	for _, m := range all {
		if err := m.take(t.Context(), m.most); err != nil {
			t.Fatal(err)
		}
	}
	const insert = "INSERT INTO t VALUES (hex(zeroblob(20000))) RETURNING a"
	r, _ = b.pipeline("", execute(insert), closeRequest)
	r.expect(t, 200, `"affected_row_count":1`)
	b.do("POST", "/v1/query", `{"sql":"`+insert+`"}`).expect(t, 200, `"rows_affected":1`)
	sql := insert
	if m := b.dial("hrana2").hello(1).ask(hrana.Request{Kind: hrana.Execute, StreamID: 1, Stmt: &hrana.Stmt{SQL: &sql}}); m.Kind != hrana.ResponseOK {
		t.Errorf("got %+v", m)
	}
	for _, m := range all {
		m.give(m.most)
	}
	for from := time.Now(); b.server.memoryInUse() != 0; time.Sleep(time.Millisecond) {
		if time.Since(from) > 10*time.Second {
			t.Fatalf("%d bytes are taken still", b.server.memoryInUse())
		}
	}
	b.do("POST", "/v1/query", `{"sql":"SELECT count(*) FROM t"}`).expect(t, 200, `"rows":[[4]]`)
}
