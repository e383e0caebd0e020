package hrana

import (
	"math"

	"pgregory.net/rapid"
)

// Generators of every message, in the form a decoder gives: empty lists are nil,
// fields that a kind lacks are zero, NaN is NULL.

func genText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "SELECT 1", "ä\"\\\n\x00\x1f\u2028", "日本語 and more than eight bytes", "emoji 🦀", "1"}),
		rapid.Custom(func(t *rapid.T) string {
			return string(rapid.SliceOfN(rapid.Rune(), 0, 20).Draw(t, "runes"))
		}),
	)
}

func genOpt[T any](g *rapid.Generator[T]) *rapid.Generator[*T] { return rapid.Ptr(g, true) }

// genList returns nil instead of an empty list.
func genList[T any](g *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		list := rapid.SliceOfN(g, 0, 4).Draw(t, "list")
		if len(list) == 0 {
			return nil
		}
		return list
	})
}

func genNumbered[T any](fields func(t *rapid.T) T) *rapid.Generator[T] { return rapid.Custom(fields) }

var (
	genInt32   = rapid.Int32()
	genUint64  = rapid.Uint64()
	genSQL     = genOpt(genText())
	genSQLID   = genOpt(genInt32)
	genColumns = genList(genNumbered(func(t *rapid.T) Col {
		return Col{genSQL.Draw(t, "name"), genSQL.Draw(t, "decltype")}
	}))
	genRow = genList(genValue())
)

func genValue() *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		switch v := (Value{Kind: Kind(rapid.IntRange(0, int(Blob)).Draw(t, "kind"))}); v.Kind {
		case Integer:
			v.Integer = rapid.Int64().Draw(t, "integer")
			return v
		case Float:
			v.Float = rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, -1, 1e15, 1e16, 1e21, 1e-5, 1e-7, 5e-324, math.MaxFloat64, math.Inf(1), math.Inf(-1)})).Draw(t, "float")
			return v
		case Text:
			v.Text = genText().Draw(t, "text")
			return v
		case Blob:
			v.Blob = append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "blob")...)
			return v
		}
		return Value{}
	})
}

func genStmt(t *rapid.T) Stmt {
	return Stmt{
		SQL:   genSQL.Draw(t, "sql"),
		SQLID: genSQLID.Draw(t, "sql_id"),
		Args:  genRow.Draw(t, "args"),
		NamedArgs: genList(genNumbered(func(t *rapid.T) NamedArg {
			return NamedArg{genText().Draw(t, "name"), genValue().Draw(t, "value")}
		})).Draw(t, "named_args"),
		WantRows: genOpt(rapid.Bool()).Draw(t, "want_rows"),
	}
}

func genCond(depth int) *rapid.Generator[BatchCond] {
	return rapid.Custom(func(t *rapid.T) BatchCond {
		m := BatchCond{Kind: CondKind(rapid.IntRange(int(CondOK), int(CondIsAutocommit)).Draw(t, "kind"))}
		if depth == 0 && m.Kind != CondIsAutocommit {
			m.Kind = CondOK
		}
		switch m.Kind {
		case CondOK, CondError:
			m.Step = rapid.Uint32().Draw(t, "step")
		case CondNot:
			m.Conds = []BatchCond{genCond(depth-1).Draw(t, "cond")}
		case CondAnd, CondOr:
			m.Conds = genList(genCond(depth-1)).Draw(t, "conds")
		}
		return m
	})
}

func genBatch(t *rapid.T) Batch {
	return Batch{
		Steps: genList(genNumbered(func(t *rapid.T) BatchStep {
			return BatchStep{genOpt(genCond(3)).Draw(t, "condition"), genStmt(t)}
		})).Draw(t, "steps"),
		ReplicationIndex: genOpt(genUint64).Draw(t, "replication_index"),
	}
}

// genRequest draws a request of one of these kinds.
func genRequest(kinds []RequestKind) *rapid.Generator[Request] {
	return rapid.Custom(func(t *rapid.T) Request {
		stmt, batch, sql, id := genStmt(t), genBatch(t), genText().Draw(t, "sql"), genInt32.Draw(t, "id")
		all := Request{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Stmt: &stmt, Batch: &batch, SQL: &sql, SQLID: &id,
			CursorID: genInt32.Draw(t, "cursor"), MaxCount: rapid.Uint32().Draw(t, "count"),
		}
		if kinds[0] != Close {
			all.StreamID = genInt32.Draw(t, "stream")
		}
		if (all.Kind == Sequence || all.Kind == Describe) && rapid.Bool().Draw(t, "stored") {
			all.SQL = nil
		}
		var m Request
		if lacks := keep(&m, &all); lacks != "" {
			t.Fatalf("lacks %s", lacks)
		}
		return m
	})
}

var (
	httpKinds = []RequestKind{Close, Execute, RunBatch, Sequence, Describe, StoreSQL, CloseSQL, GetAutocommit}
	wsKinds   = []RequestKind{OpenStream, CloseStream, Execute, RunBatch, Sequence, Describe, StoreSQL, CloseSQL,
		GetAutocommit, OpenCursor, FetchCursor, CloseCursor}
)

func genError(t *rapid.T) *Error {
	return &Error{genText().Draw(t, "message"), rapid.SampledFrom([]string{"", "SQLITE_BUSY"}).Draw(t, "code")}
}

