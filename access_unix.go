//go:build unix

package nearlite

import "syscall"

// mayMakeFiles reports whether this process may make files in a directory. For
// root, whom permissions do not bind, a read-only file system still says no.
func mayMakeFiles(dir string) bool {
	const writeAndSearch = 2 | 1 // W_OK | X_OK
	return syscall.Access(dir, writeAndSearch) == nil
}
