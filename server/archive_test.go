package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/file"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// archiveIn returns a store, and what cuts it off.
func archiveIn(t *testing.T) (storage.Store, *atomic.Bool) {
	t.Helper()
	store, err := file.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	down := &atomic.Bool{}
	return storagetest.Faulty(store, func(op, key string) storagetest.Fault {
		if down.Load() {
			return storagetest.Fault{Before: errors.New("no route to a secret host")}
		}
		return storagetest.Fault{}
	}), down
}

func setupArchived(t *testing.T, store storage.Store) *bundle {
	t.Helper()
	return setupIn(t, Options{}, catalog.Options{
		Archive: store, Archiving: archive.Options{Patience: 50 * time.Millisecond},
		Engine: nearlite.Options{Durability: nearlite.Archived},
	})
}

// code sends a statement and returns the status and the code of the answer.
func (b *bundle) code(path, sql string) (status int, code, message string) {
	b.t.Helper()
	answer := b.do(http.MethodPost, path, `{"sql":"`+sql+`"}`)
	var failed struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(answer.body), &failed); err != nil {
		b.t.Fatalf("%v: %s", err, answer.body)
	}
	return answer.status, failed.Error.Code, failed.Error.Message
}

// While the archive cannot be reached writes fail with a code of their own, reads do
// not, and clients do not learn where it is.
func TestArchiveDown(t *testing.T) {
	t.Parallel()
	store, down := archiveIn(t)
	b := setupArchived(t, store)
	if status, code, _ := b.code("/v1/query", "CREATE TABLE t(a)"); status != http.StatusOK {
		t.Fatal(status, code)
	}
	down.Store(true)
	status, code, message := b.code("/v1/query", "INSERT INTO t VALUES (1)")
	if status != http.StatusServiceUnavailable || code != "ARCHIVE_UNAVAILABLE" || strings.Contains(message, "secret") {
		t.Errorf("a write is answered with %d %s %s", status, code, message)
	}
	if status, code, message := b.code("/v1/query", "SELECT * FROM t"); status != http.StatusOK {
		t.Errorf("a read is answered with %d %s %s", status, code, message)
	}
	if answer := b.do(http.MethodPost, "/v1/databases", `{"name":"shop"}`); answer.status != http.StatusServiceUnavailable ||
		!strings.Contains(answer.body, "ARCHIVE_UNAVAILABLE") || answer.header.Get("Retry-After") == "" {
		t.Errorf("to create a database is answered with %d %s", answer.status, answer.body)
	}
	var s Status
	if err := json.Unmarshal([]byte(b.do(http.MethodGet, "/v1/status", "").body), &s); err != nil {
		t.Fatal(err)
	}
	if s.Archive == nil || s.Archive.Puts == 0 || s.Database.ArchiveEntry == 0 || !strings.Contains(s.Database.ArchiveError, "cannot be reached") {
		t.Errorf("the status is %+v, %d, %q", s.Archive, s.Database.ArchiveEntry, s.Database.ArchiveError)
	}
	if metrics := b.do(http.MethodGet, "/metrics", "").body; !strings.Contains(metrics, `nearlite_archive_failing{database="main"} 1`) ||
		!strings.Contains(metrics, `nearlite_archive_requests_total{operation="put"}`) {
		t.Errorf("the metrics do not tell of it")
	}
	down.Store(false)
	if status, code, message := b.code("/v1/query", "INSERT INTO t VALUES (1)"); status != http.StatusOK {
		t.Errorf("afterwards a write is answered with %d %s %s", status, code, message)
	}
}

// Clients of a server that has lost a database to another one learn it, and the
// server lives.
func TestArchiveFenced(t *testing.T) {
	t.Parallel()
	store, _ := archiveIn(t)
	first := setupArchived(t, store)
	first.code("/v1/query", "CREATE TABLE t(a)")
	second := setupArchived(t, store)
	if status, code, _ := second.code("/v1/query", "INSERT INTO t VALUES ('of the second')"); status != http.StatusOK {
		t.Fatal(status, code)
	}
	for range 3 {
		status, code, message := first.code("/v1/query", "INSERT INTO t VALUES ('of the first')")
		if status != http.StatusServiceUnavailable || code != "ARCHIVE_FENCED" || !strings.Contains(message, "another server has") {
			t.Errorf("a write is answered with %d %s %s", status, code, message)
		}
	}
	answer := first.do(http.MethodPost, "/v2/pipeline", `{"requests":[{"type":"execute","stmt":{"sql":"INSERT INTO t VALUES (3)"}}]}`)
	if !strings.Contains(answer.body, "ARCHIVE_FENCED") {
		t.Errorf("a client of libSQL is told %d %s", answer.status, answer.body)
	}
	if answer := first.do(http.MethodGet, "/healthz", ""); answer.status != http.StatusOK {
		t.Errorf("the server is not well: %d %s", answer.status, answer.body)
	}
	if status, code, _ := second.code("/v1/query", "INSERT INTO t VALUES ('still')"); status != http.StatusOK {
		t.Error(status, code)
	}
}
