package sqlite

// #include "hooks.h"
import "C"

import (
	"runtime/cgo"
)

// hooks are the handles of the Go functions that SQLite calls. Those of functions
// and collations are SQLite's to release.
type hooks struct {
	authorizer, busy, wal cgo.Handle
}

// replace puts a new handle for f, 0 if it is nil, in the place of one; set tells SQLite.
func replace(h *cgo.Handle, f any, set func(C.uintptr_t)) {
	old := *h
	*h = 0
	if f != nil {
		*h = cgo.NewHandle(f)
	}
	set(C.uintptr_t(*h))
	if old != 0 {
		old.Delete()
	}
}

func (h *hooks) release() {
	for _, each := range []cgo.Handle{h.authorizer, h.busy, h.wal} {
		if each != 0 {
			each.Delete()
		}
	}
	*h = hooks{}
}

// Action is something a statement is about to be allowed to do. What A and B
// hold depends on Op: https://sqlite.org/c3ref/c_alter_table.html
type Action struct {
	Op      Op
	A, B    string
	HasB    bool   // there is a B, and be it empty: PRAGMA x = '' has an argument
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
// before are prepared again. f must not use the connection; a panic denies.
func (c *Conn) SetAuthorizer(f func(Action) Decision) {
	if c.db == nil {
		return
	}
	var a any
	if f != nil {
		a = &authorizer{c, f}
	}
	replace(&c.hooks.authorizer, a, func(h C.uintptr_t) { C.nl_set_authorizer(c.db, h) })
}

type authorizer struct {
	conn  *Conn
	judge func(Action) Decision
}

//export goAuthorize
func goAuthorize(h C.uintptr_t, action C.int, a, b, schema, trigger *C.char) C.int {
	f := cgo.Handle(h).Value().(*authorizer)
	d, err := f.run(Action{Op(action), C.GoString(a), C.GoString(b), b != nil, C.GoString(schema), C.GoString(trigger)})
	if err != nil {
		f.conn.caught = err
	}
	return C.int(d)
}

func (f *authorizer) run(a Action) (d Decision, err error) {
	done := false
	d = Deny
	defer f.conn.rescue("the authorizer", &done, &err)
	d = f.judge(a)
	done = true
	return d, nil
}

// SetBusyHandler lets f decide what to do when another connection holds a lock:
// it is called with the number of calls before for the same lock, and returns
// true to try again, after a pause of its own making, or false to fail with
// [CodeBusy]. nil fails at once. It takes the place of [Conn.BusyTimeout] and
// [Conn.BusyPoll], and they take its. f must not use the connection.
func (c *Conn) SetBusyHandler(f func(n int) bool) {
	if c.db == nil {
		return
	}
	var b any
	if f != nil {
		b = &busyHandler{c, f}
	}
	replace(&c.hooks.busy, b, func(h C.uintptr_t) { C.nl_set_busy_handler(c.db, h) })
}

type busyHandler struct {
	conn *Conn
	wait func(n int) bool
}

//export goBusy
func goBusy(h C.uintptr_t, n C.int) C.int {
	f := cgo.Handle(h).Value().(*busyHandler)
	again, err := f.run(int(n))
	if err != nil {
		f.conn.caught = err
	}
	if again {
		return 1
	}
	return 0
}

func (f *busyHandler) run(n int) (again bool, err error) {
	done := false
	defer f.conn.rescue("the busy handler", &done, &err)
	again = f.wait(n)
	done = true
	return again, nil
}

// SetWALHook has f called after every commit of this connection to a database in
// WAL mode, with the database's name ("main") and the number of frames now in its
// WAL; nil calls nothing. The commit has released its locks, so f may use the
// connection, for a [Conn.Checkpoint] say. It takes the place of automatic
// checkpoints, and [Conn.AutoCheckpoint] takes its. When f panics the statement
// that committed fails, and what it committed stays committed.
func (c *Conn) SetWALHook(f func(schema string, frames int)) {
	if c.db == nil {
		return
	}
	var w any
	if f != nil {
		w = &walHook{c, f}
	}
	replace(&c.hooks.wal, w, func(h C.uintptr_t) { C.nl_set_wal_hook(c.db, h) })
}

type walHook struct {
	conn *Conn
	call func(schema string, frames int)
}

//export goWALHook
func goWALHook(h C.uintptr_t, schema *C.char, frames C.int) C.int {
	f := cgo.Handle(h).Value().(*walHook)
	under := f.conn.suspend()
	err := f.run(C.GoString(schema), int(frames))
	f.conn.resume(under)
	if err != nil {
		f.conn.caught = err
		return C.SQLITE_ERROR
	}
	return C.SQLITE_OK
}

func (f *walHook) run(schema string, frames int) (err error) {
	done := false
	defer f.conn.rescue("the WAL hook", &done, &err)
	f.call(schema, frames)
	done = true
	return nil
}
