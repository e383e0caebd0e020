package nearlite

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
)

// openBench opens a database of a million accounts.
func openBench(b *testing.B, opts *Options) *DB {
	b.Helper()
	db, err := Open(bg, filepath.Join(b.TempDir(), "bench.db"), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	exec(b, db, "CREATE TABLE account(id PRIMARY KEY, balance INT)")
	exec(b, db, "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM r WHERE i < 999999) INSERT INTO account SELECT i, 1000 FROM r")
	if err := db.Checkpoint(bg); err != nil {
		b.Fatal(err)
	}
	return db
}

func transfer(db *DB, from, to int) error {
	return db.Update(bg, func(tx *WriteTx) error {
		if _, err := tx.Exec("UPDATE account SET balance = balance - 100 WHERE id = ?", from); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE account SET balance = balance + 100 WHERE id = ?", to)
		return err
	})
}

func BenchmarkUpdate(b *testing.B) {
	ids := powerLaw(1<<16, 1_000_000)
	for _, bc := range []struct {
		name    string
		callers int
		opts    Options
	}{
		{"full-1", 1, Options{}}, {"normal-1", 1, Options{Durability: Normal}},
		{"full-1024", 1024, Options{}}, {"normal-1024", 1024, Options{Durability: Normal}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			db := openBench(b, &bc.opts)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for c := range bc.callers {
				wg.Go(func() {
					for i := c; i < b.N; i += bc.callers {
						if err := transfer(db, ids[2*i%len(ids)], ids[(2*i+1)%len(ids)]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			s := db.Stats()
			b.ReportMetric(float64(s.Transactions)/float64(max(1, s.Commits)), "tx/commit")
		})
	}
}

func BenchmarkView(b *testing.B) {
	db := openBench(b, nil)
	for _, n := range []int{1, 2} {
		b.Run(map[int]string{1: "1", 2: "2"}[n], func(b *testing.B) {
			b.ReportAllocs()
			var wg sync.WaitGroup
			for c := range n {
				wg.Go(func() {
					id, sum := 0, int64(0)
					fn := func(tx *ReadTx) error {
						row := tx.QueryRow("SELECT balance FROM account WHERE id = ?", id)
						if row.Err() != nil {
							return row.Err()
						}
						sum += row.Int64(0)
						return nil
					}
					for i := c; i < b.N; i += n {
						id = i * 7919 % 1000000
						if err := db.View(bg, fn); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkWriter is the writer alone: batches of 1,024 with nobody waiting, so
// that its cost per transaction can be told from that of waking callers.
func BenchmarkWriter(b *testing.B) {
	for _, d := range []Durability{Full, Normal} {
		b.Run(d.String(), func(b *testing.B) {
			db := openBench(b, &Options{Durability: d})
			w := &db.writer
			w.q.mu.Lock()
			w.q.busy = true // this goroutine is the writer
			w.q.mu.Unlock()
			defer w.q.yield()
			ids := powerLaw(1<<16, 1_000_000)
			at, from, to := 0, 0, 0
			fn := func(tx *WriteTx) error {
				if _, err := tx.Exec("UPDATE account SET balance = balance - 100 WHERE id = ?", from); err != nil {
					return err
				}
				_, err := tx.Exec("UPDATE account SET balance = balance + 100 WHERE id = ?", to)
				at = (at + 2) % len(ids)
				from, to = ids[at], ids[at+1]
				return err
			}
			b.ReportAllocs()
			for n := 0; n < b.N; {
				w.blocks = w.blocks[:0]
				for range 16 {
					w.q.mu.Lock()
					bl := w.q.newBlock()
					w.q.mu.Unlock()
					for i := range bl.reqs {
						bl.reqs[i].ctx, bl.reqs[i].fn = bg, fn
					}
					bl.n = blockLen
					bl.left.Store(blockLen) // the callers
					w.blocks = append(w.blocks, bl)
				}
				n += w.work()
			}
		})
	}
}

// powerLaw returns n account numbers, most of them of a few busy accounts: the
// law of the ledger workload.
func powerLaw(n, accounts int) []int {
	const p = 0.9995
	a := math.Log(1-p) / math.Log(p)
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]int, n)
	for i := range ids {
		x := r.Float64()
		ids[i] = int(float64(accounts) * (math.Pow(x, a) + 1 - math.Pow(1-x, 1/a)) / 2)
	}
	return ids
}
