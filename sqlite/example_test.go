package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// memory opens an empty database for an example.
func memory() *sqlite.Conn {
	conn, err := sqlite.Open(":memory:", sqlite.OpenReadWrite, "")
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Open a database, change it, and read it row by row.
func Example() {
	conn, err := sqlite.Open(":memory:", sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	must(conn.Exec("CREATE TABLE city(name, people); INSERT INTO city VALUES ('Bern', 134000), ('Genf', 204000)"))
	must(conn.Exec("INSERT INTO city VALUES (?, ?)", "Chur", 39000))

	for row, err := range conn.Query("SELECT name, people FROM city WHERE people > ? ORDER BY name", 100_000) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row.Text(0), row.Int(1))
	}
	fmt.Println(conn.QueryRow("SELECT sum(people) FROM city").Int(0))
	// Output:
	// Bern 134000
	// Genf 204000
	// 377000
}

// Arguments are given by position or by name, in any order.
func ExampleNamed() {
	conn := memory()
	defer conn.Close()
	row := conn.QueryRow("SELECT :greeting || ', ' || $name || :mark",
		sqlite.Named("name", "World"), sqlite.Named("greeting", "Hello"), sqlite.Named("mark", "!"))
	must(row.Err())
	fmt.Println(row.Text(0))
	// Output: Hello, World!
}

// A statement says what it is before it runs.
func ExampleConn_Prepare() {
	conn := memory()
	defer conn.Close()
	must(conn.Exec("CREATE TABLE city(name TEXT, people INT)"))
	stmt, err := conn.Prepare("SELECT name, people * 2 AS twice FROM city WHERE name = :name")
	must(err)
	fmt.Println("read only:", stmt.ReadOnly(), "parameters:", stmt.Params())
	for _, c := range stmt.Columns() {
		fmt.Printf("%s %q\n", c.Name, c.DeclType)
	}
	// Output:
	// read only: true parameters: [:name]
	// name "TEXT"
	// twice ""
}

// Rows go into variables, and into structs by the names of the columns.
func ExampleRow_ScanStruct() {
	conn := memory()
	defer conn.Close()
	must(conn.Exec("CREATE TABLE person(id INTEGER PRIMARY KEY, full_name, born_at, email)"))
	must(conn.Exec("INSERT INTO person VALUES (1, 'Ada Lovelace', ?, NULL)", time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)))

	type person struct {
		ID     int64
		Name   string `db:"full_name"`
		BornAt time.Time
		Email  *string // NULL is nil
	}
	var p person
	must(conn.QueryRow("SELECT * FROM person").ScanStruct(&p))
	fmt.Println(p.ID, p.Name, p.BornAt.Year(), p.Email == nil)

	var name string
	var born time.Time
	must(conn.QueryRow("SELECT full_name, born_at FROM person").Scan(&name, &born))
	fmt.Println(name, born.Format(time.DateOnly))
	// Output:
	// 1 Ada Lovelace 1815 true
	// Ada Lovelace 1815-12-10
}

// What went wrong can be matched by its code, and the error knows the place.
func ExampleError() {
	conn := memory()
	defer conn.Close()
	must(conn.Exec("CREATE TABLE account(name UNIQUE)"))

	err := conn.Exec("SELECT nme FROM account")
	var e *sqlite.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code, "at", e.Offset)
	}
	fmt.Println(err)

	must(conn.Exec("INSERT INTO account VALUES ('Ann')"))
	err = conn.Exec("INSERT INTO account VALUES ('Ann')")
	fmt.Println(errors.Is(err, sqlite.CodeConstraintUnique), errors.Is(err, sqlite.CodeConstraint))
	// Output:
	// SQLITE_ERROR at 7
	// no such column: nme at offset 7: SELECT ⟨here⟩nme FROM account
	// true true
}

// A transaction nests, and ends with its function.
func ExampleConn_Transaction() {
	conn := memory()
	defer conn.Close()
	must(conn.Exec("CREATE TABLE log(line)"))
	err := conn.Transaction(func() error {
		must(conn.Exec("INSERT INTO log VALUES ('kept')"))
		err := conn.Transaction(func() error {
			must(conn.Exec("INSERT INTO log VALUES ('dropped')"))
			return errors.New("no good")
		})
		fmt.Println("inner:", err)
		return nil
	})
	fmt.Println("outer:", err)
	fmt.Println(conn.QueryRow("SELECT group_concat(line) FROM log").Text(0))
	// Output:
	// inner: no good
	// outer: <nil>
	// kept
}

