package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/hrana"
)

// TestWebSocketPanics makes each of a socket's goroutines panic: that one socket ends.
func TestWebSocketPanics(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(k *socket){
		"a stream":   func(k *socket) { k.auth = &authority{caller: &caller{}, checked: time.Now().Add(time.Hour)} },
		"the reader": func(k *socket) { k.cursors = map[int32]*wsCursor{7: {id: 7}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, log := setupLogged(t, Options{})
			c := b.dial("hrana3").hello(1)
			c.sql(1, "SELECT 1")
			k := b.server.sockets.all()[0]
			harm(k)
			sql := "SELECT 1"
			if name == "a stream" {
				c.send(&hrana.ClientMsg{Request: &hrana.Request{Kind: hrana.Execute, StreamID: 1, Stmt: &hrana.Stmt{SQL: &sql}}})
			} else {
				c.send(&hrana.ClientMsg{Request: &hrana.Request{Kind: hrana.CloseCursor, CursorID: 7}})
			}
			if _, _, err := c.conn.Read(t.Context()); err == nil {
				t.Error("the socket goes on")
			}
			for from := time.Now(); len(k.slots) > 0 && time.Since(from) < 10*time.Second; time.Sleep(time.Millisecond) {
			}
			if len(k.slots) > 0 || !strings.Contains(log.String(), "a WebSocket made the server panic") {
				t.Errorf("%d requests; the log has: %s", len(k.slots), log)
			}
			if r := b.do(http.MethodGet, "/health", ""); r.status != http.StatusOK {
				t.Errorf("got %d", r.status)
			}
		})
	}
}
