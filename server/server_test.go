package server

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nearlite/nearlite/catalog"
)

// bundle is a server with a catalog of its own, and a client.
type bundle struct {
	t      *testing.T
	cat    *catalog.Catalog
	server *Server
	http   *httptest.Server
}

// setupLogged is setup with a log to look at.
func setupLogged(t *testing.T, opts Options) (*bundle, *lockedBuffer) {
	t.Helper()
	log := &lockedBuffer{}
	opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	return setup(t, opts), log
}

// lockedBuffer is a buffer that goroutines share.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func setup(t *testing.T, opts Options) *bundle {
	t.Helper()
	return setupIn(t, opts, catalog.Options{})
}

// setupIn is setup with a catalog of the test's making.
func setupIn(t *testing.T, opts Options, databases catalog.Options) *bundle {
	t.Helper()
	b := &bundle{t: t}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	var err error
	databases.Logger = opts.Logger
	if b.cat, err = catalog.Open(t.Context(), t.TempDir(), &databases); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.cat.Close() })
	if b.server, err = New(b.cat, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.server.Close() })
	b.http = serveHandler(t, b.server.Handler())
	return b
}

func serveHandler(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// reply is an answer, read completely.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request. Headers are pairs of names and values; "Host" is the host.
func (b *bundle) do(method, path, body string, headers ...string) reply {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.http.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// execute is a request to execute one statement.
func execute(sql string) string {
	text, _ := json.Marshal(sql)
	return `{"type":"execute","stmt":{"sql":` + string(text) + `}}`
}

const closeRequest = `{"type":"close"}`

// pipeline sends requests on the stream of a baton, "" for a new one.
func (b *bundle) pipeline(baton string, requests ...string) (reply, string) {
	b.t.Helper()
	text, _ := json.Marshal(baton)
	if baton == "" {
		text = []byte("null")
	}
	r := b.do("POST", "/v2/pipeline", `{"baton":`+string(text)+`,"requests":[`+strings.Join(requests, ",")+`]}`)
	var m struct{ Baton string }
	_ = json.Unmarshal([]byte(r.body), &m)
	return r, m.Baton
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	r, _ := b.pipeline("", execute("CREATE TABLE t (a)"), execute("INSERT INTO t VALUES (1), (2)"), execute("SELECT a FROM t"), closeRequest)
	if r.status != 200 || !strings.Contains(r.body, `"rows":[[{"type":"integer","value":"1"}],[{"type":"integer","value":"2"}]]`) || !strings.HasPrefix(r.body, `{"baton":null,`) {
		t.Errorf("%d %s", r.status, r.body)
	}
}
