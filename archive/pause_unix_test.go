//go:build unix

package archive

import (
	"os"
	"syscall"
	"testing"
)

// pause stops a process where it is.
func pause(t testing.TB, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// proceed lets it go on.
func proceed(t testing.TB, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}
