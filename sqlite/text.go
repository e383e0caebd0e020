package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"strings"
	"unsafe"
)

// Complete reports whether sql ends at the end of a statement, so that a shell
// need not ask for more.
func Complete(sql string) bool {
	cs := C.CString(sql)
	defer C.free(unsafe.Pointer(cs))
	return C.sqlite3_complete(cs) != 0
}

// onlyComments reports whether sql holds no statement, as SQLite sees it.
func onlyComments(sql string) bool {
	for {
		switch {
		case sql == "":
			return true
		case sql[0] == ';':
			sql = sql[1:]
		case strings.IndexByte(" \t\n\f\r", sql[0]) >= 0: // which a vertical tab may follow, not begin
			sql = strings.TrimLeft(sql, " \t\n\v\f\r")
		case strings.HasPrefix(sql, byteOrderMark):
			sql = sql[len(byteOrderMark):]
		case strings.HasPrefix(sql, "--"):
			end := strings.IndexByte(sql, '\n')
			if end < 0 {
				return true
			}
			sql = sql[end:]
		case strings.HasPrefix(sql, "/*") && len(sql) > 2:
			_, sql, _ = strings.Cut(sql[2:], "*/")
		default:
			return false
		}
	}
}

const byteOrderMark = "\uFEFF" // a blank, wherever it stands
