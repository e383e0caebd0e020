package hrana

// Fields that are unknown are skipped, those that are missing take their zero value
// unless the message makes no sense without them. The type of an object may
// follow the fields that depend on it.

func (s *scanner) pipelineRequest(m *PipelineRequest) {
	const what = "a pipeline request"
	s.object(what, func(key []byte) {
		switch string(key) {
		case "baton":
			m.Baton = s.optString("a baton")
		case "requests":
			m.Requests = elements(s, "the requests", (*scanner).request)
		default:
			s.skip()
		}
	})
	for i := range m.Requests {
		if k := m.Requests[i].Kind; k > GetAutocommit && s.err == nil {
			s.fail("the request " + k.String() + " exists over WebSocket only")
		}
	}
}

func (s *scanner) pipelineResponse(m *PipelineResponse) {
	s.object("a pipeline response", func(key []byte) {
		switch string(key) {
		case "baton":
			m.Baton = s.optString("a baton")
		case "base_url":
			m.BaseURL = s.optString("a URL")
		case "results":
			m.Results = elements(s, "the results", (*scanner).streamResult)
		default:
			s.skip()
		}
	})
}

func (s *scanner) streamResult(m *StreamResult) {
	const what = "a result"
	var kind []byte
	s.object(what, func(key []byte) {
		switch string(key) {
		case "type":
			kind = s.stringBytes("a type")
		case "response":
			m.OK = read(s, (*scanner).response)
		case "error":
			m.Error = read(s, (*scanner).error)
		default:
			s.skip()
		}
	})
	switch string(kind) {
	case "ok":
		m.Error = nil
		s.require(m.OK != nil, what, "response")
	case "error":
		m.OK = nil
		s.require(m.Error != nil, what, "error")
	default:
		s.unknown(what, kind)
	}
}

func (s *scanner) cursorRequest(m *CursorRequest) {
	const what = "a cursor request"
	found := false
	s.object(what, func(key []byte) {
		switch string(key) {
		case "baton":
			m.Baton = s.optString("a baton")
		case "batch":
			m.Batch = *read(s, (*scanner).batch)
			found = true
		default:
			s.skip()
		}
	})
	s.require(found, what, "batch")
}

func (s *scanner) cursorResponse(m *CursorResponse) {
	s.object("a cursor response", func(key []byte) {
		switch string(key) {
		case "baton":
			m.Baton = s.optString("a baton")
		case "base_url":
			m.BaseURL = s.optString("a URL")
		default:
			s.skip()
		}
	})
}

func (s *scanner) stmtBody(m *Stmt) {
	const what = "an execute request"
	found := false
	s.object(what, func(key []byte) {
		if string(key) == "stmt" {
			*m = *read(s, (*scanner).stmt)
			found = true
			return
		}
		s.skip()
	})
	s.require(found, what, "stmt")
}

func (s *scanner) batchBody(m *Batch) {
	const what = "a batch request"
	found := false
	s.object(what, func(key []byte) {
		if string(key) == "batch" {
			*m = *read(s, (*scanner).batch)
			found = true
			return
		}
		s.skip()
	})
	s.require(found, what, "batch")
}

func (s *scanner) clientMsg(m *ClientMsg) {
	const what = "a message"
	var kind []byte
	s.object(what, func(key []byte) {
		switch string(key) {
		case "type":
			kind = s.stringBytes("a type")
		case "jwt":
			m.JWT = s.optString("a token")
		case "request_id":
			m.RequestID = s.int32("a request's number")
		case "request":
			m.Request = read(s, (*scanner).request)
		default:
			s.skip()
		}
	})
	switch string(kind) {
	case "hello":
		m.Request, m.RequestID = nil, 0
	case "request":
		m.JWT = nil
		s.require(m.Request != nil, what, "request")
		if s.err == nil && m.Request.Kind == Close {
			s.fail("the request close exists over HTTP only")
		}
	default:
		s.unknown(what, kind)
	}
}

