package stream

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/sqlite"
)

const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c"

// What asks for too much ends with an error, and the stream goes on.
func TestBombs(t *testing.T) {
	t.Parallel()
	opts := Options{MaxRows: 1000, MaxBytes: 100_000, StatementTimeout: 50 * time.Millisecond}
	tests := map[string]struct {
		sql, want string
		batch     bool // inside a client's transaction as well
	}{
		"rows without end":       {endless, "RESPONSE_TOO_LARGE", true},
		"large rows":             {endless + " where length(randomblob(1000)) > 0 limit 1 offset 0", "", false},
		"many bytes":             {"with recursive c(x) as (select 1 union all select x + 1 from c) select hex(zeroblob(10000)) from c", "RESPONSE_TOO_LARGE", true},
		"time without end":       {"select count(*) from (" + endless + ")", "SQLITE_INTERRUPT", true},
		"a write without end":    {"insert into t " + endless + " where x < 0", "SQLITE_INTERRUPT", true},
		"a large value":          {"select randomblob(1000000000)", "SQLITE_TOOBIG", true},
		"a large zero":           {"select zeroblob(2000000000)", "SQLITE_TOOBIG", true},
		"a large stored value":   {"insert into t values (zeroblob(900000000))", "SQLITE_TOOBIG", true},
		"returned":               {"insert into t select x from (" + endless + " limit 2000) returning x", "RESPONSE_TOO_LARGE", true},
		"a value over the bytes": {"select hex(zeroblob(100000))", "RESPONSE_TOO_LARGE", true},
		"long":                   {"select '" + strings.Repeat("x", 200_000) + "'", "SQLITE_TOOBIG", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := hardened(t, opts)
			fits := func(how, code string) {
				if test.want == "" && code != "" || !strings.HasPrefix(code, test.want) {
					t.Errorf("%s: got %q, want %q", how, code, test.want)
				}
				if got := do(t, s, "select count(*) from t"); got != "1" {
					t.Errorf("%s: %s rows", how, got)
				}
			}
			_, herr := s.Do(bg, &hrana.Request{Kind: hrana.Execute, Stmt: stmt(test.sql)})
			fits("alone", codeOf(herr))
			if !test.batch {
				return
			}
			do(t, s, "begin")
			do(t, s, "select * from t")
			_, herr = s.Do(bg, &hrana.Request{Kind: hrana.Execute, Stmt: stmt(test.sql)})
			try(s, "rollback") // it may have been rolled back
			fits("interactively", codeOf(herr))
			res, herr := s.Do(bg, &hrana.Request{Kind: hrana.RunBatch, Batch: wrapped("BEGIN IMMEDIATE", "insert into t values (2)", test.sql)})
			if herr == nil {
				herr = res.Batch.StepErrors[2]
			}
			fits("in a batch", codeOf(herr))
			if got := tryBatch(s, wrapped("BEGIN TRANSACTION READONLY", "select * from t")); got != "|1||-" {
				t.Errorf("afterwards: %s", got)
			}
		})
	}
}

// hardened returns a stream on a database whose connections have limits, as those
// of the catalog do.
func hardened(t *testing.T, opts Options) *Stream {
	t.Helper()
	db, err := nearlite.Open(bg, filepath.Join(t.TempDir(), "app.db"), &nearlite.Options{OnConnect: func(c *sqlite.Conn) error {
		c.Limit(sqlite.LimitLength, 500_000)
		c.Limit(sqlite.LimitSQLLength, 100_000)
		return c.CreateFunction("panics", sqlite.FuncOptions{}, func([]sqlite.Value) (any, error) { panic("at the disco") })
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := New(db, opts)
	t.Cleanup(s.Close)
	do(t, s, "create table t(x)")
	do(t, s, "insert into t values (1)")
	return s
}

// A panic, wherever it comes from, is an error of the statement.
func TestPanics(t *testing.T) {
	t.Parallel()
	s := hardened(t, Options{})
	for _, sql := range []string{"select panics()", "insert into t values (panics())"} {
		if got := try(s, sql); !strings.Contains(got, "disco") {
			t.Errorf("%s: %s", sql, got)
		}
	}
	panicking := false
	s.opts.OnStatement = func(Ran) {
		if panicking {
			panic("in the log")
		}
	}
	do(t, s, "begin")
	do(t, s, "insert into t values (2)")
	panicking = true
	if got := try(s, "select 1"); !strings.HasPrefix(got, CodeInternal) {
		t.Error(got)
	}
	if _, herr := s.Do(bg, &hrana.Request{Kind: hrana.RunBatch, Batch: wrapped("BEGIN", "insert into t values (3)")}); codeOf(herr) != CodeInternal {
		t.Error(herr)
	}
	do2 := func(f func()) {
		panicking = true
		f()
		panicking = false
	}
	do2(func() { try(s, "pragma foreign_keys = off") })
	s.keysOff = true
	if got := try(s, "begin"); got != "" {
		t.Error(got)
	}
	err := s.tx.(*detached).do(bg, func(*own) error { panic("in the detached") })
	if err == nil || !strings.Contains(err.Error(), "detached") {
		t.Error(err)
	}
	s.end()
	s.keysOff = false
	if got := do(t, s, "select count(*) from t"); got != "2" { // the batch had been committed
		t.Errorf("%s rows", got)
	}
}

// The leases of open transactions, and what is told of their ends.
func TestLeases(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"writing": "begin immediate", "reading": "begin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := nearlite.Open(bg, filepath.Join(t.TempDir(), "app.db"), &nearlite.Options{LeaseIdle: 30 * time.Millisecond, MaxSnapshotAge: 30 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			s := New(db, Options{})
			defer s.Close()
			do(t, s, "create table t(x)")
			do(t, s, begin)
			if name == "writing" {
				do(t, s, "insert into t values (1)")
			} else {
				do(t, s, "select * from t")
			}
			if s.Idle() {
				t.Error("idle inside of a transaction")
			}
			// A lease ends by itself; a snapshot is found to be gone by who reads it.
			for from := time.Now(); s.Err() == nil && time.Since(from) < 10*time.Second && (name == "writing" || db.Stats().ExpiredSnapshot == 0); {
				time.Sleep(time.Millisecond)
			}
			want := "TRANSACTION_TIMEOUT: Transaction timed out"
			if got := tryBatch(s, steps("select * from t", "insert into t values (2)", "commit")); got != strings.Repeat("!TRANSACTION_TIMEOUT|", 2)+"!TRANSACTION_TIMEOUT" {
				t.Errorf("got %s, want %s for each step", got, want)
			}
			if !s.Idle() {
				t.Error("not idle after the lease")
			}
			if got := do(t, s, "select count(*) from t"); got != "0" {
				t.Errorf("%s rows", got)
			}
		})
	}
}

