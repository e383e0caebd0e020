//go:build unix

package nearlite

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// A descriptor is SQLite's own of the wal-index. It is borrowed: to open the
// file for the question would be fatal, since closing any descriptor of a file
// drops the process's locks on it.
type descriptor struct {
	fd    uintptr
	info  os.FileInfo // of the file; nil: not found yet
	tried int         // times it was looked for in vain
}

// deadManSwitch is the byte on which every connection to a database in WAL mode
// holds a shared lock: UNIX_SHM_DMS in SQLite's os_unix.c.
const deadManSwitch = 128

// openElsewhere reports whether another process has the database open.
func (d *descriptor) openElsewhere(path string) bool {
	if !d.is(d.fd) && !d.find(path) {
		return false
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: deadManSwitch, Len: 1}
	return syscall.FcntlFlock(d.fd, syscall.F_GETLK, &lock) == nil && lock.Type != syscall.F_UNLCK
}

// find looks through the process's open files for the wal-index.
func (d *descriptor) find(path string) bool {
	d.info = nil
	if d.tried > 10 {
		return false // another VFS, or a system that does not list them
	}
	d.tried++
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // SQLite's files lie beside the database itself
	}
	info, err := os.Stat(path + "-shm")
	if err != nil {
		return false
	}
	list, _ := os.ReadDir("/dev/fd")
	d.info = info
	for _, entry := range list {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && d.is(uintptr(fd)) {
			d.fd, d.tried = uintptr(fd), 0
			return true
		}
	}
	d.info = nil
	return false
}

// is reports whether a descriptor is one of the wal-index.
func (d *descriptor) is(fd uintptr) bool {
	if d.info == nil {
		return false
	}
	var st syscall.Stat_t
	want, ok := d.info.Sys().(*syscall.Stat_t)
	return ok && syscall.Fstat(int(fd), &st) == nil && st.Dev == want.Dev && st.Ino == want.Ino
}
