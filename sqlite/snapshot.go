package sqlite

// #include "port.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// WALHeader is the part of the wal-index header that names the state of a
// database in WAL mode: two equal headers are the same commit.
// Layout: https://sqlite.org/walformat.html#the_wal_index_file_format
type WALHeader [48]byte

// MaxFrame returns the number of valid frames in the WAL.
func (h *WALHeader) MaxFrame() uint32 { return binary.NativeEndian.Uint32(h[16:]) }

// Pages returns the size of the database in pages.
func (h *WALHeader) Pages() uint32 { return binary.NativeEndian.Uint32(h[20:]) }

// Salt names the generation of the WAL; it changes when the WAL starts again.
func (h *WALHeader) Salt() uint64 { return binary.NativeEndian.Uint64(h[32:]) }

// Valid reports whether the header was initialized.
func (h *WALHeader) Valid() bool { return h[12] != 0 }

// HoldSnapshots makes the connection a reader that keeps its snapshot between
// queries; see [Conn.Refresh]. keepMapping also keeps the memory mapping of the
// database file when the snapshot moves on.
func (c *Conn) HoldSnapshots(keepMapping bool) error {
	if c.port == nil {
		return ErrClosed
	}
	if c.port.pin == nil {
		s, _, err := c.prepare("SELECT 1 UNION ALL SELECT 1 FROM sqlite_schema", C.SQLITE_PREPARE_PERSISTENT)
		if err != nil {
			return fmt.Errorf("hold snapshots: %w", err)
		}
		c.port.pin = s.ptr
		c.turn.on = true
	}
	if keepMapping {
		C.nl_keep_mapping(c.addr)
	}
	return nil
}

// Refresh makes the next query begin with the newest snapshot: the held one, if
// nothing was committed since, at the price of comparing 48 bytes. Queries that
// follow see the same snapshot until the next Refresh. Only for a connection
// prepared by HoldSnapshots.
func (c *Conn) Refresh() { c.flags |= C.NL_FRESH }

// RefreshNow is Refresh at once, for one who wants to know the snapshot before a query.
func (c *Conn) RefreshNow() error {
	c.flags &^= C.NL_FRESH
	if c.port == nil {
		return ErrClosed
	}
	if err := c.turn.enter(); err != nil {
		return err
	}
	defer c.turn.leave()
	if rc := C.nl_snapshot_refresh(c.addr); rc != C.SQLITE_OK {
		return c.fail(rc, "")
	}
	return nil
}

// DropSnapshot gives the held snapshot back, so that a checkpoint can pass it.
func (c *Conn) DropSnapshot() {
	c.flags &^= C.NL_FRESH
	if c.port != nil && c.port.pinned != 0 && c.turn.enter() == nil { // else Revoke has dropped it
		C.nl_snapshot_drop(c.addr)
		c.turn.leave()
	}
}

// Holding reports whether a snapshot is held.
func (c *Conn) Holding() bool { return c.port != nil && c.port.pinned != 0 }

// Snapshots counts the snapshots taken so far; it wraps.
func (c *Conn) Snapshots() uint32 { return uint32(c.port.refreshes) }

// Snapshot returns the header noted before the held snapshot began: the
// snapshot is that commit or a newer one.
func (c *Conn) Snapshot() WALHeader {
	return *(*WALHeader)(unsafe.Pointer(&c.port.noted))
}

// WAL returns the shared wal-index header and the number of frames already
// copied back into the database file. ok is false when there is none: the
// connection has not read yet, or the database is not in WAL mode.
func (c *Conn) WAL() (h WALHeader, backfilled uint32, ok bool) {
	if c.port == nil || c.port.shm == nil && C.nl_map_walindex(c.addr) != C.SQLITE_OK {
		return h, 0, false
	}
	shm := unsafe.Pointer(c.port.shm)
	// Copy 0 of the header may be written meanwhile, by this or another process:
	// it is whole when both copies agree.
	for range 1000 {
		for i := 0; i < len(h); i += 8 {
			binary.NativeEndian.PutUint64(h[i:], atomic.LoadUint64((*uint64)(unsafe.Add(shm, i))))
		}
		same := true
		for i := 0; i < len(h); i += 8 {
			same = same && binary.NativeEndian.Uint64(h[i:]) == atomic.LoadUint64((*uint64)(unsafe.Add(shm, len(h)+i)))
		}
		if same {
			break
		}
	}
	return h, atomic.LoadUint32((*uint32)(unsafe.Add(shm, 2*len(h)))), true
}

// SyncDatabase flushes the database file to the disk through the connection's
// own descriptor; a checkpoint that does not reach the end of the WAL leaves
// that undone.
func (c *Conn) SyncDatabase() error {
	if c.port == nil {
		return ErrClosed
	}
	if rc := C.nl_sync_database(c.addr); rc != C.SQLITE_OK {
		return fmt.Errorf("sync %s: %w", c.path, ResultCode(rc))
	}
	return nil
}
