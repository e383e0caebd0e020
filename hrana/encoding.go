package hrana

import "fmt"

// Encoding is a form of the messages on the wire. Appending to a buffer that is
// large enough allocates nothing. Decoding copies what it keeps, so the buffer may
// be used again; a decoded message takes at most some 30 times the memory of its bytes,
// so whoever bounds the size of a body bounds that too.
type Encoding uint8

// The encodings.
const (
	JSON     Encoding = iota // all versions
	Protobuf                 // of version 3
)

// Version is a version of the protocol.
type Version uint8

// The versions.
const (
	V1 Version = iota + 1
	V2
	V3
)

// maxDepth bounds how deep conditions and unknown JSON may nest; protobuf's own libraries stop at 100.
const maxDepth = 100

// maxParts bounds how many requests, statements, conditions, values and the like one
// message may have. Each takes some two bytes in protobuf and a hundred in memory.
const maxParts = 2 << 20

// DecodeError says what is wrong with the bytes of a message. Decoders return no other error.
type DecodeError struct {
	Encoding Encoding
	Offset   int // where decoding stopped
	Reason   string
}

// Error returns the sentence.
func (e *DecodeError) Error() string {
	name := "JSON"
	if e.Encoding == Protobuf {
		name = "protobuf"
	}
	return fmt.Sprintf("%s at byte %d: %s", name, e.Offset, e.Reason)
}

// DecodePipelineRequest reads the body of a pipeline request.
func (e Encoding) DecodePipelineRequest(data []byte) (*PipelineRequest, error) {
	var m PipelineRequest
	if e == Protobuf {
		return decodeProto(data, &m, (*protoReader).pipelineRequest)
	}
	return decodeJSON(data, &m, (*scanner).pipelineRequest)
}

// DecodePipelineResponse reads the body of a pipeline's answer.
func (e Encoding) DecodePipelineResponse(data []byte) (*PipelineResponse, error) {
	var m PipelineResponse
	if e == Protobuf {
		return decodeProto(data, &m, (*protoReader).pipelineResponse)
	}
	return decodeJSON(data, &m, (*scanner).pipelineResponse)
}

// DecodeCursorRequest reads the body of a cursor request.
func (e Encoding) DecodeCursorRequest(data []byte) (*CursorRequest, error) {
	var m CursorRequest
	if e == Protobuf {
		return decodeProto(data, &m, (*protoReader).cursorRequest)
	}
	return decodeJSON(data, &m, (*scanner).cursorRequest)
}

// DecodeCursorResponse reads the first item of a cursor's answer, as [Encoding.SplitCursor] cuts it.
func (e Encoding) DecodeCursorResponse(item []byte) (*CursorResponse, error) {
	var m CursorResponse
	if e == Protobuf {
		return decodeProto(item, &m, (*protoReader).cursorResponse)
	}
	return decodeJSON(item, &m, (*scanner).cursorResponse)
}

// DecodeCursorEntry reads any other item of a cursor's answer.
func (e Encoding) DecodeCursorEntry(item []byte) (*CursorEntry, error) {
	var m CursorEntry
	if e == Protobuf {
		return decodeProto(item, &m, (*protoReader).cursorEntry)
	}
	return decodeJSON(item, &m, (*scanner).cursorEntry)
}

// DecodeClientMsg reads a client's WebSocket message.
func (e Encoding) DecodeClientMsg(data []byte) (*ClientMsg, error) {
	var m ClientMsg
	if e == Protobuf {
		return decodeProto(data, &m, (*protoReader).clientMsg)
	}
	return decodeJSON(data, &m, (*scanner).clientMsg)
}

// DecodeServerMsg reads a server's WebSocket message.
func (e Encoding) DecodeServerMsg(data []byte) (*ServerMsg, error) {
	var m ServerMsg
	if e == Protobuf {
		return decodeProto(data, &m, (*protoReader).serverMsg)
	}
	return decodeJSON(data, &m, (*scanner).serverMsg)
}

// AppendPipelineRequest appends the body of a pipeline request.
func (e Encoding) AppendPipelineRequest(dst []byte, m *PipelineRequest) []byte {
	if e == Protobuf {
		return protoPipelineRequest(dst, m)
	}
	return jsonPipelineRequest(dst, m)
}

// AppendPipelineResponse appends the body of a pipeline's answer.
func (e Encoding) AppendPipelineResponse(dst []byte, m *PipelineResponse) []byte {
	if e == Protobuf {
		return protoPipelineResponse(dst, m)
	}
	return jsonPipelineResponse(dst, m)
}

// AppendCursorRequest appends the body of a cursor request.
func (e Encoding) AppendCursorRequest(dst []byte, m *CursorRequest) []byte {
	if e == Protobuf {
		return protoCursorRequest(dst, m)
	}
	return jsonCursorRequest(dst, m)
}

// AppendCursorResponse appends the first item of a cursor's answer, with its delimiter.
func (e Encoding) AppendCursorResponse(dst []byte, m *CursorResponse) []byte {
	if e == Protobuf {
		return protoDelimited(dst, func(dst []byte) []byte { return protoCursorResponse(dst, m) })
	}
	return append(jsonCursorResponse(dst, m), '\n')
}

// AppendCursorEntry appends a further item, with its delimiter.
func (e Encoding) AppendCursorEntry(dst []byte, m *CursorEntry) []byte {
	if e == Protobuf {
		return protoDelimited(dst, func(dst []byte) []byte { return protoCursorEntry(dst, m) })
	}
	return append(jsonCursorEntry(dst, m), '\n')
}

// AppendClientMsg appends a client's WebSocket message.
func (e Encoding) AppendClientMsg(dst []byte, m *ClientMsg) []byte {
	if e == Protobuf {
		return protoClientMsg(dst, m)
	}
	return jsonClientMsg(dst, m)
}

// AppendServerMsg appends a server's WebSocket message.
func (e Encoding) AppendServerMsg(dst []byte, m *ServerMsg) []byte {
	if e == Protobuf {
		return protoServerMsg(dst, m)
	}
	return jsonServerMsg(dst, m)
}

// AppendError appends an error by itself, the body of a failed HTTP request.
func (e Encoding) AppendError(dst []byte, m *Error) []byte {
	if e == Protobuf {
		return protoError(dst, m)
	}
	return jsonError(dst, m)
}

// DecodeError reads an error by itself.
func (e Encoding) DecodeError(data []byte) (*Error, error) {
	var m Error
	if e == Protobuf {
		return decodeProto(data, &m, (*protoReader).error)
	}
	return decodeJSON(data, &m, (*scanner).error)
}

// DecodeStmtBody reads the body of POST /v1/execute, which has JSON only.
func DecodeStmtBody(data []byte) (*Stmt, error) {
	var m Stmt
	return decodeJSON(data, &m, (*scanner).stmtBody)
}

// DecodeBatchBody reads the body of POST /v1/batch.
func DecodeBatchBody(data []byte) (*Batch, error) {
	var m Batch
	return decodeJSON(data, &m, (*scanner).batchBody)
}

// AppendStmtResultBody appends the answer of POST /v1/execute.
func AppendStmtResultBody(dst []byte, m *StmtResult) []byte {
	dst = append(dst, `{"result":`...)
	return append(jsonStmtResult(dst, m), '}')
}

// AppendBatchResultBody appends the answer of POST /v1/batch.
func AppendBatchResultBody(dst []byte, m *BatchResult) []byte {
	dst = append(dst, `{"result":`...)
	return append(jsonBatchResult(dst, m), '}')
}