// A function written in Go is called from SQL.
func ExampleConn_CreateFunction() {
	conn := memory()
	defer conn.Close()
	must(conn.CreateFunction("initials", sqlite.FuncOptions{NArgs: 1, Deterministic: true},
		func(args []sqlite.Value) (any, error) {
			if args[0].Type() != sqlite.Text {
				return nil, fmt.Errorf("initials of a %v", args[0].Type())
			}
			var b strings.Builder
			for _, word := range strings.Fields(args[0].Text()) {
				b.WriteByte(word[0])
			}
			return b.String(), nil
		}))
	fmt.Println(conn.QueryRow("SELECT initials('Grace Brewster Hopper')").Text(0))
	fmt.Println(conn.QueryRow("SELECT initials(7)").Err())
	// Output:
	// GBH
	// initials of a integer: SELECT initials(7)
}

// longest is an aggregate function: the longest of some texts.
type longest struct{ text string }

func (l *longest) Step(args []sqlite.Value) error {
	if s := args[0].RawBytes(); len(s) > len(l.text) {
		l.text = string(s)
	}
	return nil
}

func (l *longest) Final() (any, error) { return l.text, nil }

// An aggregate has a state for each group.
func ExampleConn_CreateAggregate() {
	conn := memory()
	defer conn.Close()
	must(conn.CreateAggregate("longest", sqlite.FuncOptions{NArgs: 1}, func() sqlite.Aggregate { return &longest{} }))
	fmt.Println(conn.QueryRow("SELECT longest(column1) FROM (VALUES ('ant'), ('elephant'), ('cat'))").Text(0))
	// Output: elephant
}

// A collation orders texts.
func ExampleConn_CreateCollation() {
	conn := memory()
	defer conn.Close()
	must(conn.CreateCollation("by_length", func(a, b []byte) int { return len(a) - len(b) }))
	for row := range conn.Query("SELECT column1 FROM (VALUES ('ccc'), ('a'), ('bb')) ORDER BY column1 COLLATE by_length") {
		fmt.Print(row.Text(0), " ")
	}
	// Output: a bb ccc
}

// A blob is written and read in place, piece by piece.
func ExampleConn_OpenBlob() {
	conn := memory()
	defer conn.Close()
	must(conn.Exec("CREATE TABLE file(id INTEGER PRIMARY KEY, body BLOB)"))
	content := strings.NewReader("a long text, or a film")
	must(conn.Exec("INSERT INTO file(body) VALUES (?)", sqlite.ZeroBlob(content.Size())))

	blob, err := conn.OpenBlob("main", "file", "body", conn.LastInsertRowID(), true)
	must(err)
	_, err = io.Copy(io.NewOffsetWriter(blob, 0), content)
	must(err)

	var film bytes.Buffer
	_, err = io.Copy(&film, io.NewSectionReader(blob, 18, blob.Size()-18))
	must(err)
	must(blob.Close())
	fmt.Println(film.String())
	// Output: film
}

// A backup copies a database in steps while it is in use.
func ExampleBackup() {
	source, copied := memory(), memory()
	defer source.Close()
	defer copied.Close()
	must(source.Exec("CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(100000))"))

	backup, err := sqlite.NewBackup(copied, source)
	must(err)
	for done := false; !done; {
		done, err = backup.Step(10)
		if errors.Is(err, sqlite.CodeBusy) || errors.Is(err, sqlite.CodeLocked) {
			time.Sleep(10 * time.Millisecond) // somebody writes
			continue
		}
		must(err)
	}
	fmt.Println(backup.PageCount(), "pages")
	must(backup.Close())
	fmt.Println(copied.QueryRow("SELECT length(a) FROM t").Int(0))
	// Output:
	// 26 pages
	// 100000
}

// A context ends a query that takes too long.
func ExampleConn_InterruptOn() {
	conn := memory()
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	stop := conn.InterruptOn(ctx)
	err := conn.QueryRow("WITH RECURSIVE forever(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM forever) SELECT max(i) FROM forever").Err()
	stop()
	fmt.Println(errors.Is(err, sqlite.CodeInterrupt), ctx.Err())
	// Output: true context deadline exceeded
}

// An authorizer judges what a statement would do before it can run.
func ExampleConn_SetAuthorizer() {
	conn := memory()
	defer conn.Close()
	must(conn.Exec("CREATE TABLE t(a)"))
	conn.SetAuthorizer(func(a sqlite.Action) sqlite.Decision {
		if a.Op == sqlite.OpDelete {
			return sqlite.Deny
		}
		return sqlite.Allow
	})
	err := conn.Exec("DELETE FROM t")
	fmt.Println(err, errors.Is(err, sqlite.CodeAuth))
	// Output: not authorized: DELETE FROM t true
}
