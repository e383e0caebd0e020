package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/nearlite/nearlite/catalog"
)

// chosen returns the name of the database that a request is for. What says it most
// plainly counts: the path, our own header, those of libSQL's clients, the host.
func (s *Server) chosen(c *call) (string, error) {
	name := c.inPath
	if name == "" {
		name = inHeaders(c.r)
	}
	if name == "" {
		name = s.inHost(c.r.Host)
	}
	if name == "" {
		return catalog.Main, nil
	}
	if name == "default" {
		// That is what sqld calls it. Whoever has made one of that name means it.
		if _, err := s.cat.Lookup(c.r.Context(), name); err != nil {
			return catalog.Main, nil
		}
	}
	return name, nil
}

// inHeaders returns the database that the headers name, if they do.
func inHeaders(r *http.Request) string {
	for _, name := range []string{"X-Nearlite-Database", "X-Namespace"} {
		if v := r.Header[name]; len(v) > 0 {
			return v[0]
		}
	}
	v := r.Header["X-Namespace-Bin"]
	if len(v) == 0 {
		return ""
	}
	name, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v[0], "="))
	if err != nil {
		return ""
	}
	// Embedded replicas send the first label of the host if nobody chose a name,
	// even if that is the "127" of 127.0.0.1. Then the host decides.
	if label, _, _ := strings.Cut(hostname(r.Host), "."); label == string(name) {
		return ""
	}
	return string(name)
}

// inHost returns the database that the host names by its first label: below the
// base domain or localhost, or, without a base domain, of a host with three labels
// or more.
func (s *Server) inHost(host string) string {
	host = hostname(host)
	base := s.opts.BaseDomain
	if base == "" || strings.HasSuffix(host, ".localhost") {
		base = "localhost"
	}
	if label, ok := strings.CutSuffix(host, "."+base); ok {
		return strings.ToLower(label)
	}
	label, rest, _ := strings.Cut(host, ".")
	if s.opts.BaseDomain != "" || !strings.Contains(rest, ".") || isAddress(host) {
		return ""
	}
	return strings.ToLower(label)
}

// hostname cuts the port off.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

// isAddress reports whether a host is an address, not a name: no top-level domain
// is a number.
func isAddress(host string) bool {
	if strings.HasPrefix(host, "[") {
		return true
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

// notThere is the failure for a name that no database has, to libSQL's clients in
// sqld's words, and with the way out.
func (c *call) notThere(name string) error {
	message := fmt.Sprintf("There is no database %q", name)
	if c.dialect != plainDialect {
		message = fmt.Sprintf("Namespace `%s` doesn't exist", name)
	}
	if c.inPath == "" && inHeaders(c.r) == "" {
		message += fmt.Sprintf(": it is the first label of the host %s; create it, or start the server with --base-domain %s", c.r.Host, hostname(c.r.Host))
	}
	return &failure{status: http.StatusNotFound, code: "DATABASE_NOT_FOUND", message: message}
}
