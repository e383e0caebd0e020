package server

import (
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/token"
)

// What a stream may do is what its caller may do now: the database may have got
// another name since, or been blocked, and a stream that is used never goes away.
func TestRightsChangeUnderStreams(t *testing.T) {
	t.Parallel()
	const insert, query = "INSERT INTO t VALUES (1)", "SELECT * FROM t"
	for name, test := range map[string]struct {
		change      func(t *testing.T, b *bundle)
		sql         string
		http, inTxn string // parts of the answers
		ws          string // code
	}{
		"renamed to one that is only read": {func(t *testing.T, b *bundle) { b.rename("mine", "seen") }, insert, `"code":"FORBIDDEN"`, `"code":"FORBIDDEN"`, "FORBIDDEN"},
		"renamed to one of others":         {func(t *testing.T, b *bundle) { b.rename("mine", "theirs") }, query, `"code":"FORBIDDEN"`, `"code":"FORBIDDEN"`, "FORBIDDEN"},
		"writes are blocked":               {func(t *testing.T, b *bundle) { b.configure("mine", catalog.Config{BlockWrites: true}) }, insert, `"code":"BLOCKED"`, `"code":"BLOCKED"`, "BLOCKED"},
		"reads are blocked":                {func(t *testing.T, b *bundle) { b.configure("mine", catalog.Config{BlockReads: true}) }, query, `"code":"BLOCKED"`, `"code":"BLOCKED"`, "BLOCKED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, mint := secure(t, Options{})
			if _, err := b.cat.Create(t.Context(), "mine", nil); err != nil {
				t.Fatal(err)
			}
			auth := mint(&token.Claims{Permissions: &token.Permissions{Write: []string{"mine"}, Read: []string{"seen"}}})
			send := func(baton string, requests ...string) (reply, string) {
				t.Helper()
				r := b.do("POST", "/db/mine/v3/pipeline", `{"baton":`+baton+`,"requests":[`+strings.Join(requests, ",")+`]}`, "Authorization", auth)
				parts := strings.Split(r.body, `"`)
				if len(parts) < 4 || parts[1] != "baton" {
					return r, ""
				}
				return r, `"` + parts[3] + `"`
			}
			_, idle := send("null", execute("CREATE TABLE t (a)"))
			_, busy := send("null", execute("BEGIN"), execute("SELECT * FROM t"))
			c := b.dialAs("/db/mine/", strings.TrimPrefix(auth, "Bearer "))
			c.ok(hrana.Request{Kind: hrana.OpenStream, StreamID: 1})
			c.ok(hrana.Request{Kind: hrana.OpenStream, StreamID: 2})
			c.sql(1, query)
			c.sql(2, "BEGIN")
			c.sql(2, query)
			test.change(t, b)
			r, _ := send(idle, execute(test.sql))
			r.expect(t, r.status, test.http)
			r, _ = send(busy, execute(test.sql))
			r.expect(t, r.status, test.inTxn)
			for _, id := range []int32{1, 2} {
				if code := c.fails(id, test.sql); code != test.ws {
					t.Errorf("stream %d: got %s", id, code)
				}
			}
		})
	}
}

// TestWebSocketOfOthers asks for databases that the token is not for: what is there
// and what is not looks the same.
func TestWebSocketOfOthers(t *testing.T) {
	t.Parallel()
	b, mint := secure(t, Options{})
	if _, err := b.cat.Create(t.Context(), "theirs", nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"theirs", "nobodys"} {
		c := b.dialAs("/db/"+name+"/", strings.TrimPrefix(mint(&token.Claims{Access: token.Write, Database: "mine"}), "Bearer "))
		if m := c.ask(hrana.Request{Kind: hrana.OpenStream, StreamID: 1}); m.Error == nil || m.Error.Code != "FORBIDDEN" {
			t.Errorf("%s: got %+v", name, m)
		}
	}
	if n := b.cat.Stats().Open; n != 0 {
		t.Errorf("%d databases were opened", n)
	}
}

// TestWebSocketLesserToken says hello again, with a token that may less, while a
// transaction is open.
func TestWebSocketLesserToken(t *testing.T) {
	t.Parallel()
	b, mint := secure(t, Options{})
	bare := func(c *token.Claims) *string {
		text := strings.TrimPrefix(mint(c), "Bearer ")
		return &text
	}
	c := b.dialAs("/", *bare(&token.Claims{Access: token.Write}))
	c.ok(hrana.Request{Kind: hrana.OpenStream, StreamID: 1})
	c.sql(1, "CREATE TABLE t (a)")
	c.sql(1, "BEGIN")
	c.sql(1, "INSERT INTO t VALUES ('with the first')")
	c.send(&hrana.ClientMsg{JWT: bare(&token.Claims{Access: token.Read})})
	if m := c.receive(); m.Kind != hrana.HelloOK {
		t.Fatalf("got %+v", m)
	}
	if code := c.fails(1, "INSERT INTO t VALUES ('with the second')"); code != "FORBIDDEN" {
		t.Errorf("got %s", code)
	}
	if got := c.sql(1, "SELECT group_concat(a) FROM t").Rows[0][0].Text; got != "with the first" {
		t.Errorf("got %s", got)
	}
	c.sql(1, "COMMIT") // what was done was allowed
	if code := c.fails(1, "INSERT INTO t VALUES ('with the second')"); code != "FORBIDDEN" {
		t.Errorf("got %s", code)
	}
}

// dialAs opens a WebSocket on a path, with a token.
func (b *bundle) dialAs(path, jwt string) *wsClient {
	b.t.Helper()
	conn, _, err := websocket.Dial(b.t.Context(), b.http.URL+path, &websocket.DialOptions{Subprotocols: []string{"hrana3"}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.CloseNow() })
	c := &wsClient{t: b.t, conn: conn}
	c.send(&hrana.ClientMsg{JWT: &jwt})
	if m := c.receive(); m.Kind != hrana.HelloOK {
		b.t.Fatalf("got %+v", m)
	}
	return c
}

func (b *bundle) rename(from, to string) {
	b.t.Helper()
	if err := b.cat.Rename(b.t.Context(), from, to); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) configure(name string, cfg catalog.Config) {
	b.t.Helper()
	if err := b.cat.Configure(b.t.Context(), name, cfg); err != nil {
		b.t.Fatal(err)
	}
}
