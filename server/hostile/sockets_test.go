package hostile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nearlite/nearlite/server"
)

// each runs n attackers at a time, each with a connection, until all have ended.
func (x *target) each(n int, attack func(i int, c net.Conn)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			c, err := net.Dial("tcp", x.addr)
			if err != nil {
				x.t.Error(err)
				return
			}
			defer c.Close()
			attack(i, c)
		})
	}
	all.Wait()
}

// drip sends a text byte by byte until the server ends the connection, and returns how
// long that took; an error if it did not.
func drip(c net.Conn, text string, most time.Duration) (time.Duration, error) {
	from := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, c)
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; time.Since(from) < most; i++ {
		select {
		case <-ended:
			return time.Since(from), nil
		case <-tick.C:
			if _, err := c.Write([]byte{text[i%len(text)]}); err != nil {
				return time.Since(from), nil
			}
		}
	}
	return 0, fmt.Errorf("the connection lives after %v", most)
}

// head is that of a request with a body of n bytes.
func head(path string, n int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, n)
}

// Clients that send a byte now and then are cut off after the time there is for a
// head, or a body.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, first, rest string }{
		{"heads", "", "GET / HTTP/1.1\r\nX-A: " + strings.Repeat("a", 1000)},
		{"bodies", head("/v2/pipeline", 1<<20), `{"baton": null, "requests": [` + strings.Repeat(" ", 1000)},
		{"large bodies", head("/v1/query", 30<<20) + strings.Repeat(" ", 1<<20), strings.Repeat(" ", 1000)},
		{"chunks", "POST /v1/query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"},
		{"bodies nobody reads", head("/nowhere", 1<<20), strings.Repeat("x", 1000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const patience = 2 * time.Second
			x := begin(t, setting{Server: server.Options{HeaderTimeout: patience, BodyTimeout: patience, Memory: 64 << 20}})
			x.reads()
			x.connects()
			x.sendsMuch()
			x.each(size(200), func(_ int, c net.Conn) {
				if _, err := io.WriteString(c, tt.first); err != nil {
					return // refused before its end
				}
				if _, err := drip(c, tt.rest, 10*patience); err != nil {
					t.Error(err)
				}
			})
			x.end(bounds{memory: 300})
		})
	}
}

// sendsMuch is a witness whose requests and answers are too large to go uncounted.
func (x *target) sendsMuch() *witness {
	text := strings.Repeat("x", 100_000)
	return x.watch("sends much", func(c *client) error {
		got, err := c.query("SELECT length(?)", text)
		if err == nil && got != "[[100000]]" {
			err = errors.New(got)
		}
		return err
	})
}

// Connections that send nothing keep nobody out: when there is no place for one more,
// the oldest of them go.
func TestAllPlacesTaken(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Server: server.Options{MaxConnections: 600}})
	x.connects()
	x.watch("reads", func(c *client) error {
		c.retry = true // its connection rests now and then, and may be the one that goes
		_, err := c.query("SELECT 1")
		return err
	})
	deadline := time.Now().Add(time.Duration(size(3)) * time.Second)
	var made atomic.Int64
	x.each(1000, func(i int, c net.Conn) {
		for time.Now().Before(deadline) {
			switch i % 3 {
			case 0: // says nothing
			case 1:
				_, _ = io.WriteString(c, "GET /health HT")
			case 2:
				_, _ = io.WriteString(c, head("/v1/query", 100)+"{")
			}
			_ = c.SetReadDeadline(deadline)
			_, _ = io.Copy(io.Discard, c) // until it is ended
			c.Close()
			time.Sleep(100 * time.Millisecond)
			var err error
			if c, err = net.Dial("tcp", x.addr); err != nil {
				return
			}
			made.Add(1)
		}
		c.Close()
	})
	t.Logf("%d connections were ended, for others", made.Load())
	// A connection that is ended for another may have sent a request in that moment.
	x.end(bounds{failed: 5, memory: 200})
}

// With few files to open there are fewer connections, and databases can be opened
// as before.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Files: 256})
	x.reads()
	x.connects()
	x.watch("opens a database", func(c *client) error {
		c.on = "other"
		_, err := c.query("SELECT 1")
		return err
	})
	deadline := time.Now().Add(2 * time.Second)
	x.each(400, func(_ int, c net.Conn) {
		_ = c.SetReadDeadline(deadline)
		_, _ = io.Copy(io.Discard, c)
	})
	x.end(bounds{failed: 5, memory: 200})
}

