package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
	"github.com/nearlite/nearlite/sqlite"
)

// A query is the body of POST /v1/query: one statement, or several that are one
// transaction.
type query struct {
	SQL        string          `json:"sql"`
	Params     json.RawMessage `json:"params"`
	Statements []struct {
		SQL    string          `json:"sql"`
		Params json.RawMessage `json:"params"`
	} `json:"statements"`
	MaxRows int    `json:"max_rows"` // more are left out, and the result says so; 0: no more than the limits allow
	AtLeast string `json:"at_least"` // a position that the answer has to include

	began  time.Time
	stmts  []hrana.Stmt
	format format
	big    bool // integers that a double does not hold are strings
}

// format is the form of the answer.
type format uint8

const (
	formatJSON   format = iota // everything, in one object
	formatNDJSON               // the rows of the last statement, an object on each line
	formatCSV                  // the same as lines of fields, the names first
)

// positionHeader has the commit that an answer has seen.
const positionHeader = "Nearlite-Position"

// query answers POST /v1/query.
func (c *call) query() error {
	began := time.Now()
	b, err := c.s.readBody(c)
	if err != nil {
		return err
	}
	defer b.release()
	q, err := c.parseQuery(b.bytes())
	if err != nil {
		return err
	}
	q.began = began
	if err := c.reached(q.AtLeast); err != nil {
		return err
	}
	o := c.streamOptions(c.handle)
	o.Positions = true
	s := stream.New(c.handle.DB(), o)
	defer s.Close()
	a := newQueryAnswer(c, q, s)
	defer a.release()
	err = s.Cursor(c.r.Context(), q.batch(), a.entry)
	switch {
	case a.failed != nil:
		err = a.failed
	case err == nil:
		return a.finish()
	case errors.Is(err, errEnough):
		return a.enough()
	}
	if a.begun {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	return err
}

// parseQuery reads the request.
func (c *call) parseQuery(data []byte) (*query, error) {
	q := &query{}
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if kind == "application/sql" {
		q.SQL = string(data)
	} else if err := unmarshalStrictly(data, q); err != nil {
		return nil, badRequest("The body is no JSON like {\"sql\": \"SELECT ?\", \"params\": [1]}, with \"statements\" in place of both, \"max_rows\" and \"at_least\" if wanted: %v", err)
	}
	if (q.SQL != "") == (len(q.Statements) > 0) {
		return nil, badRequest("The body needs either \"sql\" or \"statements\"")
	}
	if err := q.read(); err != nil {
		return nil, err
	}
	return q, c.parseForm(q)
}

// unmarshalStrictly refuses fields that would be ignored: a misspelt "params" is a
// statement without parameters.
func unmarshalStrictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the object")
	}
	return nil
}

func badRequest(format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, code: "BAD_REQUEST", message: fmt.Sprintf(format, args...)}
}

// read makes statements of what the body says. A text without parameters may hold
// several.
func (q *query) read() error {
	if q.SQL != "" {
		texts := []string{q.SQL}
		if len(q.Params) == 0 {
			texts = stream.Split(q.SQL)
		}
		for _, text := range texts {
			q.stmts = append(q.stmts, hrana.Stmt{SQL: &text})
		}
		if len(texts) == 0 {
			return &failure{status: http.StatusBadRequest, code: "SQL_NO_STATEMENT", message: "There is no statement in \"sql\""}
		}
		return q.arguments(0, q.Params)
	}
	for i := range q.Statements {
		q.stmts = append(q.stmts, hrana.Stmt{SQL: &q.Statements[i].SQL})
		if err := q.arguments(i, q.Statements[i].Params); err != nil {
			return err
		}
	}
	return nil
}

func (q *query) arguments(i int, params json.RawMessage) error {
	switch verb := sqlite.Verb(*q.stmts[i].SQL); verb {
	case "BEGIN", "COMMIT", "END", "ROLLBACK":
		f := badRequest("A request is one transaction: leave %s out, and send all its statements at once", verb)
		f.statement, f.offset = i+1, -1
		return f
	}
	err := legacyParams(&q.stmts[i], params)
	var f *failure
	if errors.As(err, &f) {
		f.statement, f.offset = i+1, -1
	}
	return err
}

// parseForm reads what the URL and the headers say about the answer.
func (c *call) parseForm(q *query) error {
	values := c.r.URL.Query()
	name := values.Get("format")
	if name == "" {
		name = accepted(c.r.Header.Get("Accept"))
	}
	switch name {
	case "json", "":
	case "ndjson":
		q.format = formatNDJSON
	case "csv":
		q.format = formatCSV
	default:
		return badRequest("There is no format %q: json, ndjson or csv", name)
	}
	switch big := values.Get("big"); big {
	case "string":
		q.big = true
	case "", "number":
	default:
		return badRequest("big is %q: string or number", big)
	}
	if at := values.Get("at_least"); at != "" {
		q.AtLeast = at
	}
	if q.MaxRows < 0 {
		return badRequest("max_rows is negative: %d", q.MaxRows)
	}
	return nil
}

