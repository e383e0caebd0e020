package compat

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

func TestGoose(t *testing.T) {
	t.Parallel()
	db := open(t)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("testdata/migrations"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // up, all the way down, and up again
		if _, err := p.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		var text string
		var pinned bool
		if err := db.QueryRow("SELECT note.text, pinned FROM note_text JOIN note ON note.id = note_text.rowid WHERE note_text MATCH 'semicolon'").Scan(&text, &pinned); err != nil || !pinned {
			t.Fatalf("got %q, %v, %v", text, pinned, err)
		}
		if v, err := p.GetDBVersion(t.Context()); err != nil || v != 3 {
			t.Errorf("version %d, %v", v, err)
		}
		if _, err := p.DownTo(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	status, err := p.Status(t.Context())
	if err != nil || len(status) != 3 || status[0].State != goose.StatePending {
		t.Errorf("status: %+v, %v", status, err)
	}
}

// A migration that fails leaves nothing behind, and says which statement it was.
func TestGooseFailure(t *testing.T) {
	t.Parallel()
	db := open(t)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, fstest.MapFS{"001_bad.sql": {Data: []byte(
		"-- +goose Up\nCREATE TABLE half (n);\nINSERT INTO missing VALUES (1);\n")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "no such table: missing") {
		t.Errorf("got %v", err)
	}
	if _, err := db.Exec("SELECT * FROM half"); err == nil {
		t.Error("half of the migration is there")
	}
}
