package archive

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/s3"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// What callers wait whose commits are acknowledged by a bucket, each of whose
// requests takes 20 ms longer than on loopback; beside it what a PUT takes in the
// same run, of as many bytes as an entry has. Transfers between accounts, by many
// callers at once, each again as soon as it is answered.
//
//	go test -run '^$' -bench Archived -benchtime 1x ./archive
func BenchmarkArchived(b *testing.B) {
	for _, callers := range []int{1, 64, 1024, 16384} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			for b.Loop() {
				archived(b, callers, 5*time.Second)
			}
		})
	}
}

func archived(b *testing.B, callers int, lasting time.Duration) {
	o, _ := bucket(b)
	proxy := storagetest.NewProxy(b, o.Endpoint)
	proxy.Plan(func(*http.Request) storagetest.HTTPFault { return storagetest.HTTPFault{Delay: 20 * time.Millisecond} })
	o.Endpoint = proxy.URL
	store, err := s3.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	log := open(b, store, nil)
	db, err := nearlite.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"), &nearlite.Options{
		Log: log, Durability: nearlite.Archived, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const accounts = 1_000_000
	for _, sql := range []string{
		"CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT NOT NULL)",
		fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO account SELECT i, 1000 FROM n", accounts),
	} {
		if _, err := db.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	before, bytesBefore := db.Stats(), log.Requests()
	waits := make([][]time.Duration, callers)
	from := time.Now()
	var running sync.WaitGroup
	for c := range callers {
		running.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), 1))
			for time.Since(from) < lasting {
				began := time.Now()
				err := db.Update(b.Context(), func(tx *nearlite.WriteTx) error {
					x, y := r.ExpFloat64(), r.ExpFloat64() // most accounts are used seldom
					if _, err := tx.Exec("UPDATE account SET balance = balance - 100 WHERE id = ?", 1+int(x*accounts/20)%accounts); err != nil {
						return err
					}
					_, err := tx.Exec("UPDATE account SET balance = balance + 100 WHERE id = ?", 1+int(y*accounts/20)%accounts)
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
				waits[c] = append(waits[c], time.Since(began))
			}
		})
	}
	running.Wait()
	took := time.Since(from)
	after := db.Stats()
	commits := after.Commits - before.Commits
	all := slices.Concat(waits...)
	slices.Sort(all)
	put := puts(b, store, int(log.Requests().Sent-bytesBefore.Sent)/int(max(commits, 1)))
	b.ReportMetric(float64(len(all))/took.Seconds(), "tx/s")
	b.ReportMetric(float64(len(all))/float64(commits), "tx/commit")
	b.ReportMetric(float64(all[len(all)/2])/1e6, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100])/1e6, "ms-p99")
	b.ReportMetric(float64(put)/1e6, "ms-PUT")
	b.ReportMetric(float64(all[len(all)*99/100])/float64(put), "PUTs-p99")
	b.ReportMetric(0, "ns/op")
}

// puts is the median of what a PUT of so many bytes takes.
func puts(b *testing.B, store storage.Store, size int) time.Duration {
	var all []time.Duration
	for i := range 21 {
		from := time.Now()
		if _, err := store.Create(b.Context(), fmt.Sprint("put/", i), storage.Bytes(bytes.Repeat([]byte{byte(i)}, size))); err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(from))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
