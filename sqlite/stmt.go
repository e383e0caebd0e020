package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Stmt is a prepared statement of one [Conn], and is used by the same goroutine.
//
// An execution (Exec, Query, QueryRow) crosses into C once: arguments are
// written into memory the two sides share, bound, stepped and reset there, and
// rows come back in blocks.
type Stmt struct {
	conn   *Conn
	ptr    *C.sqlite3_stmt
	sql    string
	nparam int
	ncol   int
	params []string

	columns  []Column
	prepared int32 // how often SQLite had prepared it when columns was read
	ran      int32 // and when it ran last
	plan     *plan // of the last ScanStruct

	readOnly bool
	rows     *Rows // the open cursor, if any
	cached   bool  // owned by the connection's cache
	used     bool  // since the cache last looked
	tag      any   // see SetTag
}

// Column describes one column of a statement's result.
type Column struct {
	Name     string
	DeclType string // as declared, "" for an expression
}

// Result is what a statement that ran to its end says of itself.
type Result struct {
	// LastInsertRowID is the rowid of the connection's last successful INSERT.
	LastInsertRowID int64
	// Changes counts the rows the statement itself inserted, updated or deleted;
	// 0 for any other statement.
	Changes int64
}

// SQL returns the text the statement was prepared from.
func (s *Stmt) SQL() string { return s.sql }

// ReadOnly reports whether the statement cannot change the database file; it is
// SQLite's own judgement (sqlite3_stmt_readonly). BEGIN, COMMIT and SAVEPOINT
// count as read-only there.
func (s *Stmt) ReadOnly() bool { return s.readOnly }

// Params returns the names of the parameters with their prefix, "" for a plain ?.
func (s *Stmt) Params() []string {
	if s.params == nil && s.nparam > 0 && s.live() {
		s.params = make([]string, s.nparam)
		for i := range s.params {
			if name := C.sqlite3_bind_parameter_name(s.ptr, C.int(i+1)); name != nil {
				s.params[i] = C.GoString(name)
			}
		}
	}
	return s.params
}

// Columns describes the result without running the statement; it is empty for
// one that returns none. The slice is the statement's own: do not change it.
func (s *Stmt) Columns() []Column {
	if !s.live() {
		return s.columns
	}
	prepared := int32(C.sqlite3_stmt_status(s.ptr, C.SQLITE_STMTSTATUS_REPREPARE, 0)) + 1
	if s.prepared != prepared {
		s.prepared = prepared
		s.columns = make([]Column, int(C.sqlite3_column_count(s.ptr)))
		for i := range s.columns {
			s.columns[i].Name = C.GoString(C.sqlite3_column_name(s.ptr, C.int(i)))
			s.columns[i].DeclType = C.GoString(C.sqlite3_column_decltype(s.ptr, C.int(i)))
		}
	}
	return s.columns
}

// ColumnCount returns how many columns the result had when the statement was
// prepared; 0 for a statement that returns no rows.
func (s *Stmt) ColumnCount() int { return s.ncol }

// SetTag attaches a value of the caller's to the statement, for Tag to return.
func (s *Stmt) SetTag(tag any) { s.tag = tag }

// Tag returns the value given to SetTag.
func (s *Stmt) Tag() any { return s.tag }

// Finalize frees the statement. A statement of the connection's cache is freed
// by the cache instead.
func (s *Stmt) Finalize() error {
	if s.ptr == nil || s.cached {
		return nil
	}
	if s.rows == nil && s.inUse() || s.rows != nil && s.rows.fetching {
		return s.busy("finalize")
	}
	s.free()
	return nil
}

func (s *Stmt) free() {
	if s.rows != nil {
		s.rows.Close()
	}
	if s.ptr == nil {
		return
	}
	delete(s.conn.own, s)
	if s.conn.port != nil { // else Close has finalized it
		s.conn.turn.hold()
		C.sqlite3_finalize(s.ptr)
		s.conn.turn.leave()
	}
	s.ptr = nil
}

// live reports whether SQLite may be asked about the statement.
func (s *Stmt) live() bool { return s.ptr != nil && s.conn.port != nil }

// ready encodes the arguments for the next execution.
func (s *Stmt) ready(args []any) error {
	c := s.conn
	if !s.live() || s.inUse() {
		return s.notReady()
	}
	if s.nparam == 0 && len(args) == 0 {
		return nil
	}
	e := &c.enc
	e.used, e.owned = 0, false
	_, err := e.encode(s, args)
	return err
}

