package sqlite

// #include "port.h"
import "C"

import "fmt"

// CacheUse is how the page cache of one connection has done since it was opened.
// Pages that are read from a memory mapping pass the cache by and do not count.
// The counters are SQLite's, of 32 bits: they start again after 4 billion.
type CacheUse struct {
	Hits   uint32 // pages that were there
	Misses uint32 // pages that had to be read from the file or the WAL
	Writes uint32 // pages written, to the WAL mostly
	Spills uint32 // of them because the cache was full in mid-transaction
}

// CacheUse returns the counters of the connection's page cache.
func (c *Conn) CacheUse() (use CacheUse, err error) {
	if c.db == nil {
		return use, ErrClosed
	}
	for what, counter := range map[C.int]*uint32{
		C.SQLITE_DBSTATUS_CACHE_HIT:   &use.Hits,
		C.SQLITE_DBSTATUS_CACHE_MISS:  &use.Misses,
		C.SQLITE_DBSTATUS_CACHE_WRITE: &use.Writes,
		C.SQLITE_DBSTATUS_CACHE_SPILL: &use.Spills,
	} {
		var now, highest C.int
		if rc := C.sqlite3_db_status(c.db, what, &now, &highest, 0); rc != C.SQLITE_OK {
			return use, fmt.Errorf("read the cache's counters: %w", ResultCode(rc))
		}
		*counter = uint32(now)
	}
	return use, nil
}
