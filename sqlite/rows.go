package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"errors"
	"iter"
	"unsafe"
)

// Query runs the statement and yields its rows. A row is valid until the next
// one. Leaving the loop ends the statement and drops the error of doing so, which
// a write outside a transaction can have: read that to its end.
func (s *Stmt) Query(args ...any) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		rows, err := s.Rows(args...)
		if err != nil {
			yield(Row{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if !yield(rows.Row(), nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Row{}, err)
		}
	}
}

// ErrNoRows is returned when one row was asked for and the query has none.
var ErrNoRows = errors.New("the query returned no rows")

// Rows is a cursor over a statement's result. Close it.
type Rows struct {
	stmt *Stmt
	b    *block
	at   unsafe.Pointer // the current row's values
	own  unsafe.Pointer // a copy of the block's only row, whose bytes Revoke would take away
	left int            // rows of the block after the current one
	more C.int32_t      // what became of the statement after the block was filled
	err  error
	done bool

	caught error // what a Go function failed with, of a statement that has failed behind its rows

	// The arguments' buffer of a statement that has not ended: bound in place,
	// it must not be written to.
	args     *C.uchar
	changes  int64
	lastID   int64
	revokes  uint32 // how many there had been when the statement began
	started  bool
	fetching bool // and a function that the statement calls might want to close it
	released bool

	prev, next *Rows // in the connection's list of open cursors
}

// Rows starts the statement and returns a cursor before its first row.
func (s *Stmt) Rows(args ...any) (*Rows, error) {
	c := s.conn
	if err := c.turn.enter(); err != nil {
		return nil, err
	}
	defer c.turn.leave()
	if err := s.ready(args); err != nil {
		return nil, err
	}
	r := &Rows{stmt: s, b: c.takeBlock(), revokes: c.turn.count}
	r.b.reset(firstBlock)
	rc := C.nl_query(c.addr, C.uintptr_t(uintptr(unsafe.Pointer(s.ptr))), C.int(s.nparam), r.b.addr, c.flags)
	c.flags &^= C.NL_FRESH
	if rc != C.SQLITE_OK {
		err := c.fail(rc, s.sql)
		s.done()
		c.giveBlock(r.b)
		return nil, err
	}
	r.filled()
	s.rows, s.ran = r, int32(c.port.prepared)
	c.link(r)
	if r.more != C.NL_END && s.nparam > 0 {
		r.args = c.port.args
		c.port.args, c.port.args_cap = nil, 0
		c.enc.owned = false // cleared at Close
	} else if c.enc.owned {
		s.done()
	}
	return r, nil
}

// filled takes over what a fetch left in the block.
func (r *Rows) filled() {
	c := r.stmt.conn
	r.at, r.own, r.left, r.more = nil, nil, int(r.b.c.nrow), c.port.more
	r.changes, r.lastID = int64(c.port.changes), int64(c.port.rowid)
	r.started = false
	if r.more == C.NL_FAILED {
		r.caught, c.caught = c.caught, nil // until the rows before it are read
	}
	if r.more == C.NL_IN_PLACE && c.port.pin != nil {
		row := Row{v: r.b.row(), ncol: int32(r.b.c.ncol)}
		row.detach()
		r.own = row.v
	}
}

// Next moves to the next row and reports whether there is one.
func (r *Rows) Next() bool {
	for {
		if r.left > 0 {
			r.left--
			switch {
			case r.own != nil:
				r.at = r.own
			case !r.started:
				r.started, r.at = true, r.b.row()
			default:
				r.at = nextRow(r.at, int(r.b.c.ncol))
			}
			return true
		}
		if r.done || r.more == C.NL_END || !r.fetch() {
			r.at, r.done = nil, true
			return false
		}
	}
}

