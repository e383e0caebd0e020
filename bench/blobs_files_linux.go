//go:build amd64 || arm64

package bench

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These make their system calls raw: Go's scheduler is not told, so that not
// even its fifty nanoseconds a call are held against the files.

// openFile opens the file of that name, which ends with a zero byte.
func openFile(name []byte, flags int) (fd uintptr, err error) {
	at := unix.AT_FDCWD
	for {
		fd, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(unsafe.SliceData(name))), uintptr(flags|unix.O_CLOEXEC), 0o666, 0, 0)
		if errno == 0 {
			return fd, nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// readFile does what one would to read a file whose size one does not know:
// open, fstat, read, close.
func readFile(name, buf []byte) (n int, err error) {
	fd, err := openFile(name, unix.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	var info unix.Stat_t
	if _, _, errno := unix.RawSyscall(unix.SYS_FSTAT, fd, uintptr(unsafe.Pointer(&info)), 0); errno != 0 {
		return 0, errno
	}
	if info.Size > int64(len(buf)) {
		return 0, fmt.Errorf("it has %d bytes, more than any blob", info.Size)
	}
	for n < int(info.Size) {
		got, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&buf[n])), uintptr(int(info.Size)-n))
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return n, errno
		case got == 0:
			return n, io.ErrUnexpectedEOF
		default:
			n += int(got)
		}
	}
	return n, nil
}

// overwriteFile does what fopen(name, "wb"), fwrite and fclose do: the file is
// cut to nothing and written anew. A power cut in between leaves it empty.
func overwriteFile(name, content []byte, fsync bool) error {
	fd, err := openFile(name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return err
	}
	defer unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	for len(content) > 0 {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&content[0])), uintptr(len(content)))
		if errno != 0 && errno != unix.EINTR {
			return errno
		}
		if errno == 0 {
			content = content[n:]
		}
	}
	if !fsync {
		return nil
	}
	return unix.Fsync(int(fd)) // long enough to tell the scheduler
}

// diskUsage returns what du would: the blocks that a file takes, or a directory
// with all that is in it.
func diskUsage(path string) (total int64, err error) {
	err = filepath.WalkDir(path, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var info unix.Stat_t
		if err := unix.Lstat(path, &info); err != nil {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		total += info.Blocks * 512
		return nil
	})
	return total, err
}

// syncFileSystem writes out what lies on the same file system as path.
func syncFileSystem(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("sync the file system: %w", err)
	}
	return nil
}

// forget makes the operating system forget the content of files: all it knows
// of any file if this process may ask for that and is not to spare the others,
// else the pages of these. It returns which.
func forget(sparing bool, paths ...string) (how string, err error) {
	if !sparing && os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0o200) == nil {
		return "drop_caches", nil
	}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			return evict(path)
		})
		if err != nil {
			return "", err
		}
	}
	return "posix_fadvise", nil
}