func (s *scanner) serverMsg(m *ServerMsg) {
	const what = "a message"
	var kind []byte
	s.object(what, func(key []byte) {
		switch string(key) {
		case "type":
			kind = s.stringBytes("a type")
		case "request_id":
			m.RequestID = s.int32("a request's number")
		case "response":
			m.Response = read(s, (*scanner).response)
		case "error":
			m.Error = read(s, (*scanner).error)
		default:
			s.skip()
		}
	})
	k, ok := find(serverMsgNames[:], kind)
	if !ok {
		s.unknown(what, kind)
		return
	}
	m.Kind = ServerMsgKind(k)
	if m.Kind == HelloOK || m.Kind == HelloError {
		m.RequestID = 0
	}
	if m.Kind != ResponseOK {
		m.Response = nil
	} else {
		s.require(m.Response != nil, what, "response")
	}
	if m.Kind != HelloError && m.Kind != ResponseError {
		m.Error = nil
	} else {
		s.require(m.Error != nil, what, "error")
	}
}

func (s *scanner) request(m *Request) {
	const what = "a request"
	var kind []byte
	var f Request // whatever is there; what its kind has is kept
	s.object(what, func(key []byte) {
		switch string(key) {
		case "type":
			kind = s.stringBytes("a type")
		case "stream_id":
			f.StreamID = s.int32("a stream's number")
		case "stmt":
			f.Stmt = read(s, (*scanner).stmt)
		case "batch":
			f.Batch = read(s, (*scanner).batch)
		case "sql":
			f.SQL = s.optString("SQL")
		case "sql_id":
			f.SQLID = s.optInt32("the number of an SQL text")
		case "cursor_id":
			f.CursorID = s.int32("a cursor's number")
		case "max_count":
			f.MaxCount = s.uint32("a count")
		default:
			s.skip()
		}
	})
	k, ok := find(requestNames[:], kind)
	if !ok {
		s.unknown(what, kind)
		return
	}
	f.Kind = RequestKind(k)
	if lacks := keep(m, &f); lacks != "" {
		s.require(false, f.Kind.String(), lacks)
	}
}

// keep copies the fields that a request of this kind has, and returns the name of one that is missing.
func keep(m, f *Request) (lacks string) {
	m.Kind = f.Kind
	if m.Kind.onStream() && m.Kind != Close {
		m.StreamID = f.StreamID
	}
	switch m.Kind {
	case Execute:
		if m.Stmt = f.Stmt; m.Stmt == nil {
			return "stmt"
		}
	case RunBatch, OpenCursor:
		if m.Batch = f.Batch; m.Batch == nil {
			return "batch"
		}
	case Sequence, Describe:
		m.SQL, m.SQLID = f.SQL, f.SQLID
	case StoreSQL:
		if m.SQL, m.SQLID = f.SQL, f.SQLID; m.SQL == nil {
			return "sql"
		}
		if m.SQLID == nil {
			return "sql_id"
		}
	case CloseSQL:
		if m.SQLID = f.SQLID; m.SQLID == nil {
			return "sql_id"
		}
	}
	switch m.Kind {
	case OpenCursor, FetchCursor, CloseCursor:
		m.CursorID = f.CursorID
	}
	if m.Kind == FetchCursor {
		m.MaxCount = f.MaxCount
	}
	return ""
}

