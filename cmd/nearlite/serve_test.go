package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A served is a nearlite serve that runs.
type served struct {
	cmd    *exec.Cmd
	stdout string // up to the line that ends what it says at its start
	stderr *bytes.Buffer
	url    string
	admin  string
}

// startServer starts nearlite serve as a process of its own, in a directory, and
// waits until it listens.
func startServer(dir string, env []string, args ...string) (*served, error) {
	s := &served{cmd: exec.Command(os.Args[0], append([]string{"serve"}, args...)...), stderr: &bytes.Buffer{}}
	// The name that testscript has given this binary decides what it is.
	s.cmd.Args[0] = "nearlite"
	s.cmd.Dir, s.cmd.Stderr, s.cmd.Env = dir, s.stderr, append(os.Environ(), env...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	for !strings.Contains(s.stdout, "try: ") {
		line, err := lines.ReadString('\n')
		s.stdout += line
		if err != nil {
			_ = s.cmd.Wait()
			return nil, fmt.Errorf("nearlite serve said %q and %q", s.stdout, s.stderr)
		}
	}
	if m := regexp.MustCompile(`^(\S+) serves`).FindStringSubmatch(s.stdout); m != nil {
		s.url = m[1]
	}
	if m := regexp.MustCompile(`admin: +(\S+)/metrics`).FindStringSubmatch(s.stdout); m != nil {
		s.admin = m[1]
	}
	return s, nil
}

// stop asks it to end and returns what it exits with.
func (s *served) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	return s.cmd.Wait()
}

// server ARGS… starts nearlite serve for a script and sets $URL, and $ADMIN if it
// has such an address; stop ends it and fails unless it exits with 0.
func serverCommand(ts *testscript.TestScript, neg bool, args []string) {
	var env []string
	for _, name := range []string{"NEARLITE_LISTEN", "NEARLITE_SLOW", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	s, err := startServer(ts.MkAbs("."), env, args...)
	ts.Check(err)
	ts.Setenv("URL", s.url)
	ts.Setenv("HOST", strings.TrimPrefix(s.url, "http://"))
	ts.Setenv("ADMIN", s.admin)
	*ts.Value("server").(**served) = s
	ts.Check(os.WriteFile(ts.MkAbs("said"), []byte(s.stdout), 0o600))
	ts.Defer(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
}

func stopCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := *ts.Value("server").(**served)
	if err := s.stop(); err != nil {
		ts.Fatalf("nearlite serve ends with %v: %s", err, s.stderr)
	}
	ts.Check(os.WriteFile(ts.MkAbs("log"), s.stderr.Bytes(), 0o600))
}

// serveIn starts a server on the databases in data, in a directory, until the test ends.
func serveIn(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	return serveAt(t, dir, "data", args...)
}

func serveAt(t *testing.T, dir, data string, args ...string) *served {
	t.Helper()
	s, err := startServer(dir, nil, append([]string{data, "--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	return s
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// A transaction that is open when SIGTERM comes may go on and commit; what is new
// is refused; and the process ends with 0 when the transaction has.
func TestDrain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveIn(t, dir, "--grace", "30s")
	pipeline := s.url + "/v2/pipeline"
	statement := func(sql string) string { return `{"type":"execute","stmt":{"sql":"` + sql + `"}}` }
	post(t, s.url+"/v1/query", `{"sql":"CREATE TABLE t (a)"}`)
	_, body := post(t, pipeline, `{"requests":[`+statement("BEGIN")+`,`+statement("INSERT INTO t VALUES (1)")+`]}`)
	baton := strings.Split(body, `"`)[3]
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for ready := http.StatusOK; ready == http.StatusOK; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		ready = resp.StatusCode
	}
	if status, body := post(t, s.url+"/v1/query", `{"sql":"INSERT INTO t VALUES (2)"}`); status != http.StatusServiceUnavailable || !strings.Contains(body, "SERVER_STOPPING") {
		t.Errorf("new work is answered %d %s", status, body)
	}
	if status, body := post(t, pipeline, `{"baton":"`+baton+`","requests":[`+statement("COMMIT")+`,{"type":"close"}]}`); status != 200 || strings.Contains(body, "error") {
		t.Errorf("the transaction is answered %d %s", status, body)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ends with %v: %s", err, s.stderr)
	}
	s = serveIn(t, dir)
	if _, body := post(t, s.url+"/v1/query", `{"sql":"SELECT a FROM t"}`); !strings.Contains(body, `"rows":[[1]]`) {
		t.Errorf("what was acknowledged is %s", body)
	}
}

// The grace is over when it is over, and a second signal does not wait for it.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		grace  string
		second bool
		exit   string
	}{
		"grace":         {"50ms", false, "exit status 0"},
		"second signal": {"1h", true, "signal: terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveIn(t, t.TempDir(), "--grace", test.grace, "--lease-idle", "1h", "--lease-total", "1h")
			post(t, s.url+"/v2/pipeline", `{"requests":[{"type":"execute","stmt":{"sql":"BEGIN IMMEDIATE"}},{"type":"execute","stmt":{"sql":"CREATE TABLE t (a)"}}]}`)
			_ = s.cmd.Process.Signal(syscall.SIGTERM)
			if test.second {
				for resp, err := http.Get(s.url + "/readyz"); err == nil && resp.StatusCode == 200; resp, err = http.Get(s.url + "/readyz") {
					_ = resp.Body.Close()
				}
				_ = s.cmd.Process.Signal(syscall.SIGTERM)
			}
			_ = s.cmd.Wait()
			if got := s.cmd.ProcessState.String(); got != test.exit {
				t.Errorf("it ends with %q, want %q: %s", got, test.exit, s.stderr)
			}
		})
	}
}

