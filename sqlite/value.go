package sqlite

// #include <stdlib.h>
// #include "port.h"
import "C"

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// Type is the storage class of a value: what SQLite keeps, whatever the column was declared as.
type Type int32

// The five storage classes.
const (
	Integer Type = 1
	Float   Type = 2
	Text    Type = 3
	Blob    Type = 4
	Null    Type = 5
)

// String returns the name typeof() gives the class.
func (t Type) String() string {
	switch t {
	case Integer:
		return "integer"
	case Float:
		return "real"
	case Text:
		return "text"
	case Blob:
		return "blob"
	case Null:
		return "null"
	}
	return fmt.Sprintf("Type(%d)", int32(t))
}

// ZeroBlob as an argument stands for a blob of that many zero bytes, which
// SQLite stores without having them in memory. Fill it through [Conn.OpenBlob].
type ZeroBlob int64

// NamedArg is an argument for the parameter of that name; see [Named].
type NamedArg struct {
	Name  string
	Value any
}

// Named gives the parameters :name, @name and $name a value. The name may be
// written with or without its prefix. Named and positional arguments do not mix
// in one call.
func Named(name string, value any) NamedArg { return NamedArg{name, value} }

// TimeFormat is how a time.Time argument is stored: text that SQLite's own date
// functions read and that sorts by time within one zone.
const TimeFormat = "2006-01-02 15:04:05.999999999-07:00"

// value mirrors nl_value: one argument or one column.
type value struct {
	typ int32
	n   int32
	u   int64 // integer, bits of a float, or where the bytes are
}

const (
	valueSize = int(unsafe.Sizeof(value{}))
	zeroBlob  = int32(C.NL_ZEROBLOB)
	owned     = int32(C.NL_OWNED)

	// ownedMin is the size from which an argument's bytes get an allocation of
	// their own, so that one large blob does not leave a large buffer behind.
	ownedMin = 64 << 10
)

// encoder writes arguments into the port's buffer: the values of every
// statement one after the other, and the bytes they point at behind or between.
type encoder struct {
	conn    *Conn
	port    *C.nl_port // its buffer is written to
	used    int
	scratch []byte
	owned   bool // some argument was handed over to SQLite
}

// grow makes room for n more bytes and returns their offset, 8-byte aligned.
func (e *encoder) grow(n int) int {
	at := (e.used + 7) &^ 7
	e.used = at + n
	if e.used > int(e.port.args_cap) {
		size := max(1024, 2*e.used)
		e.port.args = (*C.uchar)(C.realloc(unsafe.Pointer(e.port.args), C.size_t(size)))
		e.port.args_cap = C.int64_t(size)
	}
	return at
}

func (e *encoder) at(off int) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(e.port.args), off)
}

func (e *encoder) value(at, i int) *value {
	return (*value)(e.at(at + i*valueSize))
}

// encode appends one statement's arguments and returns the offset of the first.
func (e *encoder) encode(s *Stmt, args []any) (int, error) {
	if len(args) != s.nparam || s.nparam > 0 && isNamed(args[0]) {
		var err error
		if args, err = s.resolve(args); err != nil {
			return 0, err
		}
	}
	at := e.grow(len(args) * valueSize)
	for i := range args {
		if err := e.put(at, i, args[i]); err != nil {
			e.free(at, i)
			return 0, &Error{Code: CodeMismatch, Msg: fmt.Sprintf("bind parameter %d: %v", i+1, err), SQL: s.sql, Offset: -1, cause: err}
		}
	}
	return at, nil
}

// free frees the large ones of n arguments that SQLite will not be given.
func (e *encoder) free(at, n int) {
	for i := range n {
		if v := e.value(at, i); v.typ&owned != 0 {
			C.sqlite3_free(v.pointer())
		}
	}
}

func isNamed(a any) bool {
	_, ok := a.(NamedArg)
	return ok
}

// put encodes one argument and keeps nothing of it, so that callers' arguments
// stay out of the heap; see escape.go.
func (e *encoder) put(at, i int, a any) error {
	v := e.value(at, i)
	v.typ, v.n = int32(Integer), 0
	switch x := a.(type) {
	case int64:
		v.u = x
	case int:
		v.u = int64(x)
	case string:
		return e.bytes(at, i, int32(Text), unsafe.Pointer(unsafe.StringData(x)), len(x))
	case []byte:
		if x == nil {
			v.typ = int32(Null)
			return nil
		}
		return e.bytes(at, i, int32(Blob), unsafe.Pointer(unsafe.SliceData(x)), len(x))
	case nil:
		v.typ = int32(Null)
	case float64:
		v.typ, v.u = int32(Float), int64(math.Float64bits(x))
	case bool:
		v.u = 0
		if x {
			v.u = 1
		}
	case time.Time:
		e.scratch = x.AppendFormat(e.scratch[:0], TimeFormat)
		return e.bytes(at, i, int32(Text), unsafe.Pointer(unsafe.SliceData(e.scratch)), len(e.scratch))
	case int32:
		v.u = int64(x)
	case int16:
		v.u = int64(x)
	case int8:
		v.u = int64(x)
	case uint8:
		v.u = int64(x)
	case uint16:
		v.u = int64(x)
	case uint32:
		v.u = int64(x)
	case uint64:
		return e.unsigned(v, x)
	case uint:
		return e.unsigned(v, uint64(x))
	case float32:
		v.typ, v.u = int32(Float), int64(math.Float64bits(float64(x)))
	case ZeroBlob:
		if x < 0 || x > math.MaxInt32 {
			return fmt.Errorf("a zero blob of %d bytes is out of range", int64(x))
		}
		v.typ, v.u = zeroBlob, int64(x)
	default:
		contentEscapes(a)
		return e.convert(at, i, hidden(a))
	}
	return nil
}

