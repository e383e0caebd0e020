package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nearlite/nearlite/bench"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
)

// BenchCmd measures: nearlite bench WORKLOAD.
type BenchCmd struct {
	Ledger  LedgerCmd      `cmd:"" help:"Transfers between accounts: transactions a second, beside mattn/go-sqlite3 and PostgreSQL."`
	Reads   ReadsCmd       `cmd:"" help:"Reads on one thread, two, four: queries a second, beside mattn/go-sqlite3."`
	Article ArticleCmd     `cmd:"" help:"The tables of “100000 TPS over a billion rows”, on PostgreSQL and here."`
	Blobs   BlobsCmd       `cmd:"" help:"Blobs in a database and in files: reads, overwrites, disk."`
	Server  BenchServerCmd `cmd:"" help:"Inserts and reads over HTTP and WebSocket, beside sqld."`
	Report  ReportCmd      `cmd:"" help:"A page of plots from the JSON files of the others."`
}

// benchReport is what every workload's run comes to.
type benchReport interface {
	WriteTable(w io.Writer) error
}

// mayBench refuses, before a run that may take minutes, a database that cannot be
// and a record that cannot be written.
func mayBench(db, jsonFile string) error {
	if err := canBeFile(db); err != nil || jsonFile == "" {
		return err
	}
	dir := filepath.Dir(jsonFile)
	if !exists(dir) {
		return advise(fmt.Errorf("--json %s: the directory %s does not exist", jsonFile, dir), "mkdir -p "+quoteArg(dir))
	}
	written := dir
	if info, err := os.Stat(jsonFile); err == nil {
		if info.IsDir() {
			return advise(fmt.Errorf("--json %s: it is a directory", jsonFile), "a file in it: --json "+quoteArg(filepath.Join(jsonFile, "report.json")))
		}
		written = jsonFile
	}
	if err := unix.Access(written, unix.W_OK); err != nil {
		return advise(fmt.Errorf("--json %s: %s cannot be written: %w", jsonFile, written, err), "ls -ld "+quoteArg(written))
	}
	return nil
}

// publish prints a report, and records it if a file is named.
func publish(env *Env, report benchReport, jsonFile string) error {
	if err := report.WriteTable(env.Stdout); err != nil {
		return err
	}
	if jsonFile == "" {
		return nil
	}
	return bench.WriteJSON(jsonFile, report)
}

// progressOn shows the steps of a run: a bar while one lasts, if w is a
// terminal, and a line for each that is done.
func progressOn(w io.Writer) bench.Progress {
	var current string
	var began time.Time
	var bar *terminal.Bar
	return func(step string, done, total int64) {
		if step != current {
			current, began, bar = step, time.Now(), terminal.Steps(w, step, total)
		}
		bar.Set(done, total)
		if done == total {
			bar.Clear()
			fmt.Fprintf(w, "%s: %d, %.1f s\n", step, total, time.Since(began).Seconds())
		}
	}
}
