// Package compat runs the tools that people use with database/sql on the driver.
// It is a module of its own, so that they are no dependencies of Nearlite.
package compat

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "github.com/nearlite/nearlite/sqldriver"
)

// open opens a database of the test's own.
func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("nearlite", filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
