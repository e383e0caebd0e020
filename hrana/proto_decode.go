package hrana

import (
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// stepsMax bounds the number of a step in a batch's result, which is a map: one
// large key must not make a large slice.
const stepsMax = 1 << 20

// protoReader walks over protobuf. It stands in a message that reaches to end; next
// moves to a field, and then num and typ are those of the field. After the first
// error it stands still.
type protoReader struct {
	data  []byte
	pos   int
	end   int
	depth int
	parts int
	num   protowire.Number
	typ   protowire.Type
	err   *DecodeError
}

func decodeProto[T any](data []byte, m *T, read func(*protoReader, *T)) (*T, error) {
	r := protoReader{data: data, end: len(data)}
	if read(&r, m); r.err != nil {
		return nil, r.err
	}
	return m, nil
}

func (r *protoReader) fail(reason string) {
	if r.err == nil {
		r.err = &DecodeError{Encoding: Protobuf, Offset: r.pos, Reason: reason}
	}
}

func (r *protoReader) next() bool {
	if r.err != nil || r.pos >= r.end {
		return false
	}
	num, typ, n := protowire.ConsumeTag(r.data[r.pos:r.end])
	if n < 0 {
		r.fail("no tag: " + protowire.ParseError(n).Error())
		return false
	}
	r.pos += n
	r.num, r.typ = num, typ
	return true
}

func (r *protoReader) skip() {
	n := protowire.ConsumeFieldValue(r.num, r.typ, r.data[r.pos:r.end])
	if n < 0 {
		r.fail("field " + strconv.Itoa(int(r.num)) + ": " + protowire.ParseError(n).Error())
		return
	}
	r.pos += n
}

// is fails unless the field has this type.
func (r *protoReader) is(typ protowire.Type) bool {
	if r.err == nil && r.typ != typ {
		r.fail("field " + strconv.Itoa(int(r.num)) + " has a wrong type")
	}
	return r.err == nil
}

// bytes returns a part of the input.
func (r *protoReader) bytes() []byte {
	if !r.is(protowire.BytesType) {
		return nil
	}
	b, n := protowire.ConsumeBytes(r.data[r.pos:r.end])
	if n < 0 {
		r.fail("field " + strconv.Itoa(int(r.num)) + ": " + protowire.ParseError(n).Error())
		return nil
	}
	r.pos += n
	return b
}

func (r *protoReader) varint() uint64 {
	if !r.is(protowire.VarintType) {
		return 0
	}
	v, n := protowire.ConsumeVarint(r.data[r.pos:r.end])
	if n < 0 {
		r.fail("field " + strconv.Itoa(int(r.num)) + ": " + protowire.ParseError(n).Error())
		return 0
	}
	r.pos += n
	return v
}

func (r *protoReader) double() float64 {
	if !r.is(protowire.Fixed64Type) {
		return 0
	}
	v, n := protowire.ConsumeFixed64(r.data[r.pos:r.end])
	if n < 0 {
		r.fail("field " + strconv.Itoa(int(r.num)) + ": " + protowire.ParseError(n).Error())
		return 0
	}
	r.pos += n
	return math.Float64frombits(v)
}

func (r *protoReader) string() string {
	b := r.bytes()
	if !utf8.Valid(b) {
		r.fail("field " + strconv.Itoa(int(r.num)) + " is not UTF-8")
		return ""
	}
	return string(b)
}

func (r *protoReader) optString() *string {
	s := r.string()
	return &s
}

// int32 and uint32 drop high bits, as protobuf says.
func (r *protoReader) int32() int32   { return int32(r.varint()) }
func (r *protoReader) uint32() uint32 { return uint32(r.varint()) }
func (r *protoReader) bool() bool     { return protowire.DecodeBool(r.varint()) }

func (r *protoReader) optInt32() *int32 {
	n := r.int32()
	return &n
}

func (r *protoReader) optUint64() *uint64 {
	n := r.varint()
	return &n
}

func (r *protoReader) optSint64() *int64 {
	n := protowire.DecodeZigZag(r.varint())
	return &n
}

// message reads the message in this field.
func message[T any](r *protoReader, m *T, read func(*protoReader, *T)) {
	inside := len(r.bytes())
	if r.err != nil {
		return
	}
	if r.depth++; r.depth > maxDepth {
		r.fail("it nests deeper than " + strconv.Itoa(maxDepth))
		return
	}
	if r.parts++; r.parts > maxParts {
		r.fail("it has more than " + strconv.Itoa(maxParts) + " parts")
		return
	}
	after := r.end
	r.end = r.pos
	r.pos -= inside
	read(r, m)
	r.end = after
	r.depth--
}

// own reads the message in this field into memory of its own.
func own[T any](r *protoReader, read func(*protoReader, *T)) *T {
	m := new(T)
	message(r, m, read)
	return m
}

// add reads the message in this field as one more of a list.
func add[T any](r *protoReader, list []T, read func(*protoReader, *T)) []T {
	var zero T
	list = append(list, zero)
	message(r, &list[len(list)-1], read)
	return list
}

// require fails when a field is missing.
func (r *protoReader) require(there bool, what, field string) {
	if !there && r.err == nil {
		r.fail(what + " lacks the field " + field)
	}
}

func (r *protoReader) pipelineRequest(m *PipelineRequest) {
	for r.next() {
		switch r.num {
		case 1:
			m.Baton = r.optString()
		case 2:
			m.Requests = add(r, m.Requests, (*protoReader).httpRequest)
		default:
			r.skip()
		}
	}
}

func (r *protoReader) pipelineResponse(m *PipelineResponse) {
	for r.next() {
		switch r.num {
		case 1:
			m.Baton = r.optString()
		case 2:
			m.BaseURL = r.optString()
		case 3:
			m.Results = add(r, m.Results, (*protoReader).streamResult)
		default:
			r.skip()
		}
	}
}

func (r *protoReader) streamResult(m *StreamResult) {
	for r.next() {
		switch r.num {
		case 1:
			*m = StreamResult{OK: own(r, (*protoReader).httpResponse)}
		case 2:
			*m = StreamResult{Error: own(r, (*protoReader).error)}
		default:
			r.skip()
		}
	}
	r.require(m.OK != nil || m.Error != nil, "a result", "ok or error")
}

func (r *protoReader) cursorRequest(m *CursorRequest) {
	found := false
	for r.next() {
		switch r.num {
		case 1:
			m.Baton = r.optString()
		case 2:
			m.Batch = Batch{}
			message(r, &m.Batch, (*protoReader).batch)
			found = true
		default:
			r.skip()
		}
	}
	r.require(found, "a cursor request", "batch")
}

func (r *protoReader) cursorResponse(m *CursorResponse) {
	for r.next() {
		switch r.num {
		case 1:
			m.Baton = r.optString()
		case 2:
			m.BaseURL = r.optString()
		default:
			r.skip()
		}
	}
}

func (r *protoReader) clientMsg(m *ClientMsg) {
	found := false
	for r.next() {
		switch r.num {
		case 1:
			*m = ClientMsg{}
			message(r, m, (*protoReader).hello)
			found = true
		case 2:
			*m = ClientMsg{}
			message(r, m, (*protoReader).requestMsg)
			found = true
		default:
			r.skip()
		}
	}
	r.require(found, "a message", "hello or request")
}

func (r *protoReader) hello(m *ClientMsg) {
	for r.next() {
		if r.num == 1 {
			m.JWT = r.optString()
			continue
		}
		r.skip()
	}
}

func (r *protoReader) requestMsg(m *ClientMsg) {
	for r.next() {
		if r.num == 1 {
			m.RequestID = r.int32()
			continue
		}
		kind := kindOf(webSocketNumbers[:], r.num)
		if kind == 0 {
			r.skip()
			continue
		}
		m.Request = &Request{Kind: kind}
		message(r, m.Request, (*protoReader).webSocketFields)
	}
	r.require(m.Request != nil, "a request message", "request")
}

func (r *protoReader) serverMsg(m *ServerMsg) {
	for r.next() {
		if r.num < 1 || r.num > protowire.Number(ResponseError) {
			r.skip()
			continue
		}
		*m = ServerMsg{Kind: ServerMsgKind(r.num)}
		message(r, m, (*protoReader).serverMsgFields)
	}
	r.require(m.Kind != 0, "a message", "hello_ok, hello_error, response_ok or response_error")
}

func (r *protoReader) serverMsgFields(m *ServerMsg) {
	for r.next() {
		switch {
		case m.Kind == HelloError && r.num == 1, m.Kind == ResponseError && r.num == 2:
			m.Error = own(r, (*protoReader).error)
		case m.Kind >= ResponseOK && r.num == 1:
			m.RequestID = r.int32()
		case m.Kind == ResponseOK && kindOf(webSocketNumbers[:], r.num) != 0:
			m.Response = &Response{Kind: kindOf(webSocketNumbers[:], r.num)}
			message(r, m.Response, (*protoReader).responseFields)
		default:
			r.skip()
		}
	}
	switch m.Kind {
	case HelloError, ResponseError:
		r.require(m.Error != nil, "a message", "error")
	case ResponseOK:
		r.require(m.Response != nil, "a message", "response")
	}
}

// kindOf returns the kind of request that has this number; 0 when none has.
func kindOf(numbers []protowire.Number, number protowire.Number) RequestKind {
	for kind, n := range numbers {
		if n == number && n != 0 {
			return RequestKind(kind)
		}
	}
	return 0
}

func (r *protoReader) httpRequest(m *Request) {
	for r.next() {
		kind := kindOf(httpNumbers[:], r.num)
		if kind == 0 {
			r.skip()
			continue
		}
		*m = Request{Kind: kind}
		message(r, m, (*protoReader).httpFields)
	}
	r.require(m.Kind != 0, "a request", "of any known kind")
}

func (r *protoReader) httpFields(m *Request) { r.requestFields(m, 0) }

func (r *protoReader) webSocketFields(m *Request) { r.requestFields(m, 1) }

// requestFields reads what [protoRequest] writes.
func (r *protoReader) requestFields(m *Request, shift protowire.Number) {
	for r.next() {
		switch {
		case shift == 1 && r.num == 1 && m.Kind.onStream():
			m.StreamID = r.int32()
		case !r.requestField(m, shift):
			r.skip()
		}
	}
	if m.SQL == nil && m.Kind == StoreSQL {
		m.SQL = new(string)
	}
	if m.SQLID == nil && (m.Kind == StoreSQL || m.Kind == CloseSQL) {
		m.SQLID = new(int32)
	}
	var f Request
	if lacks := keep(&f, m); lacks != "" {
		r.require(false, m.Kind.String(), lacks)
	}
}

func (r *protoReader) requestField(m *Request, shift protowire.Number) bool {
	field := r.num - shift
	switch m.Kind {
	case Execute:
		if field == 1 {
			m.Stmt = own(r, (*protoReader).stmt)
			return true
		}
	case RunBatch:
		if field == 1 {
			m.Batch = own(r, (*protoReader).batch)
			return true
		}
	case Sequence, Describe:
		switch field {
		case 1:
			m.SQL = r.optString()
			return true
		case 2:
			m.SQLID = r.optInt32()
			return true
		}
	default:
		return r.cursorField(m) || r.storeField(m)
	}
	return false
}

func (r *protoReader) cursorField(m *Request) bool {
	switch {
	case m.Kind == OpenCursor && r.num == 2, (m.Kind == FetchCursor || m.Kind == CloseCursor) && r.num == 1:
		m.CursorID = r.int32()
	case m.Kind == OpenCursor && r.num == 3:
		m.Batch = own(r, (*protoReader).batch)
	case m.Kind == FetchCursor && r.num == 2:
		m.MaxCount = r.uint32()
	default:
		return false
	}
	return true
}

func (r *protoReader) storeField(m *Request) bool {
	switch {
	case (m.Kind == StoreSQL || m.Kind == CloseSQL) && r.num == 1:
		m.SQLID = r.optInt32()
	case m.Kind == StoreSQL && r.num == 2:
		m.SQL = r.optString()
	default:
		return false
	}
	return true
}

func (r *protoReader) httpResponse(m *Response) {
	for r.next() {
		kind := kindOf(httpNumbers[:], r.num)
		if kind == 0 {
			r.skip()
			continue
		}
		*m = Response{Kind: kind}
		message(r, m, (*protoReader).responseFields)
	}
	r.require(m.Kind != 0, "a response", "of any known kind")
}

func (r *protoReader) responseFields(m *Response) {
	for r.next() {
		switch {
		case m.Kind == Execute && r.num == 1:
			m.Result = own(r, (*protoReader).stmtResult)
		case m.Kind == RunBatch && r.num == 1:
			m.Batch = own(r, (*protoReader).batchResult)
		case m.Kind == Describe && r.num == 1:
			m.Describe = own(r, (*protoReader).describeResult)
		case m.Kind == GetAutocommit && r.num == 1:
			m.IsAutocommit = r.bool()
		case m.Kind == FetchCursor && r.num == 1:
			m.Entries = add(r, m.Entries, (*protoReader).cursorEntry)
		case m.Kind == FetchCursor && r.num == 2:
			m.Done = r.bool()
		default:
			r.skip()
		}
	}
	r.require(m.hasResult(), "a response", "result")
}

func (r *protoReader) stmt(m *Stmt) {
	for r.next() {
		switch r.num {
		case 1:
			m.SQL = r.optString()
		case 2:
			m.SQLID = r.optInt32()
		case 3:
			m.Args = add(r, m.Args, (*protoReader).value)
		case 4:
			m.NamedArgs = add(r, m.NamedArgs, (*protoReader).namedArg)
		case 5:
			want := r.bool()
			m.WantRows = &want
		default:
			r.skip()
		}
	}
}

func (r *protoReader) namedArg(m *NamedArg) {
	found := false
	for r.next() {
		switch r.num {
		case 1:
			m.Name = r.string()
		case 2:
			m.Value = Value{}
			message(r, &m.Value, (*protoReader).value)
			found = true
		default:
			r.skip()
		}
	}
	r.require(found, "a named argument", "value")
}

func (r *protoReader) batch(m *Batch) {
	for r.next() {
		switch r.num {
		case 1:
			m.Steps = add(r, m.Steps, (*protoReader).batchStep)
		case 2:
			m.ReplicationIndex = r.optUint64()
		default:
			r.skip()
		}
	}
}

func (r *protoReader) batchStep(m *BatchStep) {
	found := false
	for r.next() {
		switch r.num {
		case 1:
			m.Condition = own(r, (*protoReader).cond)
		case 2:
			m.Stmt = Stmt{}
			message(r, &m.Stmt, (*protoReader).stmt)
			found = true
		default:
			r.skip()
		}
	}
	r.require(found, "a step", "stmt")
}

func (r *protoReader) cond(m *BatchCond) {
	for r.next() {
		if r.num < 1 || r.num > protowire.Number(CondIsAutocommit) {
			r.skip()
			continue
		}
		*m = BatchCond{Kind: CondKind(r.num)}
		switch m.Kind {
		case CondOK, CondError:
			m.Step = r.uint32()
		case CondNot:
			m.Conds = add(r, m.Conds, (*protoReader).cond)
		case CondAnd, CondOr:
			message(r, &m.Conds, (*protoReader).condList)
		case CondIsAutocommit:
			r.skip()
		}
	}
	r.require(m.Kind != 0, "a condition", "of any known kind")
}

func (r *protoReader) condList(m *[]BatchCond) {
	for r.next() {
		if r.num == 1 {
			*m = add(r, *m, (*protoReader).cond)
			continue
		}
		r.skip()
	}
}

func (r *protoReader) stmtResult(m *StmtResult) {
	for r.next() {
		switch r.num {
		case 1:
			m.Cols = add(r, m.Cols, (*protoReader).col)
		case 2:
			m.Rows = add(r, m.Rows, (*protoReader).row)
		case 3:
			m.AffectedRowCount = r.varint()
		case 4:
			m.LastInsertRowID = r.optSint64()
		case 5:
			m.ReplicationIndex = r.optUint64()
		case 6:
			m.RowsRead = r.varint()
		case 7:
			m.RowsWritten = r.varint()
		case 8:
			m.QueryDurationMS = r.double()
		default:
			r.skip()
		}
	}
}

func (r *protoReader) col(m *Col) {
	for r.next() {
		switch r.num {
		case 1:
			m.Name = r.optString()
		case 2:
			m.Decltype = r.optString()
		default:
			r.skip()
		}
	}
}

func (r *protoReader) row(m *[]Value) {
	for r.next() {
		if r.num == 1 {
			*m = add(r, *m, (*protoReader).value)
			continue
		}
		r.skip()
	}
}

// batchResult makes as many places as the last step in either map needs.
func (r *protoReader) batchResult(m *BatchResult) {
	for r.next() {
		switch r.num {
		case 1:
			entry := own(r, (*protoReader).stepResult)
			m.grow(entry.step)
			if r.err == nil {
				m.StepResults[entry.step] = entry.result
			}
		case 2:
			entry := own(r, (*protoReader).stepError)
			m.grow(entry.step)
			if r.err == nil {
				m.StepErrors[entry.step] = entry.err
			}
		default:
			r.skip()
		}
	}
}

// stepOutcome is an entry of either map.
type stepOutcome struct {
	step   uint32
	result *StmtResult
	err    *Error
}

func (r *protoReader) stepResult(m *stepOutcome) {
	r.stepOutcome(m, func() { m.result = own(r, (*protoReader).stmtResult) })
	r.require(m.result != nil, "the result of a step", "value")
}

func (r *protoReader) stepError(m *stepOutcome) {
	r.stepOutcome(m, func() { m.err = own(r, (*protoReader).error) })
	r.require(m.err != nil, "the error of a step", "value")
}

func (r *protoReader) stepOutcome(m *stepOutcome, value func()) {
	for r.next() {
		switch r.num {
		case 1:
			if m.step = r.uint32(); m.step >= stepsMax {
				r.fail("a step's number is " + strconv.Itoa(stepsMax) + " or more")
			}
		case 2:
			value()
		default:
			r.skip()
		}
	}
}

func (m *BatchResult) grow(step uint32) {
	for step < stepsMax && int(step) >= len(m.StepResults) {
		m.StepResults = append(m.StepResults, nil)
		m.StepErrors = append(m.StepErrors, nil)
	}
}

func (r *protoReader) describeResult(m *DescribeResult) {
	for r.next() {
		switch r.num {
		case 1:
			var col Col
			message(r, &col, (*protoReader).col)
			m.Params = append(m.Params, DescribeParam{col.Name})
		case 2:
			var col Col
			message(r, &col, (*protoReader).col)
			if col.Name == nil {
				col.Name = new(string)
			}
			m.Cols = append(m.Cols, DescribeCol{*col.Name, col.Decltype})
		case 3:
			m.IsExplain = r.bool()
		case 4:
			m.IsReadonly = r.bool()
		default:
			r.skip()
		}
	}
}

func (r *protoReader) cursorEntry(m *CursorEntry) {
	for r.next() {
		if r.num < 1 || r.num > protowire.Number(BatchError) {
			r.skip()
			continue
		}
		*m = CursorEntry{Kind: EntryKind(r.num)}
		switch m.Kind {
		case Row:
			message(r, &m.Row, (*protoReader).row)
		case BatchError:
			m.Error = own(r, (*protoReader).error)
		default:
			message(r, m, (*protoReader).stepEntry)
		}
	}
	r.require(m.Kind != 0, "an entry", "of any known kind")
}

func (r *protoReader) stepEntry(m *CursorEntry) {
	for r.next() {
		switch {
		case m.Kind == StepEnd && r.num == 1:
			m.AffectedRowCount = r.varint()
		case m.Kind == StepEnd && r.num == 2:
			m.LastInsertRowID = r.optSint64()
		case m.Kind != StepEnd && r.num == 1:
			m.Step = r.uint32()
		case m.Kind == StepBegin && r.num == 2:
			m.Cols = add(r, m.Cols, (*protoReader).col)
		case m.Kind == StepError && r.num == 2:
			m.Error = own(r, (*protoReader).error)
		default:
			r.skip()
		}
	}
	r.require(m.Kind != StepError || m.Error != nil, "an entry", "error")
}

func (r *protoReader) error(m *Error) {
	for r.next() {
		switch r.num {
		case 1:
			m.Message = r.string()
		case 2:
			m.Code = r.string()
		default:
			r.skip()
		}
	}
}

func (r *protoReader) value(m *Value) {
	found := false
	for r.next() {
		switch r.num {
		case 1:
			r.skip()
			*m = Value{}
		case 2:
			*m = Value{Kind: Integer, Integer: protowire.DecodeZigZag(r.varint())}
		case 3:
			*m = Value{Kind: Float, Float: r.double()}
		case 4:
			*m = Value{Kind: Text, Text: r.string()}
		case 5:
			*m = Value{Kind: Blob, Blob: append([]byte{}, r.bytes()...)}
		default:
			r.skip()
			continue
		}
		found = true
	}
	r.require(found, "a value", "of any known kind")
}
