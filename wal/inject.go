package wal

// #include "inject.h"
import "C"

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/nearlite/nearlite/sqlite"
)

// An Injector appends pages to the WAL of a database that others have open, and
// publishes them as one commit: readers go on with what they see, and begin their
// next transaction with all of it. So a replica stays a plain SQLite database.
//
// It is the database's only writer. The write lock is held the plain way, by a
// transaction of a connection that does nothing else: its page cache knows nothing
// of what is injected, so no SQL may be run on it.
//
// At any moment a crash leaves the state before or the state after a commit. Its
// frames are written first, only the last of them marked as committing; then, if
// asked for, they are synced; then entered into the wal-index; and then the header
// of that names them.
//
// Source of the layouts: https://sqlite.org/walformat.html
type Injector struct {
	conn *sqlite.Conn
	size int // of a page
	buf  []byte
}

// ErrPages is returned for a commit that would damage the database.
var ErrPages = errors.New("these pages do not make a commit")

// NewInjector opens a database in WAL mode for injecting alone, through the named
// VFS, "" being the default one. The file must have at least its first page.
func NewInjector(path, vfs string) (*Injector, error) {
	conn, err := sqlite.Open(path, sqlite.OpenReadWrite, vfs)
	if err != nil {
		return nil, err
	}
	inj := &Injector{conn: conn}
	if err := inj.prepare(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("open %s to inject pages: %w", path, err)
	}
	return inj, nil
}

func (inj *Injector) prepare() error {
	for _, sql := range []string{"PRAGMA busy_timeout = 5000", "PRAGMA wal_autocheckpoint = 0"} {
		if err := inj.conn.Exec(sql); err != nil {
			return err
		}
	}
	mode := inj.conn.QueryRow("PRAGMA journal_mode")
	if mode.Err() != nil {
		return mode.Err()
	}
	if m := mode.Text(0); m != "wal" {
		return fmt.Errorf("its journal mode is %s, not wal", m)
	}
	size := inj.conn.QueryRow("PRAGMA page_size")
	if size.Err() != nil {
		return size.Err()
	}
	inj.size = int(size.Int64(0))
	// A first read makes the wal-index, from the WAL if it has to.
	return inj.conn.QueryRow("SELECT count(*) FROM sqlite_schema").Err()
}

// Close closes the connection. The WAL is copied back if nobody else has the
// database open.
func (inj *Injector) Close() error { return inj.conn.Close() }

// PageSize returns the size of a page in bytes.
func (inj *Injector) PageSize() int { return inj.size }

// index is the header of the wal-index, in native byte order.
type index struct {
	version, unused uint32
	change          uint32
	initialized     uint8
	bigEndian       uint8
	pageSize        uint16 // 1 is 65,536
	frames          uint32
	pages           uint32
	sum1, sum2      uint32  // of the last frame
	salts           [8]byte // as in the WAL
	own1, own2      uint32  // of what is before
}

const indexSummed = 40

// Inject makes the pages one commit after which the database has so many, and
// returns when it is visible; synced says that it is also on the disk then. No
// page may come twice, and every page that the database grows by has to be there.
// Nothing is kept of a commit that fails.
func (inj *Injector) Inject(pages []Page, size uint32, synced bool) (err error) {
	if err := inj.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("inject %d pages: %w", len(pages), err)
	}
	defer func() {
		if end := inj.conn.Exec("ROLLBACK"); err == nil && end != nil {
			err = fmt.Errorf("end the injection of %d pages: %w", len(pages), end)
		}
	}()
	var files C.inject
	var head index
	var bytes C.sqlite3_int64
	if rc := C.inject_begin((*C.sqlite3)(inj.conn.Handle()), &files, unsafe.Pointer(&head), &bytes); rc != C.SQLITE_OK {
		return fmt.Errorf("inject %d pages: read the wal-index: %w", len(pages), sqlite.ResultCode(rc))
	}
	if head.frames == 0 {
		head.pages = uint32(int64(bytes) / int64(inj.size))
	}
	if err := inj.check(pages, &head, size); err != nil {
		return err
	}
	if err := inj.append(&files, &head, pages, size, synced); err != nil {
		return fmt.Errorf("inject %d pages: %w", len(pages), err)
	}
	return nil
}

