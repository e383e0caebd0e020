package server

import (
	"net/http"
	"strconv"
	"sync"
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
