package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Backup copies the pages of one database into another while the source is in
// use: https://sqlite.org/c3ref/backup_finish.html
//
// A change of the source by another connection between two steps starts the
// copy over, unless the source connection has a read transaction open, which
// then is what is copied.
type Backup struct {
	b   *C.sqlite3_backup
	dst *Conn
}

// NewBackup prepares a copy of src's main database over dst's. Neither
// connection may be used for anything else that writes until Close.
func NewBackup(dst, src *Conn) (*Backup, error) {
	if dst.port == nil || src.port == nil {
		return nil, ErrClosed
	}
	main := C.CString("main")
	defer C.free(unsafe.Pointer(main))
	b := C.sqlite3_backup_init(dst.db, main, src.db, main)
	if b == nil {
		return nil, fmt.Errorf("begin backup: %w", dst.fail(C.sqlite3_extended_errcode(dst.db), ""))
	}
	return &Backup{b: b, dst: dst}, nil
}

// Step copies up to that many pages, all for a negative number, and reports
// whether everything is copied. An error that matches [CodeBusy] or [CodeLocked]
// may be tried again.
func (b *Backup) Step(pages int) (done bool, err error) {
	if b.b == nil {
		return false, errors.New("step backup: it is closed")
	}
	switch rc := C.sqlite3_backup_step(b.b, C.int(pages)); rc {
	case C.SQLITE_OK:
		return false, nil
	case C.SQLITE_DONE:
		return true, nil
	default:
		return false, fmt.Errorf("copy pages: %w", &Error{Code: ResultCode(rc), Msg: C.GoString(C.sqlite3_errstr(rc)), Offset: -1})
	}
}

// Remaining returns the pages left to copy after the last Step.
func (b *Backup) Remaining() int { return int(C.sqlite3_backup_remaining(b.b)) }

// PageCount returns the pages of the source at the last Step.
func (b *Backup) PageCount() int { return int(C.sqlite3_backup_pagecount(b.b)) }

// Close ends the copy; one that is not done leaves the destination as it was.
func (b *Backup) Close() error {
	if b.b == nil {
		return nil
	}
	rc := C.sqlite3_backup_finish(b.b)
	b.b = nil
	if rc != C.SQLITE_OK {
		return fmt.Errorf("end backup: %w", b.dst.fail(rc, ""))
	}
	return nil
}
