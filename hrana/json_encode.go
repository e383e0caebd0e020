package hrana

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"
)

// Fields come in the order sqld writes them, those without a value as null.

func jsonPipelineRequest(dst []byte, m *PipelineRequest) []byte {
	dst = append(dst, `{"baton":`...)
	dst = jsonOptString(dst, m.Baton)
	dst = append(dst, `,"requests":[`...)
	for i := range m.Requests {
		dst = jsonComma(dst, i)
		dst = jsonRequest(dst, &m.Requests[i], false)
	}
	return append(dst, `]}`...)
}

func jsonPipelineResponse(dst []byte, m *PipelineResponse) []byte {
	dst = append(dst, `{"baton":`...)
	dst = jsonOptString(dst, m.Baton)
	dst = append(dst, `,"base_url":`...)
	dst = jsonOptString(dst, m.BaseURL)
	dst = append(dst, `,"results":[`...)
	for i := range m.Results {
		dst = jsonComma(dst, i)
		if r := &m.Results[i]; r.Error != nil {
			dst = append(dst, `{"type":"error","error":`...)
			dst = jsonError(dst, r.Error)
		} else {
			dst = append(dst, `{"type":"ok","response":`...)
			dst = jsonResponse(dst, r.OK)
		}
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

func jsonCursorRequest(dst []byte, m *CursorRequest) []byte {
	dst = append(dst, `{"baton":`...)
	dst = jsonOptString(dst, m.Baton)
	dst = append(dst, `,"batch":`...)
	dst = jsonBatch(dst, &m.Batch)
	return append(dst, '}')
}

func jsonCursorResponse(dst []byte, m *CursorResponse) []byte {
	dst = append(dst, `{"baton":`...)
	dst = jsonOptString(dst, m.Baton)
	dst = append(dst, `,"base_url":`...)
	dst = jsonOptString(dst, m.BaseURL)
	return append(dst, '}')
}

func jsonClientMsg(dst []byte, m *ClientMsg) []byte {
	if m.Request == nil {
		dst = append(dst, `{"type":"hello","jwt":`...)
		dst = jsonOptString(dst, m.JWT)
		return append(dst, '}')
	}
	dst = append(dst, `{"type":"request","request_id":`...)
	dst = strconv.AppendInt(dst, int64(m.RequestID), 10)
	dst = append(dst, `,"request":`...)
	dst = jsonRequest(dst, m.Request, true)
	return append(dst, '}')
}

func jsonServerMsg(dst []byte, m *ServerMsg) []byte {
	switch m.Kind {
	case HelloOK:
		return append(dst, `{"type":"hello_ok"}`...)
	case HelloError:
		dst = append(dst, `{"type":"hello_error","error":`...)
		dst = jsonError(dst, m.Error)
	case ResponseOK:
		dst = append(dst, `{"type":"response_ok","request_id":`...)
		dst = strconv.AppendInt(dst, int64(m.RequestID), 10)
		dst = append(dst, `,"response":`...)
		dst = jsonResponse(dst, m.Response)
	default:
		dst = append(dst, `{"type":"response_error","request_id":`...)
		dst = strconv.AppendInt(dst, int64(m.RequestID), 10)
		dst = append(dst, `,"error":`...)
		dst = jsonError(dst, m.Error)
	}
	return append(dst, '}')
}

func jsonRequest(dst []byte, m *Request, webSocket bool) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, m.Kind.String()...)
	dst = append(dst, '"')
	if webSocket && m.Kind.onStream() {
		dst = append(dst, `,"stream_id":`...)
		dst = strconv.AppendInt(dst, int64(m.StreamID), 10)
	}
	switch m.Kind {
	case OpenCursor, FetchCursor, CloseCursor:
		dst = append(dst, `,"cursor_id":`...)
		dst = strconv.AppendInt(dst, int64(m.CursorID), 10)
	}
	switch m.Kind {
	case Execute:
		dst = append(dst, `,"stmt":`...)
		dst = jsonStmt(dst, m.Stmt)
	case RunBatch, OpenCursor:
		dst = append(dst, `,"batch":`...)
		dst = jsonBatch(dst, m.Batch)
	case Sequence, Describe, StoreSQL, CloseSQL:
		dst = jsonText(dst, m.SQL, m.SQLID)
	case FetchCursor:
		dst = append(dst, `,"max_count":`...)
		dst = strconv.AppendUint(dst, uint64(m.MaxCount), 10)
	}
	return append(dst, '}')
}

