package nearlite

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// Errors of bad input name the object and the remedy, and can be matched. Full
// disks, read-only media and foreign locks in the middle of work are tested in
// files of their own.

// wants is what an error must say.
type wants struct {
	is   []error
	says []string
}

func (w wants) check(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, target := range w.is {
		if !errors.Is(err, target) {
			t.Errorf("not %v: %v", target, err)
		}
	}
	for _, text := range w.says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("it does not say %q: %v", text, err)
		}
	}
	if strings.Contains(err.Error(), "PRAGMA ") {
		t.Errorf("it names a statement that is not the user's: %v", err)
	}
}

// database returns the bytes of a database of some pages.
func database(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "whole.db")
	db, err := Open(bg, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, "CREATE TABLE t(a)")
	exec(t, db, "INSERT INTO t VALUES (randomblob(20000))")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestOpenBadFiles(t *testing.T) {
	t.Parallel()
	whole := database(t)
	noise := make([]byte, len(whole))
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(noise)
	notADatabase := wants{[]error{sqlite.CodeNotADB}, []string{"is not a SQLite database", "encrypted", "another file"}}
	damaged := wants{[]error{sqlite.CodeCorrupt}, []string{"damaged", "cut off", "nearlite check", "backup"}}
	missing := wants{[]error{fs.ErrNotExist}, []string{"does not exist"}}
	for name, test := range map[string]struct {
		path    string // below a directory of the test's own
		content []byte // nil: there is no file
		opts    Options
		wants   wants
	}{
		"a missing directory":            {path: "no/such/a.db", wants: wants{[]error{fs.ErrNotExist}, []string{"directory does not exist", "create it first"}}},
		"a missing directory, MustExist": {path: "no/such/a.db", opts: Options{MustExist: true}, wants: wants{[]error{fs.ErrNotExist}, []string{"directory does not exist"}}},
		"a missing file, MustExist":      {path: "a.db", opts: Options{MustExist: true}, wants: wants{missing.is, []string{"does not exist", "Options.MustExist"}}},
		"a missing file, ReadOnly":       {path: "a.db", opts: Options{ReadOnly: true}, wants: wants{missing.is, []string{"does not exist", "Options.ReadOnly"}}},
		"a directory":                    {path: ".", wants: wants{[]error{syscall.EISDIR}, []string{"is a directory", "name a file in it"}}},
		"a path through a file":          {path: "a.db/b.db", content: whole, wants: wants{[]error{syscall.ENOTDIR}, []string{"a file, not a directory"}}},
		"text":                           {path: "a.db", content: []byte(strings.Repeat("It was a dark and stormy night. ", 100)), wants: notADatabase},
		"a short text":                   {path: "a.db", content: []byte("hello"), wants: notADatabase},
		"an encrypted database":          {path: "a.db", content: noise, wants: notADatabase},
		"an encrypted one, ReadOnly":     {path: "a.db", content: noise, opts: Options{ReadOnly: true}, wants: notADatabase},
		"half a database":                {path: "a.db", content: whole[:len(whole)/2], wants: damaged},
		"half a database, ReadOnly":      {path: "a.db", content: whole[:len(whole)/2], opts: Options{ReadOnly: true}, wants: damaged},
		"a header alone":                 {path: "a.db", content: whole[:100], wants: damaged},
		"half a header":                  {path: "a.db", content: whole[:50], wants: damaged},
		"a NUL byte in the path":         {path: "a\x00b", wants: wants{[]error{fs.ErrInvalid}, []string{":memory:"}}},
		"a wrong option":                 {path: "a.db", opts: Options{PageSize: 1000}, wants: wants{nil, []string{"PageSize", "1000", "power of two"}}},
		"a negative time":                {path: "a.db", opts: Options{BusyTimeout: -1}, wants: wants{nil, []string{"BusyTimeout", "negative"}}},
		"an unknown VFS":                 {path: "a.db", opts: Options{VFS: "nowhere"}, wants: wants{nil, []string{"nowhere"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, test.path)
			if test.content != nil {
				if err := os.WriteFile(filepath.Join(dir, "a.db"), test.content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			db, err := Open(bg, path, &test.opts)
			if err == nil {
				db.Close()
			}
			if !strings.ContainsRune(path, 0) {
				test.wants.says = append(test.wants.says, "open "+path+": ")
			}
			test.wants.check(t, err)
			after, _ := os.ReadFile(filepath.Join(dir, "a.db"))
			if !bytes.Equal(after, test.content) {
				t.Error("opening it has changed the file")
			}
		})
	}
	db, err := Open(bg, "", nil)
	if err == nil {
		db.Close()
	}
	wants{[]error{fs.ErrInvalid}, []string{"name a file", ":memory:"}}.check(t, err)
}

// An empty file is a database without tables, as it is for SQLite.
func TestOpenEmptyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, opts := range []*Options{{ReadOnly: true}, {MustExist: true}} {
		db, err := Open(bg, path, opts)
		if err != nil {
			t.Fatal(err)
		}
		if n := number(t, db, "SELECT count(*) FROM sqlite_schema"); n != 0 {
			t.Error(n)
		}
		_, err = db.Exec(bg, "CREATE TABLE t(a)")
		if opts.ReadOnly {
			wants{[]error{ErrReadOnly}, []string{path, "Options.ReadOnly"}}.check(t, err)
		} else if err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A damaged page that opening does not look at is an error of whoever reads it.
func TestReadDamagedPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "damaged.db")
	content := database(t)
	clear(content[4096:8192])
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(bg, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, err := range db.Query(bg, "SELECT a FROM t") {
		wants{[]error{sqlite.CodeCorrupt}, []string{"malformed", "SELECT a FROM t"}}.check(t, err)
	}
	_, err = db.Exec(bg, "INSERT INTO t VALUES (1)")
	wants{[]error{sqlite.CodeCorrupt}, []string{"malformed"}}.check(t, err)
}

// Another program that keeps the database for itself is waited for, and named.
func TestOpenLocked(t *testing.T) {
	t.Parallel()
	for name, locks := range map[string]string{
		"all of it":              "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE",
		"a write":                "PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE",
		"a write that has begun": "PRAGMA journal_mode = DELETE; BEGIN; INSERT INTO t VALUES (1)",
		"exclusive WAL mode":     "PRAGMA journal_mode = WAL; PRAGMA locking_mode = EXCLUSIVE; BEGIN; INSERT INTO t VALUES (1)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "locked.db")
			other, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if err := other.Exec("CREATE TABLE t(a); " + locks); err != nil {
				t.Fatal(err)
			}
			from := time.Now()
			db, err := Open(bg, path, &Options{BusyTimeout: 50 * time.Millisecond})
			if err == nil {
				db.Close()
			}
			wants{[]error{sqlite.CodeBusy}, []string{path, "another program", "BusyTimeout"}}.check(t, err)
			if took := time.Since(from); took < 50*time.Millisecond {
				t.Errorf("it has waited %v only", took)
			}
			opened := make(chan error, 1)
			go func() {
				db, err := Open(bg, path, &Options{BusyTimeout: 20 * time.Second})
				if err == nil {
					err = db.Close()
				}
				opened <- err
			}()
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
			within(t, "Open, when the other program is done,", func() {
				if err := <-opened; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// ways are all ways to run a statement once.
func ways(db *DB) map[string]func(sql string, args ...any) error {
	last := func(rows iter.Seq2[Row, error]) (err error) {
		for _, err = range rows {
		}
		return err
	}
	begin := func(opts *TxOptions, f func(tx *Tx) error) error {
		tx, err := db.Begin(bg, opts)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		return f(tx)
	}
	return map[string]func(sql string, args ...any) error{
		"Exec":  func(sql string, args ...any) error { _, err := db.Exec(bg, sql, args...); return err },
		"Query": func(sql string, args ...any) error { return last(db.Query(bg, sql, args...)) },
		"Batch": func(sql string, args ...any) error {
			_, err := db.Batch(bg, Statement{SQL: "SELECT 1"}, Statement{sql, args})
			return err
		},
		"WriteTx.Exec": func(sql string, args ...any) error {
			return db.Update(bg, func(tx *WriteTx) error { _, err := tx.Exec(sql, args...); return err })
		},
		"WriteTx.Query": func(sql string, args ...any) error {
			return db.Update(bg, func(tx *WriteTx) error { return last(tx.Query(sql, args...)) })
		},
		"WriteTx.QueryRow": func(sql string, args ...any) error {
			return db.Update(bg, func(tx *WriteTx) error { return tx.QueryRow(sql, args...).Err() })
		},
		"ReadTx.Query": func(sql string, args ...any) error {
			return db.View(bg, func(tx *ReadTx) error { return last(tx.Query(sql, args...)) })
		},
		"ReadTx.QueryRow": func(sql string, args ...any) error {
			return db.View(bg, func(tx *ReadTx) error { return tx.QueryRow(sql, args...).Err() })
		},
		"Tx.Exec": func(sql string, args ...any) error {
			return begin(nil, func(tx *Tx) error { _, err := tx.Exec(bg, sql, args...); return err })
		},
		"Tx.Query": func(sql string, args ...any) error {
			return begin(nil, func(tx *Tx) error { _, err := tx.Query(bg, sql, args...); return err })
		},
		"read-only Tx.Query": func(sql string, args ...any) error {
			return begin(&TxOptions{ReadOnly: true}, func(tx *Tx) error { _, err := tx.Query(bg, sql, args...); return err })
		},
	}
}

func TestBadSQL(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	named := sqlite.Named
	for _, test := range []struct {
		sql    string
		args   []any
		code   sqlite.ResultCode
		offset int // -1: SQLite does not tell
		says   string
	}{
		{sql: "SELECT * FORM account", code: sqlite.CodeError, offset: 9, says: `near "FORM": syntax error at offset 9: SELECT * ⟨here⟩FORM account`},
		{sql: "SELECT nme FROM account", code: sqlite.CodeError, offset: 7, says: "no such column: nme at offset 7: SELECT ⟨here⟩nme"},
		{sql: "SELECT twice(id) FROM account", code: sqlite.CodeError, offset: 7, says: "no such function: twice"},
		{sql: "SELECT id FROM acount", code: sqlite.CodeError, offset: -1, says: "no such table: acount: SELECT id FROM acount"},
		{sql: "SELECT 'open", code: sqlite.CodeError, offset: 7, says: `unrecognized token: "'open"`},
		{sql: "SELECT 1; SELECT 2", code: sqlite.CodeError, offset: 9, says: "more than one statement where one is expected"},
		{sql: "SELECT 1 -- \x00", code: sqlite.CodeError, offset: 12, says: "NUL byte"},
		{sql: "", code: sqlite.CodeMisuse, offset: -1, says: "there is no statement"},
		{sql: "-- nothing", code: sqlite.CodeMisuse, offset: -1, says: "there is no statement in the text"},
		{sql: "SELECT ?, ?", args: []any{1}, code: sqlite.CodeRange, offset: -1, says: "2 parameters, 1 given: SELECT ?, ?"},
		{sql: "SELECT ?", code: sqlite.CodeRange, offset: -1, says: "1 parameter, 0 given"},
		{sql: "SELECT 1", args: []any{1}, code: sqlite.CodeRange, offset: -1, says: "0 parameters, 1 given"},
		{sql: "SELECT :a, $b", args: []any{named("c", 1)}, code: sqlite.CodeRange, offset: -1, says: `no parameter "c"; it has :a $b`},
		{sql: "SELECT :a, :b", args: []any{named("a", 1)}, code: sqlite.CodeRange, offset: -1, says: "no argument for parameter 2 :b"},
		{sql: "SELECT :a, ?", args: []any{named("a", 1), 2}, code: sqlite.CodeRange, offset: -1, says: "named and positional arguments are mixed"},
		{sql: "SELECT ?, :a", args: []any{2, named("a", 1)}, code: sqlite.CodeMismatch, offset: -1, says: "named and positional arguments are mixed"},
		{sql: "SELECT ?, ?", args: []any{1, make(chan int)}, code: sqlite.CodeMismatch, offset: -1, says: "parameter 2: a chan int is neither"},
		{sql: "SELECT ?", args: []any{uint64(1 << 63)}, code: sqlite.CodeMismatch, offset: -1, says: "does not fit"},
	} {
		for name, run := range ways(db) {
			for range 2 { // the second time from a cache
				err := run(test.sql, test.args...)
				wants{[]error{test.code}, []string{test.says}}.check(t, err)
				var e *sqlite.Error
				if !errors.As(err, &e) || e.SQL != test.sql || e.Offset != test.offset || e.Code != test.code {
					t.Errorf("%s %q: %#v", name, test.sql, e)
				}
			}
		}
	}
	_, err := db.Describe(bg, "SELECT * FORM account")
	wants{[]error{sqlite.CodeError}, []string{"at offset 9: SELECT * ⟨here⟩FORM"}}.check(t, err)
	_, err = db.Batch(bg, Statement{SQL: "SELECT 1"}, Statement{SQL: "DELETE FORM account"})
	wants{[]error{sqlite.CodeError}, []string{"statement 2 of 2", "at offset 7"}}.check(t, err)
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Error(n)
	}
}

// What writes is refused where only reading is possible, by the reader's error
// and not SQLite's, and the error says where to write instead.
func TestWriteInViewSaysWhereToWrite(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	run := ways(db)
	for _, sql := range []string{
		"DELETE FROM account", "WITH x AS (SELECT 1) INSERT INTO account SELECT 1, 1 FROM x", "REPLACE INTO account VALUES (1, 1)",
		"UPDATE account SET balance = 0 RETURNING id", "CREATE TABLE t(a)", "DROP TABLE account", "ALTER TABLE account RENAME TO b", "REINDEX", "ANALYZE",
	} {
		for _, way := range []string{"Query", "ReadTx.Query", "ReadTx.QueryRow", "read-only Tx.Query"} {
			wants{[]error{ErrReadOnly}, []string{sql, "use Update, Exec or Begin"}}.check(t, run[way](sql))
		}
	}
	for _, sql := range []string{"PRAGMA user_version=1", "PRAGMA application_id=1"} {
		if err := run["ReadTx.QueryRow"](sql); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if n := number(t, db, "SELECT sum(balance) FROM account"); n != 1_000_000 {
		t.Error(n)
	}
}

// After Close every method that does something returns ErrClosed, and the others
// say what they said last.
func TestUseAfterClose(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	writing, err := db.Begin(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	reading, err := db.Begin(bg, &TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := reading.Query(bg, "SELECT id FROM account")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	position := db.Position()
	within(t, "Close", func() {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
	never := func() { t.Error("a closure ran after Close") }
	other := filepath.Join(t.TempDir(), "backup.db")
	for name, use := range map[string]func() error{
		"Close":         func() error { return db.Close() },
		"Update":        func() error { return db.Update(bg, func(*WriteTx) error { never(); return nil }) },
		"View":          func() error { return db.View(bg, func(*ReadTx) error { never(); return nil }) },
		"Exclusive":     func() error { return db.Exclusive(bg, func(*sqlite.Conn) error { never(); return nil }) },
		"Checkpoint":    func() error { return db.Checkpoint(bg) },
		"Backup":        func() error { return db.Backup(bg, other, nil) },
		"Describe":      func() error { _, err := db.Describe(bg, "SELECT 1"); return err },
		"Begin to read": func() error { _, err := db.Begin(bg, &TxOptions{ReadOnly: true}); return err },
		"Begin": func() error {
			tx, err := db.Begin(bg, nil)
			if err == nil {
				_, err = tx.Exec(bg, "SELECT 1")
			}
			return err
		},
		"Tx.Exec":               func() error { _, err := writing.Exec(bg, "SELECT 1"); return err },
		"Tx.Exec to read":       func() error { _, err := reading.Exec(bg, "SELECT 1"); return err },
		"Tx.Query to read":      func() error { _, err := reading.Query(bg, "SELECT 1"); return err },
		"Tx.Describe to read":   func() error { _, err := reading.Describe(bg, "SELECT 1"); return err },
		"Tx.Commit to read":     func() error { return reading.Commit(bg) },
		"Tx.Rollback to read":   func() error { return reading.Rollback() },
		"Rows of a transaction": func() error { rows.Next(); return rows.Err() },
	} {
		within(t, name, func() {
			if err := use(); !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	for name, run := range ways(db) {
		if err := run("SELECT 1"); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("a backup was made")
	}
	if db.Path() == "" || db.Position() != position || db.Stats().Transactions == 0 {
		t.Errorf("path %q, position %v, %+v", db.Path(), db.Position(), db.Stats())
	}
	if rows.Values() != nil || rows.Close() != nil || len(rows.Columns()) != 1 {
		t.Errorf("rows: %v", rows.Values())
	}
}

// A transaction that has ended says so, whatever is asked of it.
func TestUseAfterTheEnd(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	var w *WriteTx
	var r *ReadTx
	if err := db.Update(bg, func(tx *WriteTx) error { w = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.View(bg, func(tx *ReadTx) error { r = tx; return tx.QueryRow("SELECT 1").Err() }); err != nil {
		t.Fatal(err)
	}
	uses := map[string]func() error{
		"WriteTx.Exec":     func() error { _, err := w.Exec("DELETE FROM account"); return err },
		"WriteTx.QueryRow": func() error { return w.QueryRow("SELECT 1").Err() },
		"WriteTx.Query":    func() error { _, err := All[int](w, "SELECT 1"); return err },
		"ReadTx.QueryRow":  func() error { return r.QueryRow("SELECT 1").Err() },
		"ReadTx.Query":     func() error { _, err := One[int](r, "SELECT 1"); return err },
		"ReadTx.Position":  func() error { _, err := r.Position(); return err },
	}
	for _, opts := range []*TxOptions{nil, {ReadOnly: true}} {
		for name, end := range map[string]func(*Tx) error{
			"commit":              func(tx *Tx) error { return tx.Commit(bg) },
			"rollback":            func(tx *Tx) error { return tx.Rollback() },
			"commit of nothing":   func(tx *Tx) error { return tx.Commit(bg) },
			"rollback of nothing": func(tx *Tx) error { return tx.Rollback() },
		} {
			tx, err := db.Begin(bg, opts)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(name, "nothing") {
				if _, err := tx.Exec(bg, "SELECT id FROM account LIMIT 3"); err != nil {
					t.Fatal(err)
				}
			}
			if opts != nil {
				name = "read-only " + name
				rows, err := tx.Query(bg, "SELECT id FROM account")
				if err != nil {
					t.Fatal(err)
				}
				rows.Next()
				uses[name+", Rows"] = func() error {
					if rows.Next() || rows.Values() != nil {
						t.Errorf("rows of an ended transaction: %v", rows.Values())
					}
					return errors.Join(rows.Err(), rows.Close())
				}
			}
			if err := end(tx); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			uses[name+", Exec"] = func() error { _, err := tx.Exec(bg, "SELECT 1"); return err }
			uses[name+", Query"] = func() error { _, err := tx.Query(bg, "SELECT 1"); return err }
			uses[name+", Describe"] = func() error { _, err := tx.Describe(bg, "SELECT 1"); return err }
			uses[name+", Commit"] = func() error { return tx.Commit(bg) }
			uses[name+", Rollback"] = func() error { return tx.Rollback() }
		}
	}
	for name, use := range uses {
		for range 2 {
			err := use()
			if !errors.Is(err, ErrTxDone) || strings.Count(err.Error(), "has ended") != 1 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if w.Context() != bg || r.Context() != bg {
		t.Error("a context has changed")
	}
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Error(n)
	}
}

// Rows that were collected are there after the transaction, and outside of them
// there is nothing.
func TestRowsBeforeTheFirstAndAfterTheLast(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	for _, opts := range []*TxOptions{nil, {ReadOnly: true}} {
		tx, err := db.Begin(bg, opts)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := tx.Query(bg, "SELECT id FROM account ORDER BY id LIMIT 2")
		if err != nil {
			t.Fatal(err)
		}
		if v := rows.Values(); v != nil {
			t.Errorf("before the first row: %v", v)
		}
		for i := range int64(2) {
			if !rows.Next() || rows.Values()[0] != i {
				t.Errorf("row %d: %v", i, rows.Values())
			}
		}
		for range 3 {
			if rows.Next() || rows.Values() != nil || rows.Err() != nil {
				t.Errorf("after the last row: %v, %v", rows.Values(), rows.Err())
			}
		}
		if err := errors.Join(rows.Close(), rows.Close(), tx.Rollback()); err != nil {
			t.Error(err)
		}
	}
}

// A context that has ended before the call is the error, and nothing happens.
func TestContextThatHasEnded(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	because := errors.New("because")
	ctx, cancel := context.WithCancelCause(bg)
	cancel(because)
	ended := wants{is: []error{because}}
	_, err := Open(ctx, filepath.Join(t.TempDir(), "new.db"), nil)
	ended.check(t, err)
	_, err = db.Exec(ctx, "DELETE FROM account")
	ended.check(t, err)
	_, err = db.Batch(ctx, Statement{SQL: "DELETE FROM account"})
	ended.check(t, err)
	ended.check(t, db.Update(ctx, func(*WriteTx) error { t.Error("it ran"); return nil }))
	ended.check(t, db.Checkpoint(ctx))
	ended.check(t, db.Exclusive(ctx, func(*sqlite.Conn) error { t.Error("it ran"); return nil }))
	ended.check(t, db.View(ctx, func(tx *ReadTx) error { return tx.QueryRow("SELECT 1").Err() }))
	ended.check(t, db.Backup(ctx, filepath.Join(t.TempDir(), "copy.db"), nil))
	_, err = db.Describe(ctx, "SELECT 1")
	ended.check(t, err)
	if n := number(t, db, "SELECT count(*) FROM account"); n != 1000 {
		t.Error(n)
	}
}
