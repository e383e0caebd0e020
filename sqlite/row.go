package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"fmt"
	"unsafe"
)

const (
	firstBlock = 4 << 10  // a cursor's first fetch: most results are short
	blockSize  = 32 << 10 // the later ones
	ringBlocks = 8
	ringBlock  = 16 << 10
	ringRoom   = 1 << 10 // a block of the ring with less is full
)

// block is C memory that rows are fetched into. Its generation counts how often
// it was emptied, so that a Row knows when its bytes are gone.
type block struct {
	c    *C.nl_block
	addr C.uintptr_t
	size C.int32_t
	gen  uint64
}

func newBlock(size int) *block {
	c := (*C.nl_block)(C.calloc(1, C.sizeof_nl_block))
	c.mem = (*C.uchar)(C.malloc(C.size_t(size)))
	c.cap = C.int32_t(size)
	return &block{c: c, addr: C.uintptr_t(uintptr(unsafe.Pointer(c))), size: C.int32_t(size)}
}

func (b *block) free() {
	b.gen++
	C.free(unsafe.Pointer(b.c.mem))
	C.free(unsafe.Pointer(b.c))
	b.c = nil
}

// reset empties the block and lets the next fetch use up to limit bytes of it.
func (b *block) reset(limit int) {
	b.gen++
	b.c.used = 0
	b.c.cap = min(C.int32_t(limit), b.size)
}

// row returns the first row of the last fetch.
func (b *block) row() unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(b.c.mem), int(b.c.start))
}

// ring hands out room for single rows, block after block, so that the rows of
// the last few thousand point reads stay readable without an allocation each.
type ring struct {
	blocks [ringBlocks]*block
	cur    int
}

func (r *ring) next() *block {
	b := r.blocks[r.cur]
	if b != nil && b.c.cap-b.c.used >= ringRoom {
		return b
	}
	if b != nil {
		r.cur = (r.cur + 1) % ringBlocks
		b = r.blocks[r.cur]
	}
	if b == nil {
		b = newBlock(ringBlock)
		r.blocks[r.cur] = b
	}
	b.reset(ringBlock)
	return b
}

// replace puts b in the place of the current block.
func (r *ring) replace(b *block) {
	r.blocks[r.cur].free()
	r.blocks[r.cur] = b
}

func (r *ring) free() {
	for i, b := range r.blocks {
		if b != nil {
			b.free()
			r.blocks[i] = nil
		}
	}
}

// takeBlock lends a cursor a block; giveBlock takes it back.
func (c *Conn) takeBlock() *block {
	if n := len(c.spare); n > 0 {
		b := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return b
	}
	return newBlock(blockSize)
}

func (c *Conn) giveBlock(b *block) {
	b.gen++
	if c.port == nil || len(c.spare) >= 4 || int(b.size) != blockSize {
		b.free()
		return
	}
	c.spare = append(c.spare, b)
}

// nextRow returns the row behind the one at v.
func nextRow(v unsafe.Pointer, ncol int) unsafe.Pointer {
	n := ncol * valueSize
	for i := range ncol {
		n += int((*value)(unsafe.Add(v, i*valueSize)).n)
	}
	return unsafe.Add(v, (n+7)&^7)
}

// Row is one row of a result. It is a small value that points into memory of
// the connection: see [Stmt.QueryRow] and [Rows.Row] for how long. A Row used
// after that panics; it never shows another row's values.
//
// The getters convert as SQLite does (a text "12" read by Int64 is 12, NULL is
// zero); they panic when the column does not exist or the row holds an error.
type Row struct {
	stmt  *Stmt
	block *block // nil: the row owns its memory
	v     unsafe.Pointer
	gen   uint64
	ncol  int32
	err   error
}

// Err returns why there is no row: [ErrNoRows], or the error of the query.
func (r Row) Err() error { return r.err }

// ErrorRow returns a Row that holds an error instead of values.
func ErrorRow(err error) Row { return Row{err: err} }

// Len returns the number of columns.
func (r Row) Len() int { return int(r.ncol) }

func (r *Row) value(i int) *value {
	if r.err != nil || r.block != nil && r.block.gen != r.gen || uint(i) >= uint(r.ncol) {
		r.misused(i)
	}
	return (*value)(unsafe.Add(r.v, i*valueSize))
}

