package server

import (
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/nearlite/nearlite/catalog"
)

// A call is one request on its way through the server.
type call struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	dialect dialect
	inPath  string // the database that the path names; "" if it does not
	arg     string // what follows a route that ends with a slash

	caller  *caller
	trusted bool            // it came to the operator's address: no token is asked for
	handle  *catalog.Handle // nil until it is acquired, and when a session has it
}

// access is what a route asks of its caller.
type access uint8

const (
	anyone   access = iota // no token: it tells nothing about anybody's data
	bearer                 // a good token, whatever for
	reader                 // one for the database, which is acquired; what may be written is asked later
	operator               // one that may make and delete databases
)

// A route says who may call what how.
type route struct {
	get, post func(*call) error // nil: the method is not allowed
	other     map[string]func(*call) error
	access    access
	dialect   dialect
}

// routes are all paths, those that take an argument ending with a slash.
var routes = map[string]*route{
	"/v2/pipeline":          {post: (*call).pipelineV2, access: bearer, dialect: hranaDialect},
	"/v3/pipeline":          {post: (*call).pipelineV3, access: bearer, dialect: hranaDialect},
	"/v3/cursor":            {post: (*call).cursorJSON, access: bearer, dialect: hranaDialect},
	"/v3-protobuf/pipeline": {post: (*call).pipelineProtobuf, access: bearer, dialect: protobufDialect},
	"/v3-protobuf/cursor":   {post: (*call).cursorProtobuf, access: bearer, dialect: protobufDialect},
	"/v1/execute":           {post: (*call).execute, access: reader, dialect: hranaDialect},
	"/v1/batch":             {post: (*call).batch, access: reader, dialect: hranaDialect},
	"/v1/query":             {post: (*call).query, access: reader},
	"/v1/schema":            {get: (*call).schema, access: reader},
	"/v1/status":            {get: (*call).status, access: reader},
	"/v1/backup":            {get: (*call).backup, access: reader},
	"/v1/databases":         {get: (*call).listDatabases, post: (*call).createDatabase, access: operator},
	"/v1/databases/": {get: (*call).showDatabase, access: operator, other: map[string]func(*call) error{
		http.MethodPatch: (*call).changeDatabase, http.MethodDelete: (*call).deleteDatabase, http.MethodPut: (*call).importDatabase}},
	"/metrics":     {get: (*call).serveMetrics, access: operator},
	"/":            {get: (*call).root, post: (*call).legacy, dialect: hranaDialect},
	"/v1":          {get: text("This is sqld HTTP API v1")},
	"/v2":          {get: text("Hello, this is HTTP API v2 (Hrana over HTTP)")},
	"/v3":          {get: text("Hello, this is HTTP API v2 (Hrana over HTTP)")},
	"/v3-protobuf": {get: text("Hello, this is HTTP API v2 (Hrana over HTTP)")},
	"/info":        {get: (*call).info, access: bearer, dialect: hranaDialect},
	"/dump":        {get: (*call).dump, access: reader, dialect: hranaDialect},
	"/health":      {get: (*call).health},
	"/healthz":     {get: (*call).health},
	"/readyz":      {get: (*call).ready},
	"/version":     {get: (*call).version},
	"/console":     {get: (*call).console},
	"/console/":    {get: (*call).console},
}

// serveHTTP answers a client.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.figures.requests.Add(1)
	c := calls.Get().(*call)
	*c = call{s: s, w: w, r: r}
	defer c.done()
	s.answer(c)
}

// done ends a call. A panic is a mistake of ours, and ends no other request.
func (c *call) done() {
	v := recover()
	if v != nil && v != http.ErrAbortHandler {
		c.s.log.Error("a request made the server panic", "path", c.r.URL.Path, "panic", v, "stack", string(debug.Stack()))
		c.fail(&failure{status: http.StatusInternalServerError, code: "INTERNAL_ERROR", message: "The request made the server panic; its log has the details"})
	}
	c.release()
	if *c = (call{}); v == nil {
		calls.Put(c)
	} else {
		panic(http.ErrAbortHandler)
	}
}

// calls are used again: one is too large not to show in a profile.
var calls = sync.Pool{New: func() any { return new(call) }}

func (s *Server) answer(c *call) {
	path := c.split(c.r.URL.Path)
	if c.r.Header["Origin"] != nil || s.opts.Keys == nil {
		if done := s.crossOrigin(c); done {
			return
		}
	}
	s.dispatch(c, routes, path)
}

