package bench

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// evict puts a file out of the system's memory, and no other. Pages that somebody
// else has mapped stay: resident tells. The same caution as for resident holds.
func evict(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	// Only what is on the disk can be forgotten.
	if err := file.Sync(); err != nil {
		return err
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("forget the pages of %s: %w", path, err)
	}
	return nil
}

// resident returns how much of a file the system has in memory, from 0 to 1. It
// must not be called while this process has the file open as a database: closing
// any descriptor of a file gives up the locks that SQLite holds on it.
func resident(path string) (share float64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	mapped, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, fmt.Errorf("map %s: %w", path, err)
	}
	defer unix.Munmap(mapped)
	pages := make([]byte, (len(mapped)+os.Getpagesize()-1)/os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mapped[0])), uintptr(len(mapped)), uintptr(unsafe.Pointer(&pages[0])))
	if errno != 0 {
		return 0, fmt.Errorf("ask for the pages of %s: %w", path, errno)
	}
	var present uint64
	for _, page := range pages {
		present += uint64(page & 1)
	}
	return ratio(present, uint64(len(pages))), nil
}
