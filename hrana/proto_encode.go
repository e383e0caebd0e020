package hrana

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire" // by hand: generated messages would be a second set of types, and slower
)

// Field numbers are those of Hrana 3's .proto files, and of what sqld added to them
// (replication_index, rows_read, rows_written, query_duration_ms). As everywhere in proto3
// a field that is zero is left out, unless it is optional or part of a oneof.

// The numbers of the requests over HTTP and over WebSocket, and of their responses.
var (
	httpNumbers = [...]protowire.Number{
		Close: 1, Execute: 2, RunBatch: 3, Sequence: 4, Describe: 5, StoreSQL: 6, CloseSQL: 7, GetAutocommit: 8,
		CloseCursor: 0,
	}
	webSocketNumbers = [...]protowire.Number{
		OpenStream: 2, CloseStream: 3, Execute: 4, RunBatch: 5, OpenCursor: 6, CloseCursor: 7, FetchCursor: 8,
		Sequence: 9, Describe: 10, StoreSQL: 11, CloseSQL: 12, GetAutocommit: 13,
	}
)

func protoPipelineRequest(dst []byte, m *PipelineRequest) []byte {
	dst = protoOptString(dst, 1, m.Baton)
	for i := range m.Requests {
		var outer, inner int
		dst, outer = protoBegin(dst, 2)
		dst, inner = protoBegin(dst, httpNumbers[m.Requests[i].Kind])
		dst = protoRequest(dst, &m.Requests[i], 0)
		dst = protoEnd(dst, inner)
		dst = protoEnd(dst, outer)
	}
	return dst
}

func protoPipelineResponse(dst []byte, m *PipelineResponse) []byte {
	dst = protoOptString(dst, 1, m.Baton)
	dst = protoOptString(dst, 2, m.BaseURL)
	for i := range m.Results {
		var result, outer, inner int
		dst, result = protoBegin(dst, 3)
		if r := &m.Results[i]; r.Error != nil {
			dst, outer = protoBegin(dst, 2)
			dst = protoError(dst, r.Error)
		} else {
			dst, outer = protoBegin(dst, 1)
			dst, inner = protoBegin(dst, httpNumbers[r.OK.Kind])
			dst = protoResponse(dst, r.OK)
			dst = protoEnd(dst, inner)
		}
		dst = protoEnd(dst, outer)
		dst = protoEnd(dst, result)
	}
	return dst
}

func protoCursorRequest(dst []byte, m *CursorRequest) []byte {
	dst = protoOptString(dst, 1, m.Baton)
	dst, start := protoBegin(dst, 2)
	dst = protoBatch(dst, &m.Batch)
	return protoEnd(dst, start)
}

func protoCursorResponse(dst []byte, m *CursorResponse) []byte {
	dst = protoOptString(dst, 1, m.Baton)
	return protoOptString(dst, 2, m.BaseURL)
}

func protoClientMsg(dst []byte, m *ClientMsg) []byte {
	if m.Request == nil {
		dst, start := protoBegin(dst, 1)
		dst = protoOptString(dst, 1, m.JWT)
		return protoEnd(dst, start)
	}
	dst, outer := protoBegin(dst, 2)
	dst = protoInt(dst, 1, int64(m.RequestID))
	dst, inner := protoBegin(dst, webSocketNumbers[m.Request.Kind])
	dst = protoRequest(dst, m.Request, 1)
	dst = protoEnd(dst, inner)
	return protoEnd(dst, outer)
}

func protoServerMsg(dst []byte, m *ServerMsg) []byte {
	dst, outer := protoBegin(dst, protowire.Number(m.Kind))
	switch m.Kind {
	case HelloError:
		dst, start := protoBegin(dst, 1)
		dst = protoError(dst, m.Error)
		dst = protoEnd(dst, start)
		return protoEnd(dst, outer)
	case ResponseOK:
		dst = protoInt(dst, 1, int64(m.RequestID))
		dst, start := protoBegin(dst, webSocketNumbers[m.Response.Kind])
		dst = protoResponse(dst, m.Response)
		dst = protoEnd(dst, start)
		return protoEnd(dst, outer)
	case ResponseError:
		dst = protoInt(dst, 1, int64(m.RequestID))
		dst, start := protoBegin(dst, 2)
		dst = protoError(dst, m.Error)
		dst = protoEnd(dst, start)
		return protoEnd(dst, outer)
	}
	return protoEnd(dst, outer)
}

