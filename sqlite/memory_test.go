package sqlite

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

// Not parallel: the bound is of the whole process.
func TestLimitMemory(t *testing.T) {
	before := LargeMemory()
	const bound = 16 << 20
	if err := LimitMemory(before + bound); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = LimitMemory(0) })
	c := open(t)
	for _, tt := range []struct{ name, sql string }{
		{"many large values", "SELECT " + strings.TrimSuffix(strings.Repeat("randomblob(2000000),", 100), ",")},
		{"kept by a sort", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 100) SELECT randomblob(2000000) AS b FROM n ORDER BY b"},
		{"one that grows", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) SELECT length(group_concat(hex(zeroblob(100000)))) FROM n"},
		{"written", "CREATE TABLE big AS SELECT " + strings.TrimSuffix(strings.Repeat("zeroblob(2000000)||'',", 100), ",")},
	} {
		for _, err := range c.Query(tt.sql) {
			if err == nil {
				continue
			}
			if !errors.Is(err, CodeNoMem) {
				t.Errorf("%s: %v", tt.name, err)
			}
			break
		}
		if left := LargeMemory() - before; left > 2<<20 {
			t.Errorf("%s: %d bytes are still taken", tt.name, left)
		}
		if row := c.QueryRow("SELECT length(hex(zeroblob(1000000)))"); row.Err() != nil || row.Int64(0) != 2_000_000 {
			t.Errorf("%s: what is within the bound: %v", tt.name, row.Err())
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if left := LargeMemory() - before; left != 0 {
		t.Errorf("%d bytes are left when the connection is closed", left)
	}
}

// A large statement is run, and run again, and is not kept; many of middling size
// are kept as long as they fit.
func TestLargeStatements(t *testing.T) {
	t.Parallel()
	c := open(t)
	large := "SELECT length('" + strings.Repeat("x", largeText) + "')"
	for range 3 {
		rows, err := c.Prepare(large)
		if err != nil {
			t.Fatal(err)
		}
		other, err := c.Prepare("SELECT 1") // before the first one runs
		if err != nil {
			t.Fatal(err)
		}
		if n := rows.QueryRow().Int64(0) + other.QueryRow().Int64(0); n != largeText+1 {
			t.Error(n)
		}
	}
	if c.Prepared(large) != nil {
		t.Error("the large statement is kept")
	}
	for i := range 2 * cachedText / 10_000 {
		if n := c.QueryRow("SELECT " + strconv.Itoa(i) + " + length('" + strings.Repeat("x", 10_000) + "')").Int64(0); n != int64(10_000+i) {
			t.Error(n)
		}
	}
	if c.stmtsText > cachedText || c.stmtsText < cachedText/2 {
		t.Errorf("%d bytes of text are kept", c.stmtsText)
	}
	if len(c.orphans) > 0 || c.large != nil {
		t.Errorf("%d statements are left over, and %v", len(c.orphans), c.large)
	}
}
