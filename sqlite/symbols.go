package sqlite

// #include "symbols.h"
import "C"

import "unsafe"

//go:generate go test -run TestSymbols -rewrite .

// symbols returns the address of every C function that the package declares, by
// name. Only the test calls it; it is here because a test file cannot use cgo.
func symbols() map[string]uintptr {
	found := map[string]uintptr{}
	for s := (*C.nl_symbol)(unsafe.Pointer(&C.nl_symbols)); s.name != nil; s = (*C.nl_symbol)(unsafe.Add(unsafe.Pointer(s), unsafe.Sizeof(*s))) {
		found[C.GoString(s.name)] = uintptr(s.address)
	}
	return found
}
