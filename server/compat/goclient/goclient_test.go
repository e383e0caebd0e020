package goclient

import (
	"bytes"
	"context"
	"database/sql"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tursodatabase/libsql-client-go/libsql"
)

// serve builds nearlite, starts it on an empty directory, and returns its address.
func serve(t *testing.T, flags ...string) string {
	t.Helper()
	program := nearlite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var output bytes.Buffer
	cmd := exec.Command(program, append([]string{"serve", t.TempDir(), "--listen", address}, flags...)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		<-exited
		if t.Failed() {
			t.Logf("nearlite said:\n%s", &output)
		}
	})
	for range 3000 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return address
		}
		select {
		case <-exited:
			t.Fatalf("nearlite ended: %s", &output)
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("nearlite does not listen")
	return ""
}

func nearlite(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "nearlite")
	cmd := exec.Command("go", "build", "-o", program, "./cmd/nearlite")
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build nearlite: %v\n%s", err, out)
	}
	return program
}

// open opens a database by its URL.
func open(t *testing.T, url string, options ...libsql.Option) *sql.DB {
	t.Helper()
	connector, err := libsql.NewConnector(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestClient(t *testing.T) {
	address := serve(t)
	for _, scheme := range []string{"http", "ws"} {
		t.Run(scheme, func(t *testing.T) {
			db := open(t, scheme+"://"+address)
			t.Run("statements", func(t *testing.T) { statements(t, db, scheme) })
			t.Run("transactions", func(t *testing.T) { transactions(t, db, scheme) })
			t.Run("errors", func(t *testing.T) { failures(t, db, scheme) })
		})
	}
}

func exec1(t *testing.T, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, query string, args ...any) sql.Result {
	t.Helper()
	res, err := db.ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return res
}

func statements(t *testing.T, db *sql.DB, table string) {
	exec1(t, db, "CREATE TABLE "+table+" (id INTEGER PRIMARY KEY, text TEXT, number INTEGER, float REAL, blob BLOB)")
	res := exec1(t, db, "INSERT INTO "+table+" (text, number, float, blob) VALUES (?, ?, ?, ?)", "naïve 🙂", int64(9007199254740993), 1.5, []byte{0, 255})
	if id, err := res.LastInsertId(); err != nil || id != 1 {
		t.Errorf("last id %d, %v", id, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
	exec1(t, db, "INSERT INTO "+table+" (text) VALUES (:text)", sql.Named("text", "named"))
	var text string
	var number int64
	var float float64
	var blob []byte
	if err := db.QueryRowContext(t.Context(), "SELECT text, number, float, blob FROM "+table+" WHERE id = ?", 1).Scan(&text, &number, &float, &blob); err != nil {
		t.Fatal(err)
	}
	if text != "naïve 🙂" || number != 9007199254740993 || float != 1.5 || !bytes.Equal(blob, []byte{0, 255}) {
		t.Errorf("row %q %d %g %x", text, number, float, blob)
	}
	var null sql.NullInt64
	if err := db.QueryRowContext(t.Context(), "SELECT number FROM "+table+" WHERE text = 'named'").Scan(&null); err != nil || null.Valid {
		t.Errorf("null %v, %v", null, err)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT id FROM "+table+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for want := int64(1); rows.Next(); want++ {
		var id int64
		if err := rows.Scan(&id); err != nil || id != want {
			t.Errorf("id %d, %v", id, err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
	stmt, err := db.PrepareContext(t.Context(), "UPDATE "+table+" SET number = ? WHERE id = ?")
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	for i := range 3 {
		if _, err := stmt.ExecContext(t.Context(), i, 2); err != nil {
			t.Error(err)
		}
	}
	several := []string{"INSERT INTO " + table + " (text) VALUES ('x'); INSERT INTO " + table + " (text) VALUES ('y')"}
	if table == "ws" { // over which the client sends a text as it is, for one statement
		several = strings.Split(several[0], "; ")
	}
	for _, query := range several {
		exec1(t, db, query)
	}
	expectCount(t, db, table, 4)
}

func expectCount(t *testing.T, db *sql.DB, table string, want int) {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != want {
		t.Errorf("%d rows in %s, want %d: %v", n, table, want, err)
	}
}

func transactions(t *testing.T, db *sql.DB, table string) {
	begin := func() *sql.Tx {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	tx := begin()
	exec1(t, tx, "INSERT INTO "+table+" (text) VALUES ('in')")
	var n int
	if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table+" WHERE text = 'in'").Scan(&n); err != nil || n != 1 {
		t.Errorf("the transaction sees %d rows: %v", n, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	expectCount(t, db, table, 5)
	tx = begin()
	exec1(t, tx, "DELETE FROM "+table)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	expectCount(t, db, table, 5)
}

func failures(t *testing.T, db *sql.DB, table string) {
	for query, want := range map[string]string{
		"SELECT * FROM missing": "no such table: missing",
		"SELECT missing":        "no such column: missing",
		"SELEC 1":               "could not be parsed",
		"INSERT INTO " + table + " (id) VALUES (1)": "UNIQUE constraint failed: " + table + ".id",
	} {
		if _, err := db.ExecContext(t.Context(), query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", query, err, want)
		}
	}
}

// A token lets in, its lack does not.
func TestToken(t *testing.T) {
	program, dir := nearlite(t), t.TempDir()
	for _, args := range [][]string{{"token", "key"}, {"token", "create", "--read-only"}} {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if args[1] == "create" {
			useToken(t, serve(t, "--keys", filepath.Join(dir, "token.pub")), strings.TrimSpace(string(out)))
		}
	}
}

func useToken(t *testing.T, address, token string) {
	for _, scheme := range []string{"http", "ws"} {
		if err := open(t, scheme+"://"+address).PingContext(t.Context()); err == nil {
			if _, err = open(t, scheme+"://"+address).ExecContext(t.Context(), "SELECT 1"); err == nil {
				t.Errorf("%s: in without a token", scheme)
			}
		}
		db := open(t, scheme+"://"+address, libsql.WithAuthToken(token))
		var one int
		if err := db.QueryRowContext(t.Context(), "SELECT 1").Scan(&one); err != nil {
			t.Errorf("%s: with a token: %v", scheme, err)
		}
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (a)"); err == nil {
			t.Errorf("%s: a token for reading wrote", scheme)
		}
	}
}
