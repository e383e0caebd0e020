//go:build !amd64 && !arm64

package nearlite

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutine returns the goroutine's number, read from its stack trace: slow, but
// there is no other way without assembly.
func goroutine() uintptr {
	var buf [64]byte
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)])
	n, _ := strconv.ParseUint(string(fields[1]), 10, 64)
	return uintptr(n)
}
