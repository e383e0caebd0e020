//go:build cgo

package sqlite

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// Scan copies the columns into what dest points to, one destination each:
//
//   - integers, floats, bools and strings and types made of them. A value that
//     would not come out whole is an error: 1.5 or 'abc' into an int, 300 into a
//     uint8, a number other than 0 and 1 into a bool;
//   - []byte, a copy of a text's or blob's bytes, nil for NULL;
//   - time.Time, from a text as SQLite's date functions write and read them (see
//     [TimeFormat]), an INTEGER of Unix seconds or a REAL Julian day;
//   - any: nil, int64, float64, string or []byte;
//   - a sql.Scanner, or anything else with its method Scan(any) error;
//   - a pointer to one of these, such as **string, which NULL makes nil. For all
//     others but []byte, any and Scanners NULL is an error.
//
// What Scan fills is the caller's to keep.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if len(dest) != int(r.ncol) {
		return fmt.Errorf("scan: %s for %s", plural(len(dest), "destination"), plural(int(r.ncol), "column"))
	}
	for i, d := range dest {
		if err := r.value(i).scan(d); err != nil {
			return r.scanError(i, fmt.Sprintf("%T", d), err)
		}
	}
	return nil
}

// ScanInto fills what dest points to: a struct as [Row.ScanStruct] does, a pointer
// to a struct likewise, anything else from the row's only column.
func (r Row) ScanInto(dest any) error {
	if r.err != nil {
		return r.err
	}
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("scan into a %T: a pointer is needed", dest)
	}
	switch t := p.Type().Elem(); {
	case hasFields(t):
		return r.ScanStruct(dest)
	case t.Kind() == reflect.Pointer && hasFields(t.Elem()):
		s := reflect.New(t.Elem())
		p.Elem().Set(s)
		return r.ScanStruct(s.Interface())
	case r.ncol != 1:
		return fmt.Errorf("scan into a %v: the query has %s, which takes a struct", t, plural(int(r.ncol), "column"))
	}
	return r.Scan(dest)
}

func (r Row) scanError(i int, into string, err error) error {
	return fmt.Errorf("scan column %d %q into %s: %w", i+1, r.ColumnName(i), into, err)
}

// scanner is sql.Scanner.
type scanner interface{ Scan(src any) error }

var errNull = errors.New("it is NULL: use a pointer, a sql.Null or COALESCE")

// scan copies the value into what dest points to.
func (v *value) scan(dest any) error {
	if Type(v.typ) == Null {
		return v.scanNull(dest)
	}
	var err error
	switch d := dest.(type) {
	case *string:
		*d = v.text()
	case *int64:
		*d, err = v.wholeInt()
	case *int:
		var n int64
		n, err = v.wholeInt()
		*d = int(n)
	case *float64:
		*d, err = v.wholeFloat()
	case *bool:
		*d, err = v.truth()
	case *[]byte:
		*d = v.blob()
	case *any:
		*d = v.any()
	case *time.Time:
		*d, err = v.time()
	case scanner:
		return v.scanInto(d)
	default:
		return v.scanReflect(dest)
	}
	return err
}

func (v *value) scanNull(dest any) error {
	switch d := dest.(type) {
	case *[]byte:
		*d = nil
	case *any:
		*d = nil
	case scanner:
		return d.Scan(nil)
	default:
		e, err := target(dest)
		if err != nil {
			return err
		}
		switch k := e.Kind(); {
		case k == reflect.Pointer, k == reflect.Interface, k == reflect.Slice && e.Type().Elem().Kind() == reflect.Uint8:
			e.SetZero()
		default:
			return errNull
		}
	}
	return nil
}

// scanInto hands a Scanner the value. One that wants a time, such as a
// sql.NullTime, is offered the time that the value stands for.
func (v *value) scanInto(s scanner) error {
	err := s.Scan(v.any())
	if err != nil && Type(v.typ) != Blob {
		if t, noTime := v.time(); noTime == nil && s.Scan(t) == nil {
			return nil
		}
	}
	return err
}

func target(dest any) (reflect.Value, error) {
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return p, errors.New("a pointer is needed")
	}
	return p.Elem(), nil
}

var timeType = reflect.TypeFor[time.Time]()

// scanReflect is scan for pointers and for types made of the basic ones.
func (v *value) scanReflect(dest any) error {
	e, err := target(dest)
	if err != nil {
		return err
	}
	var n int64
	var f float64
	switch k := e.Kind(); {
	case k == reflect.Pointer:
		p := reflect.New(e.Type().Elem())
		if err = v.scan(p.Interface()); err == nil {
			e.Set(p)
		}
	case k == reflect.String:
		e.SetString(v.text())
	case e.CanInt():
		if n, err = v.wholeInt(); err == nil && e.OverflowInt(n) {
			err = fmt.Errorf("%d is out of its range", n)
		}
		if err == nil {
			e.SetInt(n)
		}
	case e.CanUint():
		if n, err = v.wholeInt(); err == nil && (n < 0 || e.OverflowUint(uint64(n))) {
			err = fmt.Errorf("%d is out of its range", n)
		}
		if err == nil {
			e.SetUint(uint64(n))
		}
	case e.CanFloat():
		if f, err = v.wholeFloat(); err == nil {
			e.SetFloat(f)
		}
	case k == reflect.Bool:
		var b bool
		b, err = v.truth()
		e.SetBool(b)
	case k == reflect.Slice && e.Type().Elem().Kind() == reflect.Uint8:
		e.SetBytes(v.blob())
	case k == reflect.Interface && e.NumMethod() == 0:
		e.Set(reflect.ValueOf(v.any()))
	case k == reflect.Struct && e.Type().ConvertibleTo(timeType):
		var t time.Time
		t, err = v.time()
		e.Set(reflect.ValueOf(t).Convert(e.Type()))
	default:
		err = errors.New("a column cannot become that")
	}
	return err
}

// wholeInt returns the value as an integer if it is one.
func (v *value) wholeInt() (int64, error) {
	switch Type(v.typ) {
	case Integer:
		return v.u, nil
	case Float:
		if f := math.Float64frombits(uint64(v.u)); f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return int64(f), nil
		}
	default:
		if n, err := strconv.ParseInt(v.view(), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, v.isNo("integer")
}

func (v *value) wholeFloat() (float64, error) {
	if t := Type(v.typ); t == Integer || t == Float {
		return v.float64(), nil
	}
	f, err := strconv.ParseFloat(v.view(), 64)
	if err != nil {
		return 0, v.isNo("number")
	}
	return f, nil
}

func (v *value) truth() (bool, error) {
	b, err := strconv.ParseBool(v.text())
	if err != nil {
		return false, v.isNo("bool")
	}
	return b, nil
}

func (v *value) isNo(what string) error {
	return fmt.Errorf("the %v %q is no %s", Type(v.typ), clip(v.text(), false), what)
}
