package compat

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqldriver/compat/testdata/library"
	"github.com/nearlite/nearlite/sqlite"
)

// The code in testdata/library is what sqlc makes of the queries beside it.
func TestSqlc(t *testing.T) {
	t.Parallel()
	db := open(t)
	schema, err := os.ReadFile("testdata/library/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(string(schema)); err != nil {
		t.Fatal(err)
	}
	t.Run("plain", func(t *testing.T) { useLibrary(t, library.New(db), "plain") })
	t.Run("prepared", func(t *testing.T) {
		q, err := library.Prepare(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		useLibrary(t, q, "prepared")
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		useLibrary(t, q.WithTx(tx), "in a transaction")
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	})
	count, err := library.New(db).CountBooks(t.Context())
	if err != nil || count.Books != 6 {
		t.Errorf("count: %+v, %v", count, err)
	}
}

// useLibrary calls every query; name keeps one use apart from another.
func useLibrary(t *testing.T, q *library.Queries, name string) {
	t.Helper()
	ctx := t.Context()
	author, err := q.CreateAuthor(ctx, library.CreateAuthorParams{Name: name, Bio: sql.NullString{String: "writes", Valid: true}})
	if err != nil || author.Name != name || author.Bio.String != "writes" {
		t.Fatalf("CreateAuthor: %+v, %v", author, err)
	}
	if _, err = q.CreateAuthor(ctx, library.CreateAuthorParams{Name: name}); !errors.Is(err, sqlite.CodeConstraintUnique) {
		t.Errorf("CreateAuthor twice: %v", err)
	}
	published := time.Date(1944, 1, 1, 0, 0, 0, 0, time.UTC)
	full, err := q.CreateBook(ctx, library.CreateBookParams{AuthorID: author.ID, Title: "Full", Pages: sql.NullInt64{Int64: 203, Valid: true},
		Price: sql.NullFloat64{Float64: 9.5, Valid: true}, Cover: []byte{0, 1}, Available: true, Published: sql.NullTime{Time: published, Valid: true}})
	if err != nil || !full.Available || !full.Published.Time.Equal(published) || !bytes.Equal(full.Cover, []byte{0, 1}) || time.Since(full.Added) > time.Hour {
		t.Fatalf("CreateBook: %+v, %v", full, err)
	}
	empty, err := q.CreateBook(ctx, library.CreateBookParams{AuthorID: author.ID, Title: "Empty"})
	if err != nil || empty.Available || empty.Pages.Valid || empty.Price.Valid || empty.Cover != nil || empty.Published.Valid {
		t.Fatalf("CreateBook of NULLs: %+v, %v", empty, err)
	}
	if got, err := q.GetBook(ctx, full.ID); err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("GetBook: %+v, %v", got, err)
	}
	if _, err := q.GetBook(ctx, -1); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("GetBook of nothing: %v", err)
	}
	if list, err := q.ListBooks(ctx, name); err != nil || len(list) != 2 || list[0].Title != "Empty" || list[1].Author != name {
		t.Errorf("ListBooks: %+v, %v", list, err)
	}
	if titles, err := q.ListTitles(ctx, []int64{empty.ID, full.ID}); err != nil || !reflect.DeepEqual(titles, []string{"Empty", "Full"}) {
		t.Errorf("ListTitles: %v, %v", titles, err)
	}
	if n, err := q.SetAvailable(ctx, library.SetAvailableParams{Available: true, AuthorID: author.ID}); err != nil || n != 2 {
		t.Errorf("SetAvailable: %d, %v", n, err)
	}
	changeAuthors(t, q, name)
}

func changeAuthors(t *testing.T, q *library.Queries, name string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	id, err := q.AddAuthor(ctx, library.AddAuthorParams{Name: name + " 2"})
	if err != nil || id == 0 {
		t.Errorf("AddAuthor: %d, %v", id, err)
	}
	res, err := q.RenameAuthor(ctx, library.RenameAuthorParams{ID: id, Name: name + " 3"})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		t.Errorf("RenameAuthor: %d, %v", n, err)
	}
	if err := q.DeleteAuthor(ctx, id); err != nil {
		t.Error(err)
	}
}
