package sqlite

// #cgo CFLAGS: -Wall -Wextra
// #cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-in-object-files
// #cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup
// #include <stdlib.h>
// #include "port.h"
// static int config(void) {
//   return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) | sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, 0x1ffff) | nl_bound_memory();
// }
import "C"

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unsafe"

	_ "github.com/mattn/go-sqlite3" // the amalgamation this package links against
)

// OpenFlags say how a database is opened: https://sqlite.org/c3ref/open.html
type OpenFlags int

// A connection of this package is used by one goroutine at a time, so its own
// mutex is always off (SQLITE_OPEN_NOMUTEX); URI file names are off unless asked for.
const (
	OpenReadOnly  OpenFlags = 0x1
	OpenReadWrite OpenFlags = 0x2
	OpenCreate    OpenFlags = 0x4
	OpenURI       OpenFlags = 0x40
	OpenMemory    OpenFlags = 0x80
	OpenNoFollow  OpenFlags = 0x01000000

	openNoMutex OpenFlags = 0x8000
)

// ErrClosed is returned by a connection, statement or handle that was closed.
var ErrClosed = errors.New("sqlite: the connection is closed")

// Conn is a connection to a database file. It and everything made from it is
// used by one goroutine at a time; only Interrupt may be called from any.
type Conn struct {
	db    *C.sqlite3
	port  *C.nl_port
	addr  C.uintptr_t // of port
	path  string
	flags C.int // of the next query
	enc   encoder
	ring  *ring
	spare []*block

	nested  int     // calls of Go functions from inside SQLite; see suspend
	inner   []*ring // of the calls made inside them, by depth
	orphans []*Stmt // replaced in the cache while they ran
	results encoder // of what Go functions return
	caught  error   // what a Go function failed with; see fail

	turn      turn             // of a reader; see Revoke
	ops       []C.nl_op        // C memory for Batch
	cursors   *Rows            // the open ones
	blobs     []*BlobHandle    // the open ones
	backups   []*Backup        // the open ones, from or to it
	stmts     map[string]*Stmt // by text; see Prepare
	recent    [32]*Stmt        // some of stmts, by the address of their text
	stmtsMax  int
	stmtsText int                // bytes of the texts in stmts
	latest    *Stmt              // in stmts, prepared last
	large     *Stmt              // prepared last of those too large for stmts
	largeAge  int                // how many were prepared after it
	own       map[*Stmt]struct{} // of PrepareFirst, not finalized yet

	mu    sync.Mutex // guards open, which Interrupt reads
	open  bool
	hooks hooks
}

var setup sync.Once

// Initialize prepares the library for the first connection of the process, and
// refuses one that can corrupt databases. Open does it by itself; call it before a
// VFS is registered, after which the library takes no settings any more.
func Initialize() (err error) {
	setup.Do(func() {
		// Memory statistics put a process-wide mutex around every malloc. What a
		// savepoint may have to take back goes to a temporary file at 64 KiB; one
		// around many small transactions has more, hence 128 KiB less one byte: it
		// is written in one piece then, and unixWrite in os_unix.c takes that many
		// at most (of 128 KiB it writes none, and says that the disk is full). For
		// nl_bound_memory see LimitMemory. The calls fail when another user of the library was first; Version tells.
		C.config()
	})
	return checkVersion(int(C.sqlite3_libversion_number()))
}

