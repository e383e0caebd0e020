// Package fault is a VFS for tests that fails where it is told to: at the k-th
// write, sync or truncate of a database or its WAL. It can also lose what was not
// synced, as a power cut does; see [VFS.Clone].
package fault

// #cgo CFLAGS: -Wall -Wextra -I${SRCDIR}/../../sqlite
// #cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-in-object-files
// #cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup
// #include <stdlib.h>
// #include "vfs.h"
import "C"

import (
	"fmt"
	"os"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/nearlite/nearlite/sqlite"
)

// Op is a set of operations.
type Op int

// The operations that can fail.
const (
	Read     Op = C.OP_READ
	Write    Op = C.OP_WRITE
	Sync     Op = C.OP_SYNC
	Truncate Op = C.OP_TRUNCATE
	Open     Op = C.OP_OPEN
	Delete   Op = C.OP_DELETE
)

// File is a set of kinds of files.
type File int

// The kinds of files: the database itself, its WAL, and all others (rollback
// journals and temporary files).
const (
	Database File = C.FILE_DATABASE
	WAL      File = C.FILE_WAL
	Other    File = C.FILE_OTHER
	AnyFile       = Database | WAL | Other
)

// A Rule says which operations fail, and how. The zero Rule lets all pass.
type Rule struct {
	Ops   Op
	Files File
	At    int               // the first matching operation that fails, from 1; 0: none
	Times int               // how many fail from then on; 0 is one, negative all
	Code  sqlite.ResultCode // what they return
	Errno syscall.Errno     // the system's reason for it, if there is one
	Torn  bool              // a failing write writes its first half
	Late  bool              // the operation is done and then reported as failed; not for reads and opens
	Die   bool              // end the process instead, as kill -9 does
	Do    func()            // called before the operation fails or dies; it must not use the VFS's files
}

// A VFS passes everything on to the default one, except what its rule forbids.
// Its methods may be called from any goroutine.
type VFS struct {
	name   string
	ptr    *C.sqlite3_vfs
	handle cgo.Handle

	mu    sync.Mutex // protects the following
	rule  Rule
	seen  int // operations that matched the rule
	fired int // of them, those that failed
	disk  *disk
}

var registered atomic.Int64

// Register makes a new VFS known to SQLite under a name of its own.
func Register() (*VFS, error) {
	if err := sqlite.Initialize(); err != nil {
		return nil, fmt.Errorf("register a VFS: %w", err)
	}
	v := &VFS{name: fmt.Sprintf("fault-%d", registered.Add(1))}
	v.handle = cgo.NewHandle(v)
	name := C.CString(v.name)
	defer C.free(unsafe.Pointer(name))
	if v.ptr = C.fault_register(name, C.uintptr_t(v.handle)); v.ptr == nil {
		v.handle.Delete()
		return nil, fmt.Errorf("register the VFS %s: SQLite refused it", v.name)
	}
	return v, nil
}

// Name is what to open a database with.
func (v *VFS) Name() string { return v.name }

// Unregister takes the VFS back. Every file opened with it must be closed.
func (v *VFS) Unregister() {
	C.fault_unregister(v.ptr)
	v.handle.Delete()
}

// Set puts a rule in place of the one before and counts from zero.
func (v *VFS) Set(r Rule) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rule, v.seen, v.fired = r, 0, 0
}

// Seen returns how many operations matched the rule so far, failed or not.
func (v *VFS) Seen() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen
}

// Fired returns how many operations the rule made fail so far.
func (v *VFS) Fired() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fired
}

// judge counts an operation and returns the rule if it makes this one fail.
func (v *VFS) judge(op Op, file File, late bool) (Rule, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.rule
	if r.Ops&op == 0 || r.Files&file == 0 || r.Late != late {
		return r, false
	}
	v.seen++
	times := r.Times
	if times == 0 {
		times = 1
	}
	if r.At == 0 || v.seen < r.At || times > 0 && v.seen >= r.At+times {
		return r, false
	}
	v.fired++
	return r, true
}

// strike makes an operation fail.
func (r Rule) strike() C.int {
	if r.Do != nil {
		r.Do()
	}
	if r.Die {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			self.Kill()
		}
		select {} // until the signal arrives
	}
	return C.int(r.Code) | C.int(r.Errno)<<16
}

func of(h C.uintptr_t) *VFS { return cgo.Handle(h).Value().(*VFS) }

//export goFaultBefore
func goFaultBefore(h C.uintptr_t, op, kind C.int) C.int {
	if r, fails := of(h).judge(Op(op), File(kind), false); fails {
		return r.strike()
	}
	return C.SQLITE_OK
}

//export goFaultBeforeWrite
func goFaultBeforeWrite(h C.uintptr_t, kind, n C.int, torn *C.int) C.int {
	r, fails := of(h).judge(Write, File(kind), false)
	if !fails {
		return C.SQLITE_OK
	}
	if r.Torn {
		*torn = n / 2
	}
	return r.strike()
}

//export goFaultAfter
func goFaultAfter(h C.uintptr_t, op, kind C.int) C.int {
	if r, fails := of(h).judge(Op(op), File(kind), true); fails {
		return r.strike()
	}
	return C.SQLITE_OK
}
