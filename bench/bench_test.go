package bench

import (
	"context"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
)

// Each measures what one request costs everybody, harness included: run with
// -cpuprofile to see where the time of a workload goes. As in the workloads, the
// context of a request is one that cannot end.

func BenchmarkTransfer(b *testing.B) {
	for _, mode := range []LedgerMode{Batch, Savepoint, Mixed} {
		b.Run(string(mode), func(b *testing.B) {
			system, err := openEngine(b.Context(), Ledger{DB: filepath.Join(b.TempDir(), "ledger.db"), Mode: mode, Durability: Normal})
			if err != nil {
				b.Fatal(err)
			}
			defer system.close()
			if _, err := accounts.fill(b.Context(), system, 100_000, nil); err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			var callers atomic.Int32
			b.ReportAllocs()
			b.SetParallelism(1024 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				caller := system.caller(newPicker(Power, 100_000, int(callers.Add(1))))
				for pb.Next() {
					if err := caller.request(ctx); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, mode := range []ReadMode{Ours, Stock, Faithful2018} {
		for _, query := range []ReadQuery{Point, Perftest, SelectOne} {
			b.Run(string(mode)+"/"+string(query), func(b *testing.B) {
				r := Reads{DB: filepath.Join(b.TempDir(), "reads.db"), Query: query, Mode: mode, Rows: 100_000}
				rows, err := r.fill(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				system, err := r.open(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				defer system.close()
				ask, err := system.reader(b.Context(), newPicker(Uniform, max(rows, 1), 0))
				if err != nil {
					b.Fatal(err)
				}
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					if err := ask(ctx); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
