package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"fmt"
	"runtime/debug"
	"unsafe"
)

// A Go function that SQLite calls in the middle of a statement may use the same
// connection. What the statement under way still needs is put aside meanwhile:
//
//   - its arguments, which are bound in place, and the operations of a Batch;
//   - the block its row will go to: calls inside have a ring of their own;
//   - the turn, which the call under way has taken and will give back.
//
// A statement in the middle of an execution cannot be run again, closed or freed
// from inside; see [Stmt.inUse]. This costs nothing outside of callbacks but a
// comparison with zero.

// suspended is a call under way.
type suspended struct {
	args    *C.uchar
	argsCap C.int64_t
	used    int
	owned   bool
	ops     []C.nl_op
	flags   C.int
	ring    *ring
	turn    bool
}

// suspend puts the call under way aside, until resume.
func (c *Conn) suspend() suspended {
	s := suspended{c.port.args, c.port.args_cap, c.enc.used, c.enc.owned, c.ops, c.flags, c.ring, c.turn.on}
	c.port.args, c.port.args_cap = nil, 0
	c.ops, c.flags, c.turn.on = nil, 0, false
	if c.nested == len(c.inner) {
		c.inner = append(c.inner, &ring{})
	}
	c.ring = c.inner[c.nested]
	c.nested++
	return s
}

func (c *Conn) resume(s suspended) {
	if c.port == nil {
		return // abandoned
	}
	if c.port.args != nil {
		C.free(unsafe.Pointer(c.port.args))
	}
	c.freeOps()
	c.port.args, c.port.args_cap = s.args, s.argsCap
	c.enc.used, c.enc.owned, c.ops, c.flags, c.ring, c.turn.on = s.used, s.owned, s.ops, s.flags, s.ring, s.turn
	c.nested--
}

func (c *Conn) freeOps() {
	if c.ops != nil {
		C.free(unsafe.Pointer(unsafe.SliceData(c.ops)))
		c.ops = nil
	}
}

// inUse reports whether the statement is in the middle of an execution: it has
// an open cursor, or called the function that is running now.
func (s *Stmt) inUse() bool { return s.rows != nil || s.conn.nested > 0 && s.running() }

func (s *Stmt) running() bool { return s.live() && C.sqlite3_stmt_busy(s.ptr) != 0 }

// PanicError is the cause of the error of a statement in which a Go function
// panicked; the panic itself cannot pass through C.
type PanicError struct {
	Func  string // what panicked, such as "the function sha256"
	Value any    // of the panic
	Stack []byte
}

// Error names the function and the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("%s panicked: %v", e.Func, e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// rescue is deferred around a call of a function of the user's, so that nothing
// unwinds C. done says that it returned.
func (c *Conn) rescue(what string, done *bool, err *error) {
	if *done {
		return
	}
	if r := recover(); r != nil {
		*err = &PanicError{Func: what, Value: r, Stack: debug.Stack()}
		return
	}
	// runtime.Goexit, as by t.FailNow, cannot be stopped. It leaves SQLite in the
	// middle of a statement, so the connection must never be touched again.
	c.mu.Lock()
	c.open = false
	c.mu.Unlock()
	c.port, c.db, c.addr = nil, nil, 0
	c.stmts, c.cursors, c.blobs, c.backups = nil, nil, nil, nil
}
