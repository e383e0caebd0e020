package nearlite_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// example opens a private database for one example.
func example() (context.Context, *nearlite.DB) {
	ctx := context.Background()
	db, err := nearlite.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = db.Batch(ctx,
		nearlite.Statement{SQL: "CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT UNIQUE, balance INTEGER)"},
		nearlite.Statement{SQL: "INSERT INTO account (name, balance) VALUES ('Alice', 100), ('Bob', 50)"})
	if err != nil {
		log.Fatal(err)
	}
	return ctx, db
}

func ExampleDB_Update() {
	ctx, db := example()
	defer db.Close()
	err := db.Update(ctx, func(tx *nearlite.WriteTx) error {
		if _, err := tx.Exec("UPDATE account SET balance = balance - ?1 WHERE name = ?2", 30, "Alice"); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE account SET balance = balance + ?1 WHERE name = ?2", 30, "Bob")
		return err
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleDB_View() {
	ctx, db := example()
	defer db.Close()
	err := db.View(ctx, func(tx *nearlite.ReadTx) error {
		for row, err := range tx.Query("SELECT name, balance FROM account ORDER BY name") {
			if err != nil {
				return err
			}
			fmt.Println(row.Text(0), row.Int64(1))
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// Alice 100
	// Bob 50
}

func ExampleAll() {
	ctx, db := example()
	defer db.Close()
	type account struct {
		Name    string
		Balance int64
	}
	err := db.View(ctx, func(tx *nearlite.ReadTx) error {
		rich, err := nearlite.All[account](tx, "SELECT name, balance FROM account WHERE balance > ?", 60)
		if err != nil {
			return err
		}
		total, err := nearlite.One[int64](tx, "SELECT sum(balance) FROM account")
		fmt.Println(rich, total)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: [{Alice 100}] 150
}

func ExampleDB_Exec_returning() {
	ctx, db := example()
	defer db.Close()
	res, err := db.Exec(ctx, "INSERT INTO account (name, balance) VALUES (?, ?) RETURNING id", "Carol", 7)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Changes, res.Rows[0][0])
	// Output: 1 3
}

func ExampleDB_Begin() {
	ctx, db := example()
	defer db.Close()
	tx, err := db.Begin(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback() // does nothing after Commit
	if _, err := tx.Exec(ctx, "UPDATE account SET balance = 0 WHERE name = ?", "Bob"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tx.Commit(ctx))
	// Output: <nil>
}

func ExampleDB_Exclusive() {
	ctx, db := example()
	defer db.Close()
	err := db.Exclusive(ctx, func(c *sqlite.Conn) error { return c.Exec("VACUUM") })
	fmt.Println(err)
	// Output: <nil>
}
