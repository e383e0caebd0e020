package ltxfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"
	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/crc64iso"
)

// A FormatError says where a file is not what it should be.
type FormatError struct {
	Offset int64 // of the byte up to which all was well
	Reason string
}

// Error names the place.
func (e *FormatError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Reason) }

// maxFrame is the most that a page of any size takes; a reader has to have as much
// in its buffer.
var maxFrame = frameHeader + lz4.CompressBlockBound(ltx.MaxPageSize)

// A Decoder reads one file from its beginning to its end, or from a page at which
// another one stopped.
type Decoder struct {
	r     io.Reader // nil: all is in buf
	buf   []byte
	at    int // the first byte of buf that was not read
	state State
	data  []byte
	err   error
}

// State is what has to be known to go on reading somewhere else.
type State struct {
	Header ltx.Header
	Offset int64  // of the next byte
	CRC    uint64 // of what comes before it
	Last   uint32 // page that was read
	Index  int64  // how long the index of the pages so far is
	Sum    uint64 // its checksum
}

// NewDecoder reads the header of a file.
func NewDecoder(r io.Reader) (*Decoder, error) {
	return begin(&Decoder{r: r, buf: make([]byte, 0, 128<<10)})
}

// NewDecoderBytes reads the header of a file that is in memory, where it stays as
// it is until it was read.
func NewDecoderBytes(file []byte) (*Decoder, error) { return begin(&Decoder{buf: file}) }

// Resume goes on where another decoder was; r begins with the byte at its offset.
func Resume(r io.Reader, s State) *Decoder {
	return &Decoder{r: r, buf: make([]byte, 0, 128<<10), state: s, data: make([]byte, s.Header.PageSize)}
}

// ResumeBytes is Resume for the rest of a file that is in memory.
func ResumeBytes(rest []byte, s State) *Decoder {
	return &Decoder{buf: rest, state: s, data: make([]byte, s.Header.PageSize)}
}

func begin(d *Decoder) (*Decoder, error) {
	b, err := d.need(ltx.HeaderSize)
	if err != nil {
		return nil, err
	}
	h := &d.state.Header
	if err := h.UnmarshalBinary(b); err != nil {
		return nil, d.format("not an LTX file")
	}
	if err := h.Validate(); err != nil {
		return nil, d.format("%v", err)
	}
	d.take(ltx.HeaderSize)
	d.data = make([]byte, h.PageSize)
	return d, nil
}

// Header is the file's.
func (d *Decoder) Header() ltx.Header { return d.state.Header }

// State is what the page that comes next needs to be read by another Decoder. It
// may be asked for between two calls of Next.
func (d *Decoder) State() State { return d.state }

// Next returns the next page. Its bytes are valid until the next call. At the end
// it is io.EOF, and everything before it was as it had been written.
func (d *Decoder) Next() (number uint32, data []byte, err error) {
	if d.err == nil {
		number, d.err = d.next()
	}
	return number, d.data, d.err
}

func (d *Decoder) next() (uint32, error) {
	b, err := d.need(ltx.PageHeaderSize)
	if err != nil {
		return 0, err
	}
	number, flags := binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:])
	switch {
	case number == 0 && flags == 0:
		return 0, d.end()
	case flags == 0:
		return 0, d.format("page %d is stored as early versions of Litestream did: let `litestream restore` read it", number)
	case flags != ltx.PageHeaderFlagSize:
		return 0, d.format("page %d has flags %#x", number, flags)
	}
	if err := d.follows(number); err != nil {
		return 0, err
	}
	return number, d.frame(number)
}

// follows checks that a page may come after the one before.
func (d *Decoder) follows(number uint32) error {
	h, lock, last := &d.state.Header, d.state.Header.LockPgno(), d.state.Last
	switch {
	case number <= last || number > h.Commit || number == lock:
		return d.format("page %d of %d after page %d", number, h.Commit, last)
	case h.IsSnapshot() && number != last+1 && (last+1 != lock || number != lock+1):
		return d.format("page %d is missing", last+1)
	}
	return nil
}

