package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server/console"
)

// health says that the process answers.
func (c *call) health() error { return send(c.w, http.StatusOK, typeText, nil) }

// ready says whether requests are welcome: not while the server drains, and not
// when the first database cannot be read.
func (c *call) ready() error {
	if c.s.draining.Load() {
		return errDraining
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), readyPatience)
	defer cancel()
	if err := c.s.readable(ctx); err != nil {
		return &failure{status: http.StatusServiceUnavailable, code: "NOT_READY", message: err.Error(), retry: time.Second}
	}
	return send(c.w, http.StatusOK, typeText, []byte("ready\n"))
}

// readyPatience is how long reading may take that is worth being sent requests.
const readyPatience = 2 * time.Second

// readable reads from the database that is always there.
func (s *Server) readable(ctx context.Context) error {
	h, err := s.cat.Acquire(ctx, catalog.Main)
	if err != nil {
		return err
	}
	defer h.Release()
	return h.DB().View(ctx, func(tx *nearlite.ReadTx) error {
		return tx.QueryRow("SELECT count(*) FROM sqlite_schema").Err()
	})
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
		return c.socket()
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
