package hostile

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server"
	"github.com/nearlite/nearlite/server/token"
)

// A setting is how a server under attack is started. The zero value is the server's
// own defaults, and nobody is asked for a token.
type setting struct {
	Server   server.Options
	Tokens   bool // they are asked for
	MaxValue int  // bytes
	Leases   struct{ Idle, Contended, Total time.Duration }
	Files    uint64 // may be open at a time; 0: as many as here
}

// impatient says whether the server may have given up a request that took so long since
// it, or its client, was slow.
func (s *setting) impatient(err error, took time.Duration) bool {
	// Who has nothing to show for so long loses what memory he has to others.
	const loan = 250 * time.Millisecond
	switch code := codeOf("", err); {
	case code == "SQLITE_INTERRUPT":
		return s.Server.Limits.Time > 0 && took >= s.Server.Limits.Time
	case code == "BODY_TIMEOUT":
		return s.Server.BodyTimeout > 0 && took >= s.Server.BodyTimeout
	}
	return took >= loan && cut(err)
}

// child is the variable that makes the test program a server; it has the setting.
const child = "NEARLITE_HOSTILE_SERVER"

func TestMain(m *testing.M) {
	if text := os.Getenv(child); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	together()
	os.Exit(m.Run())
}

// together lets more attacks run at a time than there are processors, unless somebody has
// said how many: most of them wait most of the time.
func together() {
	const name, least = "test.parallel", 3
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == name })
	if !said && runtime.GOMAXPROCS(0) < least {
		_ = flag.Set(name, strconv.Itoa(least))
	}
}

// serve is the program of a server under attack: clients on one port, and on another
// what the test wants to know about the process. It ends with its standard input.
func serve(text string) error {
	var set setting
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return err
	}
	if set.Files > 0 {
		limit := syscall.Rlimit{Cur: set.Files, Max: set.Files}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx := context.Background()
	cat, err := catalog.Open(ctx, "data", &catalog.Options{MaxValueBytes: set.MaxValue, Logger: log, Engine: nearlite.Options{
		LeaseIdle: set.Leases.Idle, LeaseContended: set.Leases.Contended, LeaseTotal: set.Leases.Total,
		Durability: nearlite.Normal, // the disk of a test machine is no part of the question
	}})
	if err != nil {
		return err
	}
	if _, err := cat.Create(ctx, "other", nil); err != nil {
		return err
	}
	o := set.Server
	o.Logger = log
	if set.Tokens {
		if o.Keys, err = token.Load("keys.pem", log); err != nil {
			return err
		}
	}
	s, err := server.New(cat, o)
	if err != nil {
		return err
	}
	clients, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = s.Serve(clients, false) }()
	go func() { _ = http.Serve(control, inside()) }()
	fmt.Println(clients.Addr(), control.Addr())
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

// inside tells about the process.
func inside() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/goroutines", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, runtime.NumGoroutine())
	})
	mux.HandleFunc("/heap", func(w http.ResponseWriter, _ *http.Request) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprint(w, m.HeapAlloc)
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	return mux
}

// A target is a server under attack.
type target struct {
	t       *testing.T
	cmd     *exec.Cmd
	addr    string // of clients
	control string
	key     ed25519.PrivateKey // signs the tokens it takes
	bearer  string             // token of whoever has no other

	peak      atomic.Int64  // kilobytes
	gap       atomic.Int64  // nanoseconds, the longest in which this process did not run
	ended     chan struct{} // closed with the attack
	sampled   sync.WaitGroup
	witnesses []*witness
	set       setting
	calm      int   // goroutines before the attack
	before    share // of the processors, before the attack
}

// begin starts a server, in a data directory of its own.
func begin(t *testing.T, set setting) *target {
	t.Helper()
	x := &target{t: t, ended: make(chan struct{}), set: set}
	dir := t.TempDir()
	if set.Tokens {
		x.makeKeys(dir)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	x.cmd = exec.Command(program)
	x.cmd.Dir = dir
	x.cmd.Env = append(os.Environ(), child+"="+string(text))
	x.cmd.Stderr = &serverLog{t: t}
	stdin, err := x.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := x.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = x.cmd.Process.Kill()
		_ = x.cmd.Wait()
	})
	if _, err := fmt.Fscan(stdout, &x.addr, &x.control); err != nil {
		t.Fatalf("the server does not start: %v", err)
	}
	x.prepare()
	x.calm, x.before = x.goroutines(), x.share()
	x.sampled.Go(x.sample)
	t.Cleanup(x.rest)
	return x
}