// Open opens the database at path through the named VFS ("" is the default
// one). Errors are [*Error] and name the path.
func Open(path string, flags OpenFlags, vfs string) (*Conn, error) {
	if err := Initialize(); err != nil {
		return nil, err
	}
	if strings.IndexByte(path, 0) >= 0 {
		return nil, fmt.Errorf("open %q: the path contains a NUL byte", path)
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	var cvfs *C.char
	if vfs != "" {
		cvfs = C.CString(vfs)
		defer C.free(unsafe.Pointer(cvfs))
	}
	var db *C.sqlite3
	rc := C.sqlite3_open_v2(cpath, &db, C.int(flags|openNoMutex), cvfs)
	if rc != C.SQLITE_OK {
		err := openError(db, rc, path)
		C.sqlite3_close_v2(db)
		return nil, err
	}
	C.sqlite3_extended_result_codes(db, 1)
	port := C.nl_port_new()
	port.db = db
	C.nl_pausable(C.uintptr_t(uintptr(unsafe.Pointer(port))))
	c := &Conn{db: db, port: port, addr: C.uintptr_t(uintptr(unsafe.Pointer(port))), path: path,
		stmts: map[string]*Stmt{}, stmtsMax: DefaultCacheStatements, own: map[*Stmt]struct{}{}, ring: &ring{}, open: true}
	c.enc = encoder{conn: c, port: port}
	return c, nil
}

// Handle returns the sqlite3 pointer, for packages with C of their own. It is the
// connection's, and good until Close.
func (c *Conn) Handle() unsafe.Pointer { return unsafe.Pointer(c.db) }

// Path returns the path the connection was opened with.
func (c *Conn) Path() string { return c.path }

// Close frees the connection's statements, cursors, blobs, backups and hooks and closes it.
func (c *Conn) Close() error {
	c.mu.Lock()
	if !c.open {
		c.mu.Unlock()
		return ErrClosed
	}
	if c.nested > 0 {
		c.mu.Unlock()
		return fmt.Errorf("close %s: a function that it called is running", c.path)
	}
	c.open = false
	c.mu.Unlock()
	c.CloseCursors()
	for len(c.backups) > 0 {
		c.backups[0].Close()
	}
	c.DropSnapshot()
	for _, s := range c.stmts {
		s.retire()
	}
	c.stmts = nil
	for s := range c.own { // each finds out by itself
		C.sqlite3_finalize(s.ptr)
	}
	c.own = nil
	c.dropLarge()
	c.freeOrphans()
	C.nl_drop_pin(c.addr)
	rc := C.sqlite3_close_v2(c.db)
	c.hooks.release()
	for _, r := range append(c.inner, c.ring) {
		r.free()
	}
	for _, b := range c.spare {
		b.free()
	}
	c.spare = nil
	c.freeOps()
	C.nl_port_free(c.results.port)
	C.nl_port_free(c.port)
	c.port, c.db, c.addr = nil, nil, 0
	if rc != C.SQLITE_OK {
		return fmt.Errorf("close %s: %w", c.path, ResultCode(rc))
	}
	return nil
}

// PrepareFirst prepares the first statement of sql for the caller, who
// finalizes it, and returns the text behind it. The statement is nil when sql
// holds nothing but blanks and comments.
func (c *Conn) PrepareFirst(sql string) (*Stmt, string, error) {
	s, tail, err := c.prepare(sql, 0)
	if errors.Is(err, errEmpty) {
		return nil, "", nil
	}
	if err == nil {
		c.own[s] = struct{}{}
	}
	return s, tail, err
}

var errEmpty = errors.New("there is no statement in the text")

func (c *Conn) prepare(sql string, flags C.uint) (*Stmt, string, error) {
	if c.port == nil {
		return nil, "", ErrClosed
	}
	if err := c.turn.enter(); err != nil {
		return nil, "", err
	}
	defer c.turn.leave()
	if i := strings.IndexByte(sql, 0); i >= 0 {
		return nil, "", &Error{Code: CodeError, Msg: "the statement contains a NUL byte", SQL: sql, Offset: i}
	}
	csql := C.CString(sql)
	defer C.free(unsafe.Pointer(csql))
	var ptr *C.sqlite3_stmt
	var tail *C.char
	if rc := C.sqlite3_prepare_v3(c.db, csql, C.int(len(sql)+1), flags, &ptr, &tail); rc != C.SQLITE_OK {
		return nil, "", c.fail(rc, sql)
	}
	if ptr == nil {
		return nil, "", &Error{Code: CodeMisuse, Msg: errEmpty.Error(), SQL: sql, Offset: -1, cause: errEmpty}
	}
	rest := sql[uintptr(unsafe.Pointer(tail))-uintptr(unsafe.Pointer(csql)):]
	return &Stmt{conn: c, ptr: ptr, sql: sql, nparam: int(C.sqlite3_bind_parameter_count(ptr)), ncol: int(C.sqlite3_column_count(ptr)),
		readOnly: C.sqlite3_stmt_readonly(ptr) != 0}, rest, nil
}

// Exec runs one statement with its arguments, from the connection's cache, or any
// number of statements without arguments, once.
func (c *Conn) Exec(sql string, args ...any) error {
	s := c.Prepared(sql)
	if s == nil && len(args) > 0 {
		var err error
		if s, err = c.prepareCached(sql); err != nil {
			return err
		}
	}
	if s != nil {
		_, err := s.Exec(args...)
		return err
	}
	for rest := sql; ; {
		s, tail, err := c.PrepareFirst(rest)
		if s == nil || err != nil {
			return err
		}
		_, err = s.Exec()
		s.Finalize()
		if err != nil {
			return err
		}
		rest = tail
	}
}

// Query prepares a statement from the cache and yields its rows; see [Stmt.Query].
func (c *Conn) Query(sql string, args ...any) func(yield func(Row, error) bool) {
	return func(yield func(Row, error) bool) {
		s, err := c.Prepare(sql)
		if err != nil {
			yield(Row{}, err)
			return
		}
		s.Query(args...)(yield)
	}
}

// QueryRow prepares a statement from the cache and returns its first row; see [Stmt.QueryRow].
func (c *Conn) QueryRow(sql string, args ...any) Row {
	s, err := c.Prepare(sql)
	if err != nil {
		return Row{err: err}
	}
	return s.QueryRow(args...)
}

// BusyTimeout lets SQLite wait that long for another connection's lock.
func (c *Conn) BusyTimeout(d time.Duration) {
	if c.db != nil {
		replace(&c.hooks.busy, nil, func(C.uintptr_t) { C.sqlite3_busy_timeout(c.db, C.int(d.Milliseconds())) })
	}
}

// Interrupt makes the statements that are running fail with [CodeInterrupt], and
// those that begin before the last of them has ended; if none runs, nothing
// happens. It may be called from any goroutine. A statement that writes loses its
// whole transaction.
func (c *Conn) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open {
		C.nl_interrupt(c.addr)
	}
}

