package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A shell that waits for a script to go on ends when it is asked to, and a
// signal is told by the exit code.
func TestShellWaitingForInputEnds(t *testing.T) {
	t.Parallel()
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "shell", filepath.Join(t.TempDir(), "a.db"), "--mode", "csv")
			// The name that testscript has given this binary decides what it is.
			cmd.Args[0] = "nearlite"
			in, out, stderr := pipes(t, cmd)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(in, "BEGIN; CREATE TABLE t(a); SELECT 'ready' AS a;\n"); err != nil {
				t.Fatal(err)
			}
			for out.Scan() && out.Text() != "ready" {
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != want || stderr.String() != "interrupted\n" {
				t.Errorf("%v, %q; want exit code %d", err, stderr, want)
			}
		})
	}
}

func pipes(t *testing.T, cmd *exec.Cmd) (io.Writer, *bufio.Scanner, *bytes.Buffer) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	return in, bufio.NewScanner(out), stderr
}