// protoRequest appends the fields of a request. Those of a stream are numbered one
// higher over WebSocket (shift 1), where the first is the stream.
func protoRequest(dst []byte, m *Request, shift protowire.Number) []byte {
	if shift == 1 && m.Kind.onStream() {
		dst = protoInt(dst, 1, int64(m.StreamID))
	}
	switch m.Kind {
	case Execute:
		dst, start := protoBegin(dst, 1+shift)
		dst = protoStmt(dst, m.Stmt)
		return protoEnd(dst, start)
	case RunBatch:
		dst, start := protoBegin(dst, 1+shift)
		dst = protoBatch(dst, m.Batch)
		return protoEnd(dst, start)
	case OpenCursor:
		dst = protoInt(dst, 2, int64(m.CursorID))
		dst, start := protoBegin(dst, 3)
		dst = protoBatch(dst, m.Batch)
		return protoEnd(dst, start)
	case FetchCursor:
		dst = protoInt(dst, 1, int64(m.CursorID))
		return protoUint(dst, 2, uint64(m.MaxCount))
	case CloseCursor:
		return protoInt(dst, 1, int64(m.CursorID))
	case Sequence, Describe:
		dst = protoOptString(dst, 1+shift, m.SQL)
		return protoOptInt32(dst, 2+shift, m.SQLID)
	case StoreSQL:
		dst = protoInt(dst, 1, int64(*m.SQLID))
		return protoString(dst, 2, *m.SQL)
	case CloseSQL:
		return protoInt(dst, 1, int64(*m.SQLID))
	}
	return dst
}

func protoResponse(dst []byte, m *Response) []byte {
	switch m.Kind {
	case Execute:
		dst, start := protoBegin(dst, 1)
		dst = protoStmtResult(dst, m.Result)
		return protoEnd(dst, start)
	case RunBatch:
		dst, start := protoBegin(dst, 1)
		dst = protoBatchResult(dst, m.Batch)
		return protoEnd(dst, start)
	case Describe:
		dst, start := protoBegin(dst, 1)
		dst = protoDescribeResult(dst, m.Describe)
		return protoEnd(dst, start)
	case GetAutocommit:
		return protoBool(dst, 1, m.IsAutocommit)
	case FetchCursor:
		for i := range m.Entries {
			var start int
			dst, start = protoBegin(dst, 1)
			dst = protoCursorEntry(dst, &m.Entries[i])
			dst = protoEnd(dst, start)
		}
		return protoBool(dst, 2, m.Done)
	}
	return dst
}

func protoStmt(dst []byte, m *Stmt) []byte {
	dst = protoOptString(dst, 1, m.SQL)
	dst = protoOptInt32(dst, 2, m.SQLID)
	for i := range m.Args {
		dst = protoValue(dst, 3, &m.Args[i])
	}
	for i := range m.NamedArgs {
		var start int
		dst, start = protoBegin(dst, 4)
		dst = protoString(dst, 1, m.NamedArgs[i].Name)
		dst = protoValue(dst, 2, &m.NamedArgs[i].Value)
		dst = protoEnd(dst, start)
	}
	if m.WantRows != nil {
		dst = protowire.AppendTag(dst, 5, protowire.VarintType)
		dst = protowire.AppendVarint(dst, protowire.EncodeBool(*m.WantRows))
	}
	return dst
}

func protoBatch(dst []byte, m *Batch) []byte {
	for i := range m.Steps {
		var outer, inner int
		dst, outer = protoBegin(dst, 1)
		if m.Steps[i].Condition != nil {
			dst, inner = protoBegin(dst, 1)
			dst = protoCond(dst, m.Steps[i].Condition)
			dst = protoEnd(dst, inner)
		}
		dst, inner = protoBegin(dst, 2)
		dst = protoStmt(dst, &m.Steps[i].Stmt)
		dst = protoEnd(dst, inner)
		dst = protoEnd(dst, outer)
	}
	return protoOptUint64(dst, 2, m.ReplicationIndex)
}

