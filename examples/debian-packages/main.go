// Command debian-packages shows Nearlite on real data: every package that Debian
// offers to this machine. The stock sqlite3 program makes the database, Nearlite
// searches and changes it, and either may open it at any moment.
//
// Build with full-text search, as make does:
//
//	export GOFLAGS=-tags=sqlite_fts5
//
// Turn the package index into SQL, and let sqlite3 make a database of it:
//
//	apt-cache dumpavail | go run ./examples/debian-packages sql | sqlite3 packages.db
//
// Search it. The first search builds the full-text index:
//
//	go run ./examples/debian-packages search packages.db web server
//
// Let 64 goroutines vote for packages, each vote a transaction that is on disk
// when it returns, while sqlite3 looks on in another terminal:
//
//	go run ./examples/debian-packages vote packages.db 100000
//	sqlite3 packages.db 'SELECT name, votes FROM popular LIMIT 5'
//
// Copy it while all that goes on, and have sqlite3 find the copy whole:
//
//	nearlite backup packages.db copy.db
//	sqlite3 copy.db 'PRAGMA integrity_check'
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// voters is how many vote at once.
const voters = 64

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == "sql" {
		return writeSQL(os.Stdout, packages(os.Stdin))
	}
	if len(args) < 3 {
		return fmt.Errorf("usage: debian-packages sql | search DB WORDS… | vote DB VOTES")
	}
	db, err := nearlite.Open(ctx, args[1], &nearlite.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer db.Close()
	switch args[0] {
	case "search":
		return printHits(ctx, db, strings.Join(args[2:], " "))
	case "vote":
		return printVotes(ctx, db, args[2])
	}
	return fmt.Errorf("unknown command %s: sql, search or vote", args[0])
}

func printHits(ctx context.Context, db *nearlite.DB, words string) error {
	hits, err := search(ctx, db, words, 10)
	if err != nil {
		return err
	}
	for _, h := range hits {
		fmt.Printf("%-30s %s\n", h.Name, h.Summary)
	}
	return nil
}

func printVotes(ctx context.Context, db *nearlite.DB, number string) error {
	votes, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("how many votes: %w", err)
	}
	began := time.Now()
	if err := vote(ctx, db, votes); err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Printf("%d votes in %.1f s: %.0f durable transactions a second\n", votes, took.Seconds(), float64(votes)/took.Seconds())
	return nil
}