// frame reads the rest of a page.
func (d *Decoder) frame(number uint32) error {
	b, err := d.need(frameHeader)
	if err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(b[6:]))
	if size > int64(maxFrame-frameHeader) {
		return d.format("page %d takes %d bytes", number, size)
	}
	if b, err = d.need(frameHeader + int(size)); err != nil {
		return err
	}
	n, err := lz4.UncompressBlock(b[frameHeader:], d.data)
	if err != nil || n != len(d.data) {
		return d.format("page %d does not decompress", number)
	}
	s := &d.state
	var record [3 * binary.MaxVarintLen64]byte
	entry := binary.AppendUvarint(record[:0], uint64(number))
	entry = binary.AppendUvarint(entry, uint64(s.Offset))
	entry = binary.AppendUvarint(entry, uint64(len(b)))
	s.Index, s.Sum = s.Index+int64(len(entry)), crc64iso.Update(s.Sum, entry)
	s.Last = number
	s.CRC = crc64iso.Update(crc64iso.Update(s.CRC, b[:frameHeader]), d.data)
	s.Offset += int64(len(b))
	d.at += len(b)
	return nil
}

// end checks all that comes after the pages.
func (d *Decoder) end() error {
	s := &d.state
	if lock := s.Header.LockPgno(); s.Header.IsSnapshot() && s.Last != s.Header.Commit && (s.Last+1 != lock || s.Header.Commit != lock) {
		return d.format("page %d is missing", s.Last+1)
	}
	d.take(ltx.PageHeaderSize)
	if err := d.checkIndex(); err != nil {
		return err
	}
	b, err := d.need(ltx.TrailerSize)
	if err != nil {
		return err
	}
	want := binary.BigEndian.Uint64(b[ltx.TrailerChecksumOffset:])
	d.state.CRC = crc64iso.Update(d.state.CRC, b[:ltx.TrailerChecksumOffset])
	if got := d.state.CRC | uint64(ltx.ChecksumFlag); got != want {
		return d.format("the checksum is %016x, and that of the bytes %016x", want, got)
	}
	d.at, d.state.Offset = d.at+ltx.TrailerSize, d.state.Offset+ltx.TrailerSize
	if _, err := d.need(1); err == nil {
		return d.format("it goes on after its end")
	} else if format := (*FormatError)(nil); !errors.As(err, &format) {
		return err
	}
	return io.EOF
}

// checkIndex compares the index with the one that the pages should have, without
// looking into it.
func (d *Decoder) checkIndex() error {
	length, want := d.state.Index, d.state.Sum
	sum := uint64(0)
	for left := length; left > 0; {
		b, err := d.need(int(min(left, 4096)))
		if err != nil {
			return err
		}
		sum = crc64iso.Update(sum, b)
		left -= int64(len(b))
		d.take(len(b))
	}
	b, err := d.need(9)
	if err != nil {
		return err
	}
	if sum != want || b[0] != 0 || binary.BigEndian.Uint64(b[1:]) != uint64(length+1) {
		return d.format("the index is not that of the pages")
	}
	d.take(9)
	return nil
}

// need returns the next n bytes, which stay unread.
func (d *Decoder) need(n int) ([]byte, error) {
	for len(d.buf)-d.at < n {
		if err := d.fill(n); err != nil {
			return nil, err
		}
	}
	return d.buf[d.at : d.at+n], nil
}

func (d *Decoder) fill(n int) error {
	if d.r == nil {
		return d.format("it is cut short")
	}
	if d.at > 0 {
		d.buf, d.at = d.buf[:copy(d.buf, d.buf[d.at:])], 0
	}
	m, err := io.ReadAtLeast(d.r, d.buf[len(d.buf):cap(d.buf)], n-len(d.buf))
	d.buf = d.buf[:len(d.buf)+m]
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return d.format("it is cut short")
	case err != nil:
		return fmt.Errorf("at byte %d: %w", d.state.Offset+int64(m), err)
	}
	return nil
}

// take reads bytes that are in the checksum as they are.
func (d *Decoder) take(n int) {
	d.state.CRC = crc64iso.Update(d.state.CRC, d.buf[d.at:d.at+n])
	d.at += n
	d.state.Offset += int64(n)
}

func (d *Decoder) format(text string, args ...any) error {
	return &FormatError{Offset: d.state.Offset, Reason: fmt.Sprintf(text, args...)}
}
