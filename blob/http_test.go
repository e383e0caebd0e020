package blob

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	large := noise(5*RowSize + 3)
	page := []byte("<p>hello")
	info := put(t, s, db, "site/index.html", page, &PutOptions{ModTime: at})
	put(t, s, db, "site/data.bin", large, &PutOptions{ModTime: at, ContentType: "application/x-own"})
	put(t, s, db, "site/sub/a b&c.txt", []byte("text"), nil)
	tag := fmt.Sprintf(`"%x"`, info.SHA256)
	server := httptest.NewServer(s.Handler(db))
	defer server.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, test := range []struct {
		method, path string
		header       string // of the request
		status       int
		want         string // header of the answer
		body         []byte // nil: whatever
	}{
		{"GET", "/site/", "", 200, "ETag: " + tag, page},
		{"GET", "/site/", "", 200, "Content-Type: text/html; charset=utf-8", page},
		{"GET", "/site/", "If-None-Match: " + tag, 304, "ETag: " + tag, []byte{}},
		{"GET", "/site/", `If-None-Match: "other"`, 200, "", page},
		{"GET", "/site/index.html", "", 301, "Location: ./", nil},
		{"GET", "/site", "", 301, "Location: site/", nil},
		{"HEAD", "/site/data.bin", "", 200, fmt.Sprintf("Content-Length: %d", len(large)), []byte{}},
		{"GET", "/site/data.bin", "", 200, "Content-Type: application/x-own", large},
		{"GET", "/site/data.bin", "", 200, "Last-Modified: Mon, 06 May 2024 07:08:09 GMT", large},
		{"GET", "/site/data.bin", "If-Modified-Since: Mon, 06 May 2024 07:08:09 GMT", 304, "", []byte{}},
		{"GET", "/site/data.bin", "Range: bytes=5-9", 206, fmt.Sprintf("Content-Range: bytes 5-9/%d", len(large)), large[5:10]},
		{"GET", "/site/data.bin", "Range: bytes=-100000", 206, "", large[len(large)-100000:]},
		{"GET", "/site/data.bin", "Range: bytes=99999999-", 416, "", nil},
		{"GET", "/site/data.bin/", "", 301, "Location: ../data.bin", nil},
		{"GET", "/site/sub/", "", 200, "Content-Type: text/html; charset=utf-8", []byte("<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n<a href=\"a%20b&c.txt\">a b&amp;c.txt</a>\n</pre>\n")},
		{"GET", "/site/sub/a%20b&c.txt", "", 200, "Accept-Ranges: bytes", []byte("text")},
		{"GET", "/nothing", "", 404, "ETag: ", nil},
		{"GET", "/../../etc/passwd", "", 404, "", nil},
		{"GET", "/%2e%2e/x", "", 404, "", nil},
		{"GET", "/a%00b", "", 404, "", nil},
		{"GET", "/%ff", "", 404, "", nil},
		{"GET", "/" + strings.Repeat("x", 4096), "", 404, "", nil},
		{"POST", "/site/", "", 405, "Allow: GET, HEAD", nil},
		{"DELETE", "/site/data.bin", "", 405, "", nil},
	} {
		req, err := http.NewRequest(test.method, server.URL+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name, value, ok := strings.Cut(test.header, ": "); ok {
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.path, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		name, value, _ := strings.Cut(test.want, ": ")
		if err != nil || resp.StatusCode != test.status || resp.Header.Get(name) != value && name != "" {
			t.Errorf("%s %.50s (%s): %d, %s: %q, %v; want %d, %q", test.method, test.path, test.header, resp.StatusCode, name, resp.Header.Get(name), err, test.status, test.want)
		}
		if test.body != nil && !bytes.Equal(body, test.body) {
			t.Errorf("%s %s (%s): %d bytes, want %d: %.200q", test.method, test.path, test.header, len(body), len(test.body), body)
		}
	}
}

// What is being downloaded comes to its end although it was deleted.
func TestDownloadOfDeleted(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	content := noise(32 << 20) // more than fits between a server and a client that waits
	if _, err := s.Upload(bg, db, "x", bytes.NewReader(content), nil); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler(db))
	defer server.Close()
	resp, err := http.Get(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	update(t, db, func(tx *nearlite.WriteTx) error { return s.Delete(tx, "x") })
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
}
