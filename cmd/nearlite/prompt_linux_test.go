package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// A session is nearlite shell on a terminal, with a test in the place of a person.
type session struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu     sync.Mutex // protects the following
	screen strings.Builder
	read   int // how much of it the test has seen
	more   *sync.Cond
	ended  bool
}

// sit starts a shell on a terminal. home is where its history is.
func sit(t *testing.T, home string, args ...string) *session {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, cmd: &exec.Cmd{Path: self, Args: append([]string{"nearlite"}, args...)}}
	s.more = sync.NewCond(&s.mu)
	s.cmd.Env = append(os.Environ(), "TERM=xterm", "XDG_STATE_HOME="+home)
	var theirs *os.File
	if s.tty, theirs, err = pty.Open(); err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	defer theirs.Close()
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: 24, Cols: 200}); err != nil {
		t.Fatal(err)
	}
	keepOnInterrupt(t, theirs)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = theirs, theirs, theirs
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // has ended, if the test has gone well
		_ = s.tty.Close()
	})
	go s.watch()
	return s
}

// keepOnInterrupt lets a terminal keep what is on its way when Ctrl-C is pressed.
// It would drop it, the answer to the Ctrl-C before included.
func keepOnInterrupt(t *testing.T, tty *os.File) {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	mode.Lflag |= unix.NOFLSH
	if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, mode); err != nil {
		t.Fatal(err)
	}
}

func (s *session) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := s.tty.Read(buf)
		s.mu.Lock()
		s.screen.Write(buf[:n])
		s.ended = s.ended || err != nil
		s.more.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *session) send(text string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// seen reports whether text has come since the last that was expected.
func (s *session) seen(text string) bool {
	at := strings.Index(s.screen.String()[s.read:], text)
	if at >= 0 {
		s.read += at + len(text)
	}
	return at >= 0
}

// expect waits for text on the screen.
func (s *session) expect(text string) {
	s.t.Helper()
	s.await(text)
}

// await waits for one of some texts and returns the one that has come.
func (s *session) await(texts ...string) string {
	s.t.Helper()
	late := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = true
		s.more.Broadcast()
	})
	defer late.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for _, text := range texts {
			if s.seen(text) {
				return text
			}
		}
		if s.ended {
			screen := s.screen.String()
			s.t.Fatalf("%q has not come; the end of the screen is\n%s", texts, screen[max(0, len(screen)-4000):])
		}
		s.more.Wait()
	}
}

// either waits for one of two texts and reports whether it was the first.
func (s *session) either(one, other string) bool {
	s.t.Helper()
	return s.await(one, other) == one
}

// interrupt starts a statement and presses Ctrl-C again and again until text
// comes: nothing on the screen says that a statement has begun to run, only that
// the editor has it.
func (s *session) interrupt(statement, text string) {
	s.t.Helper()
	s.send(statement + "\r")
	s.expect(statement[len(statement)-10:])
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-again.C {
		s.send("\x03")
		s.mu.Lock()
		seen := s.seen(text)
		s.mu.Unlock()
		if seen {
			return
		}
	}
	s.expect(text)
}

// leave waits for the shell to end and returns its exit code.
func (s *session) leave() int {
	s.t.Helper()
	late := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func TestPrompt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, home := filepath.Join(dir, "bank.db"), filepath.Join(dir, "state")
	s := sit(t, home, "shell", db)
	s.expect("SQLite 3.")
	s.expect("bank.db> ")

	s.send("CREATE TABLE account(name, balance);\r")
	s.expect("bank.db> ")
	s.send("INSERT INTO account VALUES ('Alice', 100), ('Bob', NULL);\r")
	s.expect("(2 rows changed, ")

	// A statement of several lines.
	s.send("SELECT name,\r")
	s.expect("...> ")
	s.send("  balance -- a comment; not the end\r")
	s.expect("...> ")
	s.send("FROM account;\r")
	s.expect(" Alice │     100")
	s.expect(" Bob   │ \x1b[2m⟨null⟩\x1b[0m")
	s.expect("(2 rows, ")

	// Tab finishes names and keywords.
	s.send("sel\t bal\t from acc\t where name = 'Alice';\r")
	s.expect(" balance")
	s.expect("     100")
	s.send(".sch\t acc\t\r")
	s.expect("CREATE TABLE account(name, balance);")

	// An error shows its place, and the shell goes on.
	s.send("SELECT nme FROM account;\r")
	s.expect("Error: no such column: nme\r\n  SELECT nme FROM account;\r\n         ^\r\n")
	s.expect("bank.db> ")

	// A transaction shows in the prompt.
	s.send("BEGIN;\r")
	s.expect("bank.db*> ")
	s.send("DELETE FROM account;\r")
	s.expect("(2 rows changed")
	s.expect("bank.db*> ")
	s.send("ROLLBACK;\r")
	s.expect("bank.db> ")

	// Ctrl-C throws away what is typed, also the first lines of it.
	s.send("SELECT\r")
	s.expect("...> ")
	s.send("oops")
	s.expect("oops")
	s.send("\x03")
	s.expect("bank.db> ")

	// The arrow brings back what was typed.
	s.send("SELECT 6 * 7 AS answer;\r")
	s.expect("42")
	s.send("\x1b[A\r")
	s.expect("42")

	s.send("\x04")
	if code := s.leave(); code != exitOK {
		t.Errorf("exit code %d", code)
	}

	// And so it does the next time.
	s = sit(t, home, "shell", db)
	s.expect("bank.db> ")
	s.send("\x1b[A\r")
	s.expect("42")
	s.send(".quit\r")
	if code := s.leave(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if info, err := os.Stat(filepath.Join(home, "nearlite", "history")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history is not the user's own: %v %v", info, err)
	}
}

const endless = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) "

