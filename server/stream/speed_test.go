package stream

import (
	"fmt"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
)

func filled(b *testing.B) (*Stream, *nearlite.DB) {
	s, db := open(b, Options{}, "create table kv(k integer primary key, v text)",
		"with recursive c(x) as (select 1 union all select x+1 from c where x < 10000) insert into kv select x, hex(randomblob(50)) from c")
	return s, db
}

func request(b *testing.B, s *Stream, req *hrana.Request) *hrana.Response {
	res, herr := s.Do(bg, req)
	if herr != nil {
		b.Fatal(herr)
	}
	return res
}

// BenchmarkRead is an autocommit point read, BenchmarkView what the engine itself
// takes for it.
func BenchmarkRead(b *testing.B) {
	s, _ := filled(b)
	sql := "select v from kv where k = ?"
	arg := []hrana.Value{value(5000)}
	b.ReportAllocs()
	for b.Loop() {
		if res := request(b, s, &hrana.Request{Kind: hrana.Execute, Stmt: &hrana.Stmt{SQL: &sql, Args: arg}}); len(res.Result.Rows) != 1 {
			b.Fatal(res)
		}
	}
}

func BenchmarkView(b *testing.B) {
	_, db := filled(b)
	b.ReportAllocs()
	for b.Loop() {
		err := db.View(bg, func(tx *nearlite.ReadTx) error {
			row := tx.QueryRow("select v from kv where k = ?", 5000)
			if row.Text(0) == "" {
				b.Fatal("nothing")
			}
			return row.Err()
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadRows reads a thousand rows.
func BenchmarkReadRows(b *testing.B) {
	s, _ := filled(b)
	sql := "select k, v from kv where k <= 1000"
	b.ReportAllocs()
	for b.Loop() {
		if res := request(b, s, &hrana.Request{Kind: hrana.Execute, Stmt: &hrana.Stmt{SQL: &sql}}); len(res.Result.Rows) != 1000 {
			b.Fatal(res)
		}
	}
}

// BenchmarkWrite has many streams insert at a time, each autocommitting.
func BenchmarkWrite(b *testing.B) {
	for _, streams := range []int{1, 32, 256} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			_, db := filled(b)
			sql := "insert into kv(v) values (?)"
			arg := []hrana.Value{value("some text that is not that long")}
			b.SetParallelism((streams + 1) / 2)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				s := New(db, Options{})
				for pb.Next() {
					request(b, s, &hrana.Request{Kind: hrana.Execute, Stmt: &hrana.Stmt{SQL: &sql, Args: arg}})
				}
			})
		})
	}
}

// BenchmarkBatch is a client's transaction of a read and two writes in one batch.
func BenchmarkBatch(b *testing.B) {
	for _, streams := range []int{1, 32} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			_, db := filled(b)
			batch := wrapped("BEGIN IMMEDIATE", "select v from kv where k = 7", "update kv set v = 'x' where k = 7", "insert into kv(v) values ('y')")
			b.SetParallelism((streams + 1) / 2)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				s := New(db, Options{})
				for pb.Next() {
					request(b, s, &hrana.Request{Kind: hrana.RunBatch, Batch: batch})
				}
			})
		})
	}
}

// BenchmarkSequence is a script of a thousand statements as one transaction, all of
// them different.
func BenchmarkSequence(b *testing.B) {
	s, _ := filled(b)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		sql := []byte("BEGIN;\n")
		for range 1000 {
			n++
			sql = fmt.Appendf(sql, "INSERT INTO kv(v) VALUES ('the text number %d; of all');\n", n)
		}
		text := string(append(sql, "COMMIT;\n"...))
		request(b, s, &hrana.Request{Kind: hrana.Sequence, SQL: &text})
	}
}
