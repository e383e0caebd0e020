//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/nearlite/nearlite"
)

// The engines of the test, by name. A case names one; the writer is told which.
var engines = map[string]func(*nearlite.Options){
	"full":   func(o *nearlite.Options) { o.Durability = nearlite.Full },
	"normal": func(o *nearlite.Options) { o.Durability = nearlite.Normal },
	// Commits pass the barrier, which does the sync or leaves it out.
	"full-barrier":   func(o *nearlite.Options) { o.PageMap = true },
	"normal-barrier": func(o *nearlite.Options) { o.Durability, o.PageMap = nearlite.Normal, true },
}

// schema: entry.seq is the order of the commits, since only the writer's own
// transaction chooses it. caller.n is how many entries of that caller there are,
// which holds only if transactions are whole.
var schema = []string{
	"CREATE TABLE IF NOT EXISTS entry(seq INTEGER PRIMARY KEY, caller INTEGER NOT NULL, n INTEGER NOT NULL, pad BLOB NOT NULL)",
	"CREATE UNIQUE INDEX IF NOT EXISTS entry_by_caller ON entry(caller, n)",
	"CREATE TABLE IF NOT EXISTS caller(id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
}

// pad is the contents of a transaction: mostly small, now and then several pages.
func pad(caller, n int64) []byte {
	rng := rand.New(rand.NewPCG(uint64(caller), uint64(n)))
	size := rng.IntN(200)
	if rng.IntN(50) == 0 {
		size = rng.IntN(20_000)
	}
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}

// An ack is one transaction that was acknowledged.
type ack struct{ seq, caller, n int64 }

const ackBytes = 24

func (a ack) append(to []byte) []byte {
	for _, v := range []int64{a.seq, a.caller, a.n} {
		to = binary.LittleEndian.AppendUint64(to, uint64(v))
	}
	return to
}

func decodeAcks(data []byte) (acks []ack) {
	for ; len(data) >= ackBytes; data = data[ackBytes:] {
		at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(data[8*i:])) }
		acks = append(acks, ack{at(0), at(1), at(2)})
	}
	return acks
}

// writeMain is the process whose machine loses power: it commits until it is killed.
func writeMain(args []string) error {
	f := flag.NewFlagSet("powercut write", flag.ExitOnError)
	path := f.String("db", "", "database")
	acks := f.String("acks", "", "file for what was acknowledged, on a disk that keeps its power")
	engine := f.String("engine", "full", "a name in the table of engines")
	callers := f.Int("callers", 16, "how many commit at the same time")
	checkpoint := f.Int64("checkpoint", 0, "Options.CheckpointBytes")
	_ = f.Parse(args)

	set := engines[*engine]
	if set == nil {
		return fmt.Errorf("no engine is called %q", *engine)
	}
	opts := &nearlite.Options{CheckpointBytes: *checkpoint, CacheSize: 1 << 20}
	set(opts)
	ctx := context.Background()
	db, err := nearlite.Open(ctx, *path, opts)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(*acks, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open acks: %w", err)
	}
	return load(ctx, db, out, *callers)
}

// load returns the first error of a caller; without one it does not return.
func load(ctx context.Context, db *nearlite.DB, acks *os.File, callers int) error {
	if err := createTables(ctx, db); err != nil {
		return err
	}
	failed := make(chan error, callers)
	var wg sync.WaitGroup
	for caller := range int64(callers) {
		wg.Go(func() {
			for {
				a, err := commit(ctx, db, caller)
				if err == nil {
					_, err = acks.Write(a.append(nil)) // one write is one record
				}
				if err != nil {
					failed <- fmt.Errorf("caller %d: %w", caller, err)
					return
				}
			}
		})
	}
	return <-failed
}

func createTables(ctx context.Context, db *nearlite.DB) error {
	err := db.Update(ctx, func(tx *nearlite.WriteTx) error {
		for _, sql := range schema {
			if _, err := tx.Exec(sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	return nil
}

// commit is one transaction.
func commit(ctx context.Context, db *nearlite.DB, caller int64) (a ack, err error) {
	err = db.Update(ctx, func(tx *nearlite.WriteTx) error {
		row := tx.QueryRow("INSERT INTO caller VALUES(?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n", caller)
		if row.Err() != nil {
			return row.Err()
		}
		a = ack{caller: caller, n: row.Int64(0)}
		result, err := tx.Exec("INSERT INTO entry(caller, n, pad) VALUES(?, ?, ?)", caller, a.n, pad(caller, a.n))
		a.seq = result.LastInsertRowID
		return err
	})
	return a, err
}
