package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
	"github.com/nearlite/nearlite/sqlite"
)

// execute is Hrana over HTTP of version 1: one statement on a stream of its own.
func (c *call) execute() error {
	return c.once(func(data []byte) (*hrana.Request, error) {
		stmt, err := hrana.DecodeStmtBody(data)
		return &hrana.Request{Kind: hrana.Execute, Stmt: stmt}, err
	}, func(dst []byte, res *hrana.Response) []byte { return hrana.AppendStmtResultBody(dst, res.Result) })
}

// batch is the same for a batch.
func (c *call) batch() error {
	return c.once(func(data []byte) (*hrana.Request, error) {
		batch, err := hrana.DecodeBatchBody(data)
		return &hrana.Request{Kind: hrana.RunBatch, Batch: batch}, err
	}, func(dst []byte, res *hrana.Response) []byte { return hrana.AppendBatchResultBody(dst, res.Batch) })
}

// once does one request on a stream that ends with it, as does a transaction that
// it leaves open.
func (c *call) once(decode func([]byte) (*hrana.Request, error), encode func([]byte, *hrana.Response) []byte) error {
	b, err := c.s.readBody(c)
	if err != nil {
		return err
	}
	defer b.release()
	req, err := decode(b.bytes())
	if err != nil {
		return undecoded(hrana.JSON, err)
	}
	s := stream.New(c.handle.DB(), c.streamOptions(c.handle))
	defer c.finish(s)
	res, herr := s.Do(c.r.Context(), req)
	if herr != nil {
		if err := fatal(herr); err != nil {
			return err
		}
		return herr
	}
	buf := takeBuffer()
	defer giveBuffer(buf)
	*buf = encode(*buf, res)
	c.finish(s)
	c.send(typeJSON, *buf, 0)
	return nil
}

// finish ends a stream whose results are not needed any more.
func (c *call) finish(s *stream.Stream) {
	s.Close()
	if give := s.Owes(); give != nil {
		give()
	}
}

// A legacyQuery is a statement of the oldest API: its text, or an object with
// arguments.
type legacyQuery struct {
	SQL    string          `json:"q"`
	Params json.RawMessage `json:"params"`
}

// UnmarshalJSON reads either form.
func (q *legacyQuery) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &q.SQL)
	}
	type object legacyQuery
	return json.Unmarshal(data, (*object)(q))
}

// legacy is POST /: statements one after the other until one fails, each a
// transaction of its own unless they say otherwise.
func (c *call) legacy() error {
	if err := c.admit(reader); err != nil {
		return err
	}
	b, err := c.s.readBody(c)
	if err != nil {
		return err
	}
	defer b.release()
	var m struct {
		Statements []legacyQuery `json:"statements"`
	}
	if err := json.Unmarshal(b.bytes(), &m); err != nil {
		return protocolError("Failed to parse the request body as JSON: %w", err)
	}
	batch, err := legacyBatch(m.Statements)
	if err != nil {
		return err
	}
	s := stream.New(c.handle.DB(), c.streamOptions(c.handle))
	defer c.finish(s)
	res, herr := s.Do(c.r.Context(), &hrana.Request{Kind: hrana.RunBatch, Batch: batch})
	if herr != nil {
		if err := fatal(herr); err != nil {
			return err
		}
		return herr
	}
	failed := false
	for _, e := range res.Batch.StepErrors {
		if e != nil && e.Code == stream.CodeForbidden {
			return fatal(e)
		}
		failed = failed || e != nil
	}
	if at, _ := s.Do(c.r.Context(), &hrana.Request{Kind: hrana.GetAutocommit}); at != nil && !at.IsAutocommit && !failed {
		return errInteractive // a SAVEPOINT has begun it: nothing of what has succeeded will stay
	}
	buf := takeBuffer()
	defer giveBuffer(buf)
	*buf = appendLegacy(*buf, res.Batch)
	c.finish(s)
	c.send(typeJSON, *buf, 0)
	return nil
}

var errInteractive = &failure{status: http.StatusBadRequest, code: "SQL_INPUT_ERROR", message: "Query error: `interactive transaction not allowed in HTTP queries`"}