// InterruptOn interrupts the connection when ctx ends, and from then on every few
// milliseconds, since an interrupt between two statements is lost. Call stop,
// which waits for one under way; none comes later.
func (c *Conn) InterruptOn(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	stopped, done := make(chan struct{}), make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		t := time.NewTicker(5 * time.Millisecond)
		defer t.Stop()
		for {
			c.Interrupt()
			select {
			case <-t.C:
			case <-stopped:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(stopped)
		if !cancel() {
			<-done
		}
	})
}

// AutoCommit reports whether no transaction is open.
func (c *Conn) AutoCommit() bool { return c.db == nil || C.sqlite3_get_autocommit(c.db) != 0 }

// LostTransaction reports whether no transaction was open when the last
// execution ended; unlike AutoCommit it costs nothing to ask.
func (c *Conn) LostTransaction() bool { return c.port == nil || c.port.autocommit != 0 }

// DeferredViolation reports whether a deferred foreign key was violated when
// the last execution ended: a COMMIT at that moment would be refused.
func (c *Conn) DeferredViolation() bool { return c.port != nil && c.port.deferred_fk != 0 }

// LastInsertRowID returns the rowid of the last successful INSERT.
func (c *Conn) LastInsertRowID() int64 {
	if c.db == nil {
		return 0
	}
	return int64(C.sqlite3_last_insert_rowid(c.db))
}

// SetLastInsertRowID sets what last_insert_rowid() returns.
func (c *Conn) SetLastInsertRowID(id int64) {
	if c.db != nil {
		C.sqlite3_set_last_insert_rowid(c.db, C.sqlite3_int64(id))
	}
}

// Changes returns how many rows the last INSERT, UPDATE or DELETE changed.
func (c *Conn) Changes() int64 {
	if c.db == nil {
		return 0
	}
	return int64(C.sqlite3_changes64(c.db))
}

// TotalChanges returns how many rows were changed since the connection was opened.
func (c *Conn) TotalChanges() int64 {
	if c.db == nil {
		return 0
	}
	return int64(C.sqlite3_total_changes64(c.db))
}

// ReadOnlyFile reports whether the named database ("main") cannot be written.
func (c *Conn) ReadOnlyFile(schema string) bool {
	if c.db == nil {
		return false
	}
	cs := C.CString(schema)
	defer C.free(unsafe.Pointer(cs))
	return C.sqlite3_db_readonly(c.db, cs) == 1
}

// ReleaseMemory gives back as much of the page cache as it can.
func (c *Conn) ReleaseMemory() {
	if c.db != nil {
		C.sqlite3_db_release_memory(c.db)
	}
}