// Bodies that are too large are refused before they are read, and the memory for
// those that are not is bounded however many there are.
func TestHugeBodies(t *testing.T) {
	x := begin(t, setting{Server: server.Options{MaxBody: 8 << 20, Memory: 128 << 20}})
	x.reads()
	x.writes()
	c := x.client()
	defer c.close()
	c.http.Transport = &http.Transport{MaxConnsPerHost: 40}
	var all sync.WaitGroup
	var codes sync.Map
	for i := range size(12) {
		all.Go(func() {
			for _, path := range []string{"/v1/query", "/v2/pipeline", "/v3/cursor", "/v1/batch", "/"} {
				for _, body := range [][]byte{
					bytes.Repeat([]byte(" "), 9<<20),
					[]byte(`{"sql":"SELECT 1","params":[` + strings.Repeat("1,", 3<<20) + "1]}"),
					[]byte(`{"statements":[` + strings.Repeat(`"SELECT 1",`, 500_000) + `"SELECT 1"],"requests":[` + strings.Repeat(`{"type":"close"},`, 100_000) + `{"type":"close"}]}`),
				}[i%3 : i%3+1] {
					_, err := c.post(path, body)
					var e *apiError
					switch {
					case errors.As(err, &e):
						codes.Store(fmt.Sprint(e.Status, " ", e.Code), true)
					case err != nil && !cut(err):
						t.Errorf("%s: %v", path, err)
					}
				}
			}
		})
	}
	all.Wait()
	codes.Range(func(code, _ any) bool { t.Log("answered with", code); return true })
	// Without saying how much it is.
	x.each(size(10), func(_ int, c net.Conn) {
		_, _ = io.WriteString(c, "POST /v1/query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, strings.Repeat(" ", 1<<20))
		for range 100 {
			if _, err := io.WriteString(c, chunk); err != nil {
				break
			}
		}
		if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && answer.StatusCode != http.StatusRequestEntityTooLarge && answer.StatusCode != http.StatusServiceUnavailable {
			t.Error(answer.Status)
		}
	})
	x.end(bounds{memory: 500})
}

// cut says whether an error is of a connection that the server has ended.
func cut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "connection")
}

