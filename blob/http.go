package blob

import (
	"encoding/hex"
	"net/http"
	"path"
	"strings"

	"github.com/nearlite/nearlite"
)

// Handler serves the objects of db over HTTP, as http.FileServerFS serves files:
// with ranges, conditional requests, Last-Modified, index.html and directories.
// It adds what a store knows better: the ETag of an object is its SHA-256, a
// strong one, and its Content-Type is the one it was stored with. The URL's path
// is the name; for a part of it there is http.StripPrefix.
func (s *Store) Handler(db *nearlite.DB) http.Handler {
	return &handler{fs: s.FS(db), files: http.FileServerFS(s.FS(db))}
}

type handler struct {
	fs    FS
	files http.Handler // what is no object: directories, redirections, errors
}

// ServeHTTP answers GET and HEAD.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	switch {
	case name != "" && CheckName(name) != nil:
		http.NotFound(w, r)
		return
	case strings.HasSuffix(r.URL.Path, "/index.html"): // it has a shorter address
		h.files.ServeHTTP(w, r)
		return
	case strings.HasSuffix(r.URL.Path, "/"):
		name = path.Join(name, "index.html")
	}
	file, err := h.fs.openFile(name)
	if err != nil {
		h.files.ServeHTTP(w, r)
		return
	}
	defer file.Close()
	object, ok := file.(*objectFile)
	if !ok {
		h.files.ServeHTTP(w, r)
		return
	}
	info := object.Info() // of the very content that is sent
	w.Header().Set("ETag", `"`+hex.EncodeToString(info.SHA256[:])+`"`)
	if info.ContentType != "" {
		w.Header().Set("Content-Type", info.ContentType)
	}
	http.ServeContent(w, r, path.Base(info.Name), info.ModTime, object)
}