// check refuses what would damage the database.
func (inj *Injector) check(pages []Page, head *index, size uint32) error {
	lock := uint32(1<<30/inj.size) + 1 // the page that SQLite locks bytes of, and never uses
	if len(pages) == 0 || size == 0 {
		return fmt.Errorf("%w: %d pages, for a database of %d", ErrPages, len(pages), size)
	}
	seen := make(map[uint32]bool, len(pages))
	for _, p := range pages {
		switch {
		case p.Number == 0 || p.Number > size || p.Number == lock:
			return fmt.Errorf("%w: page %d of a database of %d", ErrPages, p.Number, size)
		case len(p.Data) != inj.size:
			return fmt.Errorf("%w: page %d has %d bytes, not %d", ErrPages, p.Number, len(p.Data), inj.size)
		case seen[p.Number]:
			return fmt.Errorf("%w: page %d comes twice", ErrPages, p.Number)
		}
		seen[p.Number] = true
	}
	if head.initialized == 0 {
		return errors.New("the wal-index is not initialized")
	}
	for number := head.pages + 1; number <= size; number++ {
		if !seen[number] && number != lock {
			return fmt.Errorf("%w: the database grows from %d to %d pages, and page %d is missing", ErrPages, head.pages, size, number)
		}
	}
	return nil
}

// append writes frames, the last of them marked, and publishes them.
func (inj *Injector) append(files *C.inject, head *index, pages []Page, size uint32, synced bool) error {
	m := Mark{PageSize: inj.size, order: binary.LittleEndian, sum1: head.sum1, sum2: head.sum2}
	if head.bigEndian != 0 {
		m.order = binary.BigEndian
	}
	if head.frames == 0 {
		if err := inj.begin(files, head, &m); err != nil {
			return err
		}
	}
	frame := frameHeader + inj.size
	m.Offset = headerSize + int64(head.frames)*int64(frame)
	numbers := make([]C.uint, len(pages))
	inj.buf = inj.buf[:0]
	at := m.Offset
	for i, p := range pages {
		numbers[i] = C.uint(p.Number)
		var h [frameHeader]byte
		binary.BigEndian.PutUint32(h[0:], p.Number)
		if i == len(pages)-1 {
			binary.BigEndian.PutUint32(h[4:], size)
		}
		copy(h[8:], head.salts[:])
		m.sum(h[:8])
		m.sum(p.Data)
		binary.BigEndian.PutUint32(h[16:], m.sum1)
		binary.BigEndian.PutUint32(h[20:], m.sum2)
		inj.buf = append(append(inj.buf, h[:]...), p.Data...)
		if len(inj.buf) >= partSize || i == len(pages)-1 {
			if rc := C.inject_write(files, unsafe.Pointer(&inj.buf[0]), C.int(len(inj.buf)), C.sqlite3_int64(at)); rc != C.SQLITE_OK {
				return fmt.Errorf("write to the WAL: %w", sqlite.ResultCode(rc))
			}
			at += int64(len(inj.buf))
			inj.buf = inj.buf[:0]
		}
	}
	if synced {
		if rc := C.inject_sync(files); rc != C.SQLITE_OK {
			return fmt.Errorf("sync the WAL: %w", sqlite.ResultCode(rc))
		}
	}
	if rc := C.inject_index(files, C.uint(head.frames+1), C.int(len(pages)), &numbers[0]); rc != C.SQLITE_OK {
		return fmt.Errorf("write the wal-index: %w", sqlite.ResultCode(rc))
	}
	head.frames += uint32(len(pages))
	head.pages, head.sum1, head.sum2 = size, m.sum1, m.sum2
	head.change++
	head.seal()
	if rc := C.inject_publish(files, unsafe.Pointer(head)); rc != C.SQLITE_OK {
		return fmt.Errorf("publish the commit: %w", sqlite.ResultCode(rc))
	}
	return nil
}

// begin writes the header of a WAL that has no frames.
func (inj *Injector) begin(files *C.inject, head *index, m *Mark) error {
	head.pageSize = uint16(inj.size&0xff00 | inj.size>>16)
	if head.salts == [8]byte{} {
		rand.Read(head.salts[:]) // never fails
	}
	order := uint32(0)
	if m.order == binary.BigEndian {
		order = 1
	}
	var h [headerSize]byte
	binary.BigEndian.PutUint32(h[0:], magic|order)
	binary.BigEndian.PutUint32(h[4:], version)
	binary.BigEndian.PutUint32(h[8:], uint32(inj.size))
	copy(h[16:], head.salts[:])
	m.sum1, m.sum2 = 0, 0
	m.sum(h[:24])
	binary.BigEndian.PutUint32(h[24:], m.sum1)
	binary.BigEndian.PutUint32(h[28:], m.sum2)
	if rc := C.inject_write(files, unsafe.Pointer(&h[0]), headerSize, 0); rc != C.SQLITE_OK {
		return fmt.Errorf("write the WAL's header: %w", sqlite.ResultCode(rc))
	}
	return nil
}

// seal puts the header's own checksum in, over its bytes as they lie in memory.
func (h *index) seal() {
	words := unsafe.Slice((*uint32)(unsafe.Pointer(h)), indexSummed/4)
	var s1, s2 uint32
	for i := 0; i < len(words); i += 2 {
		s1 += words[i] + s2
		s2 += words[i+1] + s1
	}
	h.own1, h.own2 = s1, s2
}
