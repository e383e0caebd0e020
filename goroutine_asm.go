//go:build amd64 || arm64

package nearlite

// goroutine returns a number that no other goroutine has as long as this one
// lives: the address of the runtime's own record of it. It serves two purposes,
// to recognise a write inside the closure of another, and to lead a goroutine
// back to the reader it used last.
func goroutine() uintptr
