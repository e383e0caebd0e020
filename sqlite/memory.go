package sqlite

// #include "port.h"
import "C"

// LimitMemory bounds the memory that the SQL of all connections of the process
// takes in large pieces, in bytes; 0, as in the beginning, is no bound. A statement
// that would take more fails with [CodeNoMem], and what it has taken is free again.
//
// Large pieces are those of 128 KiB and more: long texts and blobs, which a
// statement may hold by the thousand, sorts, and the programs of enormous
// statements. The page caches do not count; they have bounds of their own.
func LimitMemory(bytes int64) error {
	if err := Initialize(); err != nil {
		return err
	}
	C.nl_set_memory(C.int64_t(bytes))
	return nil
}

// LargeMemory returns how many bytes [LimitMemory] counts at the moment.
func LargeMemory() int64 { return int64(C.nl_memory()) }