// jsonText appends the fields sql and sql_id, each with a comma before it.
func jsonText(dst []byte, sql *string, id *int32) []byte {
	if sql != nil {
		dst = append(dst, `,"sql":`...)
		dst = jsonString(dst, *sql)
	}
	if id != nil {
		dst = append(dst, `,"sql_id":`...)
		dst = strconv.AppendInt(dst, int64(*id), 10)
	}
	return dst
}

func jsonResponse(dst []byte, m *Response) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, m.Kind.String()...)
	dst = append(dst, '"')
	switch m.Kind {
	case Execute:
		dst = append(dst, `,"result":`...)
		dst = jsonStmtResult(dst, m.Result)
	case RunBatch:
		dst = append(dst, `,"result":`...)
		dst = jsonBatchResult(dst, m.Batch)
	case Describe:
		dst = append(dst, `,"result":`...)
		dst = jsonDescribeResult(dst, m.Describe)
	case GetAutocommit:
		dst = append(dst, `,"is_autocommit":`...)
		dst = strconv.AppendBool(dst, m.IsAutocommit)
	case FetchCursor:
		dst = append(dst, `,"entries":[`...)
		for i := range m.Entries {
			dst = jsonComma(dst, i)
			dst = jsonCursorEntry(dst, &m.Entries[i])
		}
		dst = append(dst, `],"done":`...)
		dst = strconv.AppendBool(dst, m.Done)
	}
	return append(dst, '}')
}