// Others are told that a transaction's reads are not true any more.
func TestConflict(t *testing.T) {
	t.Parallel()
	a, db := open(t, Options{}, "create table t(x)", "insert into t values (1)")
	b := New(db, Options{})
	defer b.Close()
	do(t, a, "begin")
	do(t, a, "select x from t")
	do(t, b, "update t set x = 2")
	if got := try(a, "update t set x = x + 1"); !strings.HasPrefix(got, "SQLITE_BUSY: ") {
		t.Error(got)
	}
	if got := try(a, "commit"); got != "SQLITE_UNKNOWN: SQLite error: cannot commit - no transaction is active" {
		t.Error(got)
	}
	if got := do(t, a, "select x from t"); got != "2" {
		t.Error(got)
	}
}

// A context that ends interrupts what runs, and nothing after it.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{}, "create table t(x)")
	for _, begin := range []string{"", "begin", "begin immediate", "begin transaction readonly"} {
		if begin != "" {
			do(t, s, begin)
			do(t, s, "select * from t")
		}
		ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
		_, herr := s.Do(ctx, &hrana.Request{Kind: hrana.Execute, Stmt: stmt("select count(*) from (" + endless + ")")})
		cancel()
		if codeOf(herr) != "SQLITE_INTERRUPT" {
			t.Errorf("%q: %v", begin, herr)
		}
		_, herr = s.Do(ctx, &hrana.Request{Kind: hrana.RunBatch, Batch: steps("select 1", "select 2")})
		if codeOf(herr) != "SQLITE_INTERRUPT" {
			t.Errorf("%q: %v", begin, herr)
		}
		if begin == "begin" || begin == "begin immediate" {
			do(t, s, "insert into t values (1)")
			do(t, s, "commit")
		}
		s.Do(bg, &hrana.Request{Kind: hrana.Execute, Stmt: stmt("rollback")})
		do(t, s, "select * from t")
	}
	if got := do(t, s, "select count(*) from t"); got != "2" {
		t.Error(got)
	}
}