func TestInterruptAtPrompt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := sit(t, dir, "shell", filepath.Join(dir, "a.db"))
	s.expect("a.db> ")
	s.send("CREATE TABLE t(a); INSERT INTO t VALUES (1);\r")
	s.expect("a.db> ")

	for name, statement := range map[string]string{
		"a read":              endless + "SELECT count(*) FROM r;",
		"rows that are shown": endless + "SELECT i FROM r;",
		"a write":             "INSERT INTO t " + endless + "SELECT i FROM r;",
		"on the connection":   "PRAGMA temp_store=MEMORY; " + endless + "SELECT count(*) FROM r;",
	} {
		t.Log(name)
		s.interrupt(statement, "Interrupted.")
		s.expect("a.db> ")
		s.send("SELECT 'the shell' AS who, count(*) FROM t;\r")
		s.expect(" the shell │ ")
		s.expect("1\r\n")
		s.expect("a.db> ")
	}
	s.send(".quit\r")
	if code := s.leave(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestInterruptInTransaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := sit(t, dir, "shell", filepath.Join(dir, "a.db"))
	s.send("CREATE TABLE t(a);\rBEGIN;\rINSERT INTO t VALUES (1);\r")
	s.expect("(1 row changed")
	s.expect("a.db*> ")
	s.interrupt(endless+"SELECT count(*) FROM r;", "Interrupted.")
	s.expect("a.db*> ") // a read leaves the transaction as it is
	s.send("SELECT count(*) + 100 FROM t;\r")
	s.expect("101\r\n")
	s.expect("a.db*> ")
	// A write takes it along, once it has written.
	for rolledBack := false; !rolledBack; {
		s.interrupt("INSERT INTO t "+endless+"SELECT i FROM r;", "Interrupted.")
		rolledBack = s.either(" The transaction has been rolled back.", "a.db*> ")
	}
	s.expect("a.db> ")
	s.send("SELECT count(*) + 100 FROM t;\r")
	s.expect("100")
	s.send(".quit\r")
	if code := s.leave(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// A request to end the process ends the shell, closes the database, and gives
// the terminal back as it was.
func TestPromptTerminated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "a.db")
	s := sit(t, dir, "shell", db)
	s.expect("a.db> ")
	s.send("CREATE TABLE t(a);\r")
	s.expect("a.db> ")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := s.leave(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if left, err := filepath.Glob(db + "-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Progress is drawn on a terminal and taken away again.
func TestProgressOnTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, file := filepath.Join(dir, "a.db"), filepath.Join(dir, "in.csv")
	var text strings.Builder
	text.WriteString("a,b\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "%d,a line that says little\n", i)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sit(t, dir, "shell", db)
	s.expect("a.db> ")
	s.send(".import --csv " + file + " t\r")
	s.expect("in.csv")
	s.expect("%")
	s.expect("(100000 rows imported, ")
	s.send(".quit\r")
	s.leave()
	for _, args := range [][]string{{"backup", db, filepath.Join(dir, "copy.db"), "--verify"}, {"check", db}} {
		s := sit(t, dir, args...)
		s.expect(map[string]string{"backup": "structure ok\r\n", "check": " is whole.\r\n"}[args[0]])
		if code := s.leave(); code != exitOK {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
