package bench

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/catalog"
	nearliteserver "github.com/nearlite/nearlite/server"
)

// serverURL serves an empty catalog in this process.
func serverURL(t *testing.T) string {
	t.Helper()
	cat, err := catalog.Open(context.WithoutCancel(t.Context()), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := nearliteserver.New(cat, nearliteserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		if err := errors.Join(s.Close(), cat.Close()); err != nil {
			t.Error(err)
		}
	})
	return web.URL
}

func smallServer(url string) Server {
	return Server{URL: url, Rows: 200, Rounds: 2, Duration: 30 * time.Millisecond, Clients: []int{1, 3},
		Work: []ServerWork{ServerInsert, ServerRead}, Protocol: []ServerProtocol{OverHTTP, OverWebSocket}}
}

// Every load is measured in every round on both servers, which here are one.
func TestServerMeasures(t *testing.T) {
	t.Parallel()
	s := smallServer(serverURL(t))
	s.Peer, s.PeerURL = true, s.URL
	report, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(report.Loads), 2*2*2*2; got != want {
		t.Errorf("%d loads, want %d", got, want)
	}
	for _, f := range report.Loads {
		if len(f.Rounds) != 2 || f.PerSecond <= 0 || f.P50 <= 0 || f.P99 < f.P50 || f.Low > f.PerSecond || f.High < f.PerSecond || f.Failed > 0 {
			t.Errorf("figures %+v", f)
		}
	}
	var text strings.Builder
	if err := report.WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"insert", "read", "http", "ws", "sqld", "×"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, text.String())
		}
	}
}

func TestServerAtRest(t *testing.T) {
	t.Parallel()
	report, err := Idle{Server: Server{URL: serverURL(t)}, Streams: 20, Databases: 5, Silence: time.Millisecond}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(report.Idle.Steps); got != 4 {
		t.Errorf("%d steps: %+v", got, report.Idle.Steps)
	}
}

func TestServerRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Server)
		want   string
	}{
		"TLS":          {func(s *Server) { s.URL = "https://127.0.0.1:1" }, "only http"},
		"nobody there": {func(s *Server) { s.URL = "http://127.0.0.1:1" }, "connection refused"},
		"no rows":      {func(s *Server) { s.Rows = 0 }, "a table of 0 rows"},
		"no clients":   {func(s *Server) { s.Clients = nil }, "no number of clients"},
		"no time":      {func(s *Server) { s.Duration = 0 }, "clients need time"},
		"no rounds":    {func(s *Server) { s.Rounds = 0 }, "0 rounds"},
		"other work":   {func(s *Server) { s.Work = []ServerWork{"delete"} }, `no work "delete"`},
		"no program":   {func(s *Server) { s.URL, s.Program = "", "./nothing" }, "nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := smallServer("http://127.0.0.1:1")
			s.Dir = t.TempDir()
			test.change(&s)
			if _, err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if left, _ := os.ReadDir(s.Dir); len(left) > 0 {
				t.Errorf("%s is left", left[0].Name())
			}
		})
	}
}

// What is no answer ends a measurement with what it was.
func TestServerReadsAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		http   bool
		want   string // of the error; "" for none
	}{
		"a length":    {"HTTP/1.1 200 OK\r\ncontent-length: 23\r\n\r\n\"affected_row_count\":1,,", true, ""},
		"chunks":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n\"affected_row_co\r\n6\r\nunt\":1\r\n0\r\n\r\n", true, ""},
		"an error":    {"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", true, "the server answered busy"},
		"no length":   {"HTTP/1.1 200 OK\r\n\r\n", true, "without a length"},
		"the end":     {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", true, "EOF"},
		"a frame":     {"\x81\x16\"affected_row_count\":1", false, ""},
		"two frames":  {"\x01\x10\"affected_row_co\x80\x06unt\":1", false, ""},
		"after ping":  {"\x89\x02hi\x81\x16\"affected_row_count\":1", false, ""},
		"another row": {"\x81\x16\"affected_row_count\":0", false, "the server answered"},
		"a close":     {"\x88\x02\x03\xe8", false, "the server closed the WebSocket"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, far := net.Pipe()
			defer client.Close()
			c := newServerConn(client)
			c.request, c.want = []byte("ask"), ServerInsert.answer()
			c.receive = (*serverConn).receiveFrame
			if test.http {
				c.receive = (*serverConn).receiveHTTP
			}
			go func() {
				defer far.Close()
				got := make([]byte, 3)
				far.Read(got)
				far.Write([]byte(test.answer))
				if test.want == "EOF" {
					return
				}
				for _, err := far.Read(got); err == nil; _, err = far.Read(got) {
				}
			}()
			err := c.ask(1)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
