package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import "unsafe"

// BatchOp is one statement of a [Conn.Batch].
type BatchOp struct {
	Stmt *Stmt
	Args []any
}

// Batch runs statements one after the other in a single crossing into C, and
// stops at the first that fails or that ends the transaction. It appends what
// the ones before it said to results; their number is the index of the one that
// failed. Rows are discarded. A statement may occur more than once.
func (c *Conn) Batch(ops []BatchOp, results []Result) ([]Result, error) {
	if c.port == nil {
		return results, ErrClosed
	}
	e := &c.enc
	e.used, e.owned = 0, false
	n := len(ops)
	list := c.growOps(n)
	for i, op := range ops {
		at, err := 0, error(nil)
		if !op.Stmt.live() || op.Stmt.inUse() {
			err = op.Stmt.notReady()
		} else {
			at, err = e.encode(op.Stmt, op.Args)
		}
		if err != nil {
			freeOwned(e, list[:i])
			return results, err
		}
		list[i] = C.nl_op{stmt: op.Stmt.ptr, args: C.int64_t(at), nargs: C.int32_t(op.Stmt.nparam)}
	}
	rc := C.nl_batch(c.addr, C.uintptr_t(uintptr(unsafe.Pointer(unsafe.SliceData(list)))), C.int(n))
	done := n
	if c.port.failed_op >= 0 {
		done = int(c.port.failed_op)
		if e.owned {
			freeOwned(e, list[done+1:]) // those were never bound
		}
	}
	if e.owned {
		e.owned = false
		for _, op := range ops {
			C.sqlite3_clear_bindings(op.Stmt.ptr)
		}
	}
	for i := range done {
		results = append(results, Result{int64(list[i].rowid), int64(list[i].changes)})
	}
	if rc != C.SQLITE_OK {
		return results, c.fail(rc, ops[done].Stmt.sql)
	}
	if done < n { // the last one succeeded, and ended the transaction
		results = append(results, Result{int64(list[done].rowid), int64(list[done].changes)})
	}
	return results, nil
}

// Changed reports whether the last execution changed rows, by itself or through
// triggers. One that failed may have, and keeps them, under OR FAIL and
// RAISE(FAIL); true after any other failure means nothing.
func (c *Conn) Changed() bool { return c.port != nil && c.port.changed != 0 }

// growOps returns C memory for n operations, the connection's own.
func (c *Conn) growOps(n int) []C.nl_op {
	if n > len(c.ops) {
		size := max(16, 2*n)
		var old *C.nl_op
		if c.ops != nil {
			old = unsafe.SliceData(c.ops)
		}
		mem := (*C.nl_op)(C.realloc(unsafe.Pointer(old), C.size_t(size)*C.sizeof_nl_op))
		c.ops = unsafe.Slice(mem, size)
	}
	return c.ops[:n]
}

// freeOwned frees the large arguments of operations that will not run.
func freeOwned(e *encoder, ops []C.nl_op) {
	for _, op := range ops {
		e.free(int(op.args), int(op.nargs))
	}
}
