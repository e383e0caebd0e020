//go:build linux

package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The guest's last words. Anything else is a failure, a kernel that panics above all.
const (
	allHeld = "powercut: every promise was kept, and every control was seen to lose"
	notHeld = "powercut: FAILED"
)

//go:embed uml/host.c
var hostC []byte

// boot runs the rounds in a guest, and copies what it says to the standard output.
func boot(ctx context.Context, memory string, s settings) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if s.evidence != "" {
		if s.evidence, err = filepath.Abs(s.evidence); err == nil {
			err = os.MkdirAll(s.evidence, 0o755)
		}
		if err != nil {
			return fmt.Errorf("make a directory for evidence: %w", err)
		}
		defer os.Remove(s.evidence) // if there is none in it
	}
	for _, word := range append(s.args(), self) {
		if strings.ContainsAny(word, " \t\"") {
			return fmt.Errorf("%q has a space, which is an end on a kernel's command line", word)
		}
	}
	scratch, err := os.MkdirTemp("", "powercut-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	preload, err := compile(ctx, scratch)
	if err != nil {
		return err
	}

	args := []string{
		"mem=" + memory, "rootfstype=hostfs", "rootflags=/", "ro", "init=" + self,
		"con=null", "con0=null,fd:1", "quiet", "loglevel=1", "uml_dir=" + scratch, "umid=powercut", "panic=1", "--", "guest",
	}
	cmd := exec.CommandContext(ctx, "linux.uml", append(args, s.args()...)...)
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+preload, "TMPDIR="+scratch)
	// The guest's processes are processes of the host, in the group of their kernel.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return watch(ctx, cmd)
}

// watch runs the guest and finds out how it went.
func watch(ctx context.Context, cmd *exec.Cmd) error {
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("boot User-Mode Linux (Debian's user-mode-linux): %w", err)
	}
	verdict := copyLines(os.Stdout, out)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the guest was ended: %w", context.Cause(ctx))
	case verdict == allHeld:
		return nil
	case verdict == notHeld:
		return errors.New("a promise was broken, or a control lost nothing: see above")
	}
	return fmt.Errorf("the guest ended without a verdict, which says nothing about the database (%v): %s", err, errs.String())
}

// copyLines returns the line that is a verdict, or "". What comes after it is the
// kernel saying goodbye.
func copyLines(to io.Writer, from io.Reader) (verdict string) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if verdict == "" {
			fmt.Fprintln(to, line)
		}
		if line == allHeld || line == notHeld {
			verdict = line
		}
	}
	return verdict
}

// compile makes the library that stands between the guest and a host it does not expect.
func compile(ctx context.Context, dir string) (string, error) {
	source, library := filepath.Join(dir, "host.c"), filepath.Join(dir, "host.so")
	if err := os.WriteFile(source, hostC, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "cc", "-O2", "-shared", "-fPIC", "-o", library, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compile host.c: %w: %s", err, out)
	}
	return library, nil
}
