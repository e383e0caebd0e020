package server

import (
	"net/http"
	"testing"
	"time"

	"github.com/nearlite/nearlite/server/token"
)

// Clients that take backups slowly keep nobody waiting but those with their token.
func TestSlowBackups(t *testing.T) {
	t.Parallel()
	b, mint := secure(t, Options{})
	slow, quick := mint(&token.Claims{Access: token.Write}), mint(&token.Claims{Access: token.Read})
	b.do("POST", "/v1/query", `{"sql":"CREATE TABLE t (a)"}`, "Authorization", slow).expect(t, 200)
	for range 16 { // more than a connection keeps for its reader
		b.do("POST", "/v1/query", `{"sql":"INSERT INTO t VALUES (zeroblob(1048576))"}`, "Authorization", slow).expect(t, 200)
	}
	for range backupsMax {
		r, err := http.NewRequestWithContext(t.Context(), "GET", b.http.URL+"/v1/backup", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", slow)
		answer, err := (&http.Transport{}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
	}
	done := make(chan reply, 1)
	go func() { done <- b.do("GET", "/v1/backup", "", "Authorization", quick) }()
	select {
	case r := <-done:
		if r.status != 200 || len(r.body) < 16<<20 {
			t.Errorf("status %d, %d bytes", r.status, len(r.body))
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for clients with another token")
	}
}