func (s *scanner) response(m *Response) {
	const what = "a response"
	var kind []byte
	var autocommit, done bool
	result := -1 // where the result begins
	s.object(what, func(key []byte) {
		switch string(key) {
		case "type":
			kind = s.stringBytes("a type")
		case "result":
			s.space()
			result = s.pos
			if !s.result(m, kind) {
				s.skip()
			}
		case "is_autocommit":
			autocommit = s.bool("is_autocommit")
		case "entries":
			m.Entries = elements(s, "the entries", (*scanner).cursorEntry)
		case "done":
			done = s.bool("done")
		default:
			s.skip()
		}
	})
	k, ok := find(requestNames[:], kind)
	if !ok {
		s.unknown(what, kind)
		return
	}
	m.Kind = RequestKind(k)
	m.IsAutocommit = autocommit && m.Kind == GetAutocommit
	m.Done = done && m.Kind == FetchCursor
	if m.Kind != FetchCursor {
		m.Entries = nil
	}
	m.keepResult()
	if s.err != nil || m.hasResult() {
		return
	}
	if s.require(result >= 0, what, "result"); s.err == nil {
		end := s.pos
		s.pos = result
		s.result(m, kind)
		if s.err == nil {
			s.pos = end
		}
	}
}

// result reads the result of a response if its kind is known already.
func (s *scanner) result(m *Response, kind []byte) bool {
	switch string(kind) {
	case "execute":
		m.Result = read(s, (*scanner).stmtResult)
	case "batch":
		m.Batch = read(s, (*scanner).batchResult)
	case "describe":
		m.Describe = read(s, (*scanner).describeResult)
	default:
		return false
	}
	return true
}

// keepResult drops results of another kind.
func (m *Response) keepResult() {
	if m.Kind != Execute {
		m.Result = nil
	}
	if m.Kind != RunBatch {
		m.Batch = nil
	}
	if m.Kind != Describe {
		m.Describe = nil
	}
}

// hasResult says whether the result is there, or none is needed.
func (m *Response) hasResult() bool {
	switch m.Kind {
	case Execute:
		return m.Result != nil
	case RunBatch:
		return m.Batch != nil
	case Describe:
		return m.Describe != nil
	}
	return true
}

func (s *scanner) stmt(m *Stmt) {
	s.object("a statement", func(key []byte) {
		switch string(key) {
		case "sql":
			m.SQL = s.optString("SQL")
		case "sql_id":
			m.SQLID = s.optInt32("the number of an SQL text")
		case "args":
			m.Args = elements(s, "the arguments", (*scanner).value)
		case "named_args":
			m.NamedArgs = elements(s, "the named arguments", (*scanner).namedArg)
		case "want_rows":
			if !s.null() {
				want := s.bool("want_rows")
				m.WantRows = &want
			}
		default:
			s.skip()
		}
	})
}

func (s *scanner) namedArg(m *NamedArg) {
	const what = "a named argument"
	named, valued := false, false
	s.object(what, func(key []byte) {
		switch string(key) {
		case "name":
			m.Name = s.string("a name")
			named = true
		case "value":
			m.Value = Value{}
			s.value(&m.Value)
			valued = true
		default:
			s.skip()
		}
	})
	s.require(named, what, "name")
	s.require(valued, what, "value")
}

func (s *scanner) batch(m *Batch) {
	const what = "a batch"
	found := false
	s.object(what, func(key []byte) {
		switch string(key) {
		case "steps":
			m.Steps = elements(s, "the steps", (*scanner).batchStep)
			found = true
		case "replication_index":
			m.ReplicationIndex = s.optUint64("a replication index")
		default:
			s.skip()
		}
	})
	s.require(found, what, "steps")
}

func (s *scanner) batchStep(m *BatchStep) {
	const what = "a step"
	found := false
	s.object(what, func(key []byte) {
		switch string(key) {
		case "condition":
			if m.Condition = nil; !s.null() {
				m.Condition = read(s, (*scanner).cond)
			}
		case "stmt":
			m.Stmt = *read(s, (*scanner).stmt)
			found = true
		default:
			s.skip()
		}
	})
	s.require(found, what, "stmt")
}