// Close rolls back, and later requests are told so.
func TestClose(t *testing.T) {
	t.Parallel()
	s, db := open(t, Options{}, "create table t(x)")
	other := New(db, Options{})
	defer other.Close()
	do(t, s, "begin immediate")
	do(t, s, "insert into t values (1)")
	s.Close()
	if got := try(s, "select 1"); got != CodeClosed+": the stream was closed" {
		t.Error(got)
	}
	if got := do(t, other, "select count(*) from t"); got != "0" {
		t.Error(got)
	}
	if err := s.Cursor(bg, steps("select 1"), func(e *hrana.CursorEntry) error {
		if e.Kind != hrana.BatchError {
			t.Errorf("entry %+v", e)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// What a token for reading may not do, it cannot by any way.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	w, db := open(t, Options{}, "create table t(x)", "insert into t values (1)")
	s := New(db, Options{ReadOnly: true})
	defer s.Close()
	for _, sql := range []string{"insert into t values (2)", "create table u(x)", "with a as (select 1) delete from t", "pragma user_version = 7",
		"vacuum", "pragma optimize", "drop table t", "explain delete from t", "reindex"} {
		if got := try(s, sql); !strings.HasPrefix(got, CodeForbidden) {
			t.Errorf("%s: %s", sql, got)
		}
		if _, herr := s.Do(bg, &hrana.Request{Kind: hrana.RunBatch, Batch: wrapped("BEGIN IMMEDIATE", sql)}); codeOf(herr) != CodeForbidden {
			t.Errorf("%s in a batch: %v", sql, herr)
		}
		if _, herr := s.Do(bg, &hrana.Request{Kind: hrana.Sequence, SQL: &sql}); codeOf(herr) != CodeForbidden {
			t.Errorf("%s in a sequence: %v", sql, herr)
		}
	}
	for _, sql := range []string{"pragma foreign_keys = off", "begin immediate", "select * from t", "savepoint a", "release a", "commit",
		"pragma table_info(t)", "pragma journal_mode", "explain query plan select * from t"} {
		if got := try(s, sql); strings.Contains(got, "SQL") || strings.Contains(got, CodeForbidden) {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if got := tryBatch(s, wrapped("BEGIN IMMEDIATE", "select * from t")); got != "|1||-" {
		t.Error(got)
	}
	if got := do(t, w, "select count(*) from t"); got != "1" {
		t.Error(got)
	}
}

// Blocked databases say why.
func TestBlocked(t *testing.T) {
	t.Parallel()
	_, db := open(t, Options{}, "create table t(x)")
	reads, writes := New(db, Options{BlockReads: true, BlockReason: "moving house"}), New(db, Options{BlockWrites: true})
	defer reads.Close()
	defer writes.Close()
	for _, c := range []struct {
		s         *Stream
		sql, want string
	}{
		{reads, "select 1", "BLOCKED: Operation was blocked: moving house"},
		{reads, "insert into t values (1)", "BLOCKED: Operation was blocked: moving house"},
		{writes, "select count(*) from t", "0"},
		{writes, "insert into t values (1)", "BLOCKED: Operation was blocked"},
		{writes, "vacuum", "BLOCKED: Operation was blocked"},
		{writes, "begin", ""},
		{writes, "commit", ""},
	} {
		if got := try(c.s, c.sql); got != c.want {
			t.Errorf("%s: got %s, want %s", c.sql, got, c.want)
		}
	}
}

// Stored texts, and their limits.
func TestStore(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{})
	store := func(id int32, sql string) string {
		_, herr := s.Do(bg, &hrana.Request{Kind: hrana.StoreSQL, SQLID: &id, SQL: &sql})
		return codeOf(herr)
	}
	if got := store(1, "select 7"); got != "" {
		t.Error(got)
	}
	if got := store(1, "select 8"); got != CodeProtocol {
		t.Error(got)
	}
	if got := store(2, strings.Repeat("x", 5001)); got != "SQL_STORE_TOO_LARGE" {
		t.Error(got)
	}
	id := int32(1)
	run := func() string {
		res, herr := s.Do(bg, &hrana.Request{Kind: hrana.Execute, Stmt: &hrana.Stmt{SQLID: &id}})
		if herr != nil {
			return herr.Code
		}
		return line(res.Result)
	}
	if got := run(); got != "7" {
		t.Error(got)
	}
	for i := range int32(49) {
		if got := store(i+10, "select 1"); got != "" {
			t.Error(i, got)
		}
	}
	if got := store(100, "select 1"); got != "SQL_STORE_TOO_MANY" {
		t.Error(got)
	}
	again := New(s.db, Options{})
	again.Restore(s.Stored())
	s = again
	if got := run(); got != "7" {
		t.Errorf("restored: %s", got)
	}
	if _, herr := s.Do(bg, &hrana.Request{Kind: hrana.CloseSQL, SQLID: &id}); herr != nil {
		t.Error(herr)
	}
	if got := run(); got != CodeProtocol {
		t.Error(got)
	}
}

// Streams of one database at the same time, for the race detector: all kinds of
// requests, and counters that come out right.
func TestManyStreams(t *testing.T) {
	t.Parallel()
	classes := NewClasses()
	_, db := open(t, Options{}, "create table t(id integer primary key, n)", "insert into t values (1, 0), (2, 0), (3, 0)")
	const streams, times = 8, 20
	var all sync.WaitGroup
	for range streams {
		all.Go(func() {
			s := New(db, Options{Classes: classes, StatementTimeout: time.Minute})
			defer s.Close()
			for range times {
				if got := try(s, "update t set n = n + 1 where id = 1"); got != "~1" {
					t.Error(got)
				}
				if got := tryBatch(s, wrapped("BEGIN", "select n from t", "update t set n = n + 1 where id = 2")); strings.Contains(got, "!") {
					t.Error(got)
				}
				for try(s, "begin"); ; try(s, "begin") {
					n := try(s, "select n from t where id = 3")
					got := try(s, "update t set n = ? + 1 where id = 3", n)
					if got == "~1" {
						got = try(s, "commit")
					}
					if got == "" {
						break
					}
					if !strings.HasPrefix(got, "SQLITE_BUSY") {
						t.Error(got)
						break
					}
				}
			}
		})
	}
	all.Wait()
	s := New(db, Options{})
	if got := do(t, s, "select n from t"); got != "160; 160; 160" {
		t.Error(got)
	}
}
