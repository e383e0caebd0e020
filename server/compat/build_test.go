package compat

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// binaryDir is where the binary is built; it goes when the tests are over.
var binaryDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nearlite-compat-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaryDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var build = sync.OnceValues(func() (string, error) {
	program := filepath.Join(binaryDir, "nearlite")
	cmd := exec.Command("go", "build", "-o", program, "./cmd/nearlite")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build nearlite: %w\n%s", err, out)
	}
	return program, nil
})

// nearliteBinary returns the program as people run it.
func nearliteBinary(t *testing.T) string {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// run runs nearlite and returns what it prints.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(nearliteBinary(t), args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("nearlite %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// A place is a server as its users see it: where it is, and the token for it.
type place struct {
	address string
	token   string
}

// serve starts the built binary on an empty directory.
func serve(t *testing.T, flags ...string) *place {
	t.Helper()
	p := &place{address: freeAddress(t)}
	args := append([]string{"serve", t.TempDir(), "--listen", p.address}, flags...)
	startProcess(t, p.address, exec.Command(nearliteBinary(t), args...))
	return p
}

// serveSQLD starts sqld on an empty directory, with one database.
func serveSQLD(t *testing.T, flags ...string) *place {
	t.Helper()
	p := &place{address: freeAddress(t)}
	cmd := exec.Command(sqldBinary(t), append([]string{"--db-path", "data.sqld", "--no-welcome", "--http-listen-addr", p.address,
		"--admin-listen-addr", "127.0.0.1:0", "--grpc-listen-addr", "127.0.0.1:0"}, flags...)...)
	cmd.Dir = t.TempDir()
	startProcess(t, p.address, cmd)
	return p
}

// keys makes a pair of keys and a token for them.
func keys(t *testing.T) (public, token string) {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, "token", "key")
	return filepath.Join(dir, "token.pub"), run(t, dir, "token", "create", "--expires", "1h")
}