func (s *scanner) cond(m *BatchCond) {
	const what = "a condition"
	var kind []byte
	var cond, conds []BatchCond
	var stepped, listed bool
	s.object(what, func(key []byte) {
		switch string(key) {
		case "type":
			kind = s.stringBytes("a type")
		case "step":
			m.Step = s.uint32("a step")
			stepped = true
		case "cond":
			cond = make([]BatchCond, 1)
			s.cond(&cond[0])
		case "conds":
			conds = elements(s, "the conditions", (*scanner).cond)
			listed = true
		default:
			s.skip()
		}
	})
	k, ok := find(condNames[:], kind)
	if !ok {
		s.unknown(what, kind)
		return
	}
	m.Kind = CondKind(k)
	switch m.Kind {
	case CondOK, CondError:
		s.require(stepped, what, "step")
		return
	case CondNot:
		s.require(cond != nil, what, "cond")
		m.Conds = cond
	case CondAnd, CondOr:
		s.require(listed, what, "conds")
		m.Conds = conds
	}
	m.Step = 0
}

func (s *scanner) stmtResult(m *StmtResult) {
	s.object("a statement's result", func(key []byte) {
		switch string(key) {
		case "cols":
			m.Cols = elements(s, "the columns", (*scanner).col)
		case "rows":
			m.Rows = elements(s, "the rows", (*scanner).row)
		case "affected_row_count":
			m.AffectedRowCount = s.unsigned("a count")
		case "last_insert_rowid":
			m.LastInsertRowID = s.optInt64("a rowid")
		case "replication_index":
			m.ReplicationIndex = s.optUint64("a replication index")
		case "rows_read":
			m.RowsRead = s.unsigned("a count")
		case "rows_written":
			m.RowsWritten = s.unsigned("a count")
		case "query_duration_ms":
			if !s.null() {
				m.QueryDurationMS = s.float("a duration")
			}
		default:
			s.skip()
		}
	})
}

func (s *scanner) col(m *Col) {
	s.object("a column", func(key []byte) {
		switch string(key) {
		case "name":
			m.Name = s.optString("a name")
		case "decltype":
			m.Decltype = s.optString("a type")
		default:
			s.skip()
		}
	})
}

func (s *scanner) row(m *[]Value) {
	*m = elements(s, "a row", (*scanner).value)
}

func (s *scanner) batchResult(m *BatchResult) {
	s.object("a batch's result", func(key []byte) {
		switch string(key) {
		case "step_results":
			m.StepResults = elements(s, "the results of the steps", func(s *scanner, m **StmtResult) {
				if !s.null() {
					*m = read(s, (*scanner).stmtResult)
				}
			})
		case "step_errors":
			m.StepErrors = elements(s, "the errors of the steps", func(s *scanner, m **Error) {
				if !s.null() {
					*m = read(s, (*scanner).error)
				}
			})
		case "replication_index":
			m.ReplicationIndex = s.optUint64("a replication index")
		default:
			s.skip()
		}
	})
}

func (s *scanner) describeResult(m *DescribeResult) {
	s.object("a description", func(key []byte) {
		switch string(key) {
		case "params":
			m.Params = elements(s, "the parameters", func(s *scanner, m *DescribeParam) {
				var col Col
				s.col(&col)
				m.Name = col.Name
			})
		case "cols":
			m.Cols = elements(s, "the columns", func(s *scanner, m *DescribeCol) {
				var col Col
				s.col(&col)
				if m.Decltype = col.Decltype; col.Name != nil {
					m.Name = *col.Name
				}
			})
		case "is_explain":
			m.IsExplain = s.bool("is_explain")
		case "is_readonly":
			m.IsReadonly = s.bool("is_readonly")
		default:
			s.skip()
		}
	})
}

