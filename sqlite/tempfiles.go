package sqlite

// #include "port.h"
import "C"

import "sync"

var tempFiles sync.Mutex // guards the table of the VFS

// LimitTempFiles bounds the temporary files of all connections of the process, in
// bytes; 0, as in the beginning, is no bound. They hold what is sorted or compared and
// does not fit in memory, what a savepoint may have to take back, and the copy that
// VACUUM makes. A statement that would need more fails with [CodeFull].
//
// Call it first before anything else uses the library. It does nothing on Windows.
func LimitTempFiles(bytes int64) error {
	if err := Initialize(); err != nil {
		return err
	}
	tempFiles.Lock()
	defer tempFiles.Unlock()
	C.sqlite3_initialize()
	C.nl_set_temp_files(C.int64_t(bytes))
	return nil
}

// TempFiles returns how many bytes [LimitTempFiles] counts at the moment.
func TempFiles() int64 { return int64(C.nl_temp_files()) }
