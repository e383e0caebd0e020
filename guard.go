package nearlite

import (
	"strings"

	"github.com/nearlite/nearlite/sqlite"
)

// A guard watches over the statements that closures and interactive transactions
// run on the one writing connection, so that nothing reaches beyond its
// transaction: no COMMIT that would take a neighbour along, no PRAGMA or ATTACH
// that would stay for the next caller. It judges a statement once, when it is
// prepared, by what SQLite's authorizer says the statement does and not by its
// text; but for VACUUM, of which the authorizer does not hear.
type guard struct {
	strict  bool  // a caller's statement is being prepared
	refusal error // why it may not run
	note    note
}

// note is what the engine must do before a statement runs; it hangs on the
// prepared statement as its tag. Ordinary statements have none.
type note struct {
	save        string // BEGIN, RELEASE or ROLLBACK of the savepoint called name
	name        string
	readsRowID  bool // calls last_insert_rowid()
	readsCount  bool // calls changes()
	readsTotal  bool // calls total_changes(), which is for Describe alone
	defersKeys  bool // is PRAGMA defer_foreign_keys = …
	somethingOn bool
}

// install puts the guard in front of a connection.
func (g *guard) install(c *sqlite.Conn) { c.SetAuthorizer(g.judge) }

// prepare returns a caller's statement, or the error that names what to use instead.
func (g *guard) prepare(c *sqlite.Conn, sql string) (*sqlite.Stmt, error) {
	if s := c.Prepared(sql); s != nil {
		return s, nil // it was judged when it was prepared
	}
	if vacuums(sql) {
		return nil, errVacuum
	}
	g.strict, g.refusal, g.note = true, nil, note{}
	s, err := c.Prepare(sql)
	g.strict = false
	if err != nil {
		return nil, g.explain(err)
	}
	if g.note.somethingOn && s.Tag() == nil {
		n := g.note
		s.SetTag(&n)
	}
	return s, nil
}

// explain returns the reason for a refusal, if that is why err came about.
func (g *guard) explain(err error) error {
	if g.refusal == nil {
		return err
	}
	err, g.refusal = g.refusal, nil
	return err
}

// pragmas that a transaction may run, with or without an argument.
var allowedPragmas = map[string]bool{
	"table_info": true, "table_xinfo": true, "table_list": true, "index_list": true, "index_info": true,
	"index_xinfo": true, "foreign_key_list": true, "foreign_key_check": true, "database_list": true,
	"collation_list": true, "function_list": true, "module_list": true, "pragma_list": true,
	"compile_options": true, "integrity_check": true, "quick_check": true, "user_version": true,
	"application_id": true, "defer_foreign_keys": true,
}

// actingPragmas do something even without an argument.
var actingPragmas = map[string]bool{
	"wal_checkpoint": true, "incremental_vacuum": true, "shrink_memory": true, "optimize": true,
}

// vacuums reports whether a statement is a VACUUM: no other begins with the word.
func vacuums(sql string) bool { return sqlite.Verb(sql) == "VACUUM" }

var errVacuum = refused("VACUUM runs outside transactions", "use DB.Exclusive, or DB.Backup to make a copy")

// judge is the authorizer of the writing connection.
func (g *guard) judge(a sqlite.Action) sqlite.Decision {
	if !g.strict {
		return sqlite.Allow
	}
	switch a.Op {
	case sqlite.OpSavepoint:
		if strings.HasPrefix(strings.ToLower(a.B), "nearlite:") {
			return g.refuse("savepoint names that begin with nearlite: are the engine's", "choose another name")
		}
		g.note.save, g.note.name, g.note.somethingOn = a.A, a.B, true
	}
	return g.judgeReading(a)
}