func (s *scanner) cursorEntry(m *CursorEntry) {
	const what = "an entry"
	var kind []byte
	var f CursorEntry
	rowed := false
	s.object(what, func(key []byte) {
		switch string(key) {
		case "type":
			kind = s.stringBytes("a type")
		case "step":
			f.Step = s.uint32("a step")
		case "cols":
			f.Cols = elements(s, "the columns", (*scanner).col)
		case "row":
			s.row(&f.Row)
			rowed = true
		case "affected_row_count":
			f.AffectedRowCount = s.unsigned("a count")
		case "last_insert_rowid":
			f.LastInsertRowID = s.optInt64("a rowid")
		case "error":
			f.Error = read(s, (*scanner).error)
		default:
			s.skip()
		}
	})
	k, ok := find(entryNames[:], kind)
	if !ok {
		s.unknown(what, kind)
		return
	}
	m.Kind = EntryKind(k)
	switch m.Kind {
	case StepBegin:
		m.Step, m.Cols = f.Step, f.Cols
	case StepEnd:
		m.AffectedRowCount, m.LastInsertRowID = f.AffectedRowCount, f.LastInsertRowID
	case StepError:
		m.Step, m.Error = f.Step, f.Error
		s.require(m.Error != nil, what, "error")
	case Row:
		m.Row = f.Row
		s.require(rowed, what, "row")
	case BatchError:
		m.Error = f.Error
		s.require(m.Error != nil, what, "error")
	}
}

func (s *scanner) error(m *Error) {
	const what = "an error"
	found := false
	s.object(what, func(key []byte) {
		switch string(key) {
		case "message":
			m.Message = s.string("a message")
			found = true
		case "code":
			if code := s.optString("a code"); code != nil {
				m.Code = *code
			}
		default:
			s.skip()
		}
	})
	s.require(found, what, "message")
}

// value reads a value at once when its type comes first, as everyone writes it;
// otherwise it goes back to it.
func (s *scanner) value(m *Value) {
	const what = "a value"
	const unread = -1
	var kind []byte
	value, blob, done := unread, unread, false
	s.object(what, func(key []byte) {
		s.space()
		start := s.pos
		switch string(key) {
		case "type":
			kind = s.stringBytes("a type")
		case "value":
			value = start
			if done = s.payload(m, kind, false); !done {
				s.skip()
			}
		case "base64":
			blob = start
			if done = s.payload(m, kind, true); !done {
				s.skip()
			}
		default:
			s.skip()
		}
	})
	if s.err != nil || done {
		return
	}
	k, ok := find(valueNames[:], kind)
	if !ok {
		s.unknown(what, kind)
		return
	}
	m.Kind = Kind(k)
	if m.Kind == Null {
		return
	}
	at, name := value, "value"
	if m.Kind == Blob {
		at, name = blob, "base64"
	}
	if s.require(at != unread, m.Kind.String(), name); s.err == nil {
		end := s.pos
		s.pos = at
		s.payload(m, kind, m.Kind == Blob)
		if s.err == nil {
			s.pos = end
		}
	}
}

// payload reads what stands in the field value or base64 if it belongs to this kind.
func (s *scanner) payload(m *Value, kind []byte, blob bool) bool {
	switch {
	case blob && string(kind) == "blob":
		*m = Value{Kind: Blob, Blob: s.base64("base64")}
	case blob:
		return false
	case string(kind) == "text":
		*m = Value{Kind: Text, Text: s.string("a text")}
	case string(kind) == "integer":
		*m = Value{Kind: Integer, Integer: s.integer("an integer", -1<<63, 1<<63-1)}
	case string(kind) == "float":
		*m = Value{Kind: Float, Float: s.float("a number")}
	default:
		return false
	}
	return true
}

// require fails when a field is missing.
func (s *scanner) require(there bool, what, field string) {
	if !there && s.err == nil {
		s.fail(what + " lacks the field " + field)
	}
}

// read reads one thing into memory of its own.
func read[T any](s *scanner, one func(*scanner, *T)) *T {
	m := new(T)
	one(s, m)
	return m
}

// elements reads an array; nil when it is empty.
func elements[T any](s *scanner, what string, one func(*scanner, *T)) []T {
	if s.null() {
		return nil
	}
	var list []T
	s.array(what, func() {
		var zero T
		list = append(list, zero)
		one(s, &list[len(list)-1])
	})
	return list
}
