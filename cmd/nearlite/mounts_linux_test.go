package main

import (
	"os"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// makeReadOnly makes a directory and what is in it read-only: by permissions,
// and for root, whom they do not bind, by a mount. It returns how to undo that.
func makeReadOnly(dir string) (undo func(), err error) {
	if os.Geteuid() != 0 {
		return func() { _ = os.Chmod(dir, 0o700) }, os.Chmod(dir, 0o500)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return func() {}, err
	}
	return func() { _ = unix.Unmount(dir, unix.MNT_DETACH) },
		unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// canMakeReadOnly reports whether makeReadOnly works: in a container root has
// neither mounts nor permissions that bind it.
var canMakeReadOnly = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "readonly")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	undo, err := makeReadOnly(dir)
	undo()
	return err == nil
})

// readonly DIR calls makeReadOnly until the end of the script.
func readonly(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: readonly DIR")
	}
	undo, err := makeReadOnly(ts.MkAbs(args[0]))
	ts.Defer(undo)
	ts.Check(err)
}

// canMakeSmall reports whether small works: only root mounts.
var canMakeSmall = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "small")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	err = unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")
	_ = unix.Unmount(dir, unix.MNT_DETACH)
	return err == nil
})

// small DIR puts a file system of one megabyte at DIR until the end of the script.
func small(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: small DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
	ts.Defer(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}
