package compat

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// client runs a script of testdata/clients against a server.
func client(t *testing.T, script, scheme string, p *place, env ...string) {
	t.Helper()
	node := nodeProgram(t)
	dir := t.TempDir()
	// A module finds its packages from where it lies.
	text, err := os.ReadFile(filepath.Join("testdata", "clients", script))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, script), text, 0o666); err != nil {
		t.Fatal(err)
	}
	packages, err := filepath.Abs(filepath.Join(installed, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	migrations, err := filepath.Abs("testdata/clients/drizzle")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DATABASE_URL="+scheme+"://"+p.address, "DATABASE_TOKEN="+p.token, "MIGRATIONS="+migrations)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s over %s: %v\n%s", script, scheme, err, out)
	}
}

// nodeProgram returns node if it and the packages are there, or skips the test.
func nodeProgram(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: https://nodejs.org")
	}
	if _, err := os.Stat(filepath.Join(installed, "installed.json")); err != nil {
		t.Skip("the npm packages are not installed: make compat does it")
	}
	return node
}

// Each script passes against sqld too: it tests the servers, not itself.
func TestClients(t *testing.T) {
	t.Parallel()
	nodeProgram(t)
	servers := map[string]func(*testing.T, ...string) *place{"nearlite": serve, "sqld": serveSQLD}
	scripts := []struct{ script, scheme string }{
		{"client.mjs", "http"},
		{"client.mjs", "ws"},
		{"libsql.mjs", "http"},
		{"drizzle.mjs", "http"},
		{"drizzle.mjs", "ws"},
		{"kysely.mjs", "http"},
		{"kysely.mjs", "ws"},
	}
	for name, start := range servers {
		for _, s := range scripts {
			t.Run(name+"/"+s.script+"/"+s.scheme, func(t *testing.T) {
				t.Parallel()
				client(t, s.script, s.scheme, start(t))
			})
		}
	}
}

// The same keys and the same token let the same clients into both servers.
func TestClientsWithToken(t *testing.T) {
	t.Parallel()
	nodeProgram(t)
	public, token := keys(t)
	servers := map[string]func(*testing.T) *place{
		"nearlite": func(t *testing.T) *place { return serve(t, "--keys", public) },
		"sqld":     func(t *testing.T) *place { return serveSQLD(t, "--auth-jwt-key-file", public) },
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			client(t, "token.mjs", "http", p)
			if name == "nearlite" { // sqld hangs up without a word
				client(t, "token.mjs", "ws", p)
			}
			p.token = token
			client(t, "client.mjs", "ws", p)
			client(t, "libsql.mjs", "http", p)
		})
	}
}

// A stream that is idle for 15 seconds goes on. sqld ends it after ten.
func TestIdleStream(t *testing.T) {
	t.Parallel()
	nodeProgram(t)
	if testing.Short() {
		t.Skip("takes 15 seconds")
	}
	for _, scheme := range []string{"http", "ws"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			client(t, "idle.mjs", scheme, serve(t))
		})
	}
}

// Which ways of naming a database the clients of npm keep on loopback: the host
// (any label in front of localhost), the path, and a header where the client lets
// one be set.
func TestChoosingDatabase(t *testing.T) {
	t.Parallel()
	nodeProgram(t)
	client(t, "choose.mjs", "http", serve(t))
}
