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
	"iter"
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
// the frames stay, and [Barrier.Unknown] is true (a panic is such an answer): the database has to be closed and
// what the WAL holds to be compared with the log before it is opened again.
//
// Whether the frames are on the disk is the sink's business, by [Commit.Sync].
// SQLite's other syncs (of the WAL's header, and before a checkpoint) are done
// as ever.
//
// One invariant carries all this: between two transactions nothing lies in the
// WAL behind the last visible commit that a recovery would take for a commit.
type Barrier struct {
	name   string
	ptr    *C.sqlite3_vfs
	handle cgo.Handle
	sink   Sink

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
func NewBarrier(base string, sink Sink) (*Barrier, error) {
	if err := sqlite.Initialize(); err != nil {
		return nil, fmt.Errorf("register a barrier: %w", err)
	}
	b := &Barrier{name: fmt.Sprintf("nearlite-barrier-%d", barriers.Add(1)), sink: sink}
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

// RolledBack tells that the writing connection has rolled a transaction back.
// Frames of it that left the page cache are in the WAL and of no account, and
// only who rolled back knows. Between two transactions only.
func (b *Barrier) RolledBack() { C.barrier_rolled_back(b.ptr) }

// Err returns the sink's answer to the last commit: the reason, when a COMMIT has
// failed with SQLITE_IOERR_FSYNC. The writer's goroutine asks.
func (b *Barrier) Err() error { return b.err }

// Unknown reports whether the outcome of a commit was left open, once and for all.
func (b *Barrier) Unknown() bool { return b.unknown.Load() }

// A Commit is what one transaction has written into the WAL. It is valid until
// the sink returns.
type Commit struct {
	Start    int64  // of its first frame's header, in bytes from the beginning of the WAL
	End      int64  // behind its last frame
	PageSize int    // bytes
	Pages    uint32 // size of the database after it, in pages

	file   unsafe.Pointer
	header [headerSize]byte
}

// Frames returns how many frames the commit has.
func (c *Commit) Frames() int { return int(c.End-c.Start) / (frameHeader + c.PageSize) }

// Salts returns the two numbers that name this run of the WAL; they change when
// it begins again.
func (c *Commit) Salts() (uint32, uint32) { return salts(c.header[:]) }

// Sync flushes the WAL to the disk: after it, the commit survives a power cut.
func (c *Commit) Sync() error {
	if rc := C.barrier_sync(c.file); rc != C.SQLITE_OK {
		return fmt.Errorf("sync the WAL: %w", sqlite.ResultCode(rc))
	}
	return nil
}

// partSize is how much of a commit is in memory at a time.
const partSize = 1 << 20

// Each yields the commit's pages in the order of their frames, each with its
// number. A page that comes twice counts as it comes last. The bytes are valid
// until the next; an error ends the loop.
func (c *Commit) Each() iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		frame := int64(frameHeader + c.PageSize)
		part := make([]byte, min(c.End-c.Start, max(1, partSize/frame)*frame))
		for at := c.Start; at < c.End; at += int64(len(part)) {
			part = part[:min(int64(len(part)), c.End-at)]
			if rc := C.barrier_read(c.file, unsafe.Pointer(&part[0]), C.int(len(part)), C.sqlite3_int64(at)); rc != C.SQLITE_OK {
				yield(Page{}, fmt.Errorf("read the WAL from byte %d: %w", at, sqlite.ResultCode(rc)))
				return
			}
			for i := int64(0); i < int64(len(part)); i += frame {
				if !yield(pageOf(part[i:i+frame]), nil) {
					return
				}
			}
		}
	}
}

//export goBarrierCommit
func goBarrierCommit(handle C.uintptr_t, file unsafe.Pointer, start, end C.sqlite3_int64, pages C.uint, page C.int) C.int {
	b := cgo.Handle(handle).Value().(*Barrier)
	c := &Commit{Start: int64(start), End: int64(end), Pages: uint32(pages), PageSize: int(page), file: file}
	if rc := C.barrier_read(file, unsafe.Pointer(&c.header[0]), headerSize, 0); rc != C.SQLITE_OK {
		b.err = fmt.Errorf("read the header of the WAL: %w", sqlite.ResultCode(rc))
	} else {
		b.err = b.ask(c)
	}
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
		c.file = nil
		if p := recover(); p != nil {
			err = fmt.Errorf("decide about a commit: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return b.sink(c)
}

//export goBarrierNotCut
func goBarrierNotCut(handle C.uintptr_t, rc C.int) {
	b := cgo.Handle(handle).Value().(*Barrier)
	b.err = fmt.Errorf("cut the WAL back after %w: %w", b.err, sqlite.ResultCode(rc))
	b.unknown.Store(true)
}
