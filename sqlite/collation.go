package sqlite

// #include <stdlib.h>
// #include "hooks.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// CreateCollation makes an order of texts known to SQL on this connection, for
// COLLATE and in the schema; nil removes it. compare returns a negative number, 0
// or a positive one, as bytes.Compare does; the texts are UTF-8 and valid during
// the call. It must not use the connection. When it panics the statement fails,
// and loses its transaction if it writes.
//
// An index is sorted by its collation: one that changes its mind corrupts it.
func (c *Conn) CreateCollation(name string, compare func(a, b []byte) int) error {
	if err := c.turn.enter(); err != nil {
		return err
	}
	defer c.turn.leave()
	if c.port == nil {
		return ErrClosed
	}
	var h cgo.Handle
	if compare != nil {
		h = cgo.NewHandle(&collation{c, "the collation " + name, compare})
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	if rc := C.nl_create_collation(c.db, cname, C.uintptr_t(h)); rc != C.SQLITE_OK {
		if h != 0 {
			h.Delete()
		}
		return fmt.Errorf("create collation %s: %w", name, c.fail(rc, ""))
	}
	return nil
}

type collation struct {
	conn    *Conn
	name    string
	compare func(a, b []byte) int
}

//export goCompare
func goCompare(h C.uintptr_t, a unsafe.Pointer, na C.int, b unsafe.Pointer, nb C.int) C.int {
	f := cgo.Handle(h).Value().(*collation)
	n, err := f.run(unsafe.Slice((*byte)(a), int(na)), unsafe.Slice((*byte)(b), int(nb)))
	if err != nil {
		// SQLite asks for an order and takes no error: stop what asks, and let the
		// port remember in case it was past the last place where it looks.
		f.conn.caught = err
		f.conn.port.failed = 1
		C.sqlite3_interrupt(f.conn.db)
	}
	return n
}

func (f *collation) run(a, b []byte) (n C.int, err error) {
	done := false
	defer f.conn.rescue(f.name, &done, &err)
	switch order := f.compare(a, b); {
	case order < 0:
		n = -1
	case order > 0:
		n = 1
	}
	done = true
	return n, nil
}
