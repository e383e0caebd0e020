package hostile

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite/server"
)

const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "

// A bomb is a statement that asks for much more than it is long.
var bombs = []struct {
	name, sql string
	code      string // how it ends; "" when it may as well do what it says
}{
	{"count for ever", endless + "SELECT count(*) FROM n", "SQLITE_INTERRUPT"},
	{"rows without end", endless + "SELECT i, randomblob(100) FROM n", "RESPONSE_TOO_LARGE"},
	{"a distinct set without end", "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i+1 FROM n) SELECT count(*) FROM n", "SQLITE_INTERRUPT"},
	{"a sort without end", endless + "SELECT i FROM n ORDER BY -i", "SQLITE_INTERRUPT"},
	{"a group for each number", endless + "SELECT i, count(*) FROM n GROUP BY i % 1e9 ORDER BY 2", "SQLITE_INTERRUPT"},
	{"a window over all", endless + "SELECT sum(i) OVER (ORDER BY i DESC) FROM n", "SQLITE_INTERRUPT"},
	{"randomblob", "SELECT randomblob(1000000000)", "SQLITE_TOOBIG"},
	{"zeroblob", "SELECT zeroblob(2147483647)", "SQLITE_TOOBIG"},
	{"hex of hex", "SELECT hex(hex(hex(zeroblob(20000000))))", "SQLITE_TOOBIG"},
	{"replace", "SELECT replace(hex(zeroblob(1000000)), '0', hex(zeroblob(1000)))", "SQLITE_TOOBIG"},
	{"printf", "SELECT printf('%.*c', 2000000000, 'x')", "SQLITE_TOOBIG"},
	{"printf, wide", "SELECT printf('%2000000000d', 1)", "SQLITE_TOOBIG"},
	{"group_concat", endless + "SELECT group_concat(hex(zeroblob(10000))) FROM n", "SQLITE_INTERRUPT"},
	{"json_group_array", endless + "SELECT json_group_array(i) FROM n", "SQLITE_INTERRUPT"},
	{"json, deep", "SELECT json(printf('%.*c', 100000, '['))", "SQLITE_ERROR"},
	{"json, as a tree", endless + "SELECT count(*) FROM n, json_tree('[' || printf('%.*c', 1, '1') || ']')", "SQLITE_INTERRUPT"},
	{"like", "SELECT count(*) FROM (" + endless + "SELECT hex(zeroblob(100000)) || i AS h FROM n) WHERE h LIKE '%" + strings.Repeat("0", 400) + "1'", "SQLITE_INTERRUPT"},
	{"glob", "SELECT hex(zeroblob(1000000)) GLOB '*" + strings.Repeat("0", 400) + "1'", ""},
	{"a long pattern", "SELECT 'x' LIKE hex(zeroblob(300))", "SQLITE_ERROR"},
	{"instr", "SELECT instr(hex(zeroblob(30000000)), hex(zeroblob(15000000)) || '1')", ""},
	{"replace in vain", "SELECT length(replace(hex(zeroblob(20000000)), hex(zeroblob(10000000)) || '1', 'x'))", ""},
	{"trim", "SELECT trim(hex(zeroblob(10000000)), replace(hex(zeroblob(1000)), '0', 'abcdefgh') || '0')", "SQLITE_ERROR"},
	{"json_patch", "WITH a(j) AS (SELECT json_group_object('a' || i, 0) FROM m), b(j) AS (SELECT json_group_object('b' || i, 0) FROM m), " +
		"m(i) AS (SELECT a.id * 1000 + b.id FROM work a, work b LIMIT 100000) SELECT length(json_patch(a.j, b.j)) FROM a, b", "SQLITE_ERROR"},
	{"wide and heavy rows", "SELECT " + strings.TrimSuffix(strings.Repeat("randomblob(20000000),", 1000), ","), "SQLITE_NOMEM"},
	{"heavy rows, kept", "SELECT count(*) FROM (" + endless + "SELECT zeroblob(60000000) || i AS b FROM n ORDER BY b)", ""},
	{"concatenation", "WITH RECURSIVE n(s) AS (SELECT 'xxxxxxxxxx' UNION ALL SELECT s || s FROM n) SELECT length(s) FROM n", "SQLITE_TOOBIG"},
	{"a product of tables", "SELECT count(*) FROM work a, work b, work c, work d, work e", "SQLITE_INTERRUPT"},
	{"deep parentheses", "SELECT " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000), "SQLITE_ERROR"},
	{"deep NOTs", "SELECT " + strings.Repeat("NOT ", 300_000) + "1", "SQLITE_ERROR"},
	{"deep functions", "SELECT " + strings.Repeat("abs(", 5000) + "1" + strings.Repeat(")", 5000), "SQLITE_ERROR"},
	{"deep queries", strings.Repeat("SELECT * FROM (", 5000) + "SELECT 1" + strings.Repeat(")", 5000), "SQLITE_ERROR"},
	{"a long sum", "SELECT 1" + strings.Repeat("+1", 200_000), "SQLITE_ERROR"},
	{"a long OR", "SELECT * FROM work WHERE id = 1" + strings.Repeat(" OR id = 1", 100_000), "SQLITE_ERROR"},
	{"a long IN", "SELECT count(*) FROM work WHERE id IN (1" + strings.Repeat(",2", 500_000) + ")", ""},
	{"many columns", "SELECT 1" + strings.Repeat(",1", 100_000), "SQLITE_ERROR"},
	{"many terms", "SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", 50_000), "SQLITE_ERROR"},
	{"many rows of values", "SELECT count(*) FROM (VALUES (1)" + strings.Repeat(",(1)", 500_000) + ")", ""},
	{"many joins", "SELECT count(*) FROM work" + strings.Repeat(" JOIN work USING (id)", 63), ""},
	{"many parameters", "SELECT 1 WHERE ?100000 IS NULL", "SQL_INPUT_ERROR"},
	{"a megabyte of a literal", "SELECT length('" + strings.Repeat("x", 1<<20) + "')", ""},
	{"a megabyte of a comment", "SELECT 1 /* " + strings.Repeat("x", 1<<20) + " */", ""},
	{"nine megabytes", "SELECT length('" + strings.Repeat("x", 9<<20) + "')", "SQLITE_TOOBIG"},
	{"a plan that explodes", "WITH a AS (SELECT 1 AS x UNION ALL SELECT 1), " + doubling(30) + " SELECT count(*) FROM t30", "SQLITE_ERROR"},
	{"a check in a loop", endless + "SELECT count(*) FROM n, pragma_integrity_check", "SQLITE_INTERRUPT"},
}