func genStmtResult(t *rapid.T) *StmtResult {
	return &StmtResult{
		Cols:             genColumns.Draw(t, "cols"),
		Rows:             genList(genRow).Draw(t, "rows"),
		AffectedRowCount: genUint64.Draw(t, "affected"),
		LastInsertRowID:  genOpt(rapid.Int64()).Draw(t, "rowid"),
		ReplicationIndex: genOpt(genUint64).Draw(t, "index"),
		RowsRead:         genUint64.Draw(t, "read"),
		RowsWritten:      genUint64.Draw(t, "written"),
		QueryDurationMS:  rapid.Float64Range(0, 1e6).Draw(t, "ms"),
	}
}

// genBatchResult ends with a step that ran, since protobuf cannot say that more were skipped.
func genBatchResult(t *rapid.T, e Encoding) *BatchResult {
	m := &BatchResult{}
	for range rapid.IntRange(0, 3).Draw(t, "steps") {
		switch rapid.IntRange(0, 2).Draw(t, "outcome") {
		case 0:
			m.StepResults, m.StepErrors = append(m.StepResults, genStmtResult(t)), append(m.StepErrors, nil)
		case 1:
			m.StepResults, m.StepErrors = append(m.StepResults, nil), append(m.StepErrors, genError(t))
		case 2:
			m.StepResults, m.StepErrors = append(m.StepResults, nil, nil), append(m.StepErrors, nil, genError(t))
		}
	}
	if e == JSON {
		m.ReplicationIndex = genOpt(genUint64).Draw(t, "index")
	}
	return m
}

func genEntry(t *rapid.T) CursorEntry {
	switch m := (CursorEntry{Kind: EntryKind(rapid.IntRange(int(StepBegin), int(BatchError)).Draw(t, "kind"))}); m.Kind {
	case StepBegin:
		m.Step, m.Cols = rapid.Uint32().Draw(t, "step"), genColumns.Draw(t, "cols")
		return m
	case StepEnd:
		m.AffectedRowCount, m.LastInsertRowID = genUint64.Draw(t, "affected"), genOpt(rapid.Int64()).Draw(t, "rowid")
		return m
	case StepError:
		m.Step, m.Error = rapid.Uint32().Draw(t, "step"), genError(t)
		return m
	case Row:
		m.Row = genRow.Draw(t, "row")
		return m
	default:
		m.Error = genError(t)
		return m
	}
}

func genResponse(t *rapid.T, e Encoding, kinds []RequestKind) *Response {
	m := &Response{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
	switch m.Kind {
	case Execute:
		m.Result = genStmtResult(t)
	case RunBatch:
		m.Batch = genBatchResult(t, e)
	case Describe:
		m.Describe = &DescribeResult{
			Params:     genList(genNumbered(func(t *rapid.T) DescribeParam { return DescribeParam{genSQL.Draw(t, "name")} })).Draw(t, "params"),
			Cols:       genList(genNumbered(func(t *rapid.T) DescribeCol { return DescribeCol{genText().Draw(t, "name"), genSQL.Draw(t, "type")} })).Draw(t, "cols"),
			IsExplain:  rapid.Bool().Draw(t, "explain"),
			IsReadonly: rapid.Bool().Draw(t, "readonly"),
		}
	case GetAutocommit:
		m.IsAutocommit = rapid.Bool().Draw(t, "autocommit")
	case FetchCursor:
		m.Entries = genList(genNumbered(genEntry)).Draw(t, "entries")
		m.Done = rapid.Bool().Draw(t, "done")
	}
	return m
}

func genPipelineRequest(t *rapid.T) *PipelineRequest {
	return &PipelineRequest{genSQL.Draw(t, "baton"), genList(genRequest(httpKinds)).Draw(t, "requests")}
}

func genPipelineResponse(t *rapid.T, e Encoding) *PipelineResponse {
	return &PipelineResponse{
		Baton:   genSQL.Draw(t, "baton"),
		BaseURL: genSQL.Draw(t, "base_url"),
		Results: genList(genNumbered(func(t *rapid.T) StreamResult {
			if rapid.Bool().Draw(t, "failed") {
				return StreamResult{Error: genError(t)}
			}
			return StreamResult{OK: genResponse(t, e, httpKinds)}
		})).Draw(t, "results"),
	}
}

func genClientMsg(t *rapid.T) *ClientMsg {
	if rapid.Bool().Draw(t, "hello") {
		return &ClientMsg{JWT: genSQL.Draw(t, "jwt")}
	}
	request := genRequest(wsKinds).Draw(t, "request")
	return &ClientMsg{RequestID: genInt32.Draw(t, "id"), Request: &request}
}

func genServerMsg(t *rapid.T, e Encoding) *ServerMsg {
	m := &ServerMsg{Kind: ServerMsgKind(rapid.IntRange(int(HelloOK), int(ResponseError)).Draw(t, "kind"))}
	if m.Kind >= ResponseOK {
		m.RequestID = genInt32.Draw(t, "id")
	}
	switch m.Kind {
	case HelloError, ResponseError:
		m.Error = genError(t)
	case ResponseOK:
		m.Response = genResponse(t, e, wsKinds)
	}
	return m
}
