package nearlite

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// A query that fails in the middle yields the rows before it and then the error,
// whoever runs it.
func TestRowsBeforeAFailure(t *testing.T) {
	t.Parallel()
	bad := errors.New("not this one")
	db := openTest(t, &Options{OnConnect: func(c *sqlite.Conn) error {
		return c.CreateFunction("picky", sqlite.FuncOptions{NArgs: 2}, func(args []sqlite.Value) (any, error) {
			if args[0].Int64() == args[1].Int64() {
				return nil, bad
			}
			return args[0].Any(), nil
		})
	}})
	const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) "
	overflow := numbers + "SELECT abs(iif(i = ?, -9223372036854775808, i)) FROM n"
	picky := numbers + "SELECT picky(i, ?) FROM n"
	count := func(t *testing.T, rows iter.Seq2[Row, error]) (n int, err error) {
		for row, rerr := range rows {
			if rerr != nil {
				err = rerr
			} else if n++; row.Int(0) != n {
				t.Errorf("row %d is %v", n, row.Any(0))
			}
		}
		return n, err
	}
	for name, read := range map[string]func(t *testing.T, sql string, at int) (int, error){
		"View": func(t *testing.T, sql string, at int) (n int, err error) {
			return n, db.View(bg, func(tx *ReadTx) error { n, err = count(t, tx.Query(sql, at)); return err })
		},
		"DB.Query": func(t *testing.T, sql string, at int) (int, error) { return count(t, db.Query(bg, sql, at)) },
		"Update": func(t *testing.T, sql string, at int) (n int, err error) {
			return n, db.Update(bg, func(tx *WriteTx) error { n, err = count(t, tx.Query(sql, at)); return err })
		},
		"All": func(t *testing.T, sql string, at int) (n int, err error) {
			return n, db.View(bg, func(tx *ReadTx) error {
				all, err := All[int](tx, sql, at)
				n = len(all)
				return err
			})
		},
		"Begin": func(t *testing.T, sql string, at int) (n int, err error) {
			tx, err := db.Begin(bg, &TxOptions{ReadOnly: true})
			if err != nil {
				return 0, err
			}
			defer tx.Rollback()
			rows, err := tx.Query(bg, sql, at)
			if err != nil {
				return 0, err
			}
			for rows.Next() {
				if n++; fmt.Sprint(rows.Values()...) != fmt.Sprint(n) {
					t.Errorf("row %d is %v", n, rows.Values())
				}
			}
			return n, errors.Join(rows.Err(), rows.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, at := range []int{1, 2, 700, 1000} {
				if n, err := read(t, overflow, at); n != at-1 || sqlite.Code(err) != sqlite.CodeError {
					t.Errorf("overflow at %d: %d rows, then %v", at, n, err)
				}
				if n, err := read(t, picky, at); n != at-1 || !errors.Is(err, bad) {
					t.Errorf("function at %d: %d rows, then %v", at, n, err)
				}
			}
			if n, err := read(t, picky, 0); n != 1000 || err != nil {
				t.Errorf("%d rows, then %v", n, err)
			}
		})
	}
}

// What is left of a statement that failed behind the row somebody stopped at
// does not keep the next transaction from anything.
func TestStoppingBeforeAFailure(t *testing.T) {
	t.Parallel()
	db := openTest(t, nil)
	for range 10 {
		for row, err := range db.Query(bg, "SELECT abs(iif(id = 5, -9223372036854775808, id)) FROM account") {
			if err != nil || row.Int(0) != 0 {
				t.Fatal(err)
			}
			break
		}
		err := db.Update(bg, func(tx *WriteTx) error {
			for range tx.Query("SELECT abs(iif(id = 5, -9223372036854775808, id)) FROM account") {
				break
			}
			_, err := tx.Exec("UPDATE account SET balance = balance + 1 WHERE id = 5")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 5"); n != 1010 {
		t.Error(n)
	}
}