func (e *encoder) unsigned(v *value, x uint64) error {
	if x > math.MaxInt64 {
		return fmt.Errorf("%d does not fit SQLite's signed 64-bit integer", x)
	}
	v.u = int64(x)
	return nil
}

// bytes copies a text or blob behind the values.
func (e *encoder) bytes(at, i int, typ int32, p unsafe.Pointer, n int) error {
	if n > math.MaxInt32-64 {
		return fmt.Errorf("%d bytes are more than SQLite stores in one value", n)
	}
	var off int
	switch {
	case n >= ownedMin:
		m := C.sqlite3_malloc64(C.sqlite3_uint64(n))
		if m == nil {
			return fmt.Errorf("%d bytes: out of memory", n)
		}
		off, typ, e.owned = int(uintptr(m)), typ|owned, true
		copy(unsafe.Slice((*byte)(m), n), unsafe.Slice((*byte)(p), n))
	default:
		// One byte at least: SQLite reads a null pointer as NULL.
		off = e.grow(max(n, 1))
		copy(unsafe.Slice((*byte)(e.at(off)), n), unsafe.Slice((*byte)(p), n))
	}
	v := e.value(at, i) // after grow, which may have moved it
	v.typ, v.n, v.u = typ, int32(n), int64(off)
	return nil
}

// convert handles what needs reflection: driver.Valuer, pointers and named types.
func (e *encoder) convert(at, i int, a any) error {
	rv := reflect.ValueOf(a)
	if isNamed(a) {
		return errors.New("named and positional arguments are mixed")
	}
	if _, ok := a.(driver.Valuer); ok {
		if rv.Kind() == reflect.Pointer && rv.IsNil() {
			return e.put(at, i, nil)
		}
		vr, err := inHeap(a)
		if err != nil {
			return err
		}
		x, err := e.conn.valueOf(vr)
		if err != nil {
			return err
		}
		if _, again := x.(driver.Valuer); again {
			return fmt.Errorf("%T.Value returned another driver.Valuer", a)
		}
		return e.put(at, i, x)
	}
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.IsNil() {
			return e.put(at, i, nil)
		}
		return e.put(at, i, rv.Elem().Interface())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return e.put(at, i, rv.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return e.put(at, i, rv.Uint())
	case reflect.Float32, reflect.Float64:
		return e.put(at, i, rv.Float())
	case reflect.Bool:
		return e.put(at, i, rv.Bool())
	case reflect.String:
		return e.put(at, i, rv.String())
	case reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			return e.put(at, i, rv.Bytes())
		}
	}
	return fmt.Errorf("a %T is neither an integer, float, bool, string, []byte, time.Time nor driver.Valuer", a)
}

// valueOf asks a Valuer, which may use the connection.
func (c *Conn) valueOf(v driver.Valuer) (driver.Value, error) {
	defer c.resume(c.suspend())
	return v.Value()
}

// resolve turns named arguments into positional ones, and explains a wrong count.
func (s *Stmt) resolve(args []any) ([]any, error) {
	if len(args) == 0 || !isNamed(args[0]) {
		return nil, s.misbound("the statement has %s, %d given", plural(s.nparam, "parameter"), len(args))
	}
	out := make([]any, s.nparam)
	set := make([]bool, s.nparam)
	for _, a := range args {
		n, ok := a.(NamedArg)
		if !ok {
			return nil, s.misbound("named and positional arguments are mixed")
		}
		found := false
		for i, p := range s.Params() {
			if p != "" && (p == n.Name || p[1:] == n.Name) {
				out[i], set[i], found = n.Value, true, true
			}
		}
		if !found {
			return nil, s.misbound("the statement has no parameter %q; it has %s", n.Name, strings.Join(s.Params(), " "))
		}
	}
	for i, ok := range set {
		if !ok {
			return nil, s.misbound("no argument for parameter %d %s", i+1, s.Params()[i])
		}
	}
	return out, nil
}

// misbound is the error of arguments that are not the statement's parameters.
func (s *Stmt) misbound(format string, args ...any) error {
	return &Error{Code: CodeRange, Msg: "bind: " + fmt.Sprintf(format, args...), SQL: s.sql, Offset: -1}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
