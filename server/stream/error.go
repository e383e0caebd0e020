package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/sqlite"
)

// Codes that sqld does not have, or has for a whole request.
const (
	// CodeProtocol is of a request that no correct client sends. The server ends
	// the stream: over HTTP with the status 400.
	CodeProtocol = "PROTOCOL_ERROR"
	// CodeForbidden is of a write with a token that may only read; 403 over HTTP.
	CodeForbidden = "FORBIDDEN"
	// CodeCommitUnknown is of a commit that may have happened and may not.
	CodeCommitUnknown = "COMMIT_UNKNOWN"
	// CodeClosed is of a stream or a database that was closed.
	CodeClosed = "STREAM_CLOSED"
	// CodeInternal is of a mistake of the server's.
	CodeInternal = "INTERNAL_ERROR"
)

var (
	errNone       = &hrana.Error{Code: "SQL_NO_STATEMENT", Message: "SQL string does not contain any statement"}
	errMany       = &hrana.Error{Code: "SQL_MANY_STATEMENTS", Message: "SQL string contains more than one statement"}
	errBoth       = &hrana.Error{Code: "ARGS_BOTH_POSITIONAL_AND_NAMED", Message: "Specifying both positional and named arguments is not supported"}
	errTooLarge   = &hrana.Error{Code: "RESPONSE_TOO_LARGE", Message: "Response is too large"}
	errTimeout    = &hrana.Error{Code: "TRANSACTION_TIMEOUT", Message: "Transaction timed out"}
	errBusy       = &hrana.Error{Code: "TRANSACTION_BUSY", Message: "Server cannot handle additional transactions"}
	errTurn       = &hrana.Error{Code: "TRANSACTION_BUSY", Message: "The statement has waited too long for others that write: try again, or write less at a time"}
	errForbidden  = &hrana.Error{Code: CodeForbidden, Message: "Authorization forbidden: the token is for reading only"}
	errClosed     = &hrana.Error{Code: CodeClosed, Message: "the stream was closed"}
	errNested     = sqliteError("UNKNOWN", "cannot start a transaction within a transaction")
	errNoCommit   = sqliteError("UNKNOWN", "cannot commit - no transaction is active")
	errNoRollback = sqliteError("UNKNOWN", "cannot rollback - no transaction is active")
	errKeys       = sqliteError("CONSTRAINT", "FOREIGN KEY constraint failed")
)

func sqliteError(code, message string) *hrana.Error {
	return &hrana.Error{Code: "SQLITE_" + code, Message: "SQLite error: " + message}
}

func protocolError(format string, args ...any) *hrana.Error {
	return &hrana.Error{Code: CodeProtocol, Message: fmt.Sprintf(format, args...)}
}

func argsError(format string, args ...any) *hrana.Error {
	return &hrana.Error{Code: "ARGS_INVALID", Message: "Arguments do not match SQL parameters: " + fmt.Sprintf(format, args...)}
}

func parseError(what string) *hrana.Error {
	return &hrana.Error{Code: "SQL_PARSE_ERROR", Message: "SQL string could not be parsed: " + what}
}

// refused is the error of a statement that is not supported.
func (c *class) refused() *hrana.Error {
	return parseError("unsupported statement: " + strings.TrimSpace(c.text) + " (" + c.reason + ")")
}

// known are the engine's errors that have a code of their own here.
var known = []struct {
	err  error
	mean *hrana.Error
}{
	{nearlite.ErrLeaseExpired, errTimeout},
	{nearlite.ErrSnapshotExpired, errTimeout},
	{nearlite.ErrQueueFull, errBusy},
	{nearlite.ErrConflict, sqliteError("BUSY", "database is locked: what the transaction has read was changed before it wrote; run it again")},
	{nearlite.ErrCommitUnknown, &hrana.Error{Code: CodeCommitUnknown, Message: "the outcome of the commit is unknown: look whether it has happened before trying again"}},
	{nearlite.ErrSizeLimit, sqliteError("FULL", "database or disk is full: the database has reached the size that it may have")},
	{nearlite.ErrDiskFull, sqliteError("FULL", "database or disk is full")},
	{nearlite.ErrReadOnly, sqliteError("READONLY", "attempt to write a readonly database")},
	{nearlite.ErrClosed, &hrana.Error{Code: CodeClosed, Message: "the database was closed"}},
	{nearlite.ErrPoisoned, sqliteError("IOERR", nearlite.ErrPoisoned.Error())},
	{context.DeadlineExceeded, sqliteError("INTERRUPT", "interrupted: the statement has taken longer than it may")},
	{context.Canceled, sqliteError("INTERRUPT", "interrupted")},
}

