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