// The certificate is read again when its files change.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	s := serveIn(t, dir, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Fatalf("it serves %s", s.url)
	}
	resp, err := http.Get("http" + strings.TrimPrefix(s.url, "https"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "https://") {
		t.Errorf("http:// is answered with %s: %s", resp.Status, text)
	}
	serial := func() int64 {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("the certificate is number %d", got)
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil { // as in the middle of a renewal
		t.Fatal(err)
	}
	writeCertificate(t, cert, key, 2)
	for end := time.Now().Add(10 * time.Second); serial() != 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the new certificate is not used: %s", s.stderr)
		}
	}
}

func writeCertificate(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// parseServe returns the settings of a command line.
func parseServe(t *testing.T, args ...string) (*ServeCmd, error) {
	t.Helper()
	parser, err := newParser(context.Background(), &Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"serve"}, args...))
	return &parser.Model.Target.Addr().Interface().(*CLI).Serve, err
}

// A setting of the table, with two values for it that are not the default.
var settingValues = map[string][2]string{
	"bool": {"true", "false"}, "string": {"/x", "/y"}, "[]string": {"x", "y"}, "float64": {"3", "4"}, "int": {"3", "4"},
	"main.byteSize": {"3MiB", "4MiB"}, "time.Duration": {"3s", "4s"},
}