// legacyBatch makes a batch of which each step runs if the one before has.
func legacyBatch(queries []legacyQuery) (*hrana.Batch, error) {
	batch := &hrana.Batch{Steps: make([]hrana.BatchStep, len(queries))}
	depth := 0
	for i := range queries {
		q, step := &queries[i], &batch.Steps[i]
		switch sqlite.Verb(q.SQL) {
		case "BEGIN":
			depth = 1
		case "COMMIT", "END", "ROLLBACK":
			depth = 0
		}
		step.Stmt.SQL = &q.SQL
		if err := legacyParams(&step.Stmt, q.Params); err != nil {
			return nil, err
		}
		if i > 0 {
			step.Condition = &hrana.BatchCond{Kind: hrana.CondOK, Step: uint32(i - 1)}
		}
	}
	if depth > 0 {
		return nil, errInteractive
	}
	return batch, nil
}

// legacyParams reads an array of arguments, or an object of named ones.
func legacyParams(stmt *hrana.Stmt, raw json.RawMessage) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if raw[0] == '{' {
		var named map[string]json.RawMessage
		if err := json.Unmarshal(raw, &named); err != nil {
			return badParams(err)
		}
		for name, text := range named {
			v, err := jsonValue(text)
			if err != nil {
				return badParams(err)
			}
			stmt.NamedArgs = append(stmt.NamedArgs, hrana.NamedArg{Name: name, Value: v})
		}
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return badParams(err)
	}
	for _, text := range list {
		v, err := jsonValue(text)
		if err != nil {
			return badParams(err)
		}
		stmt.Args = append(stmt.Args, v)
	}
	return nil
}

func badParams(err error) error {
	return &failure{status: http.StatusBadRequest, code: "ARGS_INVALID",
		message: fmt.Sprintf("The parameters of a statement are an array, or an object of named ones, of null, true, false, numbers, strings and {\"base64\": …}: %v", err)}
}

// jsonValue reads a value as plain JSON has it: a number without a fraction and an
// exponent is an integer if it fits, true is 1, and {"base64": …} is a blob.
func jsonValue(raw json.RawMessage) (v hrana.Value, err error) {
	switch raw = bytes.TrimSpace(raw); raw[0] {
	case 'n':
		return v, nil
	case 't':
		return hrana.Value{Kind: hrana.Integer, Integer: 1}, nil
	case 'f':
		return hrana.Value{Kind: hrana.Integer}, nil
	case '"':
		v.Kind = hrana.Text
		return v, json.Unmarshal(raw, &v.Text)
	case '{':
		return jsonBlob(raw)
	case '[':
		return v, errors.New("an array is no value")
	}
	if !bytes.ContainsAny(raw, ".eE") && json.Unmarshal(raw, &v.Integer) == nil {
		v.Kind = hrana.Integer
		return v, nil
	}
	v.Kind = hrana.Float
	return v, json.Unmarshal(raw, &v.Float)
}

func jsonBlob(raw json.RawMessage) (v hrana.Value, err error) {
	var m struct {
		Base64 *string `json:"base64"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return v, err
	}
	if m.Base64 == nil {
		return v, errors.New("an object is no value, except {\"base64\": …}")
	}
	v.Kind = hrana.Blob
	v.Blob, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(*m.Base64, "="))
	return v, err
}

// appendLegacy writes what came of the statements, null for one that did not run.
func appendLegacy(dst []byte, res *hrana.BatchResult) []byte {
	dst = append(dst, '[')
	for i, r := range res.StepResults {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch e := res.StepErrors[i]; {
		case e != nil:
			text, _ := json.Marshal(strings.TrimPrefix(e.Message, "SQLite error: "))
			dst = append(append(append(dst, `{"error":`...), text...), '}')
		case r == nil:
			dst = append(dst, "null"...)
		default:
			dst = appendLegacyResult(dst, r)
		}
	}
	return append(dst, ']')
}

func appendLegacyResult(dst []byte, r *hrana.StmtResult) []byte {
	dst = append(dst, `{"results":{"columns":[`...)
	for i := range r.Cols {
		if i > 0 {
			dst = append(dst, ',')
		}
		name := ""
		if r.Cols[i].Name != nil {
			name = *r.Cols[i].Name
		}
		dst = appendJSONString(dst, name)
	}
	dst = append(dst, `],"rows":[`...)
	for i, row := range r.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		for j := range row {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, &row[j], false)
		}
		dst = append(dst, ']')
	}
	return fmt.Appendf(dst, `],"rows_read":%d,"rows_written":%d,"query_duration_ms":%g}}`, r.RowsRead, r.RowsWritten, r.QueryDurationMS)
}
