package sqlite

import "fmt"

// ResultCode is a result code of SQLite, extended where there is an extended
// one. It is an error, so that errors.Is(err, CodeConstraintUnique) and
// errors.Is(err, CodeConstraint) both match: https://sqlite.org/rescode.html
type ResultCode int

// Primary codes.
const (
	CodeOK         ResultCode = 0
	CodeError      ResultCode = 1
	CodeInternal   ResultCode = 2
	CodePerm       ResultCode = 3
	CodeAbort      ResultCode = 4
	CodeBusy       ResultCode = 5
	CodeLocked     ResultCode = 6
	CodeNoMem      ResultCode = 7
	CodeReadOnly   ResultCode = 8
	CodeInterrupt  ResultCode = 9
	CodeIOErr      ResultCode = 10
	CodeCorrupt    ResultCode = 11
	CodeNotFound   ResultCode = 12
	CodeFull       ResultCode = 13
	CodeCantOpen   ResultCode = 14
	CodeProtocol   ResultCode = 15
	CodeSchema     ResultCode = 17
	CodeTooBig     ResultCode = 18
	CodeConstraint ResultCode = 19
	CodeMismatch   ResultCode = 20
	CodeMisuse     ResultCode = 21
	CodeAuth       ResultCode = 23
	CodeRange      ResultCode = 25
	CodeNotADB     ResultCode = 26
)

// Extended codes: the primary one in the low byte.
const (
	CodeAbortRollback        ResultCode = 4 | 2<<8
	CodeBusyRecovery         ResultCode = 5 | 1<<8
	CodeBusySnapshot         ResultCode = 5 | 2<<8
	CodeBusyTimeout          ResultCode = 5 | 3<<8
	CodeLockedSharedCache    ResultCode = 6 | 1<<8
	CodeReadOnlyRecovery     ResultCode = 8 | 1<<8
	CodeReadOnlyCantLock     ResultCode = 8 | 2<<8
	CodeReadOnlyRollback     ResultCode = 8 | 3<<8
	CodeReadOnlyDBMoved      ResultCode = 8 | 4<<8
	CodeReadOnlyCantInit     ResultCode = 8 | 5<<8
	CodeReadOnlyDirectory    ResultCode = 8 | 6<<8
	CodeIOErrRead            ResultCode = 10 | 1<<8
	CodeIOErrShortRead       ResultCode = 10 | 2<<8
	CodeIOErrWrite           ResultCode = 10 | 3<<8
	CodeIOErrFsync           ResultCode = 10 | 4<<8
	CodeIOErrDirFsync        ResultCode = 10 | 5<<8
	CodeIOErrTruncate        ResultCode = 10 | 6<<8
	CodeIOErrFstat           ResultCode = 10 | 7<<8
	CodeIOErrUnlock          ResultCode = 10 | 8<<8
	CodeIOErrLock            ResultCode = 10 | 15<<8
	CodeIOErrNoMem           ResultCode = 10 | 12<<8
	CodeIOErrAccess          ResultCode = 10 | 13<<8
	CodeIOErrClose           ResultCode = 10 | 16<<8
	CodeIOErrDelete          ResultCode = 10 | 10<<8
	CodeIOErrSHMOpen         ResultCode = 10 | 18<<8
	CodeIOErrSHMSize         ResultCode = 10 | 19<<8
	CodeIOErrSHMLock         ResultCode = 10 | 20<<8
	CodeIOErrSHMMap          ResultCode = 10 | 21<<8
	CodeIOErrMmap            ResultCode = 10 | 24<<8
	CodeIOErrCorruptFS       ResultCode = 10 | 33<<8
	CodeCorruptVTab          ResultCode = 11 | 1<<8
	CodeCorruptSequence      ResultCode = 11 | 2<<8
	CodeCorruptIndex         ResultCode = 11 | 3<<8
	CodeCantOpenNoTempDir    ResultCode = 14 | 1<<8
	CodeCantOpenIsDir        ResultCode = 14 | 2<<8
	CodeCantOpenFullPath     ResultCode = 14 | 3<<8
	CodeCantOpenDirtyWAL     ResultCode = 14 | 5<<8
	CodeCantOpenSymlink      ResultCode = 14 | 6<<8
	CodeConstraintCheck      ResultCode = 19 | 1<<8
	CodeConstraintCommitHook ResultCode = 19 | 2<<8
	CodeConstraintForeignKey ResultCode = 19 | 3<<8
	CodeConstraintFunction   ResultCode = 19 | 4<<8
	CodeConstraintNotNull    ResultCode = 19 | 5<<8
	CodeConstraintPrimaryKey ResultCode = 19 | 6<<8
	CodeConstraintTrigger    ResultCode = 19 | 7<<8
	CodeConstraintUnique     ResultCode = 19 | 8<<8
	CodeConstraintVTab       ResultCode = 19 | 9<<8
	CodeConstraintRowID      ResultCode = 19 | 10<<8
	CodeConstraintPinned     ResultCode = 19 | 11<<8
	CodeConstraintDataType   ResultCode = 19 | 12<<8
	CodeErrorMissingCollSeq  ResultCode = 1 | 1<<8
	CodeErrorRetry           ResultCode = 1 | 2<<8
	CodeErrorSnapshot        ResultCode = 1 | 3<<8
)