func protoCond(dst []byte, m *BatchCond) []byte {
	number := protowire.Number(m.Kind)
	if m.Kind == CondOK || m.Kind == CondError {
		dst = protowire.AppendTag(dst, number, protowire.VarintType)
		return protowire.AppendVarint(dst, uint64(m.Step))
	}
	dst, outer := protoBegin(dst, number)
	if m.Kind == CondNot {
		dst = protoCond(dst, &m.Conds[0])
	} else {
		for i := range m.Conds {
			var start int
			dst, start = protoBegin(dst, 1)
			dst = protoCond(dst, &m.Conds[i])
			dst = protoEnd(dst, start)
		}
	}
	return protoEnd(dst, outer)
}

func protoStmtResult(dst []byte, m *StmtResult) []byte {
	dst = protoCols(dst, 1, m.Cols)
	for _, row := range m.Rows {
		var start int
		dst, start = protoBegin(dst, 2)
		dst = protoRow(dst, row)
		dst = protoEnd(dst, start)
	}
	dst = protoUint(dst, 3, m.AffectedRowCount)
	dst = protoOptSint64(dst, 4, m.LastInsertRowID)
	dst = protoOptUint64(dst, 5, m.ReplicationIndex)
	dst = protoUint(dst, 6, m.RowsRead)
	dst = protoUint(dst, 7, m.RowsWritten)
	if m.QueryDurationMS != 0 {
		dst = protowire.AppendTag(dst, 8, protowire.Fixed64Type)
		dst = protowire.AppendFixed64(dst, math.Float64bits(m.QueryDurationMS))
	}
	return dst
}

func protoCols(dst []byte, number protowire.Number, cols []Col) []byte {
	for i := range cols {
		var start int
		dst, start = protoBegin(dst, number)
		dst = protoOptString(dst, 1, cols[i].Name)
		dst = protoOptString(dst, 2, cols[i].Decltype)
		dst = protoEnd(dst, start)
	}
	return dst
}

func protoRow(dst []byte, row []Value) []byte {
	for i := range row {
		dst = protoValue(dst, 1, &row[i])
	}
	return dst
}

// protoBatchResult writes maps from the step: a step that was skipped is in neither.
func protoBatchResult(dst []byte, m *BatchResult) []byte {
	for i, result := range m.StepResults {
		if result != nil {
			var entry, start int
			dst, entry = protoBegin(dst, 1)
			dst = protoUint(dst, 1, uint64(i))
			dst, start = protoBegin(dst, 2)
			dst = protoStmtResult(dst, result)
			dst = protoEnd(dst, start)
			dst = protoEnd(dst, entry)
		}
	}
	for i, err := range m.StepErrors {
		if err != nil {
			var entry, start int
			dst, entry = protoBegin(dst, 2)
			dst = protoUint(dst, 1, uint64(i))
			dst, start = protoBegin(dst, 2)
			dst = protoError(dst, err)
			dst = protoEnd(dst, start)
			dst = protoEnd(dst, entry)
		}
	}
	return dst
}

func protoDescribeResult(dst []byte, m *DescribeResult) []byte {
	var start int
	for i := range m.Params {
		dst, start = protoBegin(dst, 1)
		dst = protoOptString(dst, 1, m.Params[i].Name)
		dst = protoEnd(dst, start)
	}
	for i := range m.Cols {
		dst, start = protoBegin(dst, 2)
		dst = protoString(dst, 1, m.Cols[i].Name)
		dst = protoOptString(dst, 2, m.Cols[i].Decltype)
		dst = protoEnd(dst, start)
	}
	dst = protoBool(dst, 3, m.IsExplain)
	return protoBool(dst, 4, m.IsReadonly)
}

func protoCursorEntry(dst []byte, m *CursorEntry) []byte {
	dst, outer := protoBegin(dst, protowire.Number(m.Kind))
	switch m.Kind {
	case StepBegin:
		dst = protoUint(dst, 1, uint64(m.Step))
		dst = protoCols(dst, 2, m.Cols)
	case StepEnd:
		dst = protoUint(dst, 1, m.AffectedRowCount)
		dst = protoOptSint64(dst, 2, m.LastInsertRowID)
	case StepError:
		var start int
		dst = protoUint(dst, 1, uint64(m.Step))
		dst, start = protoBegin(dst, 2)
		dst = protoError(dst, m.Error)
		dst = protoEnd(dst, start)
	case Row:
		dst = protoRow(dst, m.Row)
	case BatchError:
		dst = protoError(dst, m.Error)
	}
	return protoEnd(dst, outer)
}

