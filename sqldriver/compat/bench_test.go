package compat

import (
	"database/sql"
	"path/filepath"
	"runtime"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// BenchmarkGORM is 64 goroutines that each create a row in a transaction, durable
// when it returns (synchronous = FULL), on Nearlite and on mattn/go-sqlite3 as
// people set it up: WAL and a busy timeout, with GORM's pool as it is or held to
// one connection. The result to compare is rows/s.
func BenchmarkGORM(b *testing.B) {
	const wal = "?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=60000&_foreign_keys=on"
	for _, peer := range []struct {
		name, driver, options string
		connections           int
	}{
		{"nearlite", "nearlite", "", 0},
		{"mattn", "sqlite3", wal, 0},
		{"mattn-one-connection", "sqlite3", wal, 1},
	} {
		b.Run(peer.name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "bench.db")
			pool, err := sql.Open(peer.driver, "file:"+path+peer.options)
			if err != nil {
				b.Fatal(err)
			}
			defer pool.Close()
			pool.SetMaxOpenConns(peer.connections)
			pool.SetMaxIdleConns(64)
			createOwners(b, pool)
		})
	}
}

// createOwners measures one pool.
func createOwners(b *testing.B, pool *sql.DB) {
	const goroutines = 64
	db, err := gorm.Open(sqlite.Dialector{Conn: pool}, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		b.Fatal(err)
	}
	type Event struct {
		gorm.Model
		Kind string
		Size int
	}
	if err := db.AutoMigrate(&Event{}); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism((goroutines + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := db.Transaction(func(tx *gorm.DB) error {
				return tx.Create(&Event{Kind: "created", Size: 1}).Error
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	var n int64
	if err := db.Model(&Event{}).Count(&n).Error; err != nil || n != int64(b.N) {
		b.Errorf("%d of %d rows are there, %v", n, b.N, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