// accepted returns the first format that an Accept header names; "" if it names
// none, and then JSON is as good as any.
func accepted(header string) string {
	for part := range strings.SplitSeq(header, ",") {
		kind, _, _ := mime.ParseMediaType(strings.TrimSpace(part))
		switch kind {
		case "application/json":
			return "json"
		case "application/x-ndjson", "application/jsonl", "application/ndjson":
			return "ndjson"
		case "text/csv":
			return "csv"
		}
	}
	return ""
}

// reached refuses a position that the database has not come to. This server has
// all commits, so it can only be one of another server, or a mistake.
func (c *call) reached(at string) error {
	if at == "" {
		return nil
	}
	want, err := nearlite.ParsePosition(at)
	if err != nil {
		return badRequest("at_least: %v", err)
	}
	// The positions of earlier openings of the file are all behind.
	if order, ok := want.Compare(c.handle.DB().Position()); ok && order > 0 {
		return &failure{status: http.StatusConflict, code: "POSITION_AHEAD", message: fmt.Sprintf("The database is at %s, before %s", c.handle.DB().Position(), at)}
	}
	return nil
}

// batch makes one transaction of the statements.
func (q *query) batch() *hrana.Batch {
	if len(q.stmts) == 1 {
		return &hrana.Batch{Steps: []hrana.BatchStep{{Stmt: q.stmts[0]}}}
	}
	b := &hrana.Batch{Steps: make([]hrana.BatchStep, 0, len(q.stmts)+2)}
	add := func(stmt hrana.Stmt) {
		step := hrana.BatchStep{Stmt: stmt}
		if n := len(b.Steps); n > 0 {
			step.Condition = &hrana.BatchCond{Kind: hrana.CondOK, Step: uint32(n - 1)}
		}
		b.Steps = append(b.Steps, step)
	}
	begin, commit := "BEGIN", "COMMIT"
	add(hrana.Stmt{SQL: &begin})
	for _, stmt := range q.stmts {
		add(stmt)
	}
	add(hrana.Stmt{SQL: &commit})
	b.Steps = append(b.Steps, hrana.BatchStep{Stmt: hrana.Stmt{SQL: &rollback},
		Condition: &hrana.BatchCond{Kind: hrana.CondNot, Conds: []hrana.BatchCond{{Kind: hrana.CondOK, Step: uint32(len(b.Steps) - 1)}}}})
	return b
}

var rollback = "ROLLBACK"

// statusOf is the status for an error of a statement.
func statusOf(code string) int {
	switch code {
	case "SQLITE_CONSTRAINT", "SQLITE_BUSY", "SQLITE_LOCKED":
		return http.StatusConflict
	case stream.CodeForbidden, "BLOCKED", "SQLITE_AUTH", "SQLITE_READONLY":
		return http.StatusForbidden
	case "RESPONSE_TOO_LARGE", "SQLITE_TOOBIG", "SQLITE_NOMEM":
		return http.StatusRequestEntityTooLarge
	case "TRANSACTION_BUSY", "SERVER_BUSY", stream.CodeClosed,
		stream.CodeArchiveFenced, stream.CodeArchiveMismatch, stream.CodeArchiveBehind, stream.CodeArchiveUnavailable:
		return http.StatusServiceUnavailable
	case "SQLITE_FULL":
		return http.StatusInsufficientStorage
	case stream.CodeInternal, stream.CodeCommitUnknown, "SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_INTERNAL":
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// failedAt is the failure for the error of a statement. Its message and its place
// are SQLite's own, where they can be had.
func (c *call) failedAt(step int, q *query, herr *hrana.Error) *failure {
	f := &failure{status: statusOf(herr.Code), code: herr.Code, message: strings.TrimPrefix(herr.Message, "SQLite error: "), statement: step + 1, offset: -1}
	if f.code == "SQLITE_UNKNOWN" {
		f.code = "SQLITE_ERROR" // sqld's name for it tells nobody anything
	}
	if f.status == http.StatusServiceUnavailable && f.code != stream.CodeArchiveFenced && f.code != stream.CodeArchiveMismatch {
		f.retry = time.Second
	}
	if herr.Code != "SQL_PARSE_ERROR" && herr.Code != "SQL_INPUT_ERROR" || step >= len(q.stmts) {
		return f
	}
	var e *sqlite.Error
	if _, err := c.handle.DB().Describe(c.r.Context(), *q.stmts[step].SQL); errors.As(err, &e) && e.Code.Primary() == sqlite.CodeError {
		f.message, f.offset = e.Msg, e.Offset
	}
	return f
}
