package open

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/storage"
)

func TestDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, address := range []string{
		filepath.Join(dir, "a b", "c%20d"),
		"file://" + filepath.ToSlash(filepath.Join(dir, "a%20b", "c%2520d")),
		"file://localhost" + filepath.ToSlash(filepath.Join(dir, "a%20b", "c%2520d")),
	} {
		s, err := Store(t.Context(), address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(t.Context(), "x", storage.Bytes([]byte("x"))); err != nil && !errors.Is(err, storage.ErrExist) {
			t.Error(err)
		}
		again, err := Store(t.Context(), s.String(), &Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := storage.ReadAll(t.Context(), again, "x"); err != nil || string(got) != "x" {
			t.Errorf("%s: %q, %v", again, got, err)
		}
		if _, err := again.Create(t.Context(), "y", storage.Bytes(nil)); !errors.Is(err, storage.ErrRefused) {
			t.Errorf("read only: %v", err)
		}
		if err := errors.Join(s.Close(), again.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a b", "c%20d", "x")); err != nil {
		t.Error(err)
	}
	missing := filepath.Join(dir, "missing")
	if _, err := Store(t.Context(), missing, &Options{ReadOnly: true}); !errors.Is(err, storage.ErrRefused) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("read only, missing: %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made to be read: %v", err)
	}
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	for address, say := range map[string]string{
		"":                      "s3://BUCKET/PREFIX",
		"gs://bucket/x":         `"gs"`,
		"file://":               "no directory",
		"file:///":              "no directory",
		"file://backups/app":    "file:///backups/app",
		"file:///x?readonly=1":  "%3F",
		"file:///%zz":           "file:///DIRECTORY",
		"s3://":                 "s3://BUCKET/PREFIX",
		"s3://k:secret@b":       "do not belong in a URL",
		"s3://bucket?nonsense=": "nonsense",
	} {
		s, err := Store(t.Context(), address, nil)
		if s != nil || !errors.Is(err, storage.ErrRefused) || !strings.Contains(err.Error(), say) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: %v; it should say %q", address, err, say)
		}
	}
}

// A bucket is reached with the credentials of the environment; an endpoint that
// ignores conditions is refused, unless there is nothing to write.
func TestBucket(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	careless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path)
	}))
	t.Cleanup(careless.Close)
	address := "s3://bucket/a%20b?endpoint=" + careless.URL
	if s, err := Store(t.Context(), address, nil); s != nil || !errors.Is(err, storage.ErrRefused) || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("careless: %v", err)
	}
	s, err := Store(t.Context(), address, &Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, _, err := storage.ReadAll(t.Context(), s, "c"); err != nil || string(got) != "GET /bucket/a b/c" {
		t.Errorf("%q, %v", got, err)
	}
}
