package server

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// buffers are the memory of bodies and answers, used again and again.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// bufferKept is the largest that is kept for use.
const bufferKept = 1 << 20

func takeBuffer() *[]byte { return buffers.Get().(*[]byte) }

func giveBuffer(b *[]byte) {
	if cap(*b) <= bufferKept {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// The values of Content-Type, as slices that are never changed: to make one for
// every answer shows in a profile.
var (
	typeJSON     = []string{"application/json"}
	typeProtobuf = []string{"application/x-protobuf"}
	typeText     = []string{"text/plain"}
	typeTextUTF8 = []string{"text/plain; charset=utf-8"}
	typeStream   = []string{"application/octet-stream"}
	typeNDJSON   = []string{"application/x-ndjson"}
	typeCSV      = []string{"text/csv; charset=utf-8"}
)

// countedBy is the size up to which net/http finds out the length of an answer by
// itself.
const countedBy = 2 << 10

// send writes an answer whose memory is counted, as much of it as taken says; the rest
// is counted until the client has it. It may be needed for others before.
func (c *call) send(contentType []string, body []byte, taken int64) {
	memory := &c.s.memory
	if rest := int64(cap(body)) - taken; len(body) > small && rest > 0 {
		memory.owe(rest)
		defer memory.give(rest)
	}
	if conn := connOf(c.r.Context()); conn != nil && len(body) > small {
		defer memory.repay(memory.lend(max(taken, int64(cap(body))), time.Now(), conn))
	}
	_ = send(c.w, http.StatusOK, contentType, body) // who does not listen is not told
}

// send writes a whole answer by one Write, with its length.
func send(w http.ResponseWriter, status int, contentType []string, body []byte) error {
	h := w.Header()
	h["Content-Type"] = contentType
	if len(body) > countedBy {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	if status != http.StatusOK {
		w.WriteHeader(status)
	}
	_, err := w.Write(body)
	return err
}
