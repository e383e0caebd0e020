package sqlite

import (
	"errors"
	"fmt"
	"testing"
)

const thousand = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) "

// A query that fails at some row yields the rows before it, and then the error:
// wherever the blocks end, and whatever else the connection did meanwhile.
func TestRowsBeforeAFailure(t *testing.T) {
	t.Parallel()
	c := open(t)
	bad := errors.New("not this one")
	mustCreate(t, c, "picky", 2, func(args []Value) (any, error) {
		if args[0].Int64() == args[1].Int64() {
			return nil, bad
		}
		return args[0].Any(), nil
	})
	overflow := thousand + "SELECT i, abs(iif(i = ?, -9223372036854775808, i)) FROM n"
	picky := thousand + "SELECT i, picky(i, ?) FROM n"
	for _, at := range []int{1, 2, 3, 40, 700, 1000} {
		for _, sql := range []string{overflow, picky} {
			for _, meanwhile := range []string{"", "SELECT 1", "SELECT nothing", "SELECT picky(1, 1)"} {
				name := fmt.Sprintf("%.60s… at %d with %q", sql, at, meanwhile)
				rows, err := c.mustPrepare(t, sql).Rows(at)
				n := 0
				for err == nil && rows.Next() {
					if n++; rows.Row().Int(0) != n || rows.Row().Int(1) != n {
						t.Fatalf("%s: row %d is %v", name, n, rows.Row().Any(0))
					}
					if meanwhile != "" {
						c.QueryRow(meanwhile)
					}
				}
				if err == nil {
					err = rows.Err()
					if err := rows.Close(); err != nil {
						t.Errorf("%s: close: %v", name, err)
					}
				}
				var e *Error
				if n != at-1 || !errors.As(err, &e) || e.Code != CodeError || e.SQL != sql {
					t.Errorf("%s: %d rows, then %v", name, n, err)
				}
				want := "integer overflow"
				if sql == picky {
					want = bad.Error()
				}
				if e != nil && (e.Msg != want || errors.Is(err, bad) != (sql == picky)) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

func (c *Conn) mustPrepare(t testing.TB, sql string) *Stmt {
	t.Helper()
	s, err := c.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Who does not read as far as the failure does not hear of it, and the statement
// can be run again at once.
func TestClosingBeforeAFailure(t *testing.T) {
	t.Parallel()
	c := open(t)
	s := c.mustPrepare(t, thousand+"SELECT abs(iif(i = ?, -9223372036854775808, i)) FROM n")
	for at := 2; at < 300; at++ {
		rows, err := s.Rows(at)
		if err != nil || !rows.Next() || rows.Row().Int(0) != 1 {
			t.Fatalf("at %d: %v", at, err)
		}
		if err := rows.Close(); err != nil || rows.Err() != nil || rows.Next() {
			t.Fatalf("at %d: close: %v, %v", at, err, rows.Err())
		}
		if row := s.QueryRow(at); row.Err() != nil || row.Int(0) != 1 {
			t.Fatalf("at %d: %v", at, row.Err())
		}
		if err := s.QueryRow(1).Err(); Code(err) != CodeError {
			t.Fatalf("at %d: %v", at, err)
		}
	}
	n := 0
	for row, err := range s.Query(600) {
		if err != nil {
			break
		}
		n = row.Int(0)
	}
	if n != 599 {
		t.Errorf("the loop got to row %d of 599", n)
	}
}

// A write that cannot be committed has not happened, however few of its rows were read.
func TestFailureOfAWriteBehindItsRows(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, `PRAGMA foreign_keys = 1; CREATE TABLE parent(id INTEGER PRIMARY KEY);
		CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`)
	s := c.mustPrepare(t, "INSERT INTO child(parent) VALUES (1), (2), (3) RETURNING id")
	for read := range 5 {
		rows, err := s.Rows()
		if err != nil {
			t.Fatal(err)
		}
		for range read {
			rows.Next()
		}
		err = errors.Join(rows.Err(), rows.Close())
		if !errors.Is(err, CodeConstraintForeignKey) {
			t.Errorf("after reading %d rows: %v", read, err)
		}
		if n := c.QueryRow("SELECT count(*) FROM child").Int(0); n != 0 || !c.AutoCommit() {
			t.Fatalf("after reading %d rows: %d rows are there", read, n)
		}
	}
}
