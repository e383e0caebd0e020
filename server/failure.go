package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
)

// A failure is an error that is answered to a whole request.
type failure struct {
	status  int
	code    string
	message string
	// protocol says that the client broke the protocol, or lost its baton: sqld
	// tells that as plain text.
	protocol bool
	// retry is when to try again; 0: nothing is said about that.
	retry time.Duration

	statement int // number of the statement in the request, from 1; 0: none
	offset    int // place in the statement in bytes; -1 or, without a statement, 0: none
}

// Error returns the message.
func (f *failure) Error() string { return f.message }

func protocolFailure(err error) *failure {
	return &failure{status: http.StatusBadRequest, message: err.Error(), protocol: true}
}

// protocolError is protocolFailure with a message of its own, mostly sqld's.
func protocolError(format string, args ...any) *failure {
	return protocolFailure(fmt.Errorf(format, args...))
}

// asFailure turns any error of a request into what is answered. Every error that
// a client can cause is here; the rest is ours.
func asFailure(err error) *failure {
	var f *failure
	var h *hrana.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &h):
		return &failure{status: http.StatusBadRequest, code: h.Code, message: h.Message}
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, catalog.ErrDeleted):
		return &failure{status: http.StatusNotFound, code: "DATABASE_NOT_FOUND", message: err.Error()}
	case errors.Is(err, catalog.ErrExists):
		return &failure{status: http.StatusConflict, code: "DATABASE_EXISTS", message: err.Error()}
	case errors.Is(err, catalog.ErrName), errors.Is(err, catalog.ErrConfig), errors.Is(err, catalog.ErrMain):
		return &failure{status: http.StatusBadRequest, code: "BAD_REQUEST", message: err.Error()}
	case errors.Is(err, errMemory):
		return &failure{status: http.StatusServiceUnavailable, code: "SERVER_BUSY", message: err.Error(), retry: time.Second}
	case errors.Is(err, catalog.ErrTooManyOpen), errors.Is(err, nearlite.ErrQueueFull):
		return &failure{status: http.StatusServiceUnavailable, code: "SERVER_BUSY", message: err.Error(), retry: time.Second}
	case errors.Is(err, nearlite.ErrCommitUnknown):
		return &failure{status: http.StatusInternalServerError, code: stream.CodeCommitUnknown, message: "The outcome is unknown: look whether it has happened before trying again"}
	case stream.Archive(err) != nil:
		h := stream.Archive(err)
		f := &failure{status: http.StatusServiceUnavailable, code: h.Code, message: h.Message}
		if h.Code == stream.CodeArchiveUnavailable || h.Code == stream.CodeArchiveBehind {
			f.retry = time.Second
		}
		return f
	case errors.Is(err, catalog.ErrClosed), errors.Is(err, nearlite.ErrClosed):
		return &failure{status: http.StatusServiceUnavailable, code: "SERVER_STOPPING", message: "The server is shutting down", retry: time.Second}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &failure{status: http.StatusServiceUnavailable, code: "CANCELLED", message: "The request was given up"}
	}
	return &failure{status: http.StatusInternalServerError, code: "INTERNAL_ERROR", message: err.Error()}
}

// A dialect is how an endpoint tells of failures.
type dialect uint8

const (
	// plainDialect is that of our own API: {"error":{"code":…,"message":…}}.
	plainDialect dialect = iota
	// hranaDialect is sqld's. Its clients read the first of several forms: text, or
	// an object with message and code; an older one reads error. So all are there.
	hranaDialect
	// protobufDialect is the same, with the protocol's errors in protobuf.
	protobufDialect
)

// fail answers a request with an error.
func (c *call) fail(err error) {
	f := asFailure(err)
	if f.status >= http.StatusInternalServerError && (f.code == "INTERNAL_ERROR" || stream.Archive(err) != nil) {
		c.s.log.Error("a request failed", "path", c.r.URL.Path, "err", err)
	}
	if f.retry > 0 {
		c.w.Header()["Retry-After"] = []string{strconv.Itoa(int(math.Ceil(f.retry.Seconds())))}
	}
	if dir := c.s.cat.Dir(); f.status >= http.StatusInternalServerError && strings.Contains(f.message, dir) {
		told := *f // where the files are is the operator's business; the log has it
		told.message = strings.ReplaceAll(f.message, dir+string(filepath.Separator), "")
		f = &told
	}
	c.s.figures.failed(f.status)
	switch {
	case c.dialect == plainDialect:
		_ = send(c.w, f.status, typeJSON, f.plain())
	case f.protocol:
		_ = send(c.w, f.status, typeText, []byte(f.message))
	case c.dialect == protobufDialect:
		_ = send(c.w, f.status, typeProtobuf, hrana.Protobuf.AppendError(nil, &hrana.Error{Message: f.message, Code: f.code}))
	default:
		_ = send(c.w, f.status, typeJSON, f.hrana())
	}
}

// plain is the body in our own API.
func (f *failure) plain() []byte {
	type detail struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Statement int    `json:"statement,omitempty"`
		Offset    *int   `json:"offset,omitempty"`
	}
	d := detail{Code: f.code, Message: f.message, Statement: f.statement}
	if d.Code == "" {
		d.Code = "BAD_REQUEST"
	}
	if f.statement > 0 && f.offset >= 0 {
		d.Offset = &f.offset
	}
	return marshal(struct {
		Error detail `json:"error"`
	}{d})
}

// hrana is the body in sqld's.
func (f *failure) hrana() []byte {
	switch f.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return marshal(struct {
			Error   string `json:"error"`
			Message string `json:"message"`
			Code    string `json:"code"`
		}{f.message, f.message, f.code})
	}
	return hrana.JSON.AppendError(nil, &hrana.Error{Message: f.message, Code: f.code})
}

// marshal writes what cannot fail.
func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return append(text, '\n')
}
