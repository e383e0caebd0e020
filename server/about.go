package server

import (
	"net/http"
	"strings"

	"github.com/nearlite/nearlite/server/console"
)

// health says that the process answers.
func (c *call) health() error { return send(c.w, http.StatusOK, typeText, nil) }

// ready says whether requests are welcome: not while the server drains.
func (c *call) ready() error {
	if c.s.draining.Load() {
		return errDraining
	}
	return send(c.w, http.StatusOK, typeText, []byte("ready\n"))
}

func (c *call) version() error {
	return send(c.w, http.StatusOK, typeText, []byte(c.s.opts.Version))
}

// info is what embedded replicas ask first, to know which protocol the server has.
// 404 means the one that is spoken here; a bad token has been told apart by now, so
// that people see “Unauthorized” and not a handshake that timed out.
func (c *call) info() error {
	return &failure{status: http.StatusNotFound, code: "NOT_FOUND", message: "This server syncs by the first version of the protocol"}
}

// root is where WebSockets begin. What else asks for / is a person: to the console.
func (c *call) root() error {
	if strings.EqualFold(c.r.Header.Get("Upgrade"), "websocket") {
		return &failure{status: http.StatusNotImplemented, code: "NOT_IMPLEMENTED", message: "WebSockets are not served here"}
	}
	http.Redirect(c.w, c.r, "/console/", http.StatusFound)
	return nil
}

var page = console.Handler()

// console is the web page. It is shown to everybody; the API below it is not.
func (c *call) console() error {
	page.ServeHTTP(c.w, c.r)
	return nil
}
