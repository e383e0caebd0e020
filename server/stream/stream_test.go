package stream

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
)

var bg = context.Background()

// open returns a stream on a new database.
func open(t testing.TB, opts Options, setup ...string) (*Stream, *nearlite.DB) {
	t.Helper()
	db, err := nearlite.Open(bg, filepath.Join(t.TempDir(), "app.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := New(db, opts)
	t.Cleanup(s.Close)
	for _, sql := range setup {
		do(t, s, sql)
	}
	return s, db
}

func stmt(sql string, args ...any) *hrana.Stmt {
	st := &hrana.Stmt{SQL: &sql}
	for _, a := range args {
		st.Args = append(st.Args, value(a))
	}
	return st
}

func value(a any) hrana.Value {
	switch x := a.(type) {
	case nil:
		return hrana.Value{}
	case int:
		return hrana.Value{Kind: hrana.Integer, Integer: int64(x)}
	case float64:
		return hrana.Value{Kind: hrana.Float, Float: x}
	case string:
		return hrana.Value{Kind: hrana.Text, Text: x}
	case []byte:
		return hrana.Value{Kind: hrana.Blob, Blob: x}
	}
	panic(fmt.Sprintf("a %T is no value", a))
}

// try runs one statement and puts its outcome in a line: the rows, what changed,
// or the error.
func try(s *Stream, sql string, args ...any) string {
	res, herr := s.Do(bg, &hrana.Request{Kind: hrana.Execute, Stmt: stmt(sql, args...)})
	if herr != nil {
		return herr.Code + ": " + herr.Message
	}
	return line(res.Result)
}

func line(res *hrana.StmtResult) string {
	var b strings.Builder
	for i, row := range res.Rows {
		if i > 0 {
			b.WriteString("; ")
		}
		for j, v := range row {
			if j > 0 {
				b.WriteString(",")
			}
			b.WriteString(text(v))
		}
	}
	if res.AffectedRowCount > 0 || res.LastInsertRowID != nil {
		fmt.Fprintf(&b, "~%d", res.AffectedRowCount)
	}
	if res.LastInsertRowID != nil {
		fmt.Fprintf(&b, "#%d", *res.LastInsertRowID)
	}
	return b.String()
}

func text(v hrana.Value) string {
	switch v.Kind {
	case hrana.Integer:
		return fmt.Sprint(v.Integer)
	case hrana.Float:
		return fmt.Sprint(v.Float)
	case hrana.Text:
		return v.Text
	case hrana.Blob:
		return fmt.Sprintf("x%x", v.Blob)
	}
	return "NULL"
}

func do(t testing.TB, s *Stream, sql string, args ...any) string {
	t.Helper()
	res, herr := s.Do(bg, &hrana.Request{Kind: hrana.Execute, Stmt: stmt(sql, args...)})
	if herr != nil {
		t.Fatalf("%s: %s: %s", sql, herr.Code, herr.Message)
	}
	return line(res.Result)
}

// TestExecute runs scripts on one stream each: a statement, then its outcome, as
// sqld has it.
func TestExecute(t *testing.T) {
	t.Parallel()
	scripts := map[string][]string{
		"rows and counts": {
			"create table t(id integer primary key, name text unique, n int not null default 0)", "",
			"insert into t(name) values ('a'), ('b')", "~2#2",
			"update t set n = 5", "~2",
			"select * from t", "1,a,5; 2,b,5",
			"delete from t where id = 1", "~1",
			"insert into t(id, name) values (2, 'x')", "SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: t.id",
			"insert or ignore into t(id, name) values (2, 'x')", "~0#2",
			"replace into t(id, name) values (2, 'y') returning *", "2,y,0~1#2",
			"with x as (select 1) insert into t(name) select 'w' from x", "~1#3",
			"with x as (select 1) update t set n = 7", "~2",
			"select last_insert_rowid(), changes(), total_changes()", "3,2,9",
			"insert into t(name) select name || '!' from t where last_insert_rowid() = id", "~1#4",
			"select 1 where 0", "",
		},
		"errors": {
			"create table t(id)", "",
			"selec 1", "SQL_PARSE_ERROR: SQL string could not be parsed: syntax error around L1:6: `selec`",
			"select * from nope", "SQLITE_UNKNOWN: SQLite error: no such table: nope",
			"select nope from t", "SQL_INPUT_ERROR: SQL input error: no such column: nope (at offset 7)",
			"select 1; select 2", "SQL_MANY_STATEMENTS: SQL string contains more than one statement",
			"", "SQL_NO_STATEMENT: SQL string does not contain any statement",
			"-- x", "SQL_NO_STATEMENT: SQL string does not contain any statement",
			";select 1; -- done", "1",
			"select ?", "ARGS_INVALID: Arguments do not match SQL parameters: value for parameter 1 not found",
			"select ?1", "ARGS_INVALID: Arguments do not match SQL parameters: value for parameter ?1 not found",
			"select (", "SQL_PARSE_ERROR: SQL string could not be parsed: unexpected end of input at (1, 9)",
			"insert into t values (1, 2)", "SQLITE_UNKNOWN: SQLite error: table t has 1 columns but 2 values were supplied",
			"select nofunc(1)", "SQL_INPUT_ERROR: SQL input error: no such function: nofunc (at offset 7)",
			"drop table nope", "SQLITE_UNKNOWN: SQLite error: no such table: nope",
			"select abs(-9223372036854775808)", "SQLITE_UNKNOWN: SQLite error: integer overflow",
		},
		"transactions": {
			"create table t(name unique)", "",
			"commit", "SQLITE_UNKNOWN: SQLite error: cannot commit - no transaction is active",
			"rollback", "SQLITE_UNKNOWN: SQLite error: cannot rollback - no transaction is active",
			"begin", "",
			"begin", "SQLITE_UNKNOWN: SQLite error: cannot start a transaction within a transaction",
			"insert into t values (1)", "~1#1",
			"insert into t values (1)", "SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: t.name",
			"select count(*), changes() from t", "1,0",
			"commit", "",
			"begin immediate transaction", "",
			"insert into t values (2)", "~1#2",
			"rollback transaction", "",
			"select * from t", "1",
			"begin transaction readonly", "",
			"insert into t values (2)", "SQLITE_READONLY: SQLite error: attempt to write a readonly database",
			"select * from t", "1",
			"end", "",
			"begin", "",
			"insert into t values (3)", "~1#2",
			"insert or rollback into t values (1)", "SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: t.name",
			"commit", "SQLITE_UNKNOWN: SQLite error: cannot commit - no transaction is active",
			"select * from t", "1",
		},
		"savepoints": {
			"create table t(x)", "",
			"release a", "SQLITE_UNKNOWN: SQLite error: no such savepoint: a",
			"savepoint a", "",
			"insert into t values (1)", "~1#1",
			`savepoint "B"`, "",
			"insert into t values (2)", "~1#2",
			"rollback to b", "",
			"select * from t", "1",
			"release savepoint a", "",
			"rollback", "SQLITE_UNKNOWN: SQLite error: cannot rollback - no transaction is active",
			"select * from t", "1",
			"begin", "",
			"savepoint a", "",
			"insert into t values (3)", "~1#2",
			"release a", "",
			"rollback transaction", "",
			"select * from t", "1",
			"savepoint a", "",
			"insert into t values (4)", "~1#2",
			"commit", "",
			"select * from t", "1; 4",
		},
		"deferred foreign keys": {
			"create table p(id integer primary key)", "",
			"create table c(r references p(id) deferrable initially deferred)", "",
			"insert into c values (9)", "SQLITE_CONSTRAINT: SQLite error: FOREIGN KEY constraint failed",
			"begin", "",
			"insert into c values (9)", "~1#1",
			"commit", "SQLITE_CONSTRAINT: SQLite error: FOREIGN KEY constraint failed",
			"insert into p values (9)", "~1#9",
			"commit", "",
			"savepoint q", "",
			"insert into c values (8)", "~1#2",
			"release q", "SQLITE_CONSTRAINT: SQLite error: FOREIGN KEY constraint failed",
			"rollback", "",
			"select * from c", "9",
		},
		"pragmas": {
			"pragma foreign_keys", "1",
			"pragma foreign_keys = off", "",
			"pragma foreign_keys", "0",
			"pragma foreign_keys = on", "",
			"pragma journal_mode", "wal",
			"pragma journal_mode = wal", "wal",
			"pragma journal_mode = delete", "SQL_PARSE_ERROR: SQL string could not be parsed: unsupported statement: pragma journal_mode = delete (it is wal and stays so)",
			"pragma user_version", "0",
			"pragma user_version = 3", "",
			"PRAGMA main.user_version", "3",
			"pragma busy_timeout = 500", "500",
			"create table t(id integer primary key, name text unique)", "",
			"pragma table_info(t)", "0,id,INTEGER,0,NULL,1; 1,name,TEXT,0,NULL,0",
			"pragma index_list(t)", "0,sqlite_autoindex_t_1,1,u,0",
			"pragma integrity_check", "ok",
			"pragma defer_foreign_keys = 1", "",
			"pragma encoding", "UTF-8",
			"pragma writable_schema = 1", "SQL_PARSE_ERROR: SQL string could not be parsed: unsupported statement: pragma writable_schema = 1 (the setting would be that of one connection, and the server has its own)",
		},
		"alone": {
			"create table t(x)", "",
			"insert into t values (1)", "~1#1",
			"vacuum", "",
			"vacuum into '/tmp/x'", "SQL_PARSE_ERROR: SQL string could not be parsed: unsupported statement: vacuum into '/tmp/x' (VACUUM INTO would write a file of the server; use its backup)",
			"select * from t", "1",
			"begin", "",
			"vacuum", "SQLITE_UNKNOWN: SQLite error: cannot VACUUM from within a transaction",
			"rollback", "",
			"pragma optimize", "",
			"analyze", "",
		},
		"foreign keys off": {
			"create table p(id integer primary key)", "",
			"create table c(r references p(id))", "",
			"insert into c values (1)", "SQLITE_CONSTRAINT: SQLite error: FOREIGN KEY constraint failed",
			"pragma foreign_keys = off", "",
			"insert into c values (1)", "~1#1",
			"begin", "",
			"insert into c values (2)", "~1#2",
			"select * from c", "1; 2",
			"commit", "",
			"begin", "",
			"insert into c values (3)", "~1#3",
			"rollback", "",
			"select * from c", "1; 2",
			"pragma foreign_keys = on", "",
			"insert into c values (1)", "SQLITE_CONSTRAINT: SQLite error: FOREIGN KEY constraint failed",
		},
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t, Options{})
			for i := 0; i < len(script); i += 2 {
				if got := try(s, script[i]); got != script[i+1] {
					t.Errorf("%s:\n got %s\nwant %s", script[i], got, script[i+1])
				}
			}
		})
	}
}
