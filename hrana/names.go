package hrana

var requestNames = [...]string{
	Close:         "close",
	Execute:       "execute",
	RunBatch:      "batch",
	Sequence:      "sequence",
	Describe:      "describe",
	StoreSQL:      "store_sql",
	CloseSQL:      "close_sql",
	GetAutocommit: "get_autocommit",
	OpenStream:    "open_stream",
	CloseStream:   "close_stream",
	OpenCursor:    "open_cursor",
	FetchCursor:   "fetch_cursor",
	CloseCursor:   "close_cursor",
}

var condNames = [...]string{
	CondOK:           "ok",
	CondError:        "error",
	CondNot:          "not",
	CondAnd:          "and",
	CondOr:           "or",
	CondIsAutocommit: "is_autocommit",
}

var entryNames = [...]string{
	StepBegin:  "step_begin",
	StepEnd:    "step_end",
	StepError:  "step_error",
	Row:        "row",
	BatchError: "error",
}

var serverMsgNames = [...]string{
	HelloOK:       "hello_ok",
	HelloError:    "hello_error",
	ResponseOK:    "response_ok",
	ResponseError: "response_error",
}

var valueNames = [...]string{
	Null:    "null",
	Integer: "integer",
	Float:   "float",
	Text:    "text",
	Blob:    "blob",
}

// String returns the kind as JSON spells it, such as "store_sql".
func (k RequestKind) String() string { return nameOf(requestNames[:], int(k)) }

// String returns the kind as JSON spells it, such as "is_autocommit".
func (k CondKind) String() string { return nameOf(condNames[:], int(k)) }

// String returns the kind as JSON spells it, such as "step_begin".
func (k EntryKind) String() string { return nameOf(entryNames[:], int(k)) }

// String returns the kind as JSON spells it, such as "integer".
func (k Kind) String() string { return nameOf(valueNames[:], int(k)) }

func nameOf(names []string, kind int) string {
	if kind < len(names) {
		return names[kind]
	}
	return ""
}

// find returns the index of a name. The tables are short, and the names differ
// in length mostly, so looking at each is faster than a map.
func find(names []string, name []byte) (int, bool) {
	for i, n := range names {
		if n != "" && n == string(name) {
			return i, true
		}
	}
	return 0, false
}

// Since returns the version that introduced a request.
func (k RequestKind) Since() Version {
	switch k {
	case Sequence, Describe, StoreSQL, CloseSQL:
		return V2
	case GetAutocommit, OpenCursor, FetchCursor, CloseCursor:
		return V3
	}
	return V1
}

// onStream says whether a request of a WebSocket names its stream.
func (k RequestKind) onStream() bool {
	switch k {
	case StoreSQL, CloseSQL, FetchCursor, CloseCursor:
		return false
	}
	return true
}