func protoError(dst []byte, m *Error) []byte {
	dst = protoString(dst, 1, m.Message)
	return protoString(dst, 2, m.Code)
}

func protoValue(dst []byte, number protowire.Number, v *Value) []byte {
	dst, start := protoBegin(dst, number)
	switch v.Kind {
	case Integer:
		dst = protowire.AppendTag(dst, 2, protowire.VarintType)
		dst = protowire.AppendVarint(dst, protowire.EncodeZigZag(v.Integer))
	case Float:
		dst = protowire.AppendTag(dst, 3, protowire.Fixed64Type)
		dst = protowire.AppendFixed64(dst, math.Float64bits(v.Float))
	case Text:
		dst = protoText(dst, 4, v.Text)
	case Blob:
		dst = protowire.AppendTag(dst, 5, protowire.BytesType)
		dst = protowire.AppendBytes(dst, v.Blob)
	default:
		dst = append(dst, 1<<3|byte(protowire.BytesType), 0)
	}
	return protoEnd(dst, start)
}

func protoOptString(dst []byte, number protowire.Number, s *string) []byte {
	if s == nil {
		return dst
	}
	return protoText(dst, number, *s)
}

func protoString(dst []byte, number protowire.Number, s string) []byte {
	if s == "" {
		return dst
	}
	return protoText(dst, number, s)
}

// protoText replaces what is not UTF-8, as [jsonString] does: a reader would refuse the whole message.
func protoText(dst []byte, number protowire.Number, s string) []byte {
	dst = protowire.AppendTag(dst, number, protowire.BytesType)
	if utf8.ValidString(s) {
		return protowire.AppendString(dst, s)
	}
	return protowire.AppendString(dst, string([]rune(s)))
}

// protoInt writes an int32: negative ones take ten bytes.
func protoInt(dst []byte, number protowire.Number, n int64) []byte {
	return protoUint(dst, number, uint64(n))
}

func protoUint(dst []byte, number protowire.Number, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return protoOptUint64(dst, number, &n)
}

func protoBool(dst []byte, number protowire.Number, b bool) []byte {
	return protoUint(dst, number, protowire.EncodeBool(b))
}

func protoOptInt32(dst []byte, number protowire.Number, n *int32) []byte {
	if n == nil {
		return dst
	}
	dst = protowire.AppendTag(dst, number, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(int64(*n)))
}

func protoOptUint64(dst []byte, number protowire.Number, n *uint64) []byte {
	if n == nil {
		return dst
	}
	dst = protowire.AppendTag(dst, number, protowire.VarintType)
	return protowire.AppendVarint(dst, *n)
}

func protoOptSint64(dst []byte, number protowire.Number, n *int64) []byte {
	if n == nil {
		return dst
	}
	dst = protowire.AppendTag(dst, number, protowire.VarintType)
	return protowire.AppendVarint(dst, protowire.EncodeZigZag(*n))
}

// protoBegin begins a message inside a message with a byte for its length, and
// protoEnd moves the message if its length needs more.
func protoBegin(dst []byte, number protowire.Number) ([]byte, int) {
	dst = append(protowire.AppendTag(dst, number, protowire.BytesType), 0)
	return dst, len(dst)
}

func protoEnd(dst []byte, start int) []byte {
	length := len(dst) - start
	if length < 1<<7 {
		dst[start-1] = byte(length)
		return dst
	}
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], uint64(length))
	dst = append(dst, prefix[1:n]...)
	copy(dst[start-1+n:], dst[start:start+length])
	copy(dst[start-1:], prefix[:n])
	return dst
}

// protoDelimited puts a message's length before it.
func protoDelimited(dst []byte, message func([]byte) []byte) []byte {
	dst = append(dst, 0)
	start := len(dst)
	return protoEnd(message(dst), start)
}