// doubling is a chain of n tables each of which is twice the one before.
func doubling(n int) string {
	parts := []string{"t0 AS (SELECT x FROM a)"}
	for i := 1; i <= n; i++ {
		parts = append(parts, fmt.Sprintf("t%d AS (SELECT p.x FROM t%d p, t%d q)", i, i-1, i-1))
	}
	return strings.Join(parts, ", ")
}

// Statements that would take all the memory or all the time there is are ended with
// a code that says so, and nobody else is hurt.
func TestBombs(t *testing.T) {
	t.Parallel() // they are the longest of all, and one at a time
	x := begin(t, setting{Server: server.Options{SQLMemory: 256 << 20, Limits: server.Limits{Time: 500 * time.Millisecond}}})
	x.reads()
	x.writes()
	c := x.client()
	defer c.close()
	for _, b := range bombs {
		from := time.Now()
		_, err := c.query(b.sql)
		took := time.Since(from)
		var e *apiError
		switch {
		case err != nil && !errors.As(err, &e):
			t.Fatalf("%s: %v", b.name, err)
		case e != nil && e.Code == "SQLITE_INTERRUPT" && took >= time.Second/2: // a slow machine: the other limit was reached first
		case b.code != "" && (e == nil || e.Code != b.code):
			t.Errorf("%s: %.200v, want %s", b.name, err, b.code)
		case took > x.stretched(5*time.Second):
			t.Errorf("%s: it took %v", b.name, took)
		}
	}
	x.end(bounds{memory: 600})
}

