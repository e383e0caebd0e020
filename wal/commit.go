package wal

// #include "barrier.h"
import "C"

import (
	"fmt"
	"iter"
	"slices"
	"sync"
	"unsafe"

	"github.com/nearlite/nearlite/sqlite"
)

// A Commit is what one transaction has written into the WAL. It is valid until
// the sink returns, and for one goroutine at a time.
type Commit struct {
	Start    int64  // of its first frame's header, in bytes from the beginning of the WAL
	End      int64  // behind its last frame
	PageSize int    // bytes
	Pages    uint32 // size of the database after it, in pages

	file         unsafe.Pointer
	salt1, salt2 uint32
	sum          uint64
	numbers      []uint32 // in C memory
	order        []place  // see Sorted
}

func newCommit(file unsafe.Pointer, c *C.barrier_commit) *Commit {
	commit := &Commit{
		Start:    int64(c.start),
		End:      int64(c.end),
		PageSize: int(c.page),
		Pages:    uint32(c.pages),
		file:     file,
		salt1:    uint32(c.salt1),
		salt2:    uint32(c.salt2),
		sum:      uint64(c.sum1)<<32 | uint64(c.sum2),
	}
	commit.numbers = unsafe.Slice((*uint32)(c.numbers), commit.Frames())
	return commit
}

// end takes from the commit what does not outlive the sink.
func (c *Commit) end() { c.file, c.numbers, c.order = nil, nil, nil }

func (c *Commit) frameSize() int64 { return int64(frameHeader + c.PageSize) }

// Frames returns how many frames the commit has.
func (c *Commit) Frames() int { return int((c.End - c.Start) / c.frameSize()) }

// Numbers returns the number of the page in each frame, in the order of the frames;
// a page may come twice. Nothing is read for it. The slice is SQLite's neighbour in
// C's memory: it must not be changed, nor kept when the sink returns.
func (c *Commit) Numbers() []uint32 { return c.numbers }

// Salts returns the two numbers that name this run of the WAL; they change when
// it begins again.
func (c *Commit) Salts() (uint32, uint32) { return c.salt1, c.salt2 }

// Sum returns the two halves of the checksum in the last frame, the first one
// above. It depends on everything in the WAL up to there.
func (c *Commit) Sum() uint64 { return c.sum }

// Sync flushes the WAL to the disk: after it, the commit survives a power cut.
func (c *Commit) Sync() error {
	if rc := C.barrier_sync(c.file); rc != C.SQLITE_OK {
		return fmt.Errorf("sync the WAL: %w", sqlite.ResultCode(rc))
	}
	return nil
}

// partSize is how much of a commit is in memory at a time.
const partSize = 1 << 20

// parts are buffers of partSize bytes or, for huge pages, of one frame more.
var parts = sync.Pool{New: func() any { return new(make([]byte, partSize+frameHeader+65536)) }}

func (c *Commit) read(to []byte, at int64) error {
	if rc := C.barrier_read(c.file, unsafe.Pointer(&to[0]), C.int(len(to)), C.sqlite3_int64(at)); rc != C.SQLITE_OK {
		return fmt.Errorf("read the WAL from byte %d: %w", at, sqlite.ResultCode(rc))
	}
	return nil
}

// Each yields the commit's pages in the order of their frames, each with its
// number. A page that comes twice counts as it comes last. The bytes are valid
// until the next; an error ends the loop.
func (c *Commit) Each() iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		buf := parts.Get().(*[]byte)
		defer parts.Put(buf)
		frame := c.frameSize()
		for at := c.Start; at < c.End; {
			part := (*buf)[:min(c.End-at, partSize/frame*frame)]
			if err := c.read(part, at); err != nil {
				yield(Page{}, err)
				return
			}
			at += int64(len(part))
			for ; len(part) > 0; part = part[frame:] {
				if !yield(pageOf(part[:frame]), nil) {
					return
				}
			}
		}
	}
}

// place is the number of a page above that of the frame, from 0, that it is in.
type place uint64

func (p place) page() uint32 { return uint32(p >> 32) }
func (p place) frame() int64 { return int64(uint32(p)) }

// places returns where the commit's pages are, in ascending order.
func (c *Commit) places() []place {
	if c.order != nil {
		return c.order
	}
	all := make([]place, len(c.numbers))
	for i, number := range c.numbers {
		all[i] = place(number)<<32 | place(i)
	}
	slices.Sort(all)
	last := all[:0]
	for i, p := range all {
		if i+1 == len(all) || all[i+1].page() != p.page() {
			last = append(last, p)
		}
	}
	c.order = last
	return last
}

// Sorted yields each page of the commit once, as it left it, in the ascending order
// of their numbers. The bytes are valid until the next; an error ends the loop. Of a
// commit larger than a megabyte only a part is in memory.
func (c *Commit) Sorted() iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		buf := parts.Get().(*[]byte)
		defer parts.Put(buf)
		for rest := c.places(); len(rest) > 0; {
			n, first, err := c.readRun(*buf, rest)
			if err != nil {
				yield(Page{}, err)
				return
			}
			for _, p := range rest[:n] {
				at := (p.frame() - first) * c.frameSize()
				if !yield(pageOf((*buf)[at:at+c.frameSize()]), nil) {
					return
				}
			}
			rest = rest[n:]
		}
	}
}

// readRun reads frames for the first pages of a list: all of a small commit, else
// those that lie one behind the other. It returns for how many pages, and which
// frame the buffer begins with.
func (c *Commit) readRun(buf []byte, list []place) (n int, first int64, err error) {
	frame := c.frameSize()
	if c.End-c.Start <= partSize {
		return len(list), 0, c.read(buf[:c.End-c.Start], c.Start)
	}
	first = list[0].frame()
	n = 1
	for n < len(list) && list[n].frame() == first+int64(n) && int64(n+1)*frame <= partSize {
		n++
	}
	return n, first, c.read(buf[:int64(n)*frame], c.Start+first*frame)
}