// Primary returns the code without its extension.
func (c ResultCode) Primary() ResultCode { return c & 0xff }

// String returns SQLite's name of the code.
func (c ResultCode) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	if name, ok := codeNames[c.Primary()]; ok {
		return fmt.Sprintf("%s (%d)", name, int(c))
	}
	return fmt.Sprintf("SQLITE_%d", int(c))
}

// Error returns the name, so that a code alone is an error that can be matched.
func (c ResultCode) Error() string { return c.String() }

// Is matches a code against its primary code.
func (c ResultCode) Is(target error) bool {
	t, ok := target.(ResultCode)
	return ok && (c == t || c.Primary() == t)
}

var codeNames = map[ResultCode]string{
	CodeOK:                   "SQLITE_OK",
	CodeError:                "SQLITE_ERROR",
	CodeInternal:             "SQLITE_INTERNAL",
	CodePerm:                 "SQLITE_PERM",
	CodeAbort:                "SQLITE_ABORT",
	CodeBusy:                 "SQLITE_BUSY",
	CodeLocked:               "SQLITE_LOCKED",
	CodeNoMem:                "SQLITE_NOMEM",
	CodeReadOnly:             "SQLITE_READONLY",
	CodeInterrupt:            "SQLITE_INTERRUPT",
	CodeIOErr:                "SQLITE_IOERR",
	CodeCorrupt:              "SQLITE_CORRUPT",
	CodeNotFound:             "SQLITE_NOTFOUND",
	CodeFull:                 "SQLITE_FULL",
	CodeCantOpen:             "SQLITE_CANTOPEN",
	CodeProtocol:             "SQLITE_PROTOCOL",
	CodeSchema:               "SQLITE_SCHEMA",
	CodeTooBig:               "SQLITE_TOOBIG",
	CodeConstraint:           "SQLITE_CONSTRAINT",
	CodeMismatch:             "SQLITE_MISMATCH",
	CodeMisuse:               "SQLITE_MISUSE",
	CodeAuth:                 "SQLITE_AUTH",
	CodeRange:                "SQLITE_RANGE",
	CodeNotADB:               "SQLITE_NOTADB",
	CodeAbortRollback:        "SQLITE_ABORT_ROLLBACK",
	CodeBusyRecovery:         "SQLITE_BUSY_RECOVERY",
	CodeBusySnapshot:         "SQLITE_BUSY_SNAPSHOT",
	CodeBusyTimeout:          "SQLITE_BUSY_TIMEOUT",
	CodeLockedSharedCache:    "SQLITE_LOCKED_SHAREDCACHE",
	CodeReadOnlyRecovery:     "SQLITE_READONLY_RECOVERY",
	CodeReadOnlyCantLock:     "SQLITE_READONLY_CANTLOCK",
	CodeReadOnlyRollback:     "SQLITE_READONLY_ROLLBACK",
	CodeReadOnlyDBMoved:      "SQLITE_READONLY_DBMOVED",
	CodeReadOnlyCantInit:     "SQLITE_READONLY_CANTINIT",
	CodeReadOnlyDirectory:    "SQLITE_READONLY_DIRECTORY",
	CodeIOErrRead:            "SQLITE_IOERR_READ",
	CodeIOErrShortRead:       "SQLITE_IOERR_SHORT_READ",
	CodeIOErrWrite:           "SQLITE_IOERR_WRITE",
	CodeIOErrFsync:           "SQLITE_IOERR_FSYNC",
	CodeIOErrDirFsync:        "SQLITE_IOERR_DIR_FSYNC",
	CodeIOErrTruncate:        "SQLITE_IOERR_TRUNCATE",
	CodeIOErrFstat:           "SQLITE_IOERR_FSTAT",
	CodeIOErrUnlock:          "SQLITE_IOERR_UNLOCK",
	CodeIOErrLock:            "SQLITE_IOERR_LOCK",
	CodeIOErrNoMem:           "SQLITE_IOERR_NOMEM",
	CodeIOErrAccess:          "SQLITE_IOERR_ACCESS",
	CodeIOErrClose:           "SQLITE_IOERR_CLOSE",
	CodeIOErrDelete:          "SQLITE_IOERR_DELETE",
	CodeIOErrSHMOpen:         "SQLITE_IOERR_SHMOPEN",
	CodeIOErrSHMSize:         "SQLITE_IOERR_SHMSIZE",
	CodeIOErrSHMLock:         "SQLITE_IOERR_SHMLOCK",
	CodeIOErrSHMMap:          "SQLITE_IOERR_SHMMAP",
	CodeIOErrMmap:            "SQLITE_IOERR_MMAP",
	CodeIOErrCorruptFS:       "SQLITE_IOERR_CORRUPTFS",
	CodeCorruptVTab:          "SQLITE_CORRUPT_VTAB",
	CodeCorruptSequence:      "SQLITE_CORRUPT_SEQUENCE",
	CodeCorruptIndex:         "SQLITE_CORRUPT_INDEX",
	CodeCantOpenNoTempDir:    "SQLITE_CANTOPEN_NOTEMPDIR",
	CodeCantOpenIsDir:        "SQLITE_CANTOPEN_ISDIR",
	CodeCantOpenFullPath:     "SQLITE_CANTOPEN_FULLPATH",
	CodeCantOpenDirtyWAL:     "SQLITE_CANTOPEN_DIRTYWAL",
	CodeCantOpenSymlink:      "SQLITE_CANTOPEN_SYMLINK",
	CodeConstraintCheck:      "SQLITE_CONSTRAINT_CHECK",
	CodeConstraintCommitHook: "SQLITE_CONSTRAINT_COMMITHOOK",
	CodeConstraintForeignKey: "SQLITE_CONSTRAINT_FOREIGNKEY",
	CodeConstraintFunction:   "SQLITE_CONSTRAINT_FUNCTION",
	CodeConstraintNotNull:    "SQLITE_CONSTRAINT_NOTNULL",
	CodeConstraintPrimaryKey: "SQLITE_CONSTRAINT_PRIMARYKEY",
	CodeConstraintTrigger:    "SQLITE_CONSTRAINT_TRIGGER",
	CodeConstraintUnique:     "SQLITE_CONSTRAINT_UNIQUE",
	CodeConstraintVTab:       "SQLITE_CONSTRAINT_VTAB",
	CodeConstraintRowID:      "SQLITE_CONSTRAINT_ROWID",
	CodeConstraintPinned:     "SQLITE_CONSTRAINT_PINNED",
	CodeConstraintDataType:   "SQLITE_CONSTRAINT_DATATYPE",
	CodeErrorMissingCollSeq:  "SQLITE_ERROR_MISSING_COLLSEQ",
	CodeErrorRetry:           "SQLITE_ERROR_RETRY",
	CodeErrorSnapshot:        "SQLITE_ERROR_SNAPSHOT",
}
