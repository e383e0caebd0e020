package sqlite

// #include <stdlib.h>
// #include "port.h"
// // reopen_blob returns the size of the row's value, or an error code below zero.
// static int reopen_blob(sqlite3_blob *b, sqlite3_int64 rowid) {
//   int rc = sqlite3_blob_reopen(b, rowid);
//   return rc == SQLITE_OK ? sqlite3_blob_bytes(b) : -rc;
// }
import "C"

import (
	"errors"
	"fmt"
	"io"
	"math"
	"unsafe"
)

// BlobHandle reads and writes the bytes of one blob or text in place, without
// loading the value; see [Conn.OpenBlob]. It is an io.ReaderAt and an
// io.WriterAt, so io.NewSectionReader(b, 0, b.Size()) and io.NewOffsetWriter(b, 0)
// stream it.
//
// An open handle is part of the transaction, as a cursor is: it keeps a snapshot
// or, for writing, keeps the transaction from ending, and [Conn.CloseCursors]
// closes it. When its row is changed by a statement, reads and writes fail with
// [CodeAbort].
type BlobHandle struct {
	conn   *Conn
	ptr    *C.sqlite3_blob // nil: closed, by Close, CloseCursors or Revoke
	size   int64
	schema string
	table  string
	column string
	rowid  int64
	index  int // in conn.blobs; -1: in there no more
}

// OpenBlob opens the value of one column of one row; schema is "main" or the
// name of an attached database. Its size is fixed: a statement such as
// INSERT … VALUES (zeroblob(n)) makes room, see [ZeroBlob]. Close the handle;
// outside a transaction that is when its writes are committed.
func (c *Conn) OpenBlob(schema, table, column string, rowid int64, write bool) (*BlobHandle, error) {
	b := &BlobHandle{conn: c, schema: schema, table: table, column: column, rowid: rowid}
	if c.port == nil {
		return nil, b.failed("open", ErrClosed)
	}
	if c.flags&C.NL_FRESH != 0 {
		if err := c.RefreshNow(); err != nil {
			return nil, b.failed("open", err)
		}
	}
	if err := c.turn.enter(); err != nil {
		return nil, b.failed("open", err)
	}
	defer c.turn.leave()
	if err := b.open(write); err != nil {
		return nil, b.failed("open", err)
	}
	b.index = len(c.blobs)
	c.blobs = append(c.blobs, b)
	return b, nil
}

func (b *BlobHandle) open(write bool) error {
	var names [3]*C.char
	for i, name := range [...]string{b.schema, b.table, b.column} {
		names[i] = C.CString(name)
		defer C.free(unsafe.Pointer(names[i]))
	}
	flags := C.int(0)
	if write {
		flags = 1
	}
	rc := C.sqlite3_blob_open(b.conn.db, names[0], names[1], names[2], C.sqlite3_int64(b.rowid), flags, &b.ptr)
	if rc != C.SQLITE_OK {
		return b.conn.fail(rc, "")
	}
	b.size = int64(C.sqlite3_blob_bytes(b.ptr))
	return nil
}

// Size returns the number of bytes of the value.
func (b *BlobHandle) Size() int64 { return b.size }

// ReadAt reads straight into p. It returns io.EOF with fewer bytes than len(p).
func (b *BlobHandle) ReadAt(p []byte, off int64) (int, error) {
	if err := b.enter(); err != nil {
		return 0, b.failed("read", err)
	}
	defer b.conn.turn.leave()
	if off < 0 {
		return 0, b.failed("read", fmt.Errorf("negative offset %d", off))
	}
	n := int(min(int64(len(p)), max(b.size-off, 0)))
	if n > 0 {
		if rc := C.sqlite3_blob_read(b.ptr, unsafe.Pointer(&p[0]), C.int(n), C.int(off)); rc != C.SQLITE_OK {
			return 0, b.failed("read", b.lost(rc))
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes p in place. It writes nothing at all, and fails with
// io.ErrShortWrite, when p would reach beyond the end.
func (b *BlobHandle) WriteAt(p []byte, off int64) (int, error) {
	if err := b.enter(); err != nil {
		return 0, b.failed("write", err)
	}
	defer b.conn.turn.leave()
	if off < 0 || off > math.MaxInt32 || int64(len(p)) > b.size-off {
		return 0, b.failed("write", fmt.Errorf("%d bytes at offset %d of a value of %d bytes, which cannot grow: %w", len(p), off, b.size, io.ErrShortWrite))
	}
	if len(p) == 0 {
		return 0, nil
	}
	if rc := C.sqlite3_blob_write(b.ptr, unsafe.Pointer(&p[0]), C.int(len(p)), C.int(off)); rc != C.SQLITE_OK {
		return 0, b.failed("write", b.lost(rc))
	}
	return len(p), nil
}

// Reopen moves the handle to the same column of another row, which costs less
// than opening one anew. After an error it is closed.
func (b *BlobHandle) Reopen(rowid int64) error {
	if err := b.enter(); err != nil {
		return b.failed("reopen", err)
	}
	defer b.conn.turn.leave()
	b.rowid = rowid
	n := C.reopen_blob(b.ptr, C.sqlite3_int64(rowid))
	if n < 0 {
		err := b.lost(-n)
		b.unlink()
		return b.failed("reopen", err)
	}
	b.size = int64(n)
	return nil
}

// Close closes the handle. Outside a transaction it commits what was written,
// so its error counts. Closing twice is harmless.
func (b *BlobHandle) Close() error {
	c := b.conn
	c.turn.hold()
	defer c.turn.leave()
	if b.index < 0 {
		return nil
	}
	if rc := b.unlink(); rc != C.SQLITE_OK {
		return b.failed("close", b.lost(rc))
	}
	return nil
}

// unlink ends the handle and takes it off the connection's list.
func (b *BlobHandle) unlink() C.int {
	c := b.conn
	last := len(c.blobs) - 1
	c.blobs[last].index = b.index
	c.blobs[b.index] = c.blobs[last]
	c.blobs = c.blobs[:last]
	b.index = -1
	return b.end()
}

// end frees the handle, unless Revoke has.
func (b *BlobHandle) end() C.int {
	rc := C.sqlite3_blob_close(b.ptr)
	b.ptr = nil
	return rc
}

// endBlobs closes all handles. It leaves the list as it is, which is the owner's
// and not Revoke's to change.
func (c *Conn) endBlobs() {
	for _, b := range c.blobs {
		b.end()
	}
}

// enter begins a call on an open handle.
func (b *BlobHandle) enter() error {
	if err := b.conn.turn.enter(); err != nil {
		return err
	}
	if b.ptr == nil {
		b.conn.turn.leave()
		return errBlobClosed
	}
	return nil
}

var errBlobClosed = fmt.Errorf("%w: the handle was closed, by itself or at the end of the transaction", ErrClosed)

// lost makes an error of the connection's last one, which may have ended the transaction.
func (b *BlobHandle) lost(rc C.int) error {
	b.conn.port.autocommit = C.int32_t(C.sqlite3_get_autocommit(b.conn.db))
	return b.conn.fail(rc, "")
}

func (b *BlobHandle) failed(verb string, err error) error {
	hint := ""
	if errors.Is(err, CodeAbort) {
		hint = " (the row was changed since: open it again)"
	}
	return fmt.Errorf("%s blob %s.%s.%s of row %d: %w%s", verb, b.schema, b.table, b.column, b.rowid, err, hint)
}
