package sqlite

// #include "port.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Error is what SQLite says when something fails.
type Error struct {
	Code   ResultCode // extended: https://sqlite.org/rescode.html
	Msg    string
	SQL    string        // the statement, "" if the error is not about one
	Offset int           // of the offending token in SQL, in bytes; -1 if unknown
	Path   string        // of the file that could not be opened
	Errno  syscall.Errno // of the system call that failed, 0 if none did
	cause  error
}

// Error names the cause and the statement, and marks the place in it.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Path != "" {
		fmt.Fprintf(&b, "open %s: ", e.Path)
	}
	b.WriteString(e.Msg)
	if e.Errno != 0 && !strings.Contains(e.Msg, e.Errno.Error()) {
		fmt.Fprintf(&b, " (%v)", e.Errno)
	}
	if e.SQL == "" {
		return b.String()
	}
	if e.Offset >= 0 && e.Offset <= len(e.SQL) {
		fmt.Fprintf(&b, " at offset %d: %s⟨here⟩%s", e.Offset, clip(e.SQL[:e.Offset], true), clip(e.SQL[e.Offset:], false))
		return b.String()
	}
	fmt.Fprintf(&b, ": %s", clip(e.SQL, false))
	return b.String()
}

// clip keeps an error message to a readable length.
func clip(s string, fromEnd bool) string {
	const most = 160
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	if fromEnd {
		return "…" + strings.ToValidUTF8(s[len(s)-most:], "")
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Is matches a ResultCode: the extended one, or its primary one.
func (e *Error) Is(target error) bool {
	code, ok := target.(ResultCode)
	return ok && (e.Code == code || e.Code.Primary() == code)
}

// Unwrap returns the error of this package behind the message, if there is one.
func (e *Error) Unwrap() error {
	if e.cause != nil {
		return e.cause
	}
	if e.Errno != 0 {
		return e.Errno
	}
	return nil
}

// Code returns the result code in err's chain, [CodeOK] if there is none.
func Code(err error) ResultCode {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	var code ResultCode
	if errors.As(err, &code) {
		return code
	}
	return CodeOK
}

// fail makes an Error of the connection's last one.
func (c *Conn) fail(rc C.int, sql string) error {
	e := &Error{Code: ResultCode(rc), Msg: C.GoString(C.sqlite3_errstr(rc)), SQL: sql, Offset: -1}
	if c.db != nil && ResultCode(C.sqlite3_extended_errcode(c.db)).Primary() == e.Code.Primary() {
		e.Code = ResultCode(C.sqlite3_extended_errcode(c.db))
		e.Msg = C.GoString(C.sqlite3_errmsg(c.db))
		e.Offset = int(C.sqlite3_error_offset(c.db))
		if p := e.Code.Primary(); p == CodeIOErr || p == CodeCantOpen || p == CodeFull {
			e.Errno = syscall.Errno(C.sqlite3_system_errno(c.db))
		}
	}
	e.attach(c.caught)
	c.caught = nil
	return e
}

// attach makes what a Go function failed with the cause, if it is this error: a
// function's error has come as SQLite's message, the others' panics have no way.
func (e *Error) attach(caught error) {
	var p *PanicError
	switch {
	case caught == nil:
	case e.Msg == caught.Error():
		e.cause = caught
	case errors.As(caught, &p):
		e.Msg += ": " + caught.Error()
		e.cause = caught
	}
}

// openError says why a file could not be opened; db may be nil.
func openError(db *C.sqlite3, rc C.int, path string) error {
	e := &Error{Code: ResultCode(rc), Msg: C.GoString(C.sqlite3_errstr(rc)), Offset: -1, Path: path}
	if db != nil {
		e.Code = ResultCode(C.sqlite3_extended_errcode(db))
		e.Msg = C.GoString(C.sqlite3_errmsg(db))
		e.Errno = syscall.Errno(C.sqlite3_system_errno(db))
	}
	return e
}
