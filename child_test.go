package nearlite

import (
	"bufio"
	"fmt"
	"os"
	process "os/exec"
	"syscall"
	"testing"
)

// childRole is how a copy of this test program is told to be somebody else: a
// process that is killed, or another program that uses the same database.
const childRole = "NEARLITE_TEST_CHILD"

// roles are what a child can be. Its arguments are those of the process; what it
// returns is the end of it.
var roles = map[string]func(args []string) error{}

func TestMain(m *testing.M) {
	role := os.Getenv(childRole)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
}

// child is another process in some role.
type child struct {
	t     testing.TB
	cmd   *process.Cmd
	lines *bufio.Scanner // of what it prints
	stdin interface {
		Write([]byte) (int, error)
		Close() error
	}
}

// startChild starts a copy of this program. It is killed with the test at the latest.
func startChild(t testing.TB, role string, args ...string) *child {
	t.Helper()
	return startChildAs(t, nil, role, args...)
}

// startChildAs does so as another user.
func startChildAs(t testing.TB, user *syscall.SysProcAttr, role string, args ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: process.Command(os.Args[0], args...)}
	if c.cmd.SysProcAttr = user; user != nil {
		c.cmd.Path = "/proc/self/exe" // whose directory may be closed to them
	}
	c.cmd.Env = append(os.Environ(), childRole+"="+role)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		c.stdin, err = c.cmd.StdinPipe()
	}
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatalf("start a child: %v", err)
	}
	c.lines = bufio.NewScanner(out)
	t.Cleanup(func() { c.kill() })
	return c
}

// line returns the next line the child prints, false at its end.
func (c *child) line() (string, bool) {
	ok := c.lines.Scan()
	return c.lines.Text(), ok
}

// say sends the child a line and returns its answer.
func (c *child) say(line string) string {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.stdin, line); err != nil {
		c.t.Fatalf("talk to the child: %v", err)
	}
	answer, ok := c.line()
	if !ok {
		c.t.Fatalf("the child ended at %q", line)
	}
	return answer
}

// kill ends the child as kill -9 does.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}
