package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nearlite/nearlite/bench"
)

// BenchCmd measures: nearlite bench WORKLOAD.
type BenchCmd struct {
	Ledger LedgerCmd `cmd:"" help:"Transfers between accounts: transactions a second, beside mattn/go-sqlite3."`
	Reads  ReadsCmd  `cmd:"" help:"Reads on one thread, two, four: queries a second, beside mattn/go-sqlite3."`
}

// benchReport is what every workload's run comes to.
type benchReport interface {
	WriteTable(w io.Writer) error
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

// progressOn shows the steps of a run: on a terminal as a line that counts, on
// anything else as one line for each step that is done.
func progressOn(w io.Writer) bench.Progress {
	var current string
	var began, shown time.Time
	counting := isTerminal(w)
	return func(step string, done, total int64) {
		now := time.Now()
		if step != current {
			current, began, shown = step, now, time.Time{}
		}
		switch {
		case done == total && counting:
			fmt.Fprintf(w, "\r\x1b[K%s: %d, %.1f s\n", step, total, now.Sub(began).Seconds())
		case done == total:
			fmt.Fprintf(w, "%s: %d, %.1f s\n", step, total, now.Sub(began).Seconds())
		case counting && now.Sub(shown) > 100*time.Millisecond:
			shown = now
			fmt.Fprintf(w, "\r\x1b[K%s: %d %%", step, 100*done/total)
		}
	}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
