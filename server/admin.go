package server

import "net/http"

// serveAdmin answers an operator.
func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
}
