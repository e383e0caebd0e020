package server

import (
	"net/http"
	"net/http/pprof"
	"strings"
)

// adminRoutes are those of the operator's own address. Whoever reaches it may do
// everything, so it is to be out of reach.
var adminRoutes map[string]*route

func init() { // the index lists them
	adminRoutes = map[string]*route{
		"/":                    {get: text("Welcome to the sqld admin API")},
		"/metrics":             {get: (*call).serveMetrics},
		"/healthz":             {get: (*call).health},
		"/readyz":              {get: (*call).ready},
		"/v1/databases":        routes["/v1/databases"],
		"/v1/databases/":       routes["/v1/databases/"],
		"/v1/status":           routes["/v1/status"],
		"/v1/backup":           routes["/v1/backup"],
		"/v1/namespaces/":      {get: (*call).namespaceGet, post: (*call).namespacePost, other: map[string]func(*call) error{http.MethodDelete: (*call).namespaceDelete}, dialect: hranaDialect},
		"/v1/diagnostics":      {get: (*call).diagnostics},
		"/debug/pprof/":        {get: (*call).profile},
		"/debug/pprof/cmdline": {get: handler(pprof.Cmdline)},
		"/debug/pprof/profile": {get: handler(pprof.Profile)},
		"/debug/pprof/symbol":  {get: handler(pprof.Symbol), post: handler(pprof.Symbol)},
		"/debug/pprof/trace":   {get: handler(pprof.Trace)},
	}
}

// serveAdmin answers an operator.
func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, w: w, r: r, caller: s.callers.everyone, trusted: true}
	defer c.done()
	if s.refusesPage(c) {
		return
	}
	s.dispatch(c, adminRoutes, c.split(r.URL.Path))
}

func handler(f http.HandlerFunc) func(*call) error {
	return func(c *call) error {
		f(c.w, c.r)
		return nil
	}
}

// profile answers for the profiles that have a name.
func (c *call) profile() error {
	pprof.Index(c.w, c.r)
	return nil
}

// diagnostics answers sqld's route of that name: a line for each stream.
func (c *call) diagnostics() error {
	lines := []string{}
	idle, busy := c.s.streams.counts()
	for range idle {
		lines = append(lines, "available")
	}
	for range busy {
		lines = append(lines, "in a transaction")
	}
	return c.sendJSON(lines)
}

// namespace returns the parts of a path below /v1/namespaces/.
func (c *call) namespace() (name string, rest []string) {
	parts := strings.Split(c.arg, "/")
	return parts[0], parts[1:]
}

var errNoSuchRoute = &failure{status: http.StatusNotFound, code: "NOT_FOUND", message: "There is no such route"}

// named returns the database that sqld knows by a name.
func (c *call) named(name string) (string, error) {
	if name == "default" {
		if _, err := c.s.cat.Lookup(c.r.Context(), name); err != nil {
			return "main", nil
		}
	}
	if _, err := c.s.cat.Lookup(c.r.Context(), name); err != nil {
		return "", &failure{status: http.StatusNotFound, code: "DATABASE_NOT_FOUND", message: "Namespace `" + name + "` doesn't exist"}
	}
	return name, nil
}

func (c *call) namespaceGet() error {
	name, rest := c.namespace()
	if len(rest) != 1 || rest[0] != "config" && rest[0] != "stats" {
		return errNoSuchRoute
	}
	name, err := c.named(name)
	if err != nil {
		return err
	}
	if rest[0] == "config" {
		return c.namespaceConfig(name)
	}
	return c.namespaceStats(name)
}

func (c *call) namespacePost() error {
	name, rest := c.namespace()
	switch {
	case len(rest) == 1 && rest[0] == "create":
		return c.namespaceCreate(name)
	case len(rest) == 1 && rest[0] == "config":
		name, err := c.named(name)
		if err != nil {
			return err
		}
		return c.namespaceConfigure(name)
	case len(rest) == 2 && rest[0] == "fork":
		name, err := c.named(name)
		if err != nil {
			return err
		}
		_, err = c.s.cat.Fork(c.r.Context(), name, rest[1])
		return c.emptied(err)
	}
	return errNoSuchRoute
}

func (c *call) namespaceDelete() error {
	name, rest := c.namespace()
	if len(rest) != 0 {
		return errNoSuchRoute
	}
	name, err := c.named(name)
	if err != nil {
		return err
	}
	return c.emptied(c.s.cat.Delete(c.r.Context(), name))
}

// emptied is sqld's answer to what has succeeded: nothing.
func (c *call) emptied(err error) error {
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// unsupported refuses a setting of sqld's that would do nothing here.
func unsupported(what, instead string) error {
	return &failure{status: http.StatusBadRequest, code: "UNSUPPORTED", message: what + " is not supported here: " + instead}
}

// errNotJSON is returned for a body that is no JSON.
func errNotJSON(err error) error {
	return protocolError("Failed to parse the request body as JSON: %v", err)
}
