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
	origin, host := c.r.Header.Get("Origin"), c.r.Host
	allowed := s.allows(origin, host)
	if c.trusted { // the operator's address, which is nobody else's whatever Origins says
		allowed = origin == "" || sameHost(origin, host)
	}
	if allowed && (!byBrowser(c.r) || s.ownName(host)) {
		return false
	}
	c.fail(errPage)
	return true
}

var errPage = &failure{status: http.StatusForbidden, code: "FORBIDDEN_ORIGIN",
	message: "A web page may not call this server, which asks nobody for a token: start it with keys, or with --origin for that page"}

// disguised reports whether a page may have sent a request for data although it has no
// Origin. What a page embeds, an image say, has none, whosever it is; browsers say of
// it where it comes from, but over plain HTTP only for names that are surely ours. A GET
// for the page's own host has none either, and that host may be ours by DNS; some
// browsers let a page say who they are then, but none lets it change how answers may be
// compressed. For writing there is an Origin always.
func (s *Server) disguised(r *http.Request) bool {
	if r.Header["Origin"] != nil {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}
	host := hostname(r.Host)
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(host, ".") && !s.ownName(host) &&
		strings.Contains(r.Header.Get("Accept-Encoding"), "deflate")
}

// allows says whether a page of that origin may call.
func (s *Server) allows(origin, host string) bool {
	if origin == "" {
		return true
	}
	if sameHost(origin, host) {
		return true // the console
	}
	if len(s.opts.Origins) == 0 {
		return s.opts.Keys != nil
	}
	return slices.Contains(s.opts.Origins, "*") || slices.Contains(s.opts.Origins, origin)
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == host
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
