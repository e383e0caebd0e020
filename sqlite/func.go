package sqlite

// #include <stdlib.h>
// #include "hooks.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// Value is an argument of a function written in Go. It points into SQLite's
// memory and is valid until the function returns. The getters convert as those
// of [Row] do and allocate only what they return.
type Value struct{ v value }

// Type returns the value's storage class.
func (v Value) Type() Type { return Type(v.v.typ) }

// IsNull reports whether the value is NULL.
func (v Value) IsNull() bool { return Type(v.v.typ) == Null }

// Int64 returns the value as an integer.
func (v Value) Int64() int64 { return v.v.int64() }

// Int is Int64 as an int.
func (v Value) Int() int { return int(v.v.int64()) }

// Bool reports whether the value is a number other than zero.
func (v Value) Bool() bool { return v.v.float64() != 0 }

// Float64 returns the value as a float.
func (v Value) Float64() float64 { return v.v.float64() }

// Text returns the value as a string of its own; NULL is "".
func (v Value) Text() string { return v.v.text() }

// Blob returns a copy of the value's bytes, nil for NULL.
func (v Value) Blob() []byte { return v.v.blob() }

// RawBytes returns the bytes of a text or blob in place.
func (v Value) RawBytes() []byte { return v.v.raw() }

// Any returns the value as nil, int64, float64, string or []byte.
func (v Value) Any() any { return v.v.any() }

// Function computes the result of one call of an SQL function. What it may
// return is what a statement takes as an argument. Its error becomes the error
// of the statement, where errors.Is and errors.As find it; a panic becomes a
// [*PanicError].
//
// It may use the connection that called it, but for ending its transaction or
// running the statement that called it. It must not call runtime.Goexit, which
// t.FailNow does: that leaves nothing of the connection but [ErrClosed].
type Function func(args []Value) (any, error)

// Aggregate computes one group of an aggregate function. After an error of Step
// neither method is called again.
type Aggregate interface {
	// Step takes the arguments of the group's next row.
	Step(args []Value) error
	// Final returns the result. A group may have had no rows.
	Final() (any, error)
}

// FuncOptions describe an SQL function: https://sqlite.org/c3ref/c_deterministic.html
type FuncOptions struct {
	// NArgs is the number of arguments; -1 is any. A name may have several
	// functions that differ in it.
	NArgs int
	// Deterministic says that the same arguments always give the same result
	// within one statement, which indexes and generated columns ask for.
	Deterministic bool
	// DirectOnly keeps the function out of views, triggers and the schema, where
	// whoever made the database file could call it.
	DirectOnly bool
	// Innocuous says that the function could do no harm there, so that it may be
	// called when the schema is not trusted.
	Innocuous bool
}

func (o FuncOptions) flags() C.int {
	var flags C.int
	if o.Deterministic {
		flags |= C.SQLITE_DETERMINISTIC
	}
	if o.DirectOnly {
		flags |= C.SQLITE_DIRECTONLY
	}
	if o.Innocuous {
		flags |= C.SQLITE_INNOCUOUS
	}
	return flags
}

// CreateFunction makes f callable from SQL on this connection; nil removes the
// function. Prepared statements take notice by themselves; while one that uses
// the old function is running it fails with [CodeBusy].
func (c *Conn) CreateFunction(name string, opts FuncOptions, f Function) error {
	if f == nil {
		return c.createFunction(name, opts, nil)
	}
	return c.createFunction(name, opts, &function{conn: c, name: "the function " + name, call: f})
}

// CreateAggregate makes an aggregate function callable from SQL on this
// connection: start begins a group. A nil start removes the function.
func (c *Conn) CreateAggregate(name string, opts FuncOptions, start func() Aggregate) error {
	if start == nil {
		return c.createFunction(name, opts, nil)
	}
	return c.createFunction(name, opts, &function{conn: c, name: "the aggregate " + name, start: start})
}

