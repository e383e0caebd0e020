package hrana

// ClientMsg is a client's WebSocket message: a request, or, when Request is nil,
// a hello.
type ClientMsg struct {
	JWT       *string // of a hello
	RequestID int32
	Request   *Request
}

// ServerMsgKind says what a [ServerMsg] is.
type ServerMsgKind uint8

// The messages of a server.
const (
	HelloOK ServerMsgKind = iota + 1
	HelloError
	ResponseOK
	ResponseError
)

// ServerMsg is a server's WebSocket message. Which fields count follows from Kind.
type ServerMsg struct {
	Kind      ServerMsgKind
	RequestID int32     // ResponseOK, ResponseError
	Response  *Response // ResponseOK
	Error     *Error    // HelloError, ResponseError
}
