package wal

// #include "snapshot.h"
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/nearlite/nearlite/sqlite"
)

// A Snapshot reads the pages of a database as they are for one read transaction,
// without SQLite's cache, while others write and checkpoint.
//
// A transaction sees the commits up to its last frame. A page is what the last of
// its frames up to there says, or, if it has none, what the database file says. That
// stays true for as long as the transaction is open, since SQLite gave it one of two
// locks:
//
//  1. A read mark, not behind its last frame. No checkpoint copies a frame behind
//     the mark, so the file changes only in pages that have a frame up to it, which
//     are not read from the file. The WAL does not begin again, so frames, and their
//     places in the hash tables of the wal-index, stay as they are; what a writer
//     adds is behind the last frame, and is passed over.
//  2. The lock of those who need no WAL, when at the beginning all of it, up to the
//     last frame, was in the file. No checkpoint writes to the file at all. But the
//     WAL may begin again, and then its frames are others' and everything is in the
//     file. Who begins it again changes the salts in the wal-index BEFORE anything
//     else. So the salts are compared AFTER every look into the WAL: if they have
//     changed, what was found is thrown away, and the file is asked.
//
// Which lock it is need not be known: in the first case the salts do not change.
// (That all frames are copied says nothing. Under a mark, a page that has a frame
// behind the mark was left out.)
//
// One goroutine at a time, and not while the connection is used by another.
type Snapshot struct {
	files        C.snapshot
	size         int // of a page
	pages        int
	raw1, raw2   C.uint // salts as they lie in shared memory
	salt1, salt2 uint32
	frames       uint32 // in the WAL, up to the last of the snapshot
	inFile       bool   // the WAL is others' by now, or has no frame: everything is in the file

	buf   []byte
	found []C.uint
}

// ErrSnapshot is returned when a connection and a header do not belong together.
var ErrSnapshot = errors.New("not the snapshot that the connection has")

// NewSnapshot returns the snapshot of a connection that holds a read transaction,
// and keeps it for as long as pages are read. The header has to be that of the
// commit which the transaction sees, no older and no newer one; only the number of
// pages can be checked. What [sqlite.Conn.Snapshot] gives is that header unless
// somebody committed every time it looked; if [sqlite.Conn.WAL], asked once the
// transaction is open, gives the same, it certainly is. [TakeSnapshot] does all this
// for a connection without a transaction.
func NewSnapshot(conn *sqlite.Conn, header sqlite.WALHeader) (*Snapshot, error) {
	s := &Snapshot{frames: header.MaxFrame(), inFile: header.MaxFrame() == 0}
	if rc := C.snapshot_open((*C.sqlite3)(conn.Handle()), &s.files); rc != C.SQLITE_OK {
		return nil, fmt.Errorf("find the files of a snapshot: %w", sqlite.ResultCode(rc))
	}
	for pragma, to := range map[string]*int{"page_count": &s.pages, "page_size": &s.size} {
		row := conn.QueryRow("PRAGMA " + pragma)
		if row.Err() != nil {
			return nil, fmt.Errorf("measure a snapshot: %w", row.Err())
		}
		*to = row.Int(0)
	}
	if n := header.Pages(); n != 0 && int(n) != s.pages {
		return nil, fmt.Errorf("%w: %d pages, not %d", ErrSnapshot, s.pages, n)
	}
	s.raw1, s.raw2 = C.uint(binary.NativeEndian.Uint32(header[32:])), C.uint(binary.NativeEndian.Uint32(header[36:]))
	if s.frames != 0 {
		s.salt1, s.salt2 = binary.BigEndian.Uint32(header[32:]), binary.BigEndian.Uint32(header[36:])
	}
	return s, nil
}

// TakeSnapshot begins a read transaction on a connection that has none, and returns
// its snapshot. Whoever called it ends the transaction, with ROLLBACK.
func TakeSnapshot(conn *sqlite.Conn) (*Snapshot, error) {
	const most = 1000 // a commit takes longer than the few microseconds of this
	for range most {
		before, _, known := conn.WAL()
		if err := conn.Exec("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1"); err != nil {
			return nil, fmt.Errorf("take a snapshot: %w", err)
		}
		after, _, ok := conn.WAL()
		var s *Snapshot
		var err error
		switch {
		case !ok:
			err = fmt.Errorf("take a snapshot: %s is not in WAL mode", conn.Path())
		case known && before == after: // so it is what the transaction has found
			if s, err = NewSnapshot(conn, after); err == nil {
				return s, nil
			}
		}
		if end := conn.Exec("ROLLBACK"); err != nil || end != nil {
			return nil, errors.Join(err, end)
		}
	}
	return nil, fmt.Errorf("take a snapshot: %w: somebody committed each of %d times", sqlite.CodeBusy, most)
}

// Pages returns the size of the database in pages.
func (s *Snapshot) Pages() uint32 { return uint32(s.pages) }

// PageSize returns the size of a page in bytes.
func (s *Snapshot) PageSize() int { return s.size }

// Place returns the end of the snapshot in the WAL, and the salts of that run; zeros
// if it needs no WAL because that has no frames.
func (s *Snapshot) Place() (salt1, salt2 uint32, offset int64) {
	if s.frames == 0 {
		return 0, 0, 0
	}
	return s.salt1, s.salt2, s.frameAt(s.frames) + s.frameSize()
}