// Statements that sort and compare without end fill no disk, and others write on.
func TestTempFiles(t *testing.T) {
	t.Parallel()
	const most = 50 << 20
	x := begin(t, setting{Server: server.Options{TempSpace: most, Limits: server.Limits{Time: 5 * time.Second}}})
	x.reads()
	x.writes()
	var all sync.WaitGroup
	for _, sql := range []string{
		"SELECT count(*) FROM (" + endless + "SELECT DISTINCT randomblob(2000) FROM n)",
		endless + "SELECT i, zeroblob(2000) || i AS b FROM n ORDER BY b",
		"INSERT INTO work (body) SELECT b FROM (" + endless + "SELECT zeroblob(1000) || i AS b FROM n) ORDER BY b",
	} {
		all.Go(func() {
			c := x.client()
			defer c.close()
			for range size(5) {
				if code := codeOf(c.query(sql)); code != "SQLITE_FULL" && code != "SQLITE_INTERRUPT" {
					t.Errorf("%.60s: it ended with %q", sql, code)
				}
			}
		})
	}
	all.Wait()
	x.end(bounds{memory: 300, p99: 2 * time.Second, requests: 3}) // a write waits for the one that sorts
}

// Queries that never end, many at a time, get no more than their share: others read
// and write meanwhile.
func TestEndlessReaders(t *testing.T) {
	x := begin(t, setting{Server: server.Options{Limits: server.Limits{Time: time.Second}}})
	x.reads()
	x.writes()
	var all sync.WaitGroup
	for range size(50) {
		all.Go(func() {
			c := x.client()
			defer c.close()
			for range 3 {
				if code := codeOf(c.query(endless + "SELECT count(*) FROM n")); code != "SQLITE_INTERRUPT" && code != "SERVER_BUSY" {
					t.Errorf("it ended with %s", code)
				}
			}
		})
	}
	all.Wait()
	x.end(bounds{memory: 400})
}

// Statements that write without end keep other writers waiting for no longer than they
// may run, and hurt neither readers nor other databases.
func TestEndlessWriters(t *testing.T) {
	t.Parallel()
	const most = 80 * time.Millisecond // three of them, each interrupted a tenth of a second later
	x := begin(t, setting{Server: server.Options{Limits: server.Limits{Time: most}}})
	x.reads()
	x.writes()
	if _, err := x.client().query("CREATE TABLE big (a)"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, sql := range []string{
		endless + "INSERT INTO big SELECT i FROM n",
		"UPDATE work SET body = body WHERE (" + endless + "SELECT count(*) FROM n) > 0",
	} {
		all.Go(func() {
			c := x.client()
			defer c.close()
			for range size(10) {
				if code := codeOf(c.query(sql)); code != "SQLITE_INTERRUPT" {
					t.Errorf("%.40s: it ended with %s", sql, code)
				}
			}
		})
	}
	// The same inside of a transaction, as a batch and step by step.
	all.Go(func() {
		p := &pipe{c: x.client()}
		defer p.c.close()
		for range size(5) {
			results, err := p.do(batch("BEGIN", endless+"INSERT INTO big SELECT i FROM n", "COMMIT"), execute("BEGIN"), execute(endless+"INSERT INTO big SELECT i FROM n"), execute("ROLLBACK"))
			if err != nil || results[2].Error == nil {
				t.Errorf("%v, %v", results, err)
			}
		}
	})
	all.Wait()
	if n, err := x.client().query("SELECT count(*) FROM big"); n != "[[0]]" || err != nil {
		t.Errorf("%s rows are left, %v", n, err)
	}
	x.end(bounds{memory: 400, requests: 5})
}

// codeOf returns the code of an error that the server has told, "" for none.
func codeOf(_ string, err error) string {
	var e *apiError
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