// Each setting is a flag, a variable and a name in the file; the flag goes before
// the variable, and that before the file.
func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nearlite.conf")
	kind := reflect.TypeFor[serveSettings]()
	seen := map[string]bool{}
	for i := range kind.NumField() {
		field := kind.Field(i)
		flag, env := flagOf(field), field.Tag.Get("env")
		if want := "NEARLITE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")); env != want {
			t.Errorf("the variable of --%s is %q, want %q", flag, env, want)
		}
		if field.Tag.Get("help") == "" || seen[env] {
			t.Errorf("--%s has no help, or its variable twice", flag)
		}
		if seen[env] = true; field.Name == "Config" {
			continue
		}
		a, b := settingValues[field.Type.String()][0], settingValues[field.Type.String()][1]
		if enum := field.Tag.Get("enum"); enum != "" {
			values := strings.Split(enum, ",")
			a, b = values[len(values)-1], values[0]
		}
		of := func(args ...string) string {
			c, err := parseServe(t, args...)
			if err != nil {
				t.Errorf("--%s: %v", flag, err)
			}
			return fmt.Sprint(reflect.ValueOf(c.serveSettings).Field(i).Interface())
		}
		if err := os.WriteFile(file, []byte("# a comment\n\n"+flag+" = \""+a+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		inFile, plain := of("--config", file), of()
		if inFile == plain {
			t.Errorf("%s = %s in the file does nothing", flag, a)
		}
		t.Setenv(env, b)
		if inEnv := of("--config", file); inEnv == inFile {
			t.Errorf("%s does not go before the file: %s", env, inEnv)
		}
		t.Setenv("NEARLITE_CONFIG", file)
		if byFlag := of("--" + flag + "=" + a); byFlag != inFile {
			t.Errorf("--%s does not go before %s: %s", flag, env, byFlag)
		}
		os.Unsetenv(env)
		if got := of(); got != inFile {
			t.Errorf("NEARLITE_CONFIG is not read: %s is %s", flag, got)
		}
		os.Unsetenv("NEARLITE_CONFIG")
	}
	if c, err := parseServe(t); err != nil || c.check() != nil || c.guard() != nil {
		t.Errorf("the defaults are refused: %v, %v, %v", err, c.check(), c.guard())
	}
}

// flagOf returns the flag of a setting.
func flagOf(field reflect.StructField) string {
	if name := field.Tag.Get("name"); name != "" {
		return name
	}
	return strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(field.Name, "$1-$2"))
}

// Comments may stand behind values.
func TestSettingsFileComments(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c")
	text := "# ours\nslow = 20ms # of late\nbase-url = http://a/#b\t# as it is\nbase-domain = \"a # b\" # quoted\nlisten = # nothing\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"slow": "20ms", "base-url": "http://a/#b", "base-domain": "a # b", "listen": ""}
	if !maps.Equal(c.values, want) {
		t.Errorf("read as %q, want %q", c.values, want)
	}
}

func TestSettingsFileErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listen":             `line 1: "listen" is not name = value`,
		"\nlissten = x":      "line 2: there is no setting lissten",
		"listen = \"x":       "line 1: the value of listen is not quoted well",
		"listen = \"x\" y":   "line 1: the value of listen is not quoted well",
		"rate = 1\nrate = 2": "line 2: rate was set in line 1 already",
		"rate = many":        "--rate",
		"config = x":         "there is no setting config",
		"max-body = huge":    `"huge" is no size`,
		"durability = none":  "--durability must be one of",
	} {
		file := filepath.Join(t.TempDir(), "c")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := parseServe(t, "--config", file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := parseServe(t, "--config", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// settingsTable is the table in docs/OPERATE.md.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| flag | variable | default | effect |\n|---|---|---|---|\n")
	kind := reflect.TypeFor[serveSettings]()
	for i := range kind.NumField() {
		tag := kind.Field(i).Tag
		help, _, _ := strings.Cut(tag.Get("help"), " (default:")
		def := tag.Get("default")
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s |\n", flagOf(kind.Field(i)), tag.Get("env"), def, strings.TrimSuffix(help, "."))
	}
	return b.String()
}

// The table of settings in the documentation is the one that the program has. With
// NEARLITE_UPDATE=1 it is written.
func TestDocumentedSettings(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- settings:begin -->\n", "<!-- settings:end -->"
	file := filepath.Join("..", "..", "docs", "OPERATE.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table of settings", file)
	}
	want := settingsTable()
	if table == want {
		return
	}
	if os.Getenv("NEARLITE_UPDATE") == "" {
		t.Fatalf("the table of settings in %s is not that of the program: NEARLITE_UPDATE=1 go test -run TestDocumentedSettings ./cmd/nearlite", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