// rest ends what runs beside the attack.
func (x *target) rest() {
	for _, w := range x.witnesses {
		w.end()
	}
	select {
	case <-x.ended:
	default:
		close(x.ended)
	}
	x.sampled.Wait()
}

// prepare makes the table of the witnesses.
func (x *target) prepare() {
	x.t.Helper()
	c := x.client()
	defer c.close()
	for _, sql := range []string{
		"CREATE TABLE work (id INTEGER PRIMARY KEY, body TEXT)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) INSERT INTO work SELECT i, 'row ' || i FROM n",
	} {
		if _, err := c.query(sql); err != nil {
			x.t.Fatal(err)
		}
	}
}

func (x *target) makeKeys(dir string) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		x.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		x.t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "keys.pem"), text, 0o600); err != nil {
		x.t.Fatal(err)
	}
	x.key = private
	x.bearer = x.token(&token.Claims{Access: token.Write})
}

// token makes a token that the server takes.
func (x *target) token(claims *token.Claims) string {
	x.t.Helper()
	text, err := token.Mint(x.key, claims)
	if err != nil {
		x.t.Fatal(err)
	}
	return text
}

// ask asks the control port.
func (x *target) ask(path string) int {
	x.t.Helper()
	r, err := http.Get("http://" + x.control + path)
	if err != nil {
		x.t.Fatalf("the server has ended: %v", err)
	}
	defer r.Body.Close()
	var n int
	if _, err := fmt.Fscan(r.Body, &n); err != nil {
		x.t.Fatal(err)
	}
	return n
}

func (x *target) goroutines() int { return x.ask("/goroutines") }

// status returns a figure of the process in /proc: kilobytes, mostly.
func (x *target) status(name string) int {
	x.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.cmd.Process.Pid))
	if err != nil {
		x.t.Skip("the memory of another process can be asked for on Linux only")
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	x.t.Fatalf("/proc has no %s", name)
	return 0
}

// sockets returns how many connections the process has open.
func (x *target) sockets() (n int) {
	dir := fmt.Sprintf("/proc/%d/fd", x.cmd.Process.Pid)
	list, err := os.ReadDir(dir)
	if err != nil {
		x.t.Skip("the files of another process can be asked for on Linux only")
	}
	for _, file := range list {
		if what, _ := os.Readlink(filepath.Join(dir, file.Name())); strings.HasPrefix(what, "socket:") {
			n++
		}
	}
	return n
}

// memory returns the kilobytes that the process has taken for itself. Pages of files
// that it maps do not count: they are the kernel's, and counted for each mapping.
func (x *target) memory() int { return x.status("RssAnon") }

// sample notes the most memory that the process has had, and for how long this one had
// no processor at worst.
func (x *target) sample() {
	const every = 20 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-x.ended:
			return
		case <-tick.C:
			x.peak.Store(max(x.peak.Load(), int64(x.memory())))
			now := time.Now()
			x.gap.Store(max(x.gap.Load(), int64(now.Sub(last)-every)))
			last = now
		}
	}
}

// serverLog is the server's log, in the test's.
type serverLog struct {
	t  *testing.T
	mu sync.Mutex
	n  int
}

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n++; l.n <= 20 {
		l.t.Output().Write(p)
	}
	return len(p), nil
}

// size returns n times the factor that the tester has asked for.
func size(n int) int {
	f, err := strconv.ParseFloat(os.Getenv("NEARLITE_HOSTILE"), 64)
	if err != nil || f <= 0 {
		return n
	}
	return max(1, int(float64(n)*f))
}

// await polls until done, for what tells nobody when it happens. The time is that on a
// machine that nobody else uses.
func (x *target) await(what string, within time.Duration, done func() bool) {
	x.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for from := time.Now(); !done(); <-tick.C {
		if took := time.Since(from); took > within && took > x.stretched(within) {
			x.t.Errorf("%s: not within %v", what, took.Round(time.Millisecond))
			return
		}
	}
}
