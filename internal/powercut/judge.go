//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/nearlite/nearlite"
)

// A finding is what a power cut has left of a database.
type finding struct {
	left     int64    // transactions that are there
	lost     int      // that were acknowledged and are not
	problems []string // what no durability allows
}

func (f *finding) problem(format string, args ...any) {
	if len(f.problems) < 10 {
		f.problems = append(f.problems, fmt.Sprintf(format, args...))
	}
}

// examine opens the database as the cut has left it and compares it with what had
// been acknowledged in this round. The first base transactions are from before.
func examine(ctx context.Context, path string, base int64, acks []ack) finding {
	var f finding
	entries := f.read(ctx, path)
	f.left = int64(len(entries))
	if f.left < base {
		f.problem("%d transactions are left; %d were there when the round began", f.left, base)
	}
	for _, a := range acks {
		switch {
		case a.seq > f.left:
			f.lost++
		case entries[a.seq-1] != a:
			f.problem("transaction %d is number %d of caller %d; acknowledged was number %d of caller %d",
				a.seq, entries[a.seq-1].n, entries[a.seq-1].caller, a.n, a.caller)
		}
	}
	return f
}

// read returns the transactions in the order of their commits: the one with seq i
// is at i-1, or else that is a problem.
func (f *finding) read(ctx context.Context, path string) (entries []ack) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := nearlite.Open(ctx, path, &nearlite.Options{MustExist: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.problem("%v", err)
		return nil
	}
	err = db.View(ctx, func(tx *nearlite.ReadTx) error {
		for row, err := range tx.Query("PRAGMA integrity_check") {
			if err != nil {
				return err
			}
			if row.Text(0) != "ok" {
				f.problem("integrity_check: %s", row.Text(0))
			}
		}
		if tables, err := nearlite.One[int](tx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"); err != nil || tables == 0 {
			return err // cut before the tables were there
		}
		entries, err = f.entries(tx)
		return err
	})
	if err != nil {
		f.problem("read: %v", err)
	}
	if err := db.Close(); err != nil {
		f.problem("%v", err)
	}
	return entries
}

// entries checks each transaction by itself, and that none is missing in between.
func (f *finding) entries(tx *nearlite.ReadTx) (entries []ack, err error) {
	counts := map[int64]int64{}
	for row, err := range tx.Query("SELECT seq, caller, n, pad FROM entry ORDER BY seq") {
		if err != nil {
			return nil, err
		}
		a := ack{row.Int64(0), row.Int64(1), row.Int64(2)}
		if a.seq != int64(len(entries))+1 {
			f.problem("transaction %d follows %d: there is a hole", a.seq, len(entries))
			return entries, nil
		}
		entries = append(entries, a)
		if counts[a.caller]++; a.n != counts[a.caller] {
			f.problem("transaction %d has number %d of caller %d and should have %d", a.seq, a.n, a.caller, counts[a.caller])
		}
		if !bytes.Equal(row.RawBytes(3), pad(a.caller, a.n)) {
			f.problem("transaction %d has %d bytes that are not its own", a.seq, len(row.RawBytes(3)))
		}
	}
	rows := 0
	for row, err := range tx.Query("SELECT id, n FROM caller") {
		if err != nil {
			return nil, err
		}
		rows++
		if caller, n := row.Int64(0), row.Int64(1); n != counts[caller] {
			f.problem("caller %d has counted %d transactions; %d are there", caller, n, counts[caller])
		}
	}
	if rows != len(counts) {
		f.problem("%d callers have transactions; %d have counted", len(counts), rows)
	}
	return entries, nil
}