// fetch fills the block anew and reports whether it has rows.
func (r *Rows) fetch() bool {
	c := r.stmt.conn
	if r.more == C.NL_FAILED {
		r.err = r.end()
		return false
	}
	if err := c.turn.enter(); err != nil {
		r.err, r.more = err, C.NL_END
		return false
	}
	defer c.turn.leave()
	if r.revokes != c.turn.count { // the statement was ended, and would begin anew
		r.err, r.more = ErrRevoked, C.NL_END
		return false
	}
	flags := C.int(0)
	if r.more == C.NL_PENDING {
		flags = C.NL_AT_ROW
	}
	if need := int(r.b.c.ncol) * valueSize; need > blockSize {
		c.giveBlock(r.b)
		r.b = newBlock(need + blockSize)
	}
	r.b.reset(int(r.b.size))
	r.fetching = true
	rc := C.nl_fetch(c.addr, C.uintptr_t(uintptr(unsafe.Pointer(r.stmt.ptr))), r.b.addr, flags)
	r.fetching = false
	if rc != C.SQLITE_OK {
		r.err, r.more = c.fail(rc, r.stmt.sql), C.NL_END
		return false
	}
	r.filled()
	return r.left > 0
}

// Row returns the current row, valid until the next call of Next or Close.
func (r *Rows) Row() Row {
	if r.at == nil {
		return Row{err: errors.New("no current row: Next has not returned true")}
	}
	if r.own != nil {
		return Row{stmt: r.stmt, v: r.at, ncol: int32(r.b.c.ncol)}
	}
	return Row{stmt: r.stmt, block: r.b, gen: r.b.gen, v: r.at, ncol: int32(r.b.c.ncol)}
}

// Columns describes the result.
func (r *Rows) Columns() []Column { return r.stmt.Columns() }

// Result returns the changes made by the statement, which counts them when it
// ends: after the last row, or after Close.
func (r *Rows) Result() Result { return Result{r.lastID, r.changes} }

// Ended reports whether the statement has run to its end, so that only rows are
// left that were fetched already.
func (r *Rows) Ended() bool { return r.more == C.NL_END }

// Err returns the error that ended the rows early.
func (r *Rows) Err() error { return r.err }

// Close ends the statement if it has rows left. A write outside a transaction
// commits at that moment, so its error counts. Closing twice is harmless.
func (r *Rows) Close() error {
	if r.released {
		return nil
	}
	if r.fetching {
		return r.stmt.busy("close the rows of")
	}
	r.released, r.done, r.at, r.left = true, true, nil, 0
	s := r.stmt
	s.rows = nil
	s.conn.unlink(r)
	unread := s.readOnly && r.more == C.NL_FAILED
	err := r.end()
	s.conn.giveBlock(r.b)
	if unread { // nobody has asked for the row in which it failed
		return nil
	}
	return err
}

// end resets the statement and frees its arguments.
func (r *Rows) end() (err error) {
	s, c := r.stmt, r.stmt.conn
	if !s.live() {
		return nil
	}
	c.turn.hold()
	defer c.turn.leave()
	if r.more != C.NL_END { // Revoke may have ended it already; doing it twice is harmless
		failed := r.more == C.NL_FAILED
		if failed {
			c.caught = r.caught
		}
		r.more = C.NL_END
		rc := C.nl_end(c.addr, C.uintptr_t(uintptr(unsafe.Pointer(s.ptr))))
		switch {
		case rc != C.SQLITE_OK:
			err = c.fail(rc, s.sql)
		case failed:
			err = ErrRevoked
		}
		r.changes, r.lastID = int64(c.port.changes), int64(c.port.rowid)
	}
	if r.args != nil {
		C.sqlite3_clear_bindings(s.ptr)
		C.free(unsafe.Pointer(r.args))
		r.args = nil
	}
	return err
}

func (c *Conn) link(r *Rows) {
	r.next = c.cursors
	if r.next != nil {
		r.next.prev = r
	}
	c.cursors = r
}

func (c *Conn) unlink(r *Rows) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		c.cursors = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
}

// CloseCursors closes every open cursor and blob handle of the connection: what
// a transaction does before it ends, since either keeps its locks.
func (c *Conn) CloseCursors() {
	for r := c.cursors; r != nil; {
		next := r.next
		r.Close()
		r = next
	}
	if len(c.blobs) == 0 {
		return
	}
	for n := len(c.blobs); n > 0; n-- {
		c.blobs[n-1].Close()
	}
	c.turn.hold()
	c.blobs = nil // also those that Revoke has closed
	c.turn.leave()
}
