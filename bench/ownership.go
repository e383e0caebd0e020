package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// ownSchema is what the benchmarks put into a database, as its schema spells it.
var ownSchema = map[string]string{
	"account":               "CREATE TABLE account(id PRIMARY KEY, balance INT)",
	"perfTest":              "CREATE TABLE perfTest(indexedColumn, nonIndexedColumn)",
	"perfTestIndexedColumn": "CREATE INDEX perfTestIndexedColumn ON perfTest(indexedColumn)",
	"kv":                    "CREATE TABLE kv(k INTEGER PRIMARY KEY, v BLOB)",
}

// storeTables are what a database of package blob has besides.
var storeTables = []string{"blob", "blob_content", "blob_chunk", "blob_loose", "blob_place"}

// countedAccounts is how many accounts are counted: a million takes 10 ms, a
// billion minutes, and of those the rowids have to do.
const countedAccounts = 10_000_000

// refuseOthers returns an error if the database at path holds anything that the
// benchmarks have not made: they would overwrite it. It is called before the
// database is opened for a run, which already changes its journal mode. A file
// that is not there is nobody's. More names are those that may be there as well.
func refuseOthers(path string, more ...string) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil // what is wrong with it is told by who opens it
	}
	// One that may write takes the files of the WAL away again.
	conn, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.BusyTimeout(5 * time.Second)
	others, err := othersTables(conn, more)
	if err != nil {
		return fmt.Errorf("look whose tables it has: %w", err)
	}
	if len(others) > 0 {
		return fmt.Errorf("%s is a database with tables of its own (%s); name another file", path, strings.Join(others, ", "))
	}
	return nil
}

// othersTables lists what the benchmarks have not made.
func othersTables(conn *sqlite.Conn, more []string) (others []string, err error) {
	accounts := false
	for row, err := range conn.Query(`SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`) {
		if err != nil {
			return nil, err
		}
		name := row.Text(0)
		accounts = accounts || name == "account"
		if row.Text(1) != ownSchema[name] && !slices.Contains(more, name) {
			others = append(others, name)
		}
	}
	if !accounts || len(others) > 0 {
		return others, nil
	}
	loaded, err := loadedAccounts(conn)
	if err == nil && !loaded {
		others = append(others, "account")
	}
	return others, err
}

// loadedAccounts reports whether the accounts are those that a run has loaded:
// from zero on, in order, none missing.
func loadedAccounts(conn *sqlite.Conn) (bool, error) {
	// Each of the three is at an end of an index only if it is asked for alone.
	row := conn.QueryRow(`SELECT coalesce((SELECT max(id) FROM account) + 1, 0), coalesce((SELECT min(id) FROM account), 0),
		coalesce((SELECT max(rowid) FROM account), 0)`)
	if err := row.Err(); err != nil {
		return false, err
	}
	count, first, last := row.Int64(0), row.Int64(1), row.Int64(2)
	if first != 0 || last != count || count > countedAccounts {
		return first == 0 && last == count, nil
	}
	row = conn.QueryRow("SELECT count(*) FROM account WHERE typeof(id) = 'integer'")
	if err := row.Err(); err != nil {
		return false, err
	}
	return row.Int64(0) == count, nil
}
