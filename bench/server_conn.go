package bench

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// serverConn is one client's connection. Its requests are bytes made before the
// clock runs, in which only the digits change, and its answers are looked at no
// closer than it takes to know that they are the right ones: the two cores that a
// server shares with its clients are for the server.
type serverConn struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	digits  []byte // a part of request
	body    []byte // the answer, valid until the next one
	receive func(*serverConn) error
	want    []byte // what the answer must contain
}

// errAnswer is an answer that says no: it counts as failed, and the run goes on.
type errAnswer struct{ body string }

// Error shows the beginning of the answer.
func (e *errAnswer) Error() string { return fmt.Sprintf("the server answered %.300s", e.body) }

// placeholder is where a request's digits go.
const placeholder = "000000000"

// stmt returns the work's statement with its argument, as JSON.
func (w ServerWork) stmt() string {
	if w == ServerInsert {
		value := fmt.Sprintf("%0100s", placeholder)
		return `{"sql":"` + serverInsertSQL + `","args":[{"type":"text","value":"` + value + `"}]}`
	}
	return `{"sql":"` + serverReadSQL + `","args":[{"type":"integer","value":"` + placeholder + `"}]}`
}

// dial connects one client, and says hello if the protocol has it.
func (s *runningServer) dial(load serverLoad) (*serverConn, error) {
	conn, err := net.DialTimeout("tcp", s.address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := newServerConn(conn)
	if load.protocol == OverWebSocket {
		err = c.openWebSocket(s, load.work)
	} else {
		c.overHTTP(s, load.work)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.digits = c.request[bytes.LastIndex(c.request, []byte(placeholder)):][:len(placeholder)]
	return c, nil
}

func newServerConn(conn net.Conn) *serverConn {
	return &serverConn{conn: conn, in: bufio.NewReaderSize(conn, 4096)}
}

// ask sends the request with a number in it and takes the answer.
func (c *serverConn) ask(number int) error {
	for i := len(c.digits) - 1; i >= 0; i-- {
		c.digits[i] = byte('0' + number%10)
		number /= 10
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	if err := c.receive(c); err != nil {
		return err
	}
	if !bytes.Contains(c.body, c.want) || bytes.Contains(c.body, []byte(`"error":{`)) {
		return &errAnswer{string(c.body)}
	}
	return nil
}

func (c *serverConn) overHTTP(s *runningServer, work ServerWork) {
	body := `{"baton":null,"requests":[{"type":"execute","stmt":` + work.stmt() + `},{"type":"close"}]}`
	head := "POST " + s.path + "/v2/pipeline HTTP/1.1\r\nHost: " + s.address + "\r\n" + s.authorization() +
		"Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	c.request, c.receive, c.want = []byte(head+body), (*serverConn).receiveHTTP, work.answer()
}

// answer is what is in the answer to the work if it was done.
func (w ServerWork) answer() []byte {
	if w == ServerInsert {
		return []byte(`"affected_row_count":1`)
	}
	return []byte(`"type":"text"`) // the row is there
}

// receiveHTTP reads one response with a length or in chunks.
func (c *serverConn) receiveHTTP() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	ok := bytes.HasPrefix(line, []byte("HTTP/1.1 200"))
	length, chunked := -1, false
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == len("content-length") && bytes.EqualFold(name, []byte("content-length")):
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
		case len(name) == len("transfer-encoding") && bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.Contains(value, []byte("chunked"))
		}
		if err != nil {
			return err
		}
	}
	c.body = c.body[:0]
	switch {
	case chunked:
		err = c.readChunks()
	case length < 0:
		return errors.New("an answer without a length")
	default:
		err = c.read(length)
	}
	if err == nil && !ok {
		return &errAnswer{string(c.body)}
	}
	return err
}

// line returns a line without its end, valid until the next read.
func (c *serverConn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

func (c *serverConn) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return fmt.Errorf("length of a chunk: %w", err)
		}
		if err := c.read(int(n)); err != nil {
			return err
		}
		if _, err := c.line(); err != nil || n == 0 {
			return err
		}
	}
}

// read appends n bytes to the body.
func (c *serverConn) read(n int) error {
	start := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.in, c.body[start:])
	return err
}

// openWebSocket upgrades the connection, opens a stream, and makes the request.
func (c *serverConn) openWebSocket(s *runningServer, work ServerWork) error {
	c.conn.SetDeadline(time.Now().Add(time.Minute))
	defer c.conn.SetDeadline(time.Time{})
	path := s.path + "/"
	_, err := io.WriteString(c.conn, "GET "+path+" HTTP/1.1\r\nHost: "+s.address+"\r\n"+s.authorization()+"Connection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: hrana2\r\n\r\n")
	if err != nil {
		return err
	}
	status, err := c.line()
	if err != nil || !bytes.HasPrefix(status, []byte("HTTP/1.1 101")) {
		return errors.Join(fmt.Errorf("no WebSocket: %s", status), err)
	}
	for len(status) > 0 {
		if status, err = c.line(); err != nil {
			return err
		}
	}
	c.receive = (*serverConn).receiveFrame
	for _, hello := range []struct{ message, want string }{
		{s.hello(), "hello_ok"},
		{`{"type":"request","request_id":0,"request":{"type":"open_stream","stream_id":0}}`, "response_ok"},
	} {
		c.request, c.digits, c.want = frame(hello.message), nil, []byte(hello.want)
		if err := c.ask(0); err != nil {
			return err
		}
	}
	c.request = frame(`{"type":"request","request_id":1,"request":{"type":"execute","stream_id":0,"stmt":` + work.stmt() + `}}`)
	c.want = work.answer()
	return nil
}

// length reads the long form of a frame's length.
func (c *serverConn) length(form uint64) (n uint64, err error) {
	size := 2
	if form == 127 {
		size = 8
	}
	bytes, err := c.in.Peek(size)
	for _, b := range bytes {
		n = n<<8 | uint64(b)
	}
	c.in.Discard(len(bytes))
	return n, err
}

// frame makes a text frame. A client's frames are masked; the mask of zeros that
// this one has changes nothing, so that digits can be written into it.
func frame(text string) []byte {
	head := []byte{0x81}
	switch n := len(text); {
	case n < 126:
		head = append(head, 0x80|byte(n))
	default:
		head = append(head, 0x80|126)
		head = binary.BigEndian.AppendUint16(head, uint16(n))
	}
	return append(append(head, 0, 0, 0, 0), text...)
}

// receiveFrame reads one message, and answers the pings in front of it.
func (c *serverConn) receiveFrame() error {
	c.body = c.body[:0]
	for {
		head, err := c.in.Peek(2)
		if err != nil {
			return err
		}
		final, op, n := head[0]&0x80 != 0, head[0]&0x0f, uint64(head[1]&0x7f)
		c.in.Discard(2)
		if n >= 126 {
			if n, err = c.length(n); err != nil {
				return err
			}
		}
		start := len(c.body)
		if n > 64<<20 {
			return fmt.Errorf("a frame of %d bytes", n)
		}
		if err := c.read(int(n)); err != nil {
			return err
		}
		switch op {
		case 0x8:
			return fmt.Errorf("the server closed the WebSocket: %q", c.body[start:])
		case 0x9: // a ping
			pong := append([]byte{0x8a, 0x80 | byte(n), 0, 0, 0, 0}, c.body[start:]...)
			if _, err := c.conn.Write(pong); err != nil {
				return err
			}
			c.body = c.body[:start]
		case 0xa:
			c.body = c.body[:start]
		default:
			if final {
				return nil
			}
		}
	}
}
