package sqlite

// #cgo noescape nl_format_float
// #cgo nocallback nl_format_float
// #include "port.h"
import "C"

import (
	"math"
	"strconv"
	"unsafe"
)

// The conversions of a column's or an argument's value, as SQLite itself makes
// them: https://sqlite.org/lang_expr.html#castexpr

// pointer reads u as the address it is.
func (v *value) pointer() unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&v.u)) }

func (v *value) bytes() []byte { return unsafe.Slice((*byte)(v.pointer()), int(v.n)) }

func (v *value) int64() int64 {
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

func (v *value) float64() float64 {
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

func (v *value) text() string {
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

// view returns the text or blob in place, for what parses it at once.
func (v *value) view() string { return unsafe.String((*byte)(v.pointer()), int(v.n)) }

func (v *value) raw() []byte {
	switch Type(v.typ) {
	case Text, Blob:
		return v.bytes()
	case Null:
		return nil
	}
	return []byte(v.text())
}

func (v *value) blob() []byte {
	b := v.raw()
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

func (v *value) any() any {
	switch Type(v.typ) {
	case Integer:
		return v.int64()
	case Float:
		return v.float64()
	case Text:
		return v.text()
	case Blob:
		return v.blob()
	}
	return nil
}

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
	n, _ := strconv.ParseInt(numberPrefix(b, false), 10, 64) // out of range: the nearest, as SQLite has it
	return n
}

func leadingFloat(b []byte) float64 {
	f, _ := strconv.ParseFloat(numberPrefix(b, true), 64) // out of range: ±Inf, as SQLite has it
	return f
}

// formatFloat writes a float as SQLite does: shortest where that is easily had,
// 17 digits otherwise, and always recognisable as a float.
func formatFloat(f float64) string {
	var buf [32]C.char
	return C.GoStringN(&buf[0], C.nl_format_float(C.double(f), &buf[0], C.int(len(buf))))
}
