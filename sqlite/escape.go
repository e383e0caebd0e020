package sqlite

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// An int passed as any is boxed, and where the box lies is decided when the
// caller is compiled: on its stack if nothing this package does with arguments
// can keep them; in the heap if something might, which costs every argument of
// every query an allocation. Everything here copies arguments at once, with one
// exception: a driver.Valuer is somebody else's code and may keep what it likes.
// For its sake the compiler would put all arguments into the heap.
//
// So hidden takes an argument out of the compiler's sight, and inHeap makes up
// for that before somebody else's code sees a Valuer:
//
//  1. The box may lie on the caller's stack, so it is copied.
//  2. What the box points to lies in the heap already: contentEscapes says in a
//     way the compiler understands that the content of arguments is kept.
//     Nothing has to be allocated for that as a rule: the bytes of a string lie
//     where they lie.
//  3. A pointer or a map has no box. What it points to may lie on the stack, so
//     that is copied, one level deep; rule 2 covers the rest. A Valuer with a
//     pointer receiver therefore works on a copy of its value.

var kept string // stays empty

// contentEscapes is rule 2 for an argument that is no string.
func contentEscapes(a any) {
	if s, ok := a.(string); ok {
		kept = s
	}
}

// inHeap returns a copy of a hidden Valuer that may be kept.
func inHeap(a any) (driver.Valuer, error) {
	rv := reflect.ValueOf(a)
	box := reflect.New(rv.Type())
	target := box.UnsafePointer()
	switch leaf := onlyWord(rv); {
	case leaf.Kind() == reflect.Pointer && !leaf.IsNil():
		t := leaf.Type().Elem()
		if !t.Implements(valuerType) && hasLock(t) {
			return nil, fmt.Errorf("a %T cannot be copied, since it holds a lock: pass what its Value returns", a)
		}
		c := reflect.New(t)
		c.Elem().Set(reflect.NewAt(t, leaf.UnsafePointer()).Elem())
		*(*unsafe.Pointer)(target) = c.UnsafePointer()
	case leaf.Kind() == reflect.Map && leaf.CanInterface() && !leaf.IsNil():
		c := cloneMap(leaf)
		*(*unsafe.Pointer)(target) = c.UnsafePointer()
	case leaf.Kind() == reflect.Func || leaf.Kind() == reflect.Map && !leaf.CanInterface():
		return nil, fmt.Errorf("a %T cannot be copied, since it holds a %v: pass what its Value returns", a, leaf.Kind())
	default:
		box.Elem().Set(rv)
	}
	return box.Elem().Interface().(driver.Valuer), nil
}

var (
	valuerType = reflect.TypeFor[driver.Valuer]()
	lockerType = reflect.TypeFor[sync.Locker]()
)

// onlyWord returns the pointer-sized value that v consists of, through structs
// and arrays that hold nothing else; v itself if it is larger.
func onlyWord(v reflect.Value) reflect.Value {
	for v.Type().Size() == unsafe.Sizeof(uintptr(0)) {
		switch v.Kind() {
		case reflect.Struct:
			i := 0
			for v.Type().Field(i).Type.Size() == 0 {
				i++
			}
			v = v.Field(i)
		case reflect.Array:
			v = v.Index(0)
		default:
			return v
		}
	}
	return v
}

// hasLock reports whether t holds something that must not be copied, by the
// sign that go vet goes by.
func hasLock(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(lockerType) {
		return true
	}
	switch t.Kind() {
	case reflect.Array:
		return hasLock(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasLock(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

func cloneMap(m reflect.Value) reflect.Value {
	c := reflect.MakeMapWithSize(m.Type(), m.Len())
	for it := m.MapRange(); it.Next(); {
		c.SetMapIndex(it.Key(), it.Value())
	}
	return c
}
