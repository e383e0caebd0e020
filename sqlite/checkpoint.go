package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"time"
)

// CheckpointMode says how far a checkpoint goes:
// https://sqlite.org/c3ref/wal_checkpoint_v2.html
type CheckpointMode int

// The modes, from the one that disturbs nobody to the one that truncates the file.
const (
	CheckpointPassive  CheckpointMode = 0
	CheckpointFull     CheckpointMode = 1
	CheckpointRestart  CheckpointMode = 2
	CheckpointTruncate CheckpointMode = 3
)

// Checkpoint copies pages from the WAL of the main database back into its file.
// It returns the number of frames in the WAL and how many of them have been
// copied by now; a negative number when there is no WAL or the connection has
// never read. One that could not go as far as its mode asks fails with [CodeBusy].
func (c *Conn) Checkpoint(mode CheckpointMode) (frames, copied int, err error) {
	if c.port == nil {
		return -1, -1, ErrClosed
	}
	var n, done C.int
	if rc := C.sqlite3_wal_checkpoint_v2(c.db, nil, C.int(mode), &n, &done); rc != C.SQLITE_OK {
		return int(n), int(done), c.fail(rc, "")
	}
	return int(n), int(done), nil
}

// AutoCheckpoint makes every COMMIT that leaves that many frames in the WAL run
// a passive checkpoint; 0 switches that off.
func (c *Conn) AutoCheckpoint(frames int) {
	if c.db != nil {
		replace(&c.hooks.wal, nil, func(C.uintptr_t) { C.sqlite3_wal_autocheckpoint(c.db, C.int(frames)) })
	}
}

// BusyPoll is BusyTimeout for short waits: it looks for the lock every 25 µs,
// where SQLite's own handler sleeps a millisecond and more.
func (c *Conn) BusyPoll(d time.Duration) {
	if c.db != nil {
		replace(&c.hooks.busy, nil, func(C.uintptr_t) { C.nl_busy_poll(c.addr, C.int64_t(d.Microseconds())) })
	}
}
