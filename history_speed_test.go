package nearlite

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/nearlite/nearlite/wal"
)

// Everything since a position: a thousand pages that changed in a database of a
// gigabyte, from the map and one snapshot.
//
//	go test -run '^$' -bench EverythingSince .
func BenchmarkEverythingSince(b *testing.B) {
	db, err := Open(bg, filepath.Join(b.TempDir(), "since.db"), &Options{PageMap: true, Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	exec(b, db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
	const rows = 262144 // one a page
	for from := 0; from < rows; from += 1 << 14 {
		exec(b, db, "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i+1 FROM n WHERE i < ?1 + 16383) INSERT INTO t SELECT i, randomblob(3000) FROM n", from)
	}
	if err := db.Checkpoint(bg); err != nil {
		b.Fatal(err)
	}
	s := &shipper{db: db, kick: make(chan struct{}, 1), last: Head{TXID: 1}}
	s.running.Store(true)
	if err := s.connect(); err != nil {
		b.Fatal(err)
	}
	defer s.conn.Close()
	since := db.Position().Change
	for i := range 1000 {
		exec(b, db, fmt.Sprintf("UPDATE t SET b = randomblob(3000) WHERE a = %d", i*(rows/1000)))
	}
	s.change = since
	b.ResetTimer()
	for b.Loop() {
		snap, err := s.snapshot()
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		if err := snap.Read(s.changed(snap), func(wal.Page) error { n++; return nil }); err != nil || n < 1000 || n > 1100 {
			b.Fatal(n, err)
		}
		s.conn.DropSnapshot()
	}
}
