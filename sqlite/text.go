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

// Verb returns the word that sql begins with, in capitals: SELECT, VACUUM, and so
// on. Blanks, comments and empty statements before it do not count.
func Verb(sql string) string {
	sql = skipBlanks(sql)
	n := 0
	for n < len(sql) && (sql[n]|0x20 >= 'a' && sql[n]|0x20 <= 'z' || sql[n] == '_') {
		n++
	}
	return strings.ToUpper(sql[:n])
}

// onlyComments reports whether sql holds no statement, as SQLite sees it.
func onlyComments(sql string) bool { return skipBlanks(sql) == "" }

// skipBlanks cuts off blanks, comments and empty statements, as SQLite does.
func skipBlanks(sql string) string {
	for {
		switch {
		case sql == "":
			return ""
		case sql[0] == ';':
			sql = sql[1:]
		case strings.IndexByte(" \t\n\f\r", sql[0]) >= 0: // which a vertical tab may follow, not begin
			sql = strings.TrimLeft(sql, " \t\n\v\f\r")
		case strings.HasPrefix(sql, byteOrderMark):
			sql = sql[len(byteOrderMark):]
		case strings.HasPrefix(sql, "--"):
			end := strings.IndexByte(sql, '\n')
			if end < 0 {
				return ""
			}
			sql = sql[end:]
		case strings.HasPrefix(sql, "/*") && len(sql) > 2:
			_, sql, _ = strings.Cut(sql[2:], "*/")
		default:
			return sql
		}
	}
}

const byteOrderMark = "\uFEFF" // a blank, wherever it stands
