//go:build !linux

package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// canMakeReadOnly reports whether permissions bind the user of the tests.
func canMakeReadOnly() bool { return os.Geteuid() != 0 }

// readonly DIR makes a directory read-only until the end of the script.
func readonly(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: readonly DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Defer(func() { _ = os.Chmod(dir, 0o700) })
	ts.Check(os.Chmod(dir, 0o500))
}

// canMakeSmall reports that there is no way to make a small file system.
func canMakeSmall() bool { return false }

func small(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("small file systems are made on Linux only")
}
