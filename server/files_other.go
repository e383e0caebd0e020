//go:build !unix

package server

// filesMax returns how many files the process may have open, 0 if that is unknown.
func filesMax() int { return 0 }
