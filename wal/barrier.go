package wal

// #cgo CFLAGS: -Wall -Wextra -I${SRCDIR}/../sqlite
// #cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-in-object-files
// #cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup
// #include <stdlib.h>
// #include "barrier.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"github.com/nearlite/nearlite/sqlite"
)

// A Barrier stands between the commits of one writing connection and everybody
// who reads. It is a VFS: the connection that writes opens the database with
// [Barrier.VFS]; readers may, and need not.
//
// SQLite must run with synchronous=FULL on that connection. Then a commit is
//
//	frames into the WAL ─▶ xSync ─▶ the wal-index names the commit
//	                         │
//	                       the sink says what the sync came to
//
// The sink has three answers. Nil: the commit is safe, and becomes visible. An
// error that matches [ErrRefused]: it is certainly not to be; the WAL is cut back
// to where the transaction began, since after a crash its frames would be good
// ones, and SQLite rolls back. Any other error: nobody knows; SQLite rolls back,
// the frames stay, and [Barrier.Unknown] is true (a panic is such an answer): the
// database has to be closed and what the WAL holds to be compared with the log
// before it is opened again.
//
// Whether the frames are on the disk is the sink's business, by [Commit.Sync].
// SQLite's other syncs (of the WAL's header, and before a checkpoint) are done
// as ever.
//
// Two invariants carry all this.
//
//  1. Between two transactions nothing lies in the WAL behind the last visible
//     commit that a recovery would take for a commit. A COMMIT that fails before
//     its sync may have written all its frames: they are cut off where it fails,
//     under its write lock, or by [Barrier.RolledBack].
//  2. No header of a new run of the WAL is written BEFORE the salts of that run were
//     told; see [NewBarrier].
//
// Between the sync and the wal-index SQLite can still fail, for want of shared
// memory. Then a COMMIT fails though the sink has agreed, and the frames stay: the
// caller, who knows what the sink said, has to treat the outcome as unknown.
//
// The VFS below must promise SQLITE_IOCAP_POWERSAFE_OVERWRITE, as the unix one does
// unless a URI says psow=0: without it commits are padded to whole sectors, and
// synced before the last one is written.
type Barrier struct {
	name   string
	ptr    *C.sqlite3_vfs
	handle cgo.Handle
	sink   Sink
	began  func(salt1, salt2 uint32) error

	err     error       // the sink's last answer; the writer's
	unknown atomic.Bool // once it was neither yes nor no
}

// A Sink decides about a commit. It runs on the writing connection's time, inside
// its COMMIT, and must not use that connection. c ends when it returns.
type Sink func(c *Commit) error

// ErrRefused says that a commit is certainly not in the log, and never will be.
var ErrRefused = errors.New("the log refused the commit")

var barriers atomic.Int64

// NewBarrier registers a barrier around the VFS called base, "" being the default
// one.
//
// The WAL begins again when all of it was copied into the database and nobody reads
// it any more. Then began, if it is not nil, is told the salts of the new run, BEFORE
// the WAL's new header is written: whoever recovers the WAL behind that header finds
// none of the frames of the run before. If began fails, so does the transaction, with
// SQLITE_IOERR_WRITE, and the next one tries again: the WAL is as it was. A run that
// was told need not begin, when its header cannot be written or the process dies; the
// salts may be others the next time. What holds for a [Sink] holds for began.
func NewBarrier(base string, sink Sink, began func(salt1, salt2 uint32) error) (*Barrier, error) {
	if err := sqlite.Initialize(); err != nil {
		return nil, fmt.Errorf("register a barrier: %w", err)
	}
	b := &Barrier{name: fmt.Sprintf("nearlite-barrier-%d", barriers.Add(1)), sink: sink, began: began}
	name := C.CString(b.name)
	defer C.free(unsafe.Pointer(name))
	var around *C.char
	if base != "" {
		around = C.CString(base)
		defer C.free(unsafe.Pointer(around))
	}
	b.handle = cgo.NewHandle(b)
	if b.ptr = C.barrier_register(name, around, C.uintptr_t(b.handle)); b.ptr == nil {
		b.handle.Delete()
		return nil, fmt.Errorf("register a barrier around the VFS %q: there is no such VFS", base)
	}
	return b, nil
}

// VFS is the name to open the writing connection with.
func (b *Barrier) VFS() string { return b.name }

// Close takes the VFS back. Every connection opened with it must be closed.
func (b *Barrier) Close() {
	C.barrier_unregister(b.ptr)
	b.handle.Delete()
}

// RolledBack tells that the writing connection has rolled a transaction back, also
// by a COMMIT that failed. Frames of it that left the page cache are in the WAL and
// of no account, and only who rolled back knows. If a recovery would take them for
// a commit they are cut off; when that fails the error says so, and the outcome is
// unknown. Between two transactions only.
func (b *Barrier) RolledBack() error {
	rc := C.barrier_rolled_back(b.ptr)
	if rc == C.SQLITE_OK {
		return nil
	}
	b.err = fmt.Errorf("cut off what a failed commit has left in the WAL: %w", sqlite.ResultCode(rc))
	b.unknown.Store(true)
	return b.err
}

// Err returns the sink's answer to the last commit, or what began said since: the
// reason, when a COMMIT has failed with SQLITE_IOERR_FSYNC or SQLITE_IOERR_WRITE. The writer's goroutine
// asks.
func (b *Barrier) Err() error { return b.err }

// Unknown reports whether the outcome of a commit was left open, once and for all.
func (b *Barrier) Unknown() bool { return b.unknown.Load() }

//export goBarrierCommit
func goBarrierCommit(handle C.uintptr_t, file unsafe.Pointer, commit *C.barrier_commit) C.int {
	b := cgo.Handle(handle).Value().(*Barrier)
	b.err = b.ask(newCommit(file, commit))
	switch {
	case b.err == nil:
		return C.BARRIER_OK
	case errors.Is(b.err, ErrRefused):
		return C.BARRIER_REFUSED
	}
	b.unknown.Store(true)
	return C.BARRIER_UNKNOWN
}

// ask turns a panic into an answer: it must not unwind SQLite's frames.
func (b *Barrier) ask(c *Commit) (err error) {
	defer func() {
		c.end()
		if p := recover(); p != nil {
			err = fmt.Errorf("decide about a commit: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return b.sink(c)
}

//export goBarrierBegan
func goBarrierBegan(handle C.uintptr_t, salt1, salt2 C.uint) C.int {
	b := cgo.Handle(handle).Value().(*Barrier)
	if b.began == nil {
		return C.BARRIER_OK
	}
	if b.err = b.tell(uint32(salt1), uint32(salt2)); b.err != nil {
		return C.BARRIER_REFUSED
	}
	return C.BARRIER_OK
}

// tell is ask for a WAL that begins again.
func (b *Barrier) tell(salt1, salt2 uint32) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("tell that the WAL begins again: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return b.began(salt1, salt2)
}

//export goBarrierNotCut
func goBarrierNotCut(handle C.uintptr_t, rc C.int) {
	b := cgo.Handle(handle).Value().(*Barrier)
	b.err = fmt.Errorf("cut the WAL back after %w: %w", b.err, sqlite.ResultCode(rc))
	b.unknown.Store(true)
}