// judgeReading is the authorizer of a reader, and says what no transaction may
// do. Whether the statement only reads is for admit to see, but not enough:
// ATTACH and settings count as reading there, and would stay.
func (g *guard) judgeReading(a sqlite.Action) sqlite.Decision {
	if !g.strict {
		return sqlite.Allow
	}
	if what, creates := creations[a.Op]; creates && a.Schema == "temp" {
		return g.refuse("a temporary "+what+" would stay for all callers and could shadow theirs", "use an ordinary table, a common table expression, or DB.Exclusive")
	}
	switch a.Op {
	case sqlite.OpFunction:
		switch strings.ToLower(a.B) {
		case "last_insert_rowid":
			g.note.readsRowID, g.note.somethingOn = true, true
		case "changes":
			g.note.readsCount, g.note.somethingOn = true, true
		case "total_changes":
			g.note.readsTotal = true
		}
	case sqlite.OpTransaction:
		return g.refuse(a.A+" would end or begin the transactions of others too", "return from the closure (nil commits, an error rolls back), call Commit or Rollback of an interactive transaction, or nest with SAVEPOINT")
	case sqlite.OpAttach:
		return g.refuse("an attached database would stay for all callers", "use DB.Exclusive")
	case sqlite.OpDetach:
		return g.refuse("a database would be detached for all callers", "use DB.Exclusive")
	case sqlite.OpPragma:
		return g.pragma(strings.ToLower(a.A), a.HasB)
	case sqlite.OpRead, sqlite.OpInsert, sqlite.OpUpdate, sqlite.OpDelete, sqlite.OpDropTempTable, sqlite.OpAlterTable:
		table := a.A
		if a.Op == sqlite.OpAlterTable {
			table = a.B
		}
		switch table {
		case "pragma_optimize": // the one PRAGMA that writes and is a table, too
			return g.refuse("PRAGMA optimize writes statistics behind the back of a SELECT", "use DB.Exclusive, or ANALYZE")
		case zeroTable:
			return g.refuse("the table "+zeroTable+" is the engine's, and all callers have it", "use a table of your own")
		}
	}
	return sqlite.Allow
}

// creations name what is created. SQLite has codes of their own for CREATE TEMP,
// and the ordinary ones, in the schema temp, for CREATE TABLE temp.x and the like.
var creations = map[sqlite.Op]string{
	sqlite.OpCreateTempTable: "table", sqlite.OpCreateTempView: "view",
	sqlite.OpCreateTempTrigger: "trigger", sqlite.OpCreateTempIndex: "index",
	sqlite.OpCreateTable: "table", sqlite.OpCreateVTable: "table", sqlite.OpCreateView: "view",
	sqlite.OpCreateTrigger: "trigger", sqlite.OpCreateIndex: "index",
}

// pragma judges a PRAGMA. With an argument, and be it empty, it may set something:
// many do when they are prepared, also behind EXPLAIN.
func (g *guard) pragma(name string, arg bool) sqlite.Decision {
	switch {
	case name == "defer_foreign_keys" && arg:
		g.note.defersKeys, g.note.somethingOn = true, true
	case allowedPragmas[name]:
	case arg || actingPragmas[name]:
		return g.refuse("PRAGMA "+name+" reaches beyond the transaction", "use DB.Exclusive, or the database's Options for settings of every connection")
	}
	return sqlite.Allow
}

func (g *guard) refuse(what, instead string) sqlite.Decision {
	if g.refusal == nil {
		g.refusal = refused(what, instead)
	}
	return sqlite.Deny
}

// zeroTable is what nothing is deleted from, for changes() to be 0.
const zeroTable = "nearlite:zero"

// before does what must precede a statement with this note.
func (n *note) before(t *transaction) error {
	w := t.w
	switch n.save {
	case "BEGIN":
		t.wrote = true // what follows can be rolled back by half
		if err := w.save(); err != nil {
			return err
		}
		t.saves = append(t.saves, n.name)
	case "RELEASE":
		for i := len(t.saves) - 1; i >= 0; i-- {
			if strings.EqualFold(t.saves[i], n.name) {
				t.saves = t.saves[:i]
				break
			}
		}
	}
	t.deferred = t.deferred || n.defersKeys
	if t.inserted {
		return nil
	}
	// The functions would tell of another caller's rows.
	if n.readsRowID && !t.keepsRowID {
		w.conn.SetLastInsertRowID(0)
	}
	if n.readsCount {
		return w.conn.Exec(`CREATE TEMP TABLE IF NOT EXISTS "` + zeroTable + `"(x); DELETE FROM temp."` + zeroTable + `" WHERE 0`)
	}
	return nil
}
