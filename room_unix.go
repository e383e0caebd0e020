//go:build linux || darwin

package nearlite

import (
	"math"
	"syscall"
)

// roomIn returns how many bytes may be written to the file system of a directory.
func roomIn(dir string) int64 {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return math.MaxInt64
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
