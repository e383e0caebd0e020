package blob

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// A Store is a set of named objects in a database. It holds no database and no
// transaction, only the names of its tables, so one Store serves any number of
// both at once. Make it with [New].
type Store struct {
	table   string
	sql     statements
	rowSize int // bytes of one row of content at most
	now     func() time.Time
}

// DefaultTable is where a Store keeps its objects unless it is told otherwise.
const DefaultTable = "blob"

// RowSize is how much of an object lies in one row: an object of at most so many
// bytes is one row, a larger one is rows of this size. It is not part of the
// format; each object says how its rows were cut.
//
// It was chosen by BenchmarkRowSize, warm, on 4 KiB pages. Reading whole objects
// is the same, 3 to 6 GB/s, with rows of 16 KiB to 512 KiB; writing too, from
// 32 KiB on. Reading 4 KiB out of the middle takes as long as the row it lies in:
// 8, 27, 80 and 550 µs with rows of 16, 64, 256 and 1,024 KiB. And a file of [FS]
// has one row in memory, and a transaction for each it reads.
const RowSize = 64 << 10

// New returns the store whose objects lie in a table of that name, "" meaning
// [DefaultTable], and in three more whose names begin with it. The tables are
// made by the first write, or by [Store.Init].
func New(table string) (*Store, error) {
	if table == "" {
		table = DefaultTable
	}
	if !isIdentifier(table) {
		return nil, fmt.Errorf("blob store in table %q: a name is 1 to 64 letters, digits and underscores, begins with no digit and not with sqlite_", table)
	}
	return &Store{table: table, sql: newStatements(table), rowSize: RowSize, now: time.Now}, nil
}

// isIdentifier keeps table names to what needs no quotes, so that the tables are
// as easy to use from SQL as from here.
func isIdentifier(s string) bool {
	if s == "" || len(s) > 64 || '0' <= s[0] && s[0] <= '9' || strings.HasPrefix(strings.ToLower(s), "sqlite_") {
		return false
	}
	for _, c := range []byte(s) {
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// Table returns the name of the table of names.
func (s *Store) Table() string { return s.table }

// Init makes the tables if they are not there. Writes do it by themselves; call
// it where the schema is made, to have all of it in one place.
func (s *Store) Init(tx *nearlite.WriteTx) error {
	for _, sql := range s.sql.create {
		if _, err := tx.Exec(sql); err != nil {
			return fmt.Errorf("make the tables of blob store %s: %w", s.table, err)
		}
	}
	return nil
}

// absent reports whether an error means that a table has not been made: then the
// store is empty.
func (s *Store) absent(err error, table string) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code == sqlite.CodeError && e.Msg == "no such table: "+table
}

// entry is a row of the table of names.
type entry struct {
	Info
	id    int64
	chunk int64 // bytes in a row of its content; 0: it is the one row called id
}

// find looks an object up; its error for none is [ErrNotExist].
func (s *Store) find(q nearlite.Querier, name string) (entry, error) {
	row := queryRow(q, s.sql.find, name)
	switch err := row.Err(); {
	case errors.Is(err, nearlite.ErrNoRows) || s.absent(err, s.table):
		return entry{}, ErrNotExist
	case err != nil:
		return entry{}, err
	}
	e := s.entry(row)
	e.Name = name
	return e, nil
}

// findToWrite is find for one who is about to write: it makes the tables.
func (s *Store) findToWrite(tx *nearlite.WriteTx, name string) (e entry, found bool, err error) {
	if err := CheckName(name); err != nil {
		return entry{}, false, err
	}
	row := tx.QueryRow(s.sql.find, name)
	switch err := row.Err(); {
	case s.absent(err, s.table):
		return entry{}, false, s.Init(tx)
	case errors.Is(err, nearlite.ErrNoRows):
		return entry{}, false, nil
	case err != nil:
		return entry{}, false, err
	}
	e = s.entry(row)
	e.Name = name
	return e, true, nil
}

// entry reads the columns that every query of the table of names begins with.
func (s *Store) entry(row nearlite.Row) entry {
	e := entry{id: row.Int64(0), chunk: row.Int64(1)}
	e.Size = row.Int64(2)
	e.ModTime = time.Unix(0, row.Int64(3))
	e.ContentType = row.Text(4)
	copy(e.SHA256[:], row.RawBytes(5))
	return e
}

// queryRow and queryTail spell the two kinds of transaction out: called through
// the interface, each argument would be an allocation.
func queryRow(q nearlite.Querier, sql string, args ...any) nearlite.Row {
	switch tx := q.(type) {
	case *nearlite.ReadTx:
		return tx.QueryRow(sql, args...)
	case *nearlite.WriteTx:
		return tx.QueryRow(sql, args...)
	}
	return sqlite.ErrorRow(errNoTx)
}

func queryTail(q nearlite.Querier, tail *[]byte, sql string, args ...any) nearlite.Row {
	switch tx := q.(type) {
	case *nearlite.ReadTx:
		return tx.QueryRowTail(tail, sql, args...)
	case *nearlite.WriteTx:
		return tx.QueryRowTail(tail, sql, args...)
	}
	return sqlite.ErrorRow(errNoTx)
}

var errNoTx = errors.New("a blob is read through a *nearlite.ReadTx or a *nearlite.WriteTx")