func (s *Stmt) notReady() error {
	switch {
	case s.conn.port == nil:
		return ErrClosed
	case s.ptr == nil:
		return fmt.Errorf("run %q: %w: it was finalized, or the cache has freed it (Prepare it anew for each use)", s.sql, ErrClosed)
	}
	return s.busy("run")
}

func (s *Stmt) busy(verb string) error {
	if s.rows != nil && !s.rows.fetching {
		return fmt.Errorf("%s %q: its rows are still being read", verb, s.sql)
	}
	return fmt.Errorf("%s %q: it is running and has called the function that does this", verb, s.sql)
}

// done returns large arguments' memory, which SQLite would keep until the
// statement's next execution.
func (s *Stmt) done() {
	if s.conn.enc.owned {
		s.conn.enc.owned = false
		C.sqlite3_clear_bindings(s.ptr)
	}
}

// Exec runs the statement to its end and discards its rows.
func (s *Stmt) Exec(args ...any) (Result, error) {
	c := s.conn
	if err := c.turn.enter(); err != nil {
		return Result{}, err
	}
	defer c.turn.leave()
	if err := s.ready(args); err != nil {
		return Result{}, err
	}
	rc := C.nl_exec(c.addr, C.uintptr_t(uintptr(unsafe.Pointer(s.ptr))), C.int(s.nparam))
	if c.enc.owned {
		s.done()
	}
	if rc != C.SQLITE_OK {
		return Result{}, c.fail(rc, s.sql)
	}
	return Result{int64(c.port.rowid), int64(c.port.changes)}, nil
}

// QueryRow runs the statement up to its first row. Row.Err is [ErrNoRows] if
// there is none. The row stays readable for some thousand further calls of
// QueryRow on the connection and panics after that; copy what is to be kept.
func (s *Stmt) QueryRow(args ...any) Row {
	c := s.conn
	if err := c.turn.enter(); err != nil {
		return Row{err: err}
	}
	if err := s.ready(args); err != nil {
		c.turn.leave()
		return Row{err: err}
	}
	r := s.queryRow(nil)
	c.turn.leave()
	return r
}

// QueryRowTail is QueryRow with the bytes of the last column, a text or blob,
// appended to *tail instead of being kept in the row, where that column then is
// NULL. It is for large values: with room in *tail nothing is allocated, and the
// bytes are copied once, straight from SQLite's memory.
func (s *Stmt) QueryRowTail(tail *[]byte, args ...any) Row {
	c := s.conn
	if err := c.turn.enter(); err != nil {
		return Row{err: err}
	}
	defer c.turn.leave()
	if err := s.ready(args); err != nil {
		return Row{err: err}
	}
	return s.queryRow(tail)
}

// queryRow is QueryRow once the arguments are encoded, or QueryRowTail.
func (s *Stmt) queryRow(tail *[]byte) Row {
	c := s.conn
	b := c.ring.next()
	flags := c.flags | C.NL_ONE
	if tail != nil {
		flags |= C.NL_TAIL
	}
	rc := C.nl_query(c.addr, C.uintptr_t(uintptr(unsafe.Pointer(s.ptr))), C.int(s.nparam), b.addr, flags)
	c.flags &^= C.NL_FRESH
	for rc == C.SQLITE_OK && c.port.more == C.NL_PENDING { // not even one row's values fit
		b = newBlock(int(C.sqlite3_column_count(s.ptr))*valueSize + blockSize)
		c.ring.replace(b)
		rc = C.nl_fetch(c.addr, C.uintptr_t(uintptr(unsafe.Pointer(s.ptr))), b.addr, flags&^C.NL_FRESH|C.NL_AT_ROW)
	}
	switch {
	case rc != C.SQLITE_OK:
		s.done()
		return Row{err: c.fail(rc, s.sql)}
	case b.c.nrow == 0:
		s.done()
		return Row{err: ErrNoRows}
	}
	s.ran = int32(c.port.prepared)
	r := Row{stmt: s, block: b, gen: b.gen, v: b.row(), ncol: int32(b.c.ncol)}
	if tail != nil {
		r.moveTail(tail)
	}
	if c.port.more != C.NL_END {
		if r.inPlace() {
			r.detach()
		}
		rc = C.nl_end(c.addr, C.uintptr_t(uintptr(unsafe.Pointer(s.ptr))))
	}
	if rc != C.SQLITE_OK { // a write commits when it ends
		r = Row{err: c.fail(rc, s.sql)}
	}
	if c.enc.owned {
		s.done()
	}
	return r
}
