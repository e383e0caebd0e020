package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"fmt"
	"slices"
	"unsafe"
)

// Backup copies the pages of one database into another while the source is in
// use: https://sqlite.org/c3ref/backup_finish.html
//
// A change of the source by another connection between two steps starts the
// copy over, unless the source connection has a read transaction open, which
// then is what is copied. Both connections are used by the backup's goroutine
// alone; closing either ends it.
type Backup struct {
	b                *C.sqlite3_backup
	dst, src         *Conn
	remaining, pages int
}

// NewBackup prepares a copy of src's main database over dst's. Neither
// connection may be used for anything else that writes until Close.
func NewBackup(dst, src *Conn) (*Backup, error) {
	if dst.port == nil || src.port == nil {
		return nil, fmt.Errorf("begin backup: %w", ErrClosed)
	}
	main := C.CString("main")
	defer C.free(unsafe.Pointer(main))
	b := C.sqlite3_backup_init(dst.db, main, src.db, main)
	if b == nil {
		return nil, fmt.Errorf("begin backup: %w", dst.fail(C.sqlite3_extended_errcode(dst.db), ""))
	}
	backup := &Backup{b: b, dst: dst, src: src}
	dst.backups, src.backups = append(dst.backups, backup), append(src.backups, backup)
	return backup, nil
}

// Step copies up to that many pages, all for a negative number, and reports
// whether everything is copied. An error that matches [CodeBusy] or [CodeLocked]
// says that somebody else holds a lock: the same Step may be tried again later.
// After any other error only Close is left.
func (b *Backup) Step(pages int) (done bool, err error) {
	if b.b == nil {
		return false, fmt.Errorf("copy pages: %w: the backup has ended", ErrClosed)
	}
	if err := b.src.turn.enter(); err != nil {
		return false, fmt.Errorf("copy pages: %w", err)
	}
	defer b.src.turn.leave()
	rc := C.sqlite3_backup_step(b.b, C.int(pages))
	b.remaining, b.pages = int(C.sqlite3_backup_remaining(b.b)), int(C.sqlite3_backup_pagecount(b.b))
	switch rc {
	case C.SQLITE_OK:
		return false, nil
	case C.SQLITE_DONE:
		return true, nil
	}
	return false, fmt.Errorf("copy pages of %s to %s: %w", b.src.path, b.dst.path,
		&Error{Code: ResultCode(rc), Msg: C.GoString(C.sqlite3_errstr(rc)), Offset: -1})
}

// Remaining returns the pages left to copy after the last Step.
func (b *Backup) Remaining() int { return b.remaining }

// PageCount returns the pages of the source at the last Step.
func (b *Backup) PageCount() int { return b.pages }

// Close ends the copy; one that is not done leaves the destination as it was.
// It has no error of its own, and closing twice is harmless.
func (b *Backup) Close() error {
	if b.b == nil {
		return nil
	}
	b.src.turn.hold()
	defer b.src.turn.leave()
	C.sqlite3_backup_finish(b.b) // repeats the error of the last Step
	b.b = nil
	for _, c := range []*Conn{b.dst, b.src} {
		c.backups = slices.DeleteFunc(c.backups, func(other *Backup) bool { return other == b })
	}
	return nil
}
