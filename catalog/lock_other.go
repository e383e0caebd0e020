//go:build !unix

package catalog

import (
	"errors"
	"fmt"
	"os"
)

// lockDir needs a lock that ends with the process.
func lockDir(dir string) (*os.File, error) {
	return nil, fmt.Errorf("lock %s: %w on this operating system", dir, errors.ErrUnsupported)
}

func unlockDir(f *os.File) error { return f.Close() }
