package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	headerSize  = 32
	frameHeader = 24
	magic       = 0x377f0682 // and one more if checksums take the bytes in big-endian order
	version     = 3007000
)

// A Mark is a place in a WAL between two commits, with what it takes to judge the
// frame that comes next. Marks of the same salts can be compared by their offset.
type Mark struct {
	Salt1, Salt2 uint32 // of this run of the WAL
	Offset       int64  // bytes from the beginning of the file
	PageSize     int    // bytes
	Pages        uint32 // size of the database after the commit before, in pages; 0 at the beginning

	sum1, sum2 uint32
	order      binary.ByteOrder // of what is summed
}

// ErrNoWAL is returned for a file that is no write-ahead log, or one whose header
// was not written whole: to SQLite it is empty.
var ErrNoWAL = errors.New("not a write-ahead log")

// Page is one page as a commit left it.
type Page struct {
	Number uint32 // from 1
	Data   []byte
}

func pageOf(frame []byte) Page {
	return Page{binary.BigEndian.Uint32(frame), frame[frameHeader:]}
}

func salts(header []byte) (uint32, uint32) {
	return binary.BigEndian.Uint32(header[16:]), binary.BigEndian.Uint32(header[20:])
}

// Begin returns the mark in front of a WAL's first commit.
func Begin(r io.ReaderAt) (Mark, error) {
	var h [headerSize]byte
	if _, err := r.ReadAt(h[:], 0); err != nil {
		if err == io.EOF {
			return Mark{}, fmt.Errorf("%w: it ends within the header", ErrNoWAL)
		}
		return Mark{}, fmt.Errorf("read the WAL's header: %w", err)
	}
	m := Mark{Offset: headerSize, PageSize: int(binary.BigEndian.Uint32(h[8:])), order: binary.LittleEndian}
	switch binary.BigEndian.Uint32(h[0:]) {
	case magic:
	case magic + 1:
		m.order = binary.BigEndian
	default:
		return Mark{}, fmt.Errorf("%w: it begins with %x", ErrNoWAL, h[:4])
	}
	if v := binary.BigEndian.Uint32(h[4:]); v != version {
		return Mark{}, fmt.Errorf("%w: its format is %d, not %d", ErrNoWAL, v, version)
	}
	if p := m.PageSize; p < 512 || p > 65536 || p&(p-1) != 0 {
		return Mark{}, fmt.Errorf("%w: pages of %d bytes", ErrNoWAL, p)
	}
	m.Salt1, m.Salt2 = salts(h[:])
	m.sum(h[:24])
	if m.sum1 != binary.BigEndian.Uint32(h[24:]) || m.sum2 != binary.BigEndian.Uint32(h[28:]) {
		return Mark{}, fmt.Errorf("%w: its header's checksum is wrong", ErrNoWAL)
	}
	return m, nil
}

// sum goes on with the checksum over some bytes, a multiple of eight.
func (m *Mark) sum(b []byte) {
	s1, s2, order := m.sum1, m.sum2, m.order
	if order == binary.LittleEndian { // spelled out: through the interface it is five times slower
		for ; len(b) >= 8; b = b[8:] {
			s1 += binary.LittleEndian.Uint32(b) + s2
			s2 += binary.LittleEndian.Uint32(b[4:]) + s1
		}
	} else {
		for ; len(b) >= 8; b = b[8:] {
			s1 += binary.BigEndian.Uint32(b) + s2
			s2 += binary.BigEndian.Uint32(b[4:]) + s1
		}
	}
	m.sum1, m.sum2 = s1, s2
}

// frame takes the mark over a frame and reports whether it is one: of this run of
// the WAL, and part of an unbroken chain of checksums.
func (m *Mark) frame(f []byte) bool {
	s1, s2 := binary.BigEndian.Uint32(f[8:]), binary.BigEndian.Uint32(f[12:])
	if s1 != m.Salt1 || s2 != m.Salt2 || binary.BigEndian.Uint32(f) == 0 {
		return false
	}
	m.sum(f[:8])
	m.sum(f[frameHeader:])
	m.Offset += int64(len(f))
	return m.sum1 == binary.BigEndian.Uint32(f[16:]) && m.sum2 == binary.BigEndian.Uint32(f[20:])
}

// Next returns the mark behind the next commit; [io.EOF] if there is none, or
// none that is whole, which to SQLite is the same.
func (m Mark) Next(r io.ReaderAt) (Mark, error) {
	next := m
	buf := make([]byte, frameHeader+m.PageSize)
	for {
		switch _, err := r.ReadAt(buf, next.Offset); {
		case err == io.EOF:
			return m, io.EOF
		case err != nil:
			return m, fmt.Errorf("read the WAL from byte %d: %w", next.Offset, err)
		}
		if !next.frame(buf) {
			return m, io.EOF
		}
		if pages := binary.BigEndian.Uint32(buf[4:]); pages != 0 {
			next.Pages = pages
			return next, nil
		}
	}
}

// End returns the mark behind the last commit: as far as SQLite would recover.
func (m Mark) End(r io.ReaderAt) (Mark, error) {
	for {
		next, err := m.Next(r)
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		m = next
	}
}

// Pages calls visit with each page between two marks, in the order of the frames.
// The page's bytes are valid until it returns.
func Pages(r io.ReaderAt, from, to Mark, visit func(Page) error) error {
	if from.Salt1 != to.Salt1 || from.Salt2 != to.Salt2 {
		return fmt.Errorf("read the WAL from byte %d to %d: it has begun again in between", from.Offset, to.Offset)
	}
	buf := make([]byte, frameHeader+from.PageSize)
	for m := from; m.Offset < to.Offset; {
		if _, err := r.ReadAt(buf, m.Offset); err != nil {
			return fmt.Errorf("read the WAL from byte %d: %w", m.Offset, err)
		}
		if !m.frame(buf) {
			return fmt.Errorf("read the WAL from byte %d: the frame is no longer what it was", m.Offset)
		}
		if err := visit(pageOf(buf)); err != nil {
			return err
		}
	}
	return nil
}
