// Package versitygw gives a test a real S3 server: the versity gateway on a
// directory of its own, listening on loopback.
package versitygw

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The credentials of the gateway.
const (
	AccessKey = "nearlite"
	SecretKey = "nearlite-secret"
)

// Gateway is a running server.
type Gateway struct {
	Endpoint string // http://127.0.0.1:PORT
	Dir      string // each directory in it is a bucket
	process  *exec.Cmd
	output   *strings.Builder // to be read once it has ended
	ended    chan struct{}
}

// ErrMissing says what to do about the tests that were skipped.
var ErrMissing = errors.New("no S3 server to test with: `make versitygw` installs one (versitygw v1.8.0)")

// find looks for the program where make puts it, then where programs are.
func find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		program := filepath.Join(dir, "bin", "tools", "versitygw")
		if info, err := os.Stat(program); err == nil && info.Mode().IsRegular() {
			return program, nil
		}
	}
	program, err := exec.LookPath("versitygw")
	if err != nil {
		return "", ErrMissing
	}
	return program, nil
}

// Start runs a gateway until the test ends, and skips it if there is none.
func Start(t testing.TB) *Gateway {
	t.Helper()
	g, err := Run(t.TempDir())
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	return g
}

// Run runs a gateway on a directory, or is ErrMissing. The caller stops it.
func Run(dir string) (*Gateway, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	g := &Gateway{Endpoint: "http://" + port, Dir: dir, output: &strings.Builder{}}
	if err := g.start(program, port); err != nil {
		return nil, err
	}
	return g, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return "127.0.0.1:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func (g *Gateway) start(program, address string) error {
	g.process = exec.Command(program, "--port", address, "--quiet", "--keep-alive", "posix", g.Dir)
	g.process.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	g.process.Stdout, g.process.Stderr = g.output, g.output
	dieWithParent(g.process)
	if err := g.process.Start(); err != nil {
		return fmt.Errorf("start versitygw: %w", err)
	}
	g.ended = make(chan struct{})
	go func() {
		_ = g.process.Wait()
		close(g.ended)
	}()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-g.ended:
			return fmt.Errorf("versitygw ended with %v: %s", g.process.ProcessState, g.output)
		case <-time.After(20 * time.Millisecond):
		}
	}
	g.Stop()
	return errors.New("versitygw does not listen")
}

// Bucket makes a bucket.
func (g *Gateway) Bucket(name string) error { return os.Mkdir(filepath.Join(g.Dir, name), 0o755) }

// Stop ends the server, and returns when it has.
func (g *Gateway) Stop() {
	_ = g.process.Process.Kill()
	<-g.ended
}
