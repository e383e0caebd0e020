package ltxfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/pierrec/lz4/v4"
	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/crc64iso"
)

const (
	frameHeader = ltx.PageHeaderSize + 4
	batchBytes  = 256 << 10 // of pages that are compressed by one goroutine at a time
)

// An Encoder writes one file after another, and keeps its memory in between.
// Small files are written by the caller's goroutine alone.
type Encoder struct {
	w      io.Writer
	header ltx.Header
	size   int64
	crc    uint64
	last   uint32 // page that was added
	index  []byte // for each page the distance from the one before, and its frame's size
	listed uint32 // page that was added to the index
	out    []byte // the index as it is written, a piece at a time
	err    error  // the first; nothing is written after it

	batch   *batch        // being filled
	pending []*batch      // being compressed, the oldest first
	free    []*batch      // to use again
	workers chan struct{} // one for each goroutine that compresses
}

// A batch is some pages on their way to be frames.
type batch struct {
	numbers []uint32
	pages   []byte
	frames  []byte
	sizes   []int // of the frames
	lz4     lz4.Compressor
	err     error
	done    chan struct{}
}

// NewEncoder returns an encoder to Begin a file with.
func NewEncoder() *Encoder { return &Encoder{} }

// Begin begins a file.
func (e *Encoder) Begin(w io.Writer, h ltx.Header) error {
	e.drop()
	*e = Encoder{w: w, header: h, index: e.index[:0], out: e.out, batch: e.batch, free: e.free}
	h.Version = ltx.Version
	if e.err = h.Validate(); e.err != nil {
		return e.err
	}
	b, err := h.MarshalBinary()
	if err != nil {
		e.err = err
		return err
	}
	e.write(b)
	return e.err
}

// Page adds a page. Its bytes are the caller's again when this returns.
func (e *Encoder) Page(number uint32, data []byte) error {
	if e.err == nil {
		e.err = e.check(number, data)
	}
	if e.err != nil {
		return e.err
	}
	if e.batch == nil {
		e.batch = e.newBatch()
	}
	e.batch.numbers = append(e.batch.numbers, number)
	e.batch.pages = append(e.batch.pages, data...)
	e.last = number
	if len(e.batch.pages) >= batchBytes {
		e.dispatch()
	}
	return e.err
}

// check refuses what no reader would accept.
func (e *Encoder) check(number uint32, data []byte) error {
	switch lock := e.header.LockPgno(); {
	case len(data) != int(e.header.PageSize):
		return fmt.Errorf("page %d has %d bytes, not %d", number, len(data), e.header.PageSize)
	case number == 0 || number > e.header.Commit:
		return fmt.Errorf("page %d of a database of %d pages", number, e.header.Commit)
	case number == lock:
		return fmt.Errorf("page %d is the one for locks, which is never stored", number)
	case number <= e.last:
		return fmt.Errorf("page %d comes after page %d", number, e.last)
	case e.header.IsSnapshot() && number != e.last+1 && (e.last+1 != lock || number != lock+1):
		return fmt.Errorf("page %d is missing: page %d comes after page %d", e.last+1, number, e.last)
	}
	return nil
}

// End completes the file and returns its size.
func (e *Encoder) End() (int64, error) {
	if e.err == nil && e.header.IsSnapshot() && !e.complete() {
		e.err = fmt.Errorf("the last of %d pages are missing: it ends with page %d", e.header.Commit, e.last)
	}
	if e.err == nil {
		e.finishBatches()
	}
	e.writeIndex()
	e.writeTrailer()
	err := e.err
	e.drop()
	e.err = errors.New("the file has ended: Begin another")
	return e.size, err
}

// complete reports whether the pages of a snapshot are all there.
func (e *Encoder) complete() bool {
	lock := e.header.LockPgno()
	return e.last == e.header.Commit || e.last+1 == lock && e.header.Commit == lock
}

func (e *Encoder) finishBatches() {
	switch {
	case e.batch == nil:
	case len(e.pending) == 0: // a small file
		e.batch.compress(int(e.header.PageSize))
		e.emit(e.batch)
	default:
		e.dispatch()
	}
	for len(e.pending) > 0 {
		e.collect()
	}
}

func (e *Encoder) newBatch() *batch {
	if n := len(e.free); n > 0 {
		b := e.free[n-1]
		e.free = e.free[:n-1]
		return b
	}
	return &batch{}
}