func (c *Conn) createFunction(name string, opts FuncOptions, f *function) error {
	if err := c.turn.enter(); err != nil {
		return err
	}
	defer c.turn.leave()
	if c.port == nil {
		return ErrClosed
	}
	var h cgo.Handle
	var aggregate C.int
	if f != nil {
		h = cgo.NewHandle(f) // SQLite's from now on: goRelease
		if f.start != nil {
			aggregate = 1
		}
	}
	if c.results.port == nil {
		c.results = encoder{conn: c, port: C.nl_port_new()}
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	if rc := C.nl_create_function(c.db, cname, C.int(opts.NArgs), opts.flags(), C.uintptr_t(h), aggregate); rc != C.SQLITE_OK {
		return fmt.Errorf("create function %s: %w", name, c.fail(rc, ""))
	}
	return nil
}

// function is what the handle of an SQL function leads to. It has call or start.
type function struct {
	conn  *Conn
	name  string
	call  Function
	start func() Aggregate
}

// group is what the handle of an aggregate's group leads to.
type group struct {
	Aggregate
	failed bool
}

//export goCall
func goCall(h C.uintptr_t, what C.int, state *C.uintptr_t, n C.int, v *C.nl_value) {
	f := cgo.Handle(h).Value().(*function)
	all := unsafe.Slice((*Value)(unsafe.Pointer(v)), int(n)+1)
	c := f.conn
	under := c.suspend()
	err := f.run(int(what), state, all[:n], &all[n].v)
	c.resume(under)
	if err != nil {
		c.failCall(&all[n].v, err)
	}
}

// run calls the user's function and encodes its result.
func (f *function) run(what int, state *C.uintptr_t, args []Value, out *value) (err error) {
	done := false
	defer f.conn.rescue(f.name, &done, &err)
	var result any
	switch what {
	case C.NL_CALL:
		result, err = f.call(args)
	case C.NL_STEP:
		err = f.step(state, args)
	case C.NL_FINAL:
		result, err = f.final(state)
	}
	if err == nil && result != nil {
		err = f.conn.results.result(out, result)
	}
	done = true
	return err
}

func (f *function) step(state *C.uintptr_t, args []Value) error {
	if *state == 0 {
		*state = C.uintptr_t(cgo.NewHandle(&group{Aggregate: f.start()}))
	}
	g := cgo.Handle(*state).Value().(*group)
	g.failed = true // until it has returned
	if err := g.Step(args); err != nil {
		return err
	}
	g.failed = false
	return nil
}

func (f *function) final(state *C.uintptr_t) (any, error) {
	if *state == 0 {
		return f.start().Final()
	}
	g := cgo.Handle(*state).Value().(*group)
	cgo.Handle(*state).Delete()
	*state = 0
	if g.failed {
		return nil, nil
	}
	return g.Final()
}

// result encodes what a function returned. The bytes of a text or blob stay in
// the encoder's buffer, from where C copies them at once.
func (e *encoder) result(out *value, x any) error {
	e.used, e.owned = 0, false
	at := e.grow(valueSize)
	if err := e.put(at, 0, x); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	e.resolve(out, at)
	return nil
}

// resolve turns the offset of a value's bytes into their address.
func (e *encoder) resolve(out *value, at int) {
	*out = *e.value(at, 0)
	if out.typ == int32(Text) || out.typ == int32(Blob) {
		out.u = int64(uintptr(e.at(int(out.u))))
	}
}

// failCall makes err the result of a call, and keeps it for the statement's error.
func (c *Conn) failCall(out *value, err error) {
	c.caught = err
	e := &c.results
	e.used, e.owned = 0, false
	at := e.grow(valueSize)
	e.value(at, 0).typ = int32(Null)
	if e.put(at, 0, err.Error()) != nil {
		e.put(at, 0, "a Go function failed")
	}
	e.resolve(out, at)
	code := Code(err)
	if code == CodeOK {
		code = CodeError
	}
	out.typ = C.NL_ERROR | out.typ&owned | int32(code)<<16
}

//export goRelease
func goRelease(h C.uintptr_t) { cgo.Handle(h).Delete() }
