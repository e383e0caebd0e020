package stream

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/hrana"
)

func ok(step uint32) *hrana.BatchCond { return &hrana.BatchCond{Kind: hrana.CondOK, Step: step} }

func failed(step uint32) *hrana.BatchCond { return &hrana.BatchCond{Kind: hrana.CondError, Step: step} }

func not(c *hrana.BatchCond) *hrana.BatchCond {
	return &hrana.BatchCond{Kind: hrana.CondNot, Conds: []hrana.BatchCond{*c}}
}

func all(kind hrana.CondKind, cs ...*hrana.BatchCond) *hrana.BatchCond {
	c := &hrana.BatchCond{Kind: kind}
	for _, each := range cs {
		c.Conds = append(c.Conds, *each)
	}
	return c
}

var autocommit = &hrana.BatchCond{Kind: hrana.CondIsAutocommit}

// steps makes a batch of texts and the conditions behind them.
func steps(list ...any) *hrana.Batch {
	b := &hrana.Batch{}
	for _, each := range list {
		switch x := each.(type) {
		case string:
			b.Steps = append(b.Steps, hrana.BatchStep{Stmt: *stmt(x)})
		case *hrana.BatchCond:
			b.Steps[len(b.Steps)-1].Condition = x
		}
	}
	return b
}

// wrapped is the batch of a client's transaction: every step wants the one before.
func wrapped(begin string, sqls ...string) *hrana.Batch {
	b := steps(begin)
	for _, sql := range sqls {
		b.Steps = append(b.Steps, hrana.BatchStep{Stmt: *stmt(sql), Condition: ok(uint32(len(b.Steps) - 1))})
	}
	n := uint32(len(b.Steps))
	b.Steps = append(b.Steps, hrana.BatchStep{Stmt: *stmt("COMMIT"), Condition: ok(n - 1)}, hrana.BatchStep{Stmt: *stmt("ROLLBACK"), Condition: not(ok(n))})
	return b
}

// tryBatch returns the outcome of each step, "-" for one that was skipped.
func tryBatch(s *Stream, b *hrana.Batch) string {
	res, herr := s.Do(bg, &hrana.Request{Kind: hrana.RunBatch, Batch: b})
	if herr != nil {
		return herr.Code + ": " + herr.Message
	}
	return outcomes(res.Batch)
}

func outcomes(res *hrana.BatchResult) string {
	out := make([]string, len(res.StepResults))
	for i := range out {
		switch {
		case res.StepErrors[i] != nil:
			out[i] = "!" + res.StepErrors[i].Code
		case res.StepResults[i] == nil:
			out[i] = "-"
		default:
			out[i] = line(res.StepResults[i])
		}
	}
	return strings.Join(out, "|")
}

func TestBatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		batch        *hrana.Batch
		want         string
		rows         string // of t afterwards
		transactions uint64 // the writer has seen
		open         bool   // a transaction stays open
	}{
		"empty":            {batch: steps(), want: "", rows: "1"},
		"each for itself":  {batch: steps("insert into t values (2)", "insert into t values (1)", "insert into t values (3)"), want: "~1#2|!SQLITE_CONSTRAINT|~1#3", rows: "1; 2; 3", transactions: 3},
		"one transaction":  {batch: wrapped("BEGIN IMMEDIATE", "insert into t values (2)", "select count(*) from t", "insert into t values (3)"), want: "|~1#2|2|~1#3||-", rows: "1; 2; 3", transactions: 1},
		"one that fails":   {batch: wrapped("BEGIN", "insert into t values (2)", "insert into t values (1)", "insert into t values (3)"), want: "|~1#2|!SQLITE_CONSTRAINT|-|-|", rows: "1", transactions: 1},
		"one that reads":   {batch: wrapped("BEGIN TRANSACTION READONLY", "select * from t", "insert into t values (2)"), want: "|1|!SQLITE_READONLY|-|", rows: "1"},
		"reads only":       {batch: wrapped("BEGIN", "select * from t", "select 2"), want: "|1|2||-", rows: "1"},
		"a new table":      {batch: wrapped("BEGIN", "create table n(x)", "insert into n values (5)", "select x from n"), want: "||~1#1|5||-", rows: "1", transactions: 1},
		"a failed commit":  {batch: wrapped("BEGIN", "insert into c values (7)"), want: "|~1#1|!SQLITE_CONSTRAINT|", rows: "1", transactions: 1},
		"a lost one":       {batch: steps("BEGIN", "insert into t values (2)", "insert or rollback into t values (1)", "insert into t values (3)", autocommit, "COMMIT"), want: "|~1#2|!SQLITE_CONSTRAINT|~1#2|!SQLITE_UNKNOWN", rows: "1; 3", transactions: 2},
		"savepoints in it": {batch: wrapped("BEGIN", "insert into t values (2)", "savepoint a", "insert into t values (3)", "rollback to a", "release a"), want: "|~1#2||~1#3||||-", rows: "1; 2", transactions: 1},
		"rolled back":      {batch: steps("BEGIN", "insert into t values (2)", "ROLLBACK", "select * from t"), want: "|~1#2||1", rows: "1", transactions: 1},
		"two of them":      {batch: steps("BEGIN", "insert into t values (2)", "COMMIT", "BEGIN", "insert into t values (3)", "END"), want: "|~1#2|||~1#3|", rows: "1; 2; 3", transactions: 2},
		"stays open":       {batch: steps("BEGIN", "insert into t values (2)", "COMMIT", failed(1)), want: "|~1#2|-", rows: "1; 2", transactions: 2, open: true},
		"nested":           {batch: steps("BEGIN", "BEGIN", "insert into t values (2)", "COMMIT"), want: "|!SQLITE_UNKNOWN|~1#2|", rows: "1; 2", transactions: 1},
		"without keys":     {batch: steps("PRAGMA foreign_keys=off", "BEGIN", "insert into c values (7)", "COMMIT", "PRAGMA foreign_keys=on", "select * from c"), want: "||~1#1|||7", rows: "1"},
		"conditions": {batch: steps(
			"select 1", autocommit,
			"select 2", all(hrana.CondAnd),
			"select 3", all(hrana.CondOr),
			"select nope",
			"select 4", failed(3),
			"select 5", not(failed(3)),
			"select 6", all(hrana.CondAnd, ok(0), ok(1), not(ok(2))),
			"select 7", all(hrana.CondOr, ok(5), failed(0)),
			"select 8", not(ok(5)),
			"select 9", failed(5),
		), want: "1|2|-|!SQL_INPUT_ERROR|4|-|6|-|8|-", rows: "1"},
		"a step ahead":        {batch: steps("select 1", failed(0)), want: "PROTOCOL_ERROR: Invalid reference to step in a batch condition", rows: "1"},
		"two statements":      {batch: steps("insert into t values (2)", "select 1; select 2"), want: "SQL_MANY_STATEMENTS: SQL string contains more than one statement", rows: "1"},
		"no statement":        {batch: steps("insert into t values (2)", "selec"), want: "SQL_PARSE_ERROR: SQL string could not be parsed: syntax error around L1:6: `selec`", rows: "1"},
		"unsupported":         {batch: steps("insert into t values (2)", "pragma cache_size = 4"), want: "SQL_PARSE_ERROR: SQL string could not be parsed: unsupported statement: pragma cache_size = 4 (the setting would be that of one connection, and the server has its own)", rows: "1"},
		"last_insert_rowid()": {batch: wrapped("BEGIN", "insert into t values (5)", "insert into u values (last_insert_rowid())", "select * from u"), want: "|~1#2|~1#1|2||-", rows: "1; 5", transactions: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, db := open(t, Options{}, "create table t(x unique)", "insert into t values (1)", "create table u(x)",
				"create table p(id integer primary key)", "create table c(r references p(id) deferrable initially deferred)")
			s := New(db, Options{})
			defer s.Close()
			s.rowID = 1
			before := db.Stats().Transactions
			if got := tryBatch(s, test.batch); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := s.Idle(); got == test.open {
				t.Errorf("idle is %t", got)
			}
			if test.open {
				do(t, s, "commit")
			}
			if got := db.Stats().Transactions - before; got != test.transactions {
				t.Errorf("%d transactions, want %d", got, test.transactions)
			}
			if got := do(t, s, "select * from t"); got != test.rows {
				t.Errorf("t holds %s, want %s", got, test.rows)
			}
		})
	}
}