// translate says what an error of the engine is to a client.
func translate(err error) *hrana.Error {
	var done *hrana.Error
	if errors.As(err, &done) {
		return done
	}
	if archive := Archive(err); archive != nil && !errors.Is(err, nearlite.ErrCommitUnknown) {
		return archive
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return k.mean
		}
	}
	if errors.Is(err, nearlite.ErrRefused) {
		// What follows the semicolon is advice for Go programs.
		reason, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), nearlite.ErrRefused.Error()+": "), "; ")
		return sqliteError("AUTH", "not authorized: "+reason)
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		return translateSQLite(e)
	}
	return &hrana.Error{Code: CodeInternal, Message: err.Error()}
}

// primaryCodes are sqld's names of SQLite's primary result codes.
var primaryCodes = [...]string{
	1: "UNKNOWN", 2: "INTERNAL", 3: "PERM", 4: "ABORT", 5: "BUSY", 6: "LOCKED", 7: "NOMEM", 8: "READONLY",
	9: "INTERRUPT", 10: "IOERR", 11: "CORRUPT", 12: "NOTFOUND", 13: "FULL", 14: "CANTOPEN", 15: "PROTOCOL",
	17: "SCHEMA", 18: "TOOBIG", 19: "CONSTRAINT", 20: "MISMATCH", 21: "MISUSE", 22: "NOLFS", 23: "AUTH",
	25: "RANGE", 26: "NOTADB",
}

func translateSQLite(e *sqlite.Error) *hrana.Error {
	if e.Code.Primary() == sqlite.CodeError {
		if what, ok := syntaxError(e); ok {
			return parseError(what)
		}
		if e.Offset >= 0 {
			return &hrana.Error{Code: "SQL_INPUT_ERROR", Message: fmt.Sprintf("SQL input error: %s (at offset %d)", e.Msg, e.Offset) + forkOnly(e)}
		}
	}
	if e.Code.Primary() == sqlite.CodeNoMem {
		return sqliteError("NOMEM", "out of memory: the statement needs more than the server leaves to all statements together (--sql-memory)")
	}
	if p := int(e.Code.Primary()); p < len(primaryCodes) && primaryCodes[p] != "" {
		return sqliteError(primaryCodes[p], e.Msg+forkOnly(e))
	}
	return sqliteError("UNKNOWN", e.Msg+forkOnly(e))
}

// syntaxError puts an error of SQLite's parser as sqld's parser would.
func syntaxError(e *sqlite.Error) (string, bool) {
	near, ok := strings.CutSuffix(e.Msg, `": syntax error`)
	if near, ok2 := strings.CutPrefix(near, `near "`); ok && ok2 {
		line, col := position(e.SQL, e.Offset+len(near))
		return fmt.Sprintf("syntax error around L%d:%d: `%s`", line, col, near) + forkOnly(e), true
	}
	switch {
	case e.Msg == "incomplete input":
		line, col := position(e.SQL, len(e.SQL))
		return fmt.Sprintf("unexpected end of input at (%d, %d)", line, col), true
	case strings.HasPrefix(e.Msg, "unrecognized token: "):
		line, col := position(e.SQL, e.Offset)
		return fmt.Sprintf("%s at (%d, %d)", e.Msg, line, col), true
	}
	return "", false
}

// unexpected is the error of a token that cannot stand where it does.
func unexpected(sql string, t token) *hrana.Error {
	line, col := position(sql, t.at+len(t.text))
	if t.kind == end {
		return parseError(fmt.Sprintf("unexpected end of input at (%d, %d)", line, col))
	}
	return parseError(fmt.Sprintf("syntax error around L%d:%d: `%s`", line, col, t.text))
}

// position returns the line and the column of an offset, from 1.
func position(sql string, offset int) (line, col int) {
	before := sql[:min(max(offset, 0), len(sql))]
	line = 1 + strings.Count(before, "\n")
	return line, len(before) - strings.LastIndexByte(before, '\n')
}

// translateDescribed is translate for a describe request, where sqld asks SQLite
// and not its own parser.
func translateDescribed(err error) *hrana.Error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code.Primary() == sqlite.CodeError && e.Offset >= 0 {
		return &hrana.Error{Code: "SQL_INPUT_ERROR", Message: fmt.Sprintf("SQL input error: %s (at offset %d)", e.Msg, e.Offset)}
	}
	return translate(err)
}