// dispatch hands the batch to a goroutine, and writes the oldest if there are enough.
func (e *Encoder) dispatch() {
	b, size := e.batch, int(e.header.PageSize)
	if e.workers == nil {
		e.workers = make(chan struct{}, max(1, min(runtime.GOMAXPROCS(0), 4)))
	}
	e.batch, b.done = nil, make(chan struct{}, 1)
	e.pending = append(e.pending, b)
	e.workers <- struct{}{}
	go func() {
		b.compress(size)
		<-e.workers
		b.done <- struct{}{}
	}()
	if len(e.pending) > 2*cap(e.workers) {
		e.collect()
	}
}

// collect waits for the oldest batch and writes it.
func (e *Encoder) collect() {
	b := e.pending[0]
	e.pending = append(e.pending[:0], e.pending[1:]...)
	<-b.done
	e.emit(b)
	b.reset()
	e.free = append(e.free, b)
}

// drop forgets what a file that was not completed has left.
func (e *Encoder) drop() {
	for _, b := range e.pending {
		<-b.done
		b.reset()
		e.free = append(e.free, b)
	}
	e.pending = nil
	if e.batch != nil {
		e.batch.reset()
	}
}

func (b *batch) reset() {
	b.numbers, b.pages, b.frames, b.sizes, b.err = b.numbers[:0], b.pages[:0], b.frames[:0], b.sizes[:0], nil
}

// compress makes frames of the pages.
func (b *batch) compress(pageSize int) {
	bound := frameHeader + lz4.CompressBlockBound(pageSize)
	if need := len(b.numbers) * bound; cap(b.frames) < need {
		b.frames = make([]byte, 0, need)
	}
	for i, number := range b.numbers {
		at := len(b.frames)
		frame := b.frames[at : at+bound]
		n, err := b.lz4.CompressBlock(b.pages[i*pageSize:(i+1)*pageSize], frame[frameHeader:])
		if err != nil || n == 0 {
			b.err = fmt.Errorf("compress page %d: %w", number, err)
			return
		}
		binary.BigEndian.PutUint32(frame, number)
		binary.BigEndian.PutUint16(frame[4:], ltx.PageHeaderFlagSize)
		binary.BigEndian.PutUint32(frame[6:], uint32(n))
		b.frames = b.frames[:at+frameHeader+n]
		b.sizes = append(b.sizes, frameHeader+n)
	}
}

// emit writes frames, and takes their pages into the checksum.
func (e *Encoder) emit(b *batch) {
	if e.err == nil {
		e.err = b.err
	}
	if e.err != nil {
		return
	}
	pageSize, at, before := int(e.header.PageSize), 0, e.listed
	for i, number := range b.numbers {
		e.crc = crc64iso.Update(e.crc, b.frames[at:at+frameHeader])
		e.crc = crc64iso.Update(e.crc, b.pages[i*pageSize:(i+1)*pageSize])
		e.index = binary.AppendUvarint(e.index, uint64(number-before))
		e.index = binary.AppendUvarint(e.index, uint64(b.sizes[i]))
		at, before = at+b.sizes[i], number
	}
	e.listed = before
	e.writeRaw(b.frames)
}

// writeIndex ends the pages and lists them.
func (e *Encoder) writeIndex() {
	e.write(make([]byte, ltx.PageHeaderSize))
	start := e.size
	var number, offset uint64 = 0, ltx.HeaderSize
	out := e.out[:0]
	for rest := e.index; len(rest) > 0 && e.err == nil; {
		step, n := binary.Uvarint(rest)
		size, m := binary.Uvarint(rest[n:])
		rest = rest[n+m:]
		number += step
		out = binary.AppendUvarint(out, number)
		out = binary.AppendUvarint(out, offset)
		out = binary.AppendUvarint(out, size)
		offset += size
		if len(out) > 32<<10 {
			e.write(out)
			out = out[:0]
		}
	}
	e.out = append(out, 0)
	e.write(e.out)
	e.write(binary.BigEndian.AppendUint64(nil, uint64(e.size-start)))
}

func (e *Encoder) writeTrailer() {
	e.write(make([]byte, ltx.TrailerChecksumOffset))
	e.writeRaw(binary.BigEndian.AppendUint64(nil, e.crc|uint64(ltx.ChecksumFlag)))
}

// write writes what is in the checksum as it is.
func (e *Encoder) write(b []byte) {
	e.crc = crc64iso.Update(e.crc, b)
	e.writeRaw(b)
}

func (e *Encoder) writeRaw(b []byte) {
	if e.err != nil {
		return
	}
	n, err := e.w.Write(b)
	e.size += int64(n)
	if err != nil {
		e.err = fmt.Errorf("write: %w", err)
	}
}
