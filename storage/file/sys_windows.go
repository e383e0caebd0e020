package file

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// errLocked is returned for a file that another holds the lock of.
var errLocked = errors.New("the file is locked")

// lockFile takes the lock of an open file, or is errLocked. It ends with the file,
// and so with the process.
func lockFile(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLocked
	}
	return err
}

func unlockFile(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{})
}

// renameNew renames a file to a name that nothing has, and returns when it is on
// the disk.
func renameNew(from, to string) error {
	old, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	if err := windows.MoveFileEx(old, name, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// syncDir does nothing: NTFS journals names, and directories cannot be synced.
func syncDir(string) error { return nil }

// inode is not known here; the time and the size have to do.
func inode(os.FileInfo) uint64 { return 0 }