// Bodies that decode to much more than they are, or to what is deep, are refused or
// answered, whatever takes them.
func TestDeepBodies(t *testing.T) {
	x := begin(t, setting{Server: server.Options{Memory: 128 << 20}})
	x.reads()
	c := x.client()
	defer c.close()
	const deep = 1_000_000
	conditions := strings.Repeat(`{"type":"not","cond":`, deep) + `{"type":"ok","step":0}` + strings.Repeat("}", deep)
	wide := `{"type":"or","conds":[` + strings.TrimSuffix(strings.Repeat(`{"type":"ok","step":0},`, 500_000), ",") + `]}`
	step := func(condition string) string {
		return `{"baton":null,"batch":{"steps":[{"stmt":{"sql":"SELECT 1"}},{"condition":` + condition + `,"stmt":{"sql":"SELECT 2"}}]}}`
	}
	nested := make([]byte, 0, 4*deep)
	for range 100_000 { // a message in a message, each of which says how long it is
		nested = append([]byte{0x12, 0xff, 0xff, 0x7f}, nested[:min(len(nested), 1000)]...)
	}
	for _, body := range []struct {
		name string
		text []byte
	}{
		{"arrays", []byte(strings.Repeat("[", deep))},
		{"objects", []byte(strings.Repeat(`{"a":`, deep))},
		{"an unknown field", []byte(`{"x":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `,"requests":[]}`)},
		{"conditions", []byte(step(conditions))},
		{"many conditions", []byte(step(wide))},
		{"parameters", []byte(`{"sql":"SELECT ?","params":[` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `]}`)},
		{"a number", []byte(`{"sql":"SELECT ?","params":[` + strings.Repeat("9", 10<<20) + `]}`)},
		{"a name", []byte(`{"` + strings.Repeat(`\u0061`, 1<<20) + `":1}`)},
		{"protobuf", nested},
		{"requests in protobuf", bytes.Repeat([]byte{0x12, 2, 0x0a, 0}, 1<<20)},
		{"nothing", nil},
	} {
		for _, path := range []string{"/v1/query", "/v2/pipeline", "/v3/pipeline", "/v3/cursor", "/v3-protobuf/pipeline", "/v3-protobuf/cursor", "/v1/execute", "/v1/batch", "/"} {
			from := time.Now()
			_, err := c.post(path, body.text)
			var e *apiError
			switch errors.As(err, &e); {
			case err != nil && e == nil && !cut(err):
				t.Errorf("%s to %s: %v", body.name, path, err)
			case e != nil && (e.Status < 400 || e.Status >= 500):
				t.Errorf("%s to %s: %.200v", body.name, path, err)
			case time.Since(from) > x.stretched(5*time.Second):
				t.Errorf("%s to %s took %v", body.name, path, time.Since(from))
			}
		}
	}
	x.end(bounds{memory: 500, requests: 5})
}

// Tiny requests, as many as a few connections can send without waiting for answers.
// Memory stays what it is.
func TestTinyRequests(t *testing.T) {
	x := begin(t, setting{})
	x.reads()
	x.writes()
	x.connects()
	requests := []string{
		"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
		"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
		head("/v2/pipeline", 2) + "{}",
		head("/v1/query", 0),
		head("/v1/query", 18) + `{"sql":"SELECT 1"}`,
	}
	deadline := time.Now().Add(time.Duration(size(5)) * time.Second)
	var early atomic.Int64
	warm := time.AfterFunc(time.Duration(size(5))*time.Second/2, func() { early.Store(int64(x.memory())) })
	defer warm.Stop()
	var answers atomic.Int64
	x.each(8, func(i int, c net.Conn) {
		text := strings.Repeat(requests[i%len(requests)], 200)
		_ = c.SetDeadline(deadline)
		go func() {
			for {
				if _, err := io.WriteString(c, text); err != nil {
					return
				}
			}
		}()
		lines := bufio.NewReader(c)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasPrefix(line, "HTTP/1.1 ") {
				answers.Add(1)
			}
		}
	})
	t.Logf("%d answers", answers.Load())
	late := int64(x.memory())
	if early.Load() > 0 && late > early.Load()+40<<10 {
		t.Errorf("memory has grown from %d to %d MB", early.Load()>>10, late>>10)
	}
	x.end(bounds{memory: 150})
}

// A client may close its half of the connection after a request: it gets its answer,
// and nothing stays behind. In the middle of a request it gets none.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Server: server.Options{BodyTimeout: 5 * time.Second}})
	x.reads()
	deadline := time.Now().Add(2 * time.Second)
	for round := 0; time.Now().Before(deadline); round++ {
		x.halfClose(size(100))
	}
	x.await("the connections are closed", 20*time.Second, func() bool { return x.sockets() < 30 })
	x.end(bounds{memory: 150})
}

func (x *target) halfClose(n int) {
	t := x.t
	x.each(n, func(i int, c net.Conn) {
		body := `{"sql":"SELECT 1"}`
		whole := i%2 == 0
		if !whole {
			body = body[:5]
		}
		_, _ = io.WriteString(c, head("/v1/query", 18)+body)
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		answer, err := io.ReadAll(c)
		if err != nil {
			t.Errorf("the connection stays: %v", err)
		}
		if got := bytes.Contains(answer, []byte(`"rows":[[1]]`)); got && !whole {
			t.Errorf("half a request is answered with %s", answer)
		}
	})
}

// Clients that ask for much and never read their answers lose their connections when
// they have not read for a while, and hold neither readers nor memory meanwhile.
func TestNeverReads(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Server: server.Options{WriteTimeout: time.Second, Memory: 128 << 20}})
	x.reads()
	x.writes()
	x.sendsMuch()
	if _, err := x.client().query(`CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) SELECT i, hex(zeroblob(2000)) AS b FROM n`); err != nil {
		t.Fatal(err)
	}
	before := x.sockets()
	const sql = `SELECT a.i, a.b FROM big a, big b`
	bodies := map[string]string{
		"/v2/pipeline":            `{"baton":null,"requests":[` + execute("SELECT * FROM big") + `]}`,
		"/v3/cursor":              `{"baton":null,"batch":{"steps":[{"stmt":{"sql":"` + sql + `"}}]}}`,
		"/v1/query?format=ndjson": `{"sql":"` + sql + `"}`,
		"/v1/query?format=csv":    `{"sql":"` + sql + `"}`,
		"/v1/query":               `{"sql":"SELECT * FROM big"}`,
	}
	var texts []string
	for path, body := range bodies {
		texts = append(texts, head(path, len(body))+body)
	}
	texts = append(texts, "GET /dump HTTP/1.1\r\nHost: x\r\n\r\n")
	var all sync.WaitGroup
	for i := range size(120) {
		all.Go(func() {
			c, err := net.Dial("tcp", x.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
			_, _ = io.WriteString(c, texts[i%len(texts)])
			// The server ends it with a reset, which is seen without reading.
			x.await("the connection is cut", 60*time.Second, func() bool {
				_, err := c.Write([]byte("\r\n"))
				return err != nil
			})
		})
	}
	all.Wait()
	x.await("the connections are closed", 20*time.Second, func() bool { return x.sockets() < before+10 })
	x.end(bounds{memory: 500})
}

// What takes longer than a request may take to come is answered all the same.
func TestLongAnswer(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Server: server.Options{HeaderTimeout: time.Second, BodyTimeout: time.Second, WriteTimeout: time.Second}})
	c := x.client()
	defer c.close()
	from := time.Now()
	got, err := c.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000000) SELECT count(*) FROM n")
	if err != nil || got != "[[20000000]]" {
		t.Error(got, err)
	}
	if took := time.Since(from); took < 2*time.Second {
		t.Logf("it took only %v", took)
	}
}
