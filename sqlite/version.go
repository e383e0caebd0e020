package sqlite

// #include "port.h"
import "C"

import (
	"fmt"
	"slices"
)

// Version returns the version of the SQLite library that is linked in.
func Version() string { return C.GoString(C.sqlite3_libversion()) }

// SourceID returns the check-in the library was built from.
func SourceID() string { return C.GoString(C.sqlite3_sourceid()) }

// CompileOptions returns the options the library was compiled with, without
// their SQLITE_ prefix: https://sqlite.org/compile.html
func CompileOptions() []string {
	var opts []string
	for i := 0; ; i++ {
		o := C.sqlite3_compileoption_get(C.int(i))
		if o == nil {
			slices.Sort(opts)
			return opts
		}
		opts = append(opts, C.GoString(o))
	}
}

// checkVersion refuses a library with the WAL-reset bug: a writer and a
// checkpoint of two connections could corrupt the database. It was fixed in
// 3.51.3 and, on the next branch, in 3.53.0; 3.52.0 was withdrawn.
func checkVersion(v int) error {
	if v >= 3053000 || v >= 3051003 && v < 3052000 {
		return nil
	}
	return fmt.Errorf("sqlite: the linked SQLite is %d.%d.%d, which can corrupt a database in WAL mode; link 3.51.3, 3.53.0 or later (go get github.com/mattn/go-sqlite3@latest)",
		v/1000000, v/1000%1000, v%1000)
}
