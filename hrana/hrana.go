// Package hrana has the messages of Hrana, the protocol that libSQL's clients
// speak, and their JSON and protobuf forms. It does no I/O.
//
// Version 1 is WebSocket only, 2 adds HTTP, described and stored statements, 3
// adds cursors, get_autocommit and the protobuf form. One set of types serves all
// of them: what a version lacks is left out of its messages.
//
// Source: the specifications HRANA_1, HRANA_2 and HRANA_3 of libsql-server, and what its
// clients were seen to send.
package hrana

// Kind is the type of a [Value].
type Kind uint8

// The types of SQLite.
const (
	Null Kind = iota
	Integer
	Float
	Text
	Blob
)

// Value is one SQL value. The zero Value is NULL.
type Value struct {
	Kind    Kind
	Integer int64   // of an Integer
	Float   float64 // of a Float
	Text    string  // of a Text
	Blob    []byte  // of a Blob
}

// Error is an error of the protocol: a sentence, and a code that clients match.
type Error struct {
	Message string
	Code    string // "SQLITE_CONSTRAINT", "STREAM_EXPIRED" …; "" when there is none
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Stmt is one statement with its arguments. Its text is SQL, or, when SQLID is
// not nil, the text stored under that number.
type Stmt struct {
	SQL       *string
	SQLID     *int32
	Args      []Value
	NamedArgs []NamedArg
	WantRows  *bool // nil: true
}

// NamedArg is an argument by name, with or without its prefix (: @ $).
type NamedArg struct {
	Name  string
	Value Value
}

// StmtResult is the outcome of one statement.
type StmtResult struct {
	Cols             []Col
	Rows             [][]Value
	AffectedRowCount uint64
	LastInsertRowID  *int64
	ReplicationIndex *uint64
	RowsRead         uint64
	RowsWritten      uint64
	QueryDurationMS  float64
}

// Col is a column of a result. Name and Decltype are nil where SQLite has none.
type Col struct {
	Name     *string
	Decltype *string
}

// Batch is a list of statements, each with an optional condition.
type Batch struct {
	Steps            []BatchStep
	ReplicationIndex *uint64
}

// BatchStep runs Stmt if Condition is nil or holds.
type BatchStep struct {
	Condition *BatchCond
	Stmt      Stmt
}

// CondKind says which condition a [BatchCond] is.
type CondKind uint8

// The conditions of a step.
const (
	CondOK           CondKind = iota + 1 // the step ran without error
	CondError                            // the step ran and failed
	CondNot                              // its one condition does not hold
	CondAnd                              // all conditions hold; true when there are none
	CondOr                               // one condition holds; false when there are none
	CondIsAutocommit                     // no transaction is open
)

// BatchCond is a condition on the steps before.
type BatchCond struct {
	Kind  CondKind
	Step  uint32      // of CondOK and CondError
	Conds []BatchCond // one of CondNot, any number of CondAnd and CondOr
}

// BatchResult has an entry per step: a result, an error, or, where the step was
// skipped, neither.
type BatchResult struct {
	StepResults      []*StmtResult
	StepErrors       []*Error
	ReplicationIndex *uint64
}

// DescribeResult is what a statement is, without running it.
type DescribeResult struct {
	Params     []DescribeParam
	Cols       []DescribeCol
	IsExplain  bool
	IsReadonly bool
}

// DescribeParam is a parameter; Name has its prefix and is nil for a plain ?.
type DescribeParam struct{ Name *string }

// DescribeCol is a column of the rows a statement returns.
type DescribeCol struct {
	Name     string
	Decltype *string
}

// RequestKind says what a stream is asked to do.
type RequestKind uint8

// The requests of a stream. Those with Cursor, OpenStream and CloseStream in
// their names exist over WebSocket only, Close over HTTP only.
const (
	Close RequestKind = iota + 1
	Execute
	RunBatch
	Sequence
	Describe
	StoreSQL
	CloseSQL
	GetAutocommit
	OpenStream
	CloseStream
	OpenCursor
	FetchCursor
	CloseCursor
)

// Request is one request. Which fields count follows from Kind.
type Request struct {
	Kind     RequestKind
	StreamID int32   // WebSocket: of all but StoreSQL, CloseSQL, FetchCursor and CloseCursor
	Stmt     *Stmt   // Execute
	Batch    *Batch  // RunBatch, OpenCursor
	SQL      *string // Sequence, Describe, StoreSQL
	SQLID    *int32  // Sequence, Describe, StoreSQL, CloseSQL
	CursorID int32   // OpenCursor, FetchCursor, CloseCursor
	MaxCount uint32  // FetchCursor
}

// Response answers a Request of the same Kind.
type Response struct {
	Kind         RequestKind
	Result       *StmtResult     // Execute
	Batch        *BatchResult    // RunBatch
	Describe     *DescribeResult // Describe
	IsAutocommit bool            // GetAutocommit
	Entries      []CursorEntry   // FetchCursor
	Done         bool            // FetchCursor
}

// EntryKind says what a [CursorEntry] is.
type EntryKind uint8

// The entries of a cursor.
const (
	StepBegin EntryKind = iota + 1
	StepEnd
	StepError
	Row
	BatchError // the last one: the whole batch failed
)

// CursorEntry is one piece of a batch's result. Which fields count follows from Kind.
type CursorEntry struct {
	Kind             EntryKind
	Step             uint32  // StepBegin, StepError
	Cols             []Col   // StepBegin
	Row              []Value // Row
	AffectedRowCount uint64  // StepEnd
	LastInsertRowID  *int64  // StepEnd
	Error            *Error  // StepError, BatchError
}

// PipelineRequest is the body of POST /v2/pipeline and /v3/pipeline.
type PipelineRequest struct {
	Baton    *string
	Requests []Request
}

// PipelineResponse answers it.
type PipelineResponse struct {
	Baton   *string
	BaseURL *string
	Results []StreamResult
}

// StreamResult is a response or an error, never both.
type StreamResult struct {
	OK    *Response
	Error *Error
}

// CursorRequest is the body of POST /v3/cursor.
type CursorRequest struct {
	Baton *string
	Batch Batch
}

// CursorResponse precedes the entries of a cursor over HTTP.
type CursorResponse struct {
	Baton   *string
	BaseURL *string
}
