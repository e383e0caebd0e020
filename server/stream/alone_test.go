package stream

import (
	"strings"
	"testing"

	"github.com/nearlite/nearlite/hrana"
)

// Some PRAGMAs act when they are prepared, behind EXPLAIN and for a describe request
// as well, and some of those for the whole process: no client may, also not on the
// connection that a stream without foreign keys has to itself.
func TestPragmasOfTheProcess(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{}, "create table t(x)", "pragma foreign_keys = off", "begin", "insert into t values (1)")
	was := do(t, s, "pragma soft_heap_limit")
	for _, sql := range []string{
		"explain pragma soft_heap_limit = 9876543210", "explain query plan pragma soft_heap_limit(9876543210)",
		"explain pragma temp_store_directory = '/nowhere'", "explain pragma temp_store_directory = ''", "explain pragma synchronous = off",
	} {
		if got := try(s, sql); !strings.HasPrefix(got, "SQLITE_AUTH") {
			t.Errorf("%s: %s", sql, got)
		}
		if _, herr := s.Do(bg, &hrana.Request{Kind: hrana.Describe, SQL: &sql}); codeOf(herr) != "SQLITE_AUTH" {
			t.Errorf("describe %s: %v", sql, herr)
		}
	}
	if got := do(t, s, "pragma soft_heap_limit"); got != was {
		t.Errorf("the limit of the process was %s and is %s", was, got)
	}
	for sql, want := range map[string]string{"pragma user_version = 7": "", "pragma user_version": "7", "pragma table_info(t)": "0,x,,0,NULL,0", "pragma busy_timeout = 5": "5"} {
		if sql == "pragma user_version" {
			do(t, s, "pragma user_version = 7")
		}
		if got := try(s, sql); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
	do(t, s, "commit")
	do(t, s, "vacuum")
	do(t, s, "pragma optimize")
}

// What SQLite says of a statement on the stream's own connection is remembered for
// all streams, so it says the same there.
func TestAsksOnOwnConnection(t *testing.T) {
	t.Parallel()
	classes := NewClasses()
	s, db := open(t, Options{Classes: classes}, "create table t(x)", "pragma foreign_keys = off", "begin", "insert into t values (1), (2), (3)")
	const sql = "select changes(), last_insert_rowid(), total_changes()"
	if got := do(t, s, sql); got != "3,3,3" {
		t.Errorf("without foreign keys: %s", got)
	}
	do(t, s, "commit")
	other := New(db, Options{Classes: classes})
	defer other.Close()
	do(t, other, "insert into t values (4), (5)")
	if got := do(t, other, sql); got != "2,5,2" {
		t.Errorf("on another stream: %s", got)
	}
}

// A write that has returned more than may be has not happened.
func TestTooLargeReturning(t *testing.T) {
	t.Parallel()
	const three = "insert into t select value from (select 1 as value union all select 2 union all select 3) returning x"
	for name, test := range map[string]struct {
		before []string
		want   string
	}{
		"alone":                                  {nil, "1"},
		"in a transaction":                       {[]string{"begin", "insert into t values (0)"}, "1"},
		"in one that has read":                   {[]string{"begin", "select * from t"}, "1"},
		"without foreign keys":                   {[]string{"pragma foreign_keys = off"}, "1"},
		"without foreign keys, in a transaction": {[]string{"pragma foreign_keys = off", "begin", "insert into t values (0)"}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, db := open(t, Options{MaxRows: 2}, append([]string{"create table t(x)", "insert into t values (9)"}, test.before...)...)
			if got := try(s, three); !strings.HasPrefix(got, "RESPONSE_TOO_LARGE") {
				t.Error(got)
			}
			try(s, "commit")
			other := New(db, Options{})
			defer other.Close()
			if got := do(t, other, "select count(*) from t"); got != test.want {
				t.Errorf("%s rows, want %s", got, test.want)
			}
		})
	}
	s, _ := open(t, Options{MaxRows: 2}, "create table t(x)", "insert into t values (1), (2), (3)", "begin", "delete from t where x = 3")
	if got := try(s, "select * from t, t as u"); !strings.HasPrefix(got, "RESPONSE_TOO_LARGE") {
		t.Error(got)
	}
	do(t, s, "commit") // a query has done nothing that would have to be undone
}

// Without foreign keys a statement alone is what it is with them.
func TestAloneWithoutKeys(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{}, "create table t(x unique)", "pragma foreign_keys = off")
	for _, c := range []struct{ sql, want string }{
		{"insert into t values (1)", "~1#1"},
		{"insert or fail into t values (2), (1), (3)", "SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: t.x"},
		{"insert into t values (4), (1)", "SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: t.x"},
		{"insert or rollback into t values (5), (1)", "SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: t.x"},
		{"select group_concat(x) from t", "1,2"},
	} {
		if got := try(s, c.sql); got != c.want {
			t.Errorf("%s: got %s, want %s", c.sql, got, c.want)
		}
	}
}
