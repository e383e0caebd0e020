package sqlite

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// literals are values of every kind that the replaced functions look at.
func literals(r *rand.Rand) []string {
	all := []string{"NULL", "0", "12.5", "''", "'a'", "'é'", "'aé'", "x''", "x'61'", "x'c3'", "x'a9'", "x'c3a9'", "CAST(x'a961' AS TEXT)",
		"CAST(x'c361c3' AS TEXT)", "CAST(x'610061' AS TEXT)", "'{}'", `'{"a":1,"b":{"c":2}}'`, `'{"b":{"c":null,"d":3}}'`, "'[1,2]'", `jsonb('{"a":{"x":1}}')`, `json('{"a":null}')`, "'nonsense'"}
	for range 40 {
		n := r.IntN(6)
		var b strings.Builder
		for range n {
			b.WriteString([]string{"a", "b", "é", "日", " "}[r.IntN(5)])
		}
		all = append(all, "'"+b.String()+"'")
		if r.IntN(4) == 0 {
			all = append(all, fmt.Sprintf("x'%x'", b.String()))
		}
	}
	return all
}

// What BoundFunctions replaces gives what SQLite's own gives, and of the same type.
func TestBoundFunctions(t *testing.T) {
	t.Parallel()
	own, ours := open(t), open(t)
	if err := ours.BoundFunctions(); err != nil {
		t.Fatal(err)
	}
	values := literals(rand.New(rand.NewPCG(1, 2)))
	ask := func(c *Conn, sql string) string {
		var out []string
		for row, err := range c.Query(sql) {
			if err != nil {
				return err.Error()
			}
			out = append(out, fmt.Sprintf("%d %q", row.Type(0), row.RawBytes(0)), row.Text(1))
		}
		return strings.Join(out, "|")
	}
	check := func(call string) {
		sql := "SELECT " + call + ", json_quote(" + call + ") FROM (SELECT 1)"
		if strings.HasPrefix(call, "jsonb") {
			sql = "SELECT " + call + ", ''"
		}
		if got, want := ask(ours, sql), ask(own, sql); got != want && !strings.Contains(want, "BLOB") {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
	for _, a := range values {
		for _, one := range []string{"trim", "ltrim", "rtrim"} {
			check(one + "(" + a + ")")
		}
		for _, b := range values {
			for _, two := range []string{"instr", "trim", "ltrim", "rtrim", "json_patch", "jsonb_patch"} {
				check(two + "(" + a + ", " + b + ")")
			}
			check("replace(" + a + ", " + b + ", 'xyz')")
			check("replace(" + a + ", " + b + ", '')")
		}
	}
	if sql := `SELECT json_object('a', json_patch('{}', '{"b":1}')), ''`; ask(ours, sql) != ask(own, sql) {
		t.Errorf("%s, want %s", ask(ours, sql), ask(own, sql))
	}
}

// Calls for which SQLite's own functions take hours.
func TestBoundFunctionsAreQuick(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it measures time, and a sanitizer takes a hundred times as much")
	}
	c := open(t)
	if err := c.BoundFunctions(); err != nil {
		t.Fatal(err)
	}
	c.Limit(LimitLength, 64<<20)
	zeros := func(n int) string { return fmt.Sprintf("hex(zeroblob(%d))", n/2) }
	object := func(name string) string {
		return "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 30000) SELECT json_group_object('" + name + "' || i, 0) FROM n)"
	}
	for _, tt := range []struct{ sql, want string }{
		{"SELECT instr(" + zeros(30_000_000) + ", " + zeros(15_000_000) + " || '1')", "0"},
		{"SELECT length(replace(" + zeros(20_000_000) + ", " + zeros(10_000_000) + " || '1', 'x'))", "20000000"},
		{"SELECT length(replace(" + zeros(20_000_000) + ", '0', 'xxxxxxxx'))", "SQLITE_TOOBIG"},
		{"SELECT length(trim(" + zeros(1_000_000) + ", replace(" + zeros(1000) + ", '0', 'abcdefgh') || '0'))", "trim: too many"},
		{"SELECT length(trim(" + zeros(1_000_000) + ", '10'))", "0"},
		{"SELECT length(json_patch(" + object("a") + ", " + object("b") + "))", "too many members"},
		{"SELECT length(jsonb_patch(jsonb(" + object("a") + "), jsonb(" + object("b") + ")))", "too many members"},
	} {
		from := time.Now()
		row := c.QueryRow(tt.sql)
		got := ""
		if err := row.Err(); err != nil {
			got = err.Error() + " " + Code(err).String()
		} else {
			got = row.Text(0)
		}
		if !strings.Contains(got, tt.want) || tt.want == "0" && got != "0" {
			t.Errorf("%.80s: %s, want %s", tt.sql, got, tt.want)
		}
		if took := time.Since(from); took > 10*time.Second {
			t.Errorf("%.80s: it took %v", tt.sql, took)
		}
	}
}
