package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"fmt"
	"math"
	"strconv"
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

// pointer reads u as the address it is.
func (v *value) pointer() unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&v.u)) }

func (v *value) bytes() []byte { return unsafe.Slice((*byte)(v.pointer()), int(v.n)) }

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
	switch Type(v.typ) {
	case Integer:
		return v.u
	case Float:
		return floatToInt(math.Float64frombits(uint64(v.u)))
	case Text, Blob:
		return leadingInt(v.bytes())
	}
	return 0
}

// Int is Int64 as an int.
func (r Row) Int(i int) int { return int(r.Int64(i)) }

// Bool reports whether column i is a number other than zero.
func (r Row) Bool(i int) bool { return r.Float64(i) != 0 }

// Float64 returns column i as a float, converted as Int64 converts.
func (r Row) Float64(i int) float64 {
	v := r.value(i)
	switch Type(v.typ) {
	case Integer:
		return float64(v.u)
	case Float:
		return math.Float64frombits(uint64(v.u))
	case Text, Blob:
		return leadingFloat(v.bytes())
	}
	return 0
}

// Text returns column i as a string of its own; NULL is "".
func (r Row) Text(i int) string {
	v := r.value(i)
	switch Type(v.typ) {
	case Integer:
		return strconv.FormatInt(v.u, 10)
	case Float:
		return formatFloat(math.Float64frombits(uint64(v.u)))
	case Text, Blob:
		return string(v.bytes())
	}
	return ""
}

// Blob returns a copy of column i's bytes, nil for NULL.
func (r Row) Blob(i int) []byte {
	if b := r.RawBytes(i); b != nil {
		return append(make([]byte, 0, len(b)), b...)
	}
	return nil
}

// RawBytes returns the bytes of a text or blob in place, valid as long as the
// row is; a number's bytes are those of its text, NULL's are nil.
func (r Row) RawBytes(i int) []byte {
	v := r.value(i)
	switch Type(v.typ) {
	case Text, Blob:
		return v.bytes()
	case Null:
		return nil
	}
	return []byte(r.Text(i))
}

// Any returns column i as nil, int64, float64, string or []byte.
func (r Row) Any(i int) any {
	switch r.Type(i) {
	case Integer:
		return r.Int64(i)
	case Float:
		return r.Float64(i)
	case Text:
		return r.Text(i)
	case Blob:
		return r.Blob(i)
	}
	return nil
}

// Columns describes the columns of the row.
func (r Row) Columns() []Column {
	if r.stmt == nil {
		return nil
	}
	return r.stmt.Columns()
}

// ColumnName returns the name of column i.
func (r Row) ColumnName(i int) string { return r.stmt.Columns()[i].Name }

// DeclType returns the declared type of column i, "" for an expression.
func (r Row) DeclType(i int) string { return r.stmt.Columns()[i].DeclType }

func floatToInt(f float64) int64 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// numberPrefix returns the longest prefix of b, blanks skipped, that is a number.
func numberPrefix(b []byte, float bool) string {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] >= '\t' && b[i] <= '\r') {
		i++
	}
	start := i
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		i++
	}
	ok := digits()
	if !float {
		return string(b[start:i])
	}
	if i < len(b) && b[i] == '.' {
		i++
		ok = digits() || ok
	}
	if end := i; ok && i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '-' || b[i] == '+') {
			i++
		}
		if !digits() {
			i = end
		}
	}
	if !ok {
		return ""
	}
	return string(b[start:i])
}

func leadingInt(b []byte) int64 {
	n, err := strconv.ParseInt(numberPrefix(b, false), 10, 64)
	if err != nil { // out of range, or a float such as 1e3
		return floatToInt(leadingFloat(b))
	}
	return n
}

func leadingFloat(b []byte) float64 {
	f, _ := strconv.ParseFloat(numberPrefix(b, true), 64) // out of range: ±Inf, as SQLite has it
	return f
}

// formatFloat writes a float as SQLite does: 15 digits, and always recognisable as a float.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Inf"
	case math.IsInf(f, -1):
		return "-Inf"
	}
	s := strconv.FormatFloat(f, 'g', 15, 64)
	for i := range len(s) {
		if s[i] == '.' || s[i] == 'e' {
			return s
		}
	}
	return s + ".0"
}
