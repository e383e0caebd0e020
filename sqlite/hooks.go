package sqlite

// #include "hooks.h"
import "C"

import (
	"runtime/cgo"
)

// hooks are the handles of the Go functions that SQLite calls.
type hooks struct {
	authorizer cgo.Handle
	others     []cgo.Handle
}

func (h *hooks) release() {
	if h.authorizer != 0 {
		h.authorizer.Delete()
		h.authorizer = 0
	}
	for _, o := range h.others {
		o.Delete()
	}
	h.others = nil
}

// Action is something a statement is about to be allowed to do. What A and B
// hold depends on Op: https://sqlite.org/c3ref/c_alter_table.html
type Action struct {
	Op      Op
	A, B    string
	Schema  string // "main", "temp" or the name of an attached database
	Trigger string // the innermost trigger or view behind the access
}

// Op is an authorizer's action code.
type Op int

// The actions that change more than rows, and the two that name what is read.
const (
	OpCreateIndex       Op = 1
	OpCreateTable       Op = 2
	OpCreateTempIndex   Op = 3
	OpCreateTempTable   Op = 4
	OpCreateTempTrigger Op = 5
	OpCreateTempView    Op = 6
	OpCreateTrigger     Op = 7
	OpCreateView        Op = 8
	OpDelete            Op = 9
	OpDropIndex         Op = 10
	OpDropTable         Op = 11
	OpDropTempIndex     Op = 12
	OpDropTempTable     Op = 13
	OpDropTempTrigger   Op = 14
	OpDropTempView      Op = 15
	OpDropTrigger       Op = 16
	OpDropView          Op = 17
	OpInsert            Op = 18
	OpPragma            Op = 19 // A is its name, B its argument
	OpRead              Op = 20
	OpSelect            Op = 21
	OpTransaction       Op = 22 // A is BEGIN, COMMIT or ROLLBACK
	OpUpdate            Op = 23
	OpAttach            Op = 24
	OpDetach            Op = 25
	OpAlterTable        Op = 26
	OpReindex           Op = 27
	OpAnalyze           Op = 28
	OpCreateVTable      Op = 29
	OpDropVTable        Op = 30
	OpFunction          Op = 31 // B is its name
	OpSavepoint         Op = 32 // A is BEGIN, RELEASE or ROLLBACK, B the name
	OpRecursive         Op = 33
)

// Decision is an authorizer's answer.
type Decision int

// Allow lets the action happen; Deny makes Prepare fail with [CodeAuth]; Ignore
// reads NULL instead of the column, or leaves the action out.
const (
	Allow  Decision = 0
	Deny   Decision = 1
	Ignore Decision = 2
)

// SetAuthorizer lets f judge every statement when it is prepared, and prepared
// again after a change of schema; nil lets everything pass. Statements prepared
// before are prepared again. f must not use the connection.
func (c *Conn) SetAuthorizer(f func(Action) Decision) {
	if c.db == nil {
		return
	}
	old := c.hooks.authorizer
	c.hooks.authorizer = 0
	if f != nil {
		c.hooks.authorizer = cgo.NewHandle(f)
	}
	C.nl_set_authorizer(c.db, C.uintptr_t(c.hooks.authorizer))
	if old != 0 {
		old.Delete()
	}
}

//export goAuthorize
func goAuthorize(h C.uintptr_t, action C.int, a, b, schema, trigger *C.char) C.int {
	f := cgo.Handle(h).Value().(func(Action) Decision)
	return C.int(f(Action{Op(action), C.GoString(a), C.GoString(b), C.GoString(schema), C.GoString(trigger)}))
}
