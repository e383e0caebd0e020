package sqlite

// #include "port.h"
import "C"

import "fmt"

// BoundFunctions is for SQL that one need not trust. It replaces functions that can
// keep a connection busy for hours without looking for an interrupt, as instr() with
// two long texts can: instr and replace are quick with any arguments, and trim, ltrim,
// rtrim, json_patch and jsonb_patch fail when they would take more than a second or
// so. They give the same results.
//
// LIKE and GLOB remain, since an index is used for SQLite's own only; they take time
// by the length of the text times that of the pattern: see [LimitLikePatternLength].
func (c *Conn) BoundFunctions() error {
	if c.db == nil {
		return ErrClosed
	}
	if rc := C.nl_bound_functions(c.addr); rc != C.SQLITE_OK {
		return fmt.Errorf("replace functions: %w", ResultCode(rc))
	}
	return nil
}
