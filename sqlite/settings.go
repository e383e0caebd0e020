package sqlite

// #include <stdlib.h>
// #include "port.h"
// static int db_config(sqlite3 *db, int what, int on, int *now) { return sqlite3_db_config(db, what, on, now); }
import "C"

import (
	"fmt"
	"unsafe"
)

// Config is a switch of a connection: https://sqlite.org/c3ref/c_dbconfig_defensive.html
type Config int

// The switches that matter to a program, most of them for databases or SQL that
// it cannot trust.
const (
	ConfigForeignKeys         Config = 1002 // enforce foreign keys
	ConfigTriggers            Config = 1003 // run triggers
	ConfigLoadExtension       Config = 1005 // let C load extensions, whatever SQL may
	ConfigNoCheckpointOnClose Config = 1006 // leave the WAL when the last connection closes
	ConfigResetDatabase       Config = 1009 // on, VACUUM, off: an empty database
	ConfigDefensive           Config = 1010 // refuse SQL that could corrupt the file
	ConfigWritableSchema      Config = 1011 // let SQL write sqlite_schema
	ConfigDoubleQuotedDML     Config = 1013 // take "text" for a string in queries
	ConfigDoubleQuotedDDL     Config = 1014 // take "text" for a string in the schema
	ConfigViews               Config = 1015 // let views be used
	ConfigTrustedSchema       Config = 1017 // let the schema call any function
)

// SetConfig turns a switch on or off.
func (c *Conn) SetConfig(what Config, on bool) error {
	n := 0
	if on {
		n = 1
	}
	_, err := c.config(what, n)
	return err
}

// Config reports whether a switch is on.
func (c *Conn) Config(what Config) (bool, error) { return c.config(what, -1) }

func (c *Conn) config(what Config, on int) (bool, error) {
	if c.db == nil {
		return false, ErrClosed
	}
	var now C.int
	if rc := C.db_config(c.db, C.int(what), C.int(on), &now); rc != C.SQLITE_OK {
		return false, fmt.Errorf("configure %d: %w", int(what), ResultCode(rc))
	}
	return now != 0, nil
}

// Limit is a bound of a connection: https://sqlite.org/c3ref/c_limit_attached.html
type Limit int

// The limits, which guard against SQL that asks for too much.
const (
	LimitLength            Limit = 0 // bytes of a text, blob or row
	LimitSQLLength         Limit = 1 // bytes of a statement
	LimitColumns           Limit = 2
	LimitExprDepth         Limit = 3
	LimitCompoundSelect    Limit = 4
	LimitOperations        Limit = 5 // of a statement's program
	LimitFunctionArgs      Limit = 6
	LimitAttached          Limit = 7
	LimitLikePatternLength Limit = 8
	LimitParameters        Limit = 9 // the highest number of a parameter
	LimitTriggerDepth      Limit = 10
	LimitWorkerThreads     Limit = 11
)

// Limit sets a limit and returns what it was; a negative value only asks. It
// cannot be raised beyond what the library was compiled with.
func (c *Conn) Limit(what Limit, value int) (was int) {
	if c.db == nil {
		return 0
	}
	return int(C.sqlite3_limit(c.db, C.int(what), C.int(value)))
}

// DBFilename returns the absolute path of the file of a database of the
// connection ("main", "temp" or the name of an attached one), "" when it is none
// or has no file.
func (c *Conn) DBFilename(schema string) string {
	if c.db == nil {
		return ""
	}
	cs := C.CString(schema)
	defer C.free(unsafe.Pointer(cs))
	return C.GoString(C.sqlite3_db_filename(c.db, cs))
}

// VFSNames returns the names that [Open] takes for its VFS, the default first:
// https://sqlite.org/vfs.html
func VFSNames() []string {
	if Initialize() != nil {
		return nil
	}
	var names []string
	for v := C.sqlite3_vfs_find(nil); v != nil; v = v.pNext {
		names = append(names, C.GoString(v.zName))
	}
	return names
}