func (s *Snapshot) frameSize() int64 { return int64(frameHeader + s.size) }

// frameAt returns where a frame is, from 1.
func (s *Snapshot) frameAt(frame uint32) int64 { return headerSize + int64(frame-1)*s.frameSize() }

// Page reads one page into buf, which has its size. A page that nobody ever wrote,
// as the one that SQLite never uses at 1 GiB, is zeros.
func (s *Snapshot) Page(number uint32, buf []byte) error {
	if len(buf) != s.size {
		return fmt.Errorf("read page %d: into %d bytes, not %d", number, len(buf), s.size)
	}
	return s.Read([]uint32{number}, func(p Page) error {
		copy(buf, p.Data)
		return nil
	})
}

const (
	readMost = 256 << 10 // bytes that are read at a time
	findMost = 1024      // pages that are looked for at a time
)

// Read calls visit with pages, given by their numbers in ascending order. Neighbours
// are read together. A page's bytes are valid until visit returns, which must not read
// from the snapshot.
func (s *Snapshot) Read(numbers []uint32, visit func(Page) error) error {
	if s.buf == nil {
		s.buf = make([]byte, readMost+frameHeader)
	}
	for len(numbers) > 0 {
		part := numbers[:min(findMost, len(numbers))]
		numbers = numbers[len(part):]
		frames, err := s.find(part)
		if err != nil {
			return err
		}
		for len(part) > 0 {
			n, err := s.readRun(part, frames)
			if err != nil {
				return err
			}
			if err := s.visit(part[:n], frames[0] != 0, visit); err != nil {
				return err
			}
			part, frames = part[n:], frames[n:]
		}
	}
	return nil
}

// find returns the frames that pages are in; 0 for those in the file.
func (s *Snapshot) find(numbers []uint32) ([]C.uint, error) {
	for _, n := range []uint32{numbers[0], numbers[len(numbers)-1]} {
		if n == 0 || int(n) > s.pages {
			return nil, fmt.Errorf("read page %d of a snapshot of %d pages: there is none", n, s.pages)
		}
	}
	if s.found == nil {
		s.found = make([]C.uint, findMost)
	}
	found := s.found[:len(numbers)]
	clear(found)
	if s.inFile {
		return found, nil
	}
	rc := C.snapshot_find(&s.files, C.uint(s.frames), C.int(len(numbers)), (*C.uint)(unsafe.Pointer(&numbers[0])), &found[0])
	if !s.stands() {
		clear(found)
	} else if rc != C.SQLITE_OK {
		return nil, fmt.Errorf("look for pages in the wal-index: %w", sqlite.ResultCode(rc))
	}
	return found, nil
}

// stands reports whether the WAL is still the snapshot's, so that what was just read
// there is good. If not, everything is in the file.
func (s *Snapshot) stands() bool {
	s.inFile = s.inFile || C.snapshot_stands(&s.files, s.raw1, s.raw2) == 0
	return !s.inFile
}

// readRun reads the first of some pages, and those that lie behind it. It returns
// how many.
func (s *Snapshot) readRun(numbers []uint32, frames []C.uint) (n int, err error) {
	n = s.run(numbers, frames)
	if frames[0] != 0 {
		at := s.frameAt(uint32(frames[0]))
		rc := C.snapshot_read_wal(&s.files, unsafe.Pointer(&s.buf[0]), C.int(int64(n)*s.frameSize()), C.sqlite3_int64(at))
		if s.stands() {
			if rc != C.SQLITE_OK {
				return 0, fmt.Errorf("read %d frames of a snapshot from byte %d of the WAL: %w", n, at, sqlite.ResultCode(rc))
			}
			return n, nil
		}
		clear(frames)
		n = s.run(numbers, frames)
	}
	at := int64(numbers[0]-1) * int64(s.size)
	if rc := C.snapshot_read_file(&s.files, unsafe.Pointer(&s.buf[0]), C.int(n*s.size), C.sqlite3_int64(at)); rc != C.SQLITE_OK {
		return 0, fmt.Errorf("read pages %d to %d of a snapshot: %w", numbers[0], numbers[n-1], sqlite.ResultCode(rc))
	}
	return n, nil
}

// run returns how many pages lie one behind the other, either in the file or in the
// WAL, and fit into the buffer.
func (s *Snapshot) run(numbers []uint32, frames []C.uint) int {
	n, inWAL := 1, frames[0] != 0
	most := readMost / s.size
	if inWAL {
		most = len(s.buf) / int(s.frameSize())
	}
	for n < min(most, len(numbers)) {
		d := uint32(n)
		if inWAL && uint32(frames[n]) != uint32(frames[0])+d || !inWAL && (frames[n] != 0 || numbers[n] != numbers[0]+d) {
			break
		}
		n++
	}
	return n
}

// visit hands out what readRun has read.
func (s *Snapshot) visit(numbers []uint32, inWAL bool, visit func(Page) error) error {
	step, skip := s.size, 0
	if inWAL {
		step, skip = int(s.frameSize()), frameHeader
	}
	for i, number := range numbers {
		at := i*step + skip
		if err := visit(Page{number, s.buf[at : at+s.size]}); err != nil {
			return err
		}
	}
	return nil
}