func jsonStmt(dst []byte, m *Stmt) []byte {
	start := len(dst)
	dst = jsonText(dst, m.SQL, m.SQLID)
	if len(m.Args) > 0 {
		dst = append(dst, `,"args":`...)
		dst = jsonRow(dst, m.Args)
	}
	if len(m.NamedArgs) > 0 {
		dst = append(dst, `,"named_args":[`...)
		for i := range m.NamedArgs {
			dst = jsonComma(dst, i)
			dst = append(dst, `{"name":`...)
			dst = jsonString(dst, m.NamedArgs[i].Name)
			dst = append(dst, `,"value":`...)
			dst = jsonValue(dst, &m.NamedArgs[i].Value)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	if m.WantRows != nil {
		dst = append(dst, `,"want_rows":`...)
		dst = strconv.AppendBool(dst, *m.WantRows)
	}
	if len(dst) == start {
		return append(dst, `{}`...)
	}
	dst[start] = '{' // in place of the first comma
	return append(dst, '}')
}

func jsonBatch(dst []byte, m *Batch) []byte {
	dst = append(dst, `{"steps":[`...)
	for i := range m.Steps {
		dst = jsonComma(dst, i)
		dst = append(dst, '{')
		if m.Steps[i].Condition != nil {
			dst = append(dst, `"condition":`...)
			dst = jsonCond(dst, m.Steps[i].Condition)
			dst = append(dst, ',')
		}
		dst = append(dst, `"stmt":`...)
		dst = jsonStmt(dst, &m.Steps[i].Stmt)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if m.ReplicationIndex != nil {
		dst = append(dst, `,"replication_index":`...)
		dst = jsonOptUint(dst, m.ReplicationIndex)
	}
	return append(dst, '}')
}

func jsonCond(dst []byte, m *BatchCond) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, m.Kind.String()...)
	dst = append(dst, '"')
	switch m.Kind {
	case CondOK, CondError:
		dst = append(dst, `,"step":`...)
		dst = strconv.AppendUint(dst, uint64(m.Step), 10)
	case CondNot:
		dst = append(dst, `,"cond":`...)
		dst = jsonCond(dst, &m.Conds[0])
	case CondAnd, CondOr:
		dst = append(dst, `,"conds":[`...)
		for i := range m.Conds {
			dst = jsonComma(dst, i)
			dst = jsonCond(dst, &m.Conds[i])
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func jsonStmtResult(dst []byte, m *StmtResult) []byte {
	dst = append(dst, `{"cols":`...)
	dst = jsonCols(dst, m.Cols)
	dst = append(dst, `,"rows":[`...)
	for i, row := range m.Rows {
		dst = jsonComma(dst, i)
		dst = jsonRow(dst, row)
	}
	dst = append(dst, `],"affected_row_count":`...)
	dst = strconv.AppendUint(dst, m.AffectedRowCount, 10)
	dst = append(dst, `,"last_insert_rowid":`...)
	dst = jsonOptInt(dst, m.LastInsertRowID)
	dst = append(dst, `,"replication_index":`...)
	dst = jsonOptUint(dst, m.ReplicationIndex)
	dst = append(dst, `,"rows_read":`...)
	dst = strconv.AppendUint(dst, m.RowsRead, 10)
	dst = append(dst, `,"rows_written":`...)
	dst = strconv.AppendUint(dst, m.RowsWritten, 10)
	dst = append(dst, `,"query_duration_ms":`...)
	dst = jsonFloat(dst, m.QueryDurationMS)
	return append(dst, '}')
}

func jsonCols(dst []byte, cols []Col) []byte {
	dst = append(dst, '[')
	for i := range cols {
		dst = jsonComma(dst, i)
		dst = append(dst, `{"name":`...)
		dst = jsonOptString(dst, cols[i].Name)
		dst = append(dst, `,"decltype":`...)
		dst = jsonOptString(dst, cols[i].Decltype)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func jsonRow(dst []byte, row []Value) []byte {
	dst = append(dst, '[')
	for i := range row {
		dst = jsonComma(dst, i)
		dst = jsonValue(dst, &row[i])
	}
	return append(dst, ']')
}

func jsonBatchResult(dst []byte, m *BatchResult) []byte {
	dst = append(dst, `{"step_results":[`...)
	for i, result := range m.StepResults {
		dst = jsonComma(dst, i)
		if result == nil {
			dst = append(dst, `null`...)
		} else {
			dst = jsonStmtResult(dst, result)
		}
	}
	dst = append(dst, `],"step_errors":[`...)
	for i, err := range m.StepErrors {
		dst = jsonComma(dst, i)
		if err == nil {
			dst = append(dst, `null`...)
		} else {
			dst = jsonError(dst, err)
		}
	}
	dst = append(dst, `],"replication_index":`...)
	dst = jsonOptUint(dst, m.ReplicationIndex)
	return append(dst, '}')
}

func jsonDescribeResult(dst []byte, m *DescribeResult) []byte {
	dst = append(dst, `{"params":[`...)
	for i := range m.Params {
		dst = jsonComma(dst, i)
		dst = append(dst, `{"name":`...)
		dst = jsonOptString(dst, m.Params[i].Name)
		dst = append(dst, '}')
	}
	dst = append(dst, `],"cols":[`...)
	for i := range m.Cols {
		dst = jsonComma(dst, i)
		dst = append(dst, `{"name":`...)
		dst = jsonString(dst, m.Cols[i].Name)
		dst = append(dst, `,"decltype":`...)
		dst = jsonOptString(dst, m.Cols[i].Decltype)
		dst = append(dst, '}')
	}
	dst = append(dst, `],"is_explain":`...)
	dst = strconv.AppendBool(dst, m.IsExplain)
	dst = append(dst, `,"is_readonly":`...)
	dst = strconv.AppendBool(dst, m.IsReadonly)
	return append(dst, '}')
}

func jsonCursorEntry(dst []byte, m *CursorEntry) []byte {
	switch m.Kind {
	case StepBegin:
		dst = append(dst, `{"type":"step_begin","step":`...)
		dst = strconv.AppendUint(dst, uint64(m.Step), 10)
		dst = append(dst, `,"cols":`...)
		dst = jsonCols(dst, m.Cols)
	case StepEnd:
		dst = append(dst, `{"type":"step_end","affected_row_count":`...)
		dst = strconv.AppendUint(dst, m.AffectedRowCount, 10)
		dst = append(dst, `,"last_insert_rowid":`...)
		dst = jsonOptInt(dst, m.LastInsertRowID)
	case StepError:
		dst = append(dst, `{"type":"step_error","step":`...)
		dst = strconv.AppendUint(dst, uint64(m.Step), 10)
		dst = append(dst, `,"error":`...)
		dst = jsonError(dst, m.Error)
	case Row:
		dst = append(dst, `{"type":"row","row":`...)
		dst = jsonRow(dst, m.Row)
	default:
		dst = append(dst, `{"type":"error","error":`...)
		dst = jsonError(dst, m.Error)
	}
	return append(dst, '}')
}

// jsonError always writes a code: the Rust client insists on one.
func jsonError(dst []byte, m *Error) []byte {
	dst = append(dst, `{"message":`...)
	dst = jsonString(dst, m.Message)
	dst = append(dst, `,"code":`...)
	dst = jsonString(dst, m.Code)
	return append(dst, '}')
}

func jsonValue(dst []byte, v *Value) []byte {
	switch v.Kind {
	case Integer:
		dst = append(dst, `{"type":"integer","value":"`...)
		dst = strconv.AppendInt(dst, v.Integer, 10)
		return append(dst, `"}`...)
	case Float:
		if math.IsNaN(v.Float) { // which is NULL in SQLite, too
			break
		}
		dst = append(dst, `{"type":"float","value":`...)
		dst = jsonFloat(dst, v.Float)
		return append(dst, '}')
	case Text:
		dst = append(dst, `{"type":"text","value":`...)
		dst = jsonString(dst, v.Text)
		return append(dst, '}')
	case Blob:
		dst = append(dst, `{"type":"blob","base64":"`...)
		dst = base64.RawStdEncoding.AppendEncode(dst, v.Blob)
		return append(dst, `"}`...)
	}
	return append(dst, `{"type":"null"}`...)
}

// jsonFloat writes the shortest decimal that reads back the same, with a point or
// an exponent as sqld does. Infinity is 1e999: JSON has no word for it, but every
// JavaScript client reads this one right, while sqld's null makes them fail.
func jsonFloat(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case f != f:
		return append(dst, `null`...)
	case abs > math.MaxFloat64 && f > 0:
		return append(dst, `1e999`...)
	case abs > math.MaxFloat64:
		return append(dst, `-1e999`...)
	case abs != 0 && (abs < 1e-5 || abs >= 1e16):
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, '.', '0')
}

func jsonComma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

func jsonOptString(dst []byte, s *string) []byte {
	if s == nil {
		return append(dst, `null`...)
	}
	return jsonString(dst, *s)
}

// jsonOptInt and jsonOptUint write a number as a string, since JavaScript's numbers end at 2^53.
func jsonOptInt(dst []byte, n *int64) []byte {
	if n == nil {
		return append(dst, `null`...)
	}
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, *n, 10)
	return append(dst, '"')
}

func jsonOptUint(dst []byte, n *uint64) []byte {
	if n == nil {
		return append(dst, `null`...)
	}
	dst = append(dst, '"')
	dst = strconv.AppendUint(dst, *n, 10)
	return append(dst, '"')
}

// jsonString writes bytes that are not UTF-8, which SQLite lets into a text, as U+FFFD.
func jsonString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for {
		n := plain(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return append(dst, '"')
		}
		s = s[n:]
		if c := s[0]; c < utf8.RuneSelf {
			dst = jsonEscape(dst, c)
			s = s[1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		dst = utf8.AppendRune(dst, r)
		s = s[size:]
	}
}

func jsonEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
