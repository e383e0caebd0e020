package server

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// crossOrigin answers for the browser's question whether a page may call, and
// refuses pages that may not. It returns true when the request is answered.
//
// A server without tokens trusts whoever reaches it, and every web page that is
// open on this machine reaches it through its browser. So without tokens only pages
// from the server itself may call, and only by a name that is surely this
// machine's: by DNS a page can make any other name mean this machine.
func (s *Server) crossOrigin(c *call) (done bool) {
	if s.opts.Keys == nil && s.refusesPage(c) {
		return true
	}
	origin := c.r.Header.Get("Origin")
	allowed := s.allows(origin, c.r.Host)
	if origin == "" || !allowed {
		return false
	}
	h := c.w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Vary", "Origin")
	h.Set("Access-Control-Expose-Headers", "nearlite-position, Retry-After")
	if c.r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
	if asked := c.r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "86400")
	c.w.WriteHeader(http.StatusNoContent)
	return true
}

// refusesPage refuses the request of a page where nobody is asked for a token.
func (s *Server) refusesPage(c *call) bool {
	origin := c.r.Header.Get("Origin")
	if s.allowsHere(origin, c.r.Host) && (!byBrowser(c.r) || s.ownName(c.r.Host)) {
		return false
	}
	c.fail(&failure{status: http.StatusForbidden, code: "FORBIDDEN_ORIGIN",
		message: "A web page may not call this server, which asks nobody for a token: start it with keys, or with --origin for that page"})
	return true
}

// allowsHere is allows where a page needs no token.
func (s *Server) allowsHere(origin, host string) bool {
	if s.opts.Keys != nil && len(s.opts.Origins) == 0 { // the operator's address
		u, err := url.Parse(origin)
		return origin == "" || err == nil && u.Host == host
	}
	return s.allows(origin, host)
}

// allows says whether a page of that origin may call.
func (s *Server) allows(origin, host string) bool {
	if origin == "" {
		return true
	}
	if u, err := url.Parse(origin); err == nil && u.Host == host {
		return true // the console
	}
	if len(s.opts.Origins) == 0 {
		return s.opts.Keys != nil
	}
	return slices.Contains(s.opts.Origins, "*") || slices.Contains(s.opts.Origins, origin)
}

// byBrowser says whether a browser sent the request, as far as can be seen.
func byBrowser(r *http.Request) bool {
	return r.Header["Origin"] != nil || r.Header["Sec-Fetch-Site"] != nil || strings.HasPrefix(r.UserAgent(), "Mozilla/")
}

// ownName says whether a host cannot be anybody else's by a trick of DNS.
func (s *Server) ownName(host string) bool {
	host = strings.ToLower(hostname(host))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(strings.Trim(host, "[]")) != nil {
		return true
	}
	base := s.opts.BaseDomain
	return base != "" && (host == base || strings.HasSuffix(host, "."+base))
}
