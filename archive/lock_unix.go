//go:build unix

package archive

import (
	"os"
	"syscall"
)

// lockFile keeps a file to this process until it is closed.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
