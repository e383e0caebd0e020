// Package console is the web page at /console: an SQL editor, a browser of tables and
// live plots. It is made of a few ES modules and style sheets that are served as they
// were written, needs nothing from any other server, and talks to the same HTTP API
// as everyone else. It holds no secrets, so that it is served to whoever asks; what a
// visitor may see is decided by the API.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var static embed.FS

// Types by extension, so that what the machine has in its mime.types does not matter.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// policy lets the page load what lies beside it, and nothing else: no inline scripts
// or styles, no other server, no frame around it, no HTML made of text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// A file as it is served.
type file struct {
	contentType string
	plain, gzip []byte
	etag        string // of the content; the compressed form has another
}

// Handler serves the console at /console/, where it expects the API one level above
// itself. It wants no authentication in front of it.
func Handler() http.Handler {
	files, err := readFiles()
	if err != nil {
		panic(err) // what is embedded can be read, or the program was not built right
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(files, w, r) })
}

func readFiles() (map[string]*file, error) {
	files := map[string]*file{}
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		f := &file{contentType: types[path.Ext(name)], plain: content, etag: hex.EncodeToString(sum[:12])}
		if f.contentType == "" {
			f.contentType = mime.TypeByExtension(path.Ext(name))
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		_, _ = z.Write(content) // into memory
		_ = z.Close()
		f.gzip = packed.Bytes()
		files[strings.TrimPrefix(name, "static/")] = f
		return nil
	})
	return files, err
}

func serve(files map[string]*file, w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the console is only read: GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	_, name, inside := strings.Cut(r.URL.Path, "/console/")
	if !inside {
		// Relative, so that it holds behind a proxy that serves us below a path.
		h.Set("Location", "console/")
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	if name == "" {
		name = "index.html"
	}
	f, ok := files[name]
	if !ok {
		http.Error(w, "the console has no such file", http.StatusNotFound)
		return
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// Asked for anew each time, and then not sent again: a new version is seen at once.
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", f.contentType)
	h.Set("Vary", "Accept-Encoding")
	content, etag := f.plain, `"`+f.etag+`"`
	if acceptsGzip(r) {
		content, etag = f.gzip, `"`+f.etag+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if matches(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method == http.MethodGet {
		_, _ = w.Write(content) // who left does not need it
	}
}

func matches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == etag || one == "*" {
			return true
		}
	}
	return false
}

func acceptsGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
		if coding == "gzip" && strings.ReplaceAll(weight, " ", "") != "q=0" {
			return true
		}
	}
	return false
}