func (r *Row) misused(i int) {
	switch {
	case r.err != nil:
		panic(fmt.Sprintf("sqlite: column %d of a row that is not there (check Row.Err first): %v", i, r.err))
	case uint(i) >= uint(r.ncol):
		panic(fmt.Sprintf("sqlite: column %d of a row with %s", i, plural(int(r.ncol), "column")))
	}
	panic("sqlite: Row used after its time: the next row has been read, or the transaction has ended; copy what you keep")
}

// moveTail appends the bytes of the last column to tail and makes it NULL.
func (r *Row) moveTail(tail *[]byte) {
	v := (*value)(unsafe.Add(r.v, (int(r.ncol)-1)*valueSize))
	if t := Type(v.typ); t == Text || t == Blob {
		*tail = append(*tail, v.bytes()...)
	}
	v.typ, v.n, v.u = int32(Null), 0, 0
}

// inPlace reports whether some of the row's bytes lie in SQLite's memory.
func (r *Row) inPlace() bool {
	from := uintptr(unsafe.Pointer(r.block.c.mem))
	for i := range int(r.ncol) {
		v := (*value)(unsafe.Add(r.v, i*valueSize))
		if t := Type(v.typ); (t == Text || t == Blob) && uintptr(v.pointer())-from >= uintptr(r.block.size) {
			return true
		}
	}
	return false
}

// detach copies the row out of SQLite's memory.
func (r *Row) detach() {
	n := int(r.ncol) * valueSize
	total := n
	src := unsafe.Slice((*value)(r.v), int(r.ncol))
	for i := range src {
		total += int(src[i].n)
	}
	mem := make([]byte, total+8)
	mem = mem[-int(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))&7:]
	dst := unsafe.Slice((*value)(unsafe.Pointer(unsafe.SliceData(mem))), int(r.ncol))
	for i := range src {
		dst[i] = src[i]
		if t := Type(src[i].typ); t == Text || t == Blob {
			copy(mem[n:], src[i].bytes())
			dst[i].u = int64(uintptr(unsafe.Pointer(unsafe.SliceData(mem[n:]))))
			n += int(src[i].n)
		}
	}
	r.v, r.block = unsafe.Pointer(unsafe.SliceData(mem)), nil
}

// Type returns the storage class of column i.
func (r Row) Type(i int) Type { return Type(r.value(i).typ) }

// IsNull reports whether column i is NULL.
func (r Row) IsNull(i int) bool { return Type(r.value(i).typ) == Null }

// Int64 returns column i as an integer; a float is cut off, a text is parsed up
// to where it stops being a number, anything else is 0.
func (r Row) Int64(i int) int64 {
	v := r.value(i)
	if Type(v.typ) == Integer {
		return v.u
	}
	return v.int64()
}

// Int is Int64 as an int.
func (r Row) Int(i int) int { return int(r.Int64(i)) }

// Bool reports whether column i is a number other than zero.
func (r Row) Bool(i int) bool { return r.value(i).float64() != 0 }

// Float64 returns column i as a float, converted as Int64 converts.
func (r Row) Float64(i int) float64 { return r.value(i).float64() }

// Text returns column i as a string of its own; NULL is "".
func (r Row) Text(i int) string { return r.value(i).text() }

// Blob returns a copy of column i's bytes, nil for NULL.
func (r Row) Blob(i int) []byte { return r.value(i).blob() }

// RawBytes returns the bytes of a text or blob in place, valid as long as the
// row is; a number's bytes are those of its text, NULL's are nil.
func (r Row) RawBytes(i int) []byte { return r.value(i).raw() }

// Any returns column i as nil, int64, float64, string or []byte.
func (r Row) Any(i int) any { return r.value(i).any() }

// Columns describes the columns of the row.
func (r Row) Columns() []Column {
	if r.stmt == nil {
		return nil
	}
	if s := r.stmt; s.ran == s.prepared {
		return s.columns
	}
	return r.stmt.Columns()
}

// ColumnName returns the name of column i.
func (r Row) ColumnName(i int) string { return r.Columns()[i].Name }

// DeclType returns the declared type of column i, "" for an expression.
func (r Row) DeclType(i int) string { return r.Columns()[i].DeclType }