// find returns the route of a path, and what follows it.
func find(table map[string]*route, path string) (rt *route, arg string) {
	if rt = table[path]; rt != nil {
		return rt, ""
	}
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' {
			if rt = table[path[:i+1]]; rt != nil {
				return rt, path[i+1:]
			}
		}
	}
	return nil, ""
}

// nothingAt is the failure of a path that leads nowhere. @libsql/client over HTTP
// replaces the last part of its URL's path, and with that the database.
func (c *call) nothingAt(path string) error {
	if path == "/pipeline" && (c.inPath == "v2" || c.inPath == "v3") {
		c.dialect = hranaDialect
		return &failure{status: http.StatusBadRequest, code: "NO_DATABASE",
			message: "No database is named: the URL of a database needs a slash at its end, …/db/NAME/"}
	}
	return &failure{status: http.StatusNotFound, code: "NOT_FOUND", message: "There is nothing at " + path}
}

func (s *Server) dispatch(c *call, table map[string]*route, path string) {
	var rt *route
	if rt, c.arg = find(table, path); rt == nil {
		if !c.replication(path) {
			c.fail(c.nothingAt(path))
		}
		return
	}
	c.dialect = rt.dialect
	serve := rt.of(c.r.Method)
	if serve == nil {
		rt.refuse(c)
		return
	}
	if (c.trusted || rt.access != anyone && s.opts.Keys == nil) && s.disguised(c.r) {
		c.fail(errPage)
		return
	}
	err := c.admit(rt.access)
	if err == nil {
		err = serve(c)
	}
	if err != nil {
		c.fail(err)
	}
}

// split takes the database out of a path that begins with /db/NAME or /dev/NAME,
// and returns the rest.
func (c *call) split(path string) string {
	rest, ok := strings.CutPrefix(path, "/db/")
	if !ok {
		rest, ok = strings.CutPrefix(path, "/dev/") // as sqld has it
	}
	if !ok {
		return path
	}
	name, rest, _ := strings.Cut(rest, "/")
	c.inPath = name
	return "/" + rest
}

func (rt *route) of(method string) func(*call) error {
	switch method {
	case http.MethodPost:
		return rt.post
	case http.MethodGet, http.MethodHead:
		return rt.get
	}
	return rt.other[method]
}

// refuse says which methods there are.
func (rt *route) refuse(c *call) {
	var allow []string
	if rt.get != nil {
		allow = append(allow, "GET")
	}
	if rt.post != nil {
		allow = append(allow, "POST")
	}
	for method := range rt.other {
		allow = append(allow, method)
	}
	c.w.Header()["Allow"] = []string{strings.Join(allow, ", ")}
	c.fail(&failure{status: http.StatusMethodNotAllowed, code: "METHOD_NOT_ALLOWED", message: "Use " + strings.Join(allow, " or ")})
}

// admit finds out who calls and what they may, and acquires the database.
func (c *call) admit(need access) error {
	if need == anyone {
		return nil
	}
	if err := c.identify(); err != nil {
		return err
	}
	switch need {
	case operator:
		return c.caller.mayAdmin()
	case reader:
		if c.s.draining.Load() {
			return errDraining
		}
		return c.acquire()
	}
	return nil
}

// identify finds out who calls, and counts the request.
func (c *call) identify() (err error) {
	if c.trusted {
		return nil
	}
	if c.caller, err = c.s.callers.of(c.r); err != nil {
		return err
	}
	return c.caller.limit()
}

// acquire opens the database that the request is for.
func (c *call) acquire() error {
	name, err := c.s.chosen(c)
	if err != nil {
		return err
	}
	if err := c.caller.mayRead(name); err != nil {
		return err
	}
	if c.handle, err = c.s.cat.Acquire(c.r.Context(), name); err != nil {
		if errors.Is(err, catalog.ErrNotFound) {
			return c.notThere(name)
		}
		return err
	}
	return nil
}

// release gives back what the call has taken.
func (c *call) release() {
	if c.handle != nil {
		c.handle.Release()
	}
}

var errDraining = &failure{status: http.StatusServiceUnavailable, code: "SERVER_STOPPING", message: "The server is shutting down", retry: time.Second}

// text answers with a text that is always the same.
func text(body string) func(*call) error {
	return func(c *call) error { return send(c.w, http.StatusOK, typeText, []byte(body)) }
}