func TestSequence(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ sql, want, rows string }{
		"nothing":         {" ; -- x", "", "1"},
		"two":             {"insert into t values (2); insert into t values (3);", "", "1; 2; 3"},
		"one fails":       {"insert into t values (2); insert into nope values (3); insert into t values (4)", "SQLITE_UNKNOWN", "1; 2"},
		"no statement":    {"insert into t values (2); selec 2; insert into t values (4)", "SQL_PARSE_ERROR", "1"},
		"arguments":       {"select ?", "ARGS_INVALID", "1"},
		"one transaction": {"begin; insert into t values (2); create table n(x); insert into n values ('a;b'); commit", "", "1; 2"},
		"a trigger": {`create trigger a after insert on t begin insert into u values (new.x); delete from u where x = 7; end;
			insert into t values (2)`, "", "1; 2"},
		"not ended": {"begin; insert into t values (2)", "", "1; 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t, Options{}, "create table t(x unique)", "insert into t values (1)", "create table u(x)")
			_, herr := s.Do(bg, &hrana.Request{Kind: hrana.Sequence, SQL: &test.sql})
			if code := codeOf(herr); code != test.want {
				t.Errorf("got %v, want %s", herr, test.want)
			}
			if got := do(t, s, "select * from t"); got != test.rows {
				t.Errorf("t holds %s, want %s", got, test.rows)
			}
		})
	}
}

func codeOf(herr *hrana.Error) string {
	if herr == nil {
		return ""
	}
	return herr.Code
}

func TestCursor(t *testing.T) {
	t.Parallel()
	many := "with recursive c(x) as (select 1 union all select x+1 from c where x < 5000) select x, hex(zeroblob(100)) from c"
	tests := map[string]struct {
		batch *hrana.Batch
		want  string
	}{
		"entries": {steps("select 1 as a", "insert into t values (1)", "select 3", ok(1), "select 4 as b, 5", "insert into t values (10)", "select 6 where 0"),
			"begin0[a] row step end | error1 SQLITE_CONSTRAINT | begin3[b 5] row end | begin4[] end ~1#2 | begin5[6] end"},
		"a transaction": {wrapped("BEGIN", "insert into t values (2)", "select x from t"),
			"begin0[] end | begin1[] end ~1#2 | begin2[x] row row end | begin3[] end"},
		"many rows":  {steps(many, "select 1"), "begin0[x hex(zeroblob(100))] 5000 rows end | begin1[1] row end"},
		"no program": {steps("selec"), "batch error SQL_PARSE_ERROR"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t, Options{}, "create table t(x unique)", "insert into t values (1)")
			var parts []string
			rows := 0
			err := s.Cursor(bg, test.batch, func(e *hrana.CursorEntry) error {
				if e.Kind == hrana.Row {
					rows++
					return nil
				}
				switch {
				case rows > 2:
					parts = append(parts, fmt.Sprint(rows, " rows"))
				default:
					for range rows {
						parts = append(parts, "row")
					}
				}
				rows = 0
				switch e.Kind {
				case hrana.StepBegin:
					names := []string{}
					for _, c := range e.Cols {
						names = append(names, *c.Name)
					}
					parts = append(parts, fmt.Sprintf("| begin%d%s", e.Step, names))
				case hrana.StepEnd:
					parts = append(parts, "end")
					if e.LastInsertRowID != nil {
						parts = append(parts, fmt.Sprintf("~%d#%d", e.AffectedRowCount, *e.LastInsertRowID))
					}
				case hrana.StepError:
					parts = append(parts, fmt.Sprintf("| error%d %s", e.Step, e.Error.Code))
				case hrana.BatchError:
					parts = append(parts, "| batch error "+e.Error.Code)
				}
				return nil
			})
			got := strings.TrimPrefix(strings.Join(parts, " "), "| ")
			if want := strings.ReplaceAll(test.want, " step ", " "); got != want || err != nil {
				t.Errorf("got %s %v\nwant %s", got, err, want)
			}
		})
	}
}

// A cursor's client that goes away ends the batch.
func TestCursorAbandoned(t *testing.T) {
	t.Parallel()
	s, db := open(t, Options{}, "create table t(x)")
	gone := errors.New("gone")
	entries := 0
	err := s.Cursor(bg, steps("with recursive c(x) as (select 1 union all select x+1 from c) select hex(zeroblob(1000)) from c", "insert into t values (1)"),
		func(*hrana.CursorEntry) error {
			if entries++; entries > 1000 {
				return gone
			}
			return nil
		})
	if err != gone {
		t.Fatal(err)
	}
	if got := do(t, s, "select count(*) from t"); got != "0" {
		t.Error(got)
	}
	if n := db.Stats().BusyReaders; n != 0 {
		t.Errorf("%d readers are still in use", n)
	}
}
