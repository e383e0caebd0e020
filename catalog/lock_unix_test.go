//go:build unix

package catalog

import (
	"syscall"
	"testing"
)

// A copy of the lock's file, as a process has that is just being started, does not
// keep the directory from its next owner.
func TestUnlocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(copied)
	if err := unlockDir(f); err != nil {
		t.Fatal(err)
	}
	again, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := unlockDir(again); err != nil {
		t.Fatal(err)
	}
}
