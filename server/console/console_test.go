package console

import (
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func get(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestHandler(t *testing.T) {
	t.Parallel()
	etag := get(t, "GET", "/console/main.js").Header.Get("ETag")
	packed := get(t, "GET", "/console/main.js", "Accept-Encoding", "gzip").Header.Get("ETag")
	for name, test := range map[string]struct {
		method, path string
		headers      []string
		status       int
		want         map[string]string
	}{
		"the page":          {"GET", "/console/", nil, 200, map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		"a module":          {"GET", "/console/main.js", nil, 200, map[string]string{"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "no-cache"}},
		"a style sheet":     {"GET", "/console/base.css", nil, 200, map[string]string{"Content-Type": "text/css; charset=utf-8"}},
		"a picture":         {"GET", "/console/icon.svg", nil, 200, map[string]string{"Content-Type": "image/svg+xml"}},
		"below a path":      {"GET", "/behind/a/proxy/console/main.js", nil, 200, nil},
		"no slash":          {"GET", "/console", nil, 308, map[string]string{"Location": "console/"}},
		"a head":            {"HEAD", "/console/", nil, 200, map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		"nothing there":     {"GET", "/console/nothing.js", nil, 404, nil},
		"the folder itself": {"GET", "/console/static/main.js", nil, 404, nil},
		"a way out":         {"GET", "/console/../console.go", nil, 404, nil},
		"writing":           {"POST", "/console/", nil, 405, map[string]string{"Allow": "GET, HEAD"}},
		"unchanged":         {"GET", "/console/main.js", []string{"If-None-Match", `"other", W/` + etag}, 304, map[string]string{"ETag": etag, "Content-Encoding": ""}},
		"compressed":        {"GET", "/console/main.js", []string{"Accept-Encoding", "br, gzip;q=0.5"}, 200, map[string]string{"Content-Encoding": "gzip", "ETag": packed, "Vary": "Accept-Encoding"}},
		"never compressed":  {"GET", "/console/main.js", []string{"Accept-Encoding", "gzip;q=0"}, 200, map[string]string{"Content-Encoding": ""}},
		"changed form":      {"GET", "/console/main.js", []string{"If-None-Match", etag, "Accept-Encoding", "gzip"}, 200, map[string]string{"ETag": packed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := get(t, test.method, test.path, test.headers...)
			if answer.StatusCode != test.status {
				t.Errorf("status is %d, want %d", answer.StatusCode, test.status)
			}
			for header, want := range test.want {
				if got := answer.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			for header, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Content-Security-Policy": policy,
			} {
				if got := answer.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
		})
	}
}

func TestCompressedIsTheSame(t *testing.T) {
	t.Parallel()
	plain, err := io.ReadAll(get(t, "GET", "/console/query.js").Body)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(get(t, "GET", "/console/query.js", "Accept-Encoding", "gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if string(plain) != string(unpacked) || len(plain) == 0 {
		t.Errorf("%d bytes become %d", len(plain), len(unpacked))
	}
}

// TestFiles holds the files against what the policy would refuse only when somebody
// looks: code and styles inside the page, addresses of others, HTML out of text.
func TestFiles(t *testing.T) {
	t.Parallel()
	never := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|<script>|<style|\sstyle=|\son\w+="|https?://[^w]|@import|localStorage\.`)
	for _, name := range names(t) {
		content := read(t, name)
		if found := never.FindString(content); found != "" {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// Every module is imported by another or the page, every import is of a file.
func TestImports(t *testing.T) {
	t.Parallel()
	imports := regexp.MustCompile(`(?:from "\./|src="|href=")([\w.]+)"`)
	used := map[string]bool{"index.html": true}
	for _, name := range names(t) {
		for _, m := range imports.FindAllStringSubmatch(read(t, name), -1) {
			used[m[1]] = true
			if _, err := static.ReadFile("static/" + m[1]); err != nil {
				t.Errorf("%s needs %s, which is not there", name, m[1])
			}
		}
	}
	for _, name := range names(t) {
		if !used[name] {
			t.Errorf("nothing needs %s", name)
		}
	}
}

func names(t *testing.T) (found []string) {
	t.Helper()
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := static.ReadFile("static/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestContrast computes what WCAG calls the contrast of every text on every ground
// it is put on, in both schemes: 4.5 for text, 3 for lines that mean something.
func TestContrast(t *testing.T) {
	t.Parallel()
	light, dark, ok := strings.Cut(read(t, "base.css"), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("there is no dark scheme")
	}
	dark, _, _ = strings.Cut(dark, "*, *::before")
	pairs := []struct {
		fore, grounds string
		least         float64
	}{
		{"text", "ground panel sunken hover tint danger-tint", 4.5},
		{"muted", "ground panel sunken hover", 4.5},
		{"accent", "panel tint ground", 4.5},
		{"on-accent", "accent accent-hover", 4.5},
		{"danger", "panel ground danger-tint", 4.5},
		{"warning", "ground", 4.5},
		{"good", "ground", 4.5},
		{"keyword", "panel", 4.5}, {"string", "panel ground", 4.5}, {"number", "panel", 4.5}, {"comment", "panel", 4.5},
		{"line-strong", "panel ground", 3}, {"series-1", "panel", 3}, {"series-2", "panel", 3},
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([\w-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, p := range pairs {
			for ground := range strings.FieldsSeq(p.grounds) {
				a, foundA := colours[p.fore]
				b, foundB := colours[ground]
				if !foundA || !foundB {
					t.Errorf("%s: %s or %s is no colour", scheme, p.fore, ground)
					continue
				}
				if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < p.least {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", scheme, p.fore, ground, contrast, p.least)
				}
			}
		}
	}
}

// luminance is the relative luminance of an sRGB colour of six digits.
func luminance(t *testing.T, digits string) (sum float64) {
	t.Helper()
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// TestModules runs the tests of the modules that need no browser.
func TestModules(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the modules' own tests need it")
	}
	files, err := filepath.Glob("testdata/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests of modules: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), node, append([]string{"--test", "--test-reporter=tap"}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, failures(string(out)))
	}
}

// failures are the parts of a TAP report about what failed.
func failures(tap string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(tap, "# Subtest:") {
		if strings.Contains(part, "not ok ") {
			fmt.Fprintln(&b, part)
		}
	}
	return b.String()
}
