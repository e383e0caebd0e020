package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server"
	"github.com/nearlite/nearlite/server/console/chromium"
	"github.com/nearlite/nearlite/server/token"
)

// browser is one Chromium for all tests; each has a page with storage of its own.
var browser = sync.OnceValues(chromium.Start)

func TestMain(m *testing.M) {
	code := m.Run()
	if b, err := browser(); err == nil && b.Close() != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "the browser did not end as it should")
		code = 1
	}
	os.Exit(code)
}

// A site is a real server on a port of this machine.
type site struct {
	t       *testing.T
	dir     string
	address string
	url     string
	keys    *token.Keys
	private []byte
	stop    func()
}

// serve starts a server; withTokens, one that asks for tokens.
func serve(t *testing.T, withTokens bool) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), address: "127.0.0.1:0"}
	if withTokens {
		private, public, err := token.GenerateKey()
		must(t, err)
		keys, err := token.ParseKeys(public)
		must(t, err)
		s.keys, s.private = token.Fixed(keys...), private
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *site) start() {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	cat, err := catalog.Open(context.WithoutCancel(s.t.Context()), s.dir, &catalog.Options{Logger: log})
	must(s.t, err)
	srv, err := server.New(cat, server.Options{Keys: s.keys, Version: "v0-test", Logger: log})
	must(s.t, err)
	l, err := net.Listen("tcp", s.address)
	must(s.t, err)
	s.address = l.Addr().String()
	s.url = "http://" + s.address
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l, false) }()
	s.stop = func() {
		if err := errors.Join(srv.Close(), <-served, cat.Close()); err != nil {
			s.t.Errorf("stop the server: %v", err)
		}
		s.stop = func() {}
	}
}

// mint returns a token of the server's key.
func (s *site) mint(claims token.Claims) string {
	s.t.Helper()
	key, err := token.ParsePrivateKey(s.private)
	must(s.t, err)
	text, err := token.Mint(key, &claims)
	must(s.t, err)
	return text
}

// run runs statements through the API, as one transaction.
func (s *site) run(statements ...string) {
	s.t.Helper()
	type statement struct {
		SQL string `json:"sql"`
	}
	var body struct {
		Statements []statement `json:"statements"`
	}
	for _, sql := range statements {
		body.Statements = append(body.Statements, statement{sql})
	}
	text, err := json.Marshal(body)
	must(s.t, err)
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/v1/query", bytes.NewReader(text))
	must(s.t, err)
	r.Header.Set("Content-Type", "application/json")
	if s.keys != nil {
		r.Header.Set("Authorization", "Bearer "+s.mint(token.Claims{Access: token.Write}))
	}
	answer, err := http.DefaultClient.Do(r)
	must(s.t, err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("%s: %s: %s", statements, answer.Status, said)
	}
}

// A visitor is somebody in front of the console.
type visitor struct {
	t    *testing.T
	page *chromium.Page
	site *site
	// expected are parts of complaints that a test provokes: a browser reports each
	// answer of 400 and more.
	expected []string
}

// visit opens the console in a page of its own. At the end of the test the page must
// have had nothing to complain of.
func visit(t *testing.T, s *site, path string, expected ...string) *visitor {
	t.Helper()
	b, err := browser()
	if errors.Is(err, chromium.ErrNotInstalled) {
		t.Skip("the console is tested in a real browser, and there is none:", err)
	}
	must(t, err)
	page, err := b.NewPage(t.Context(), 1280, 800)
	must(t, err)
	v := &visitor{t: t, page: page, site: s, expected: expected}
	t.Cleanup(func() {
		if t.Failed() {
			v.shot("failed")
		}
		v.check()
		_ = page.Close(context.WithoutCancel(t.Context()))
	})
	v.open(path)
	return v
}

// check reports what the page complained of.
func (v *visitor) check() {
	v.t.Helper()
complaints:
	for _, complaint := range v.page.Problems() {
		for _, e := range v.expected {
			if strings.Contains(complaint, e) {
				continue complaints
			}
		}
		v.t.Errorf("the page complains: %s", complaint)
	}
}

// patience is how long a visitor waits for anything.
const patience = 30 * time.Second

func (v *visitor) do(what string, f func(context.Context) error) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.t.Context()), patience)
	defer cancel()
	if err := f(ctx); err != nil {
		v.t.Fatalf("%s: %v", what, err)
	}
}

func (v *visitor) open(path string) {
	v.t.Helper()
	v.do("open "+path, func(ctx context.Context) error { return v.page.Go(ctx, v.site.url+path) })
}

func (v *visitor) click(selector string) {
	v.t.Helper()
	v.wait(exists(selector))
	v.do("click "+selector, func(ctx context.Context) error { return v.page.Click(ctx, selector) })
}

func (v *visitor) press(keys ...string) {
	v.t.Helper()
	for _, key := range keys {
		v.do("press "+key, func(ctx context.Context) error { return v.page.Press(ctx, key) })
	}
}

func (v *visitor) enter(text string) {
	v.t.Helper()
	v.do("type "+text, func(ctx context.Context) error { return v.page.Type(ctx, text) })
}

// wait waits for a condition in JavaScript.
func (v *visitor) wait(condition string) {
	v.t.Helper()
	v.do("wait", func(ctx context.Context) error { return v.page.Wait(ctx, condition) })
}

// see waits for a text to be in an element.
func (v *visitor) see(selector, text string) {
	v.t.Helper()
	v.wait(`((e) => e.innerText ?? e.textContent)(document.querySelector(` + strconv.Quote(selector) + `)).replace(/[\u00a0\u202f]/g, " ").includes(` + quote(text) + `)`)
}

// value evaluates JavaScript.
func value[T any](v *visitor, script string) (result T) {
	v.t.Helper()
	v.do(script, func(ctx context.Context) error { return v.page.Eval(ctx, script, &result) })
	return result
}

// focus returns what has the focus, in words a test can compare.
func (v *visitor) focus() string {
	v.t.Helper()
	return value[string](v, `(() => { const e = document.activeElement; return e.id || e.getAttribute("aria-label") || e.innerText || e.tagName })()`)
}

// shot keeps a screenshot where go test -artifacts leaves it.
func (v *visitor) shot(name string) {
	v.t.Helper()
	v.do("shoot "+name, func(ctx context.Context) error {
		return v.page.Screenshot(ctx, filepath.Join(v.t.ArtifactDir(), name+".png"))
	})
}

// replace replaces what the focused text field holds.
func (v *visitor) replace(text string) {
	v.t.Helper()
	v.press("Ctrl+a")
	v.enter(text)
}

// edit replaces the text of the editor, and takes the results away.
func (v *visitor) edit(sql string) {
	v.t.Helper()
	v.wait(exists("textarea.code"))
	v.do("focus the editor", func(ctx context.Context) error {
		return v.page.Eval(ctx, `document.querySelector(".results").replaceChildren(); document.querySelector("textarea.code").focus()`, nil)
	})
	v.replace(sql)
}

// query runs the last statement of a text and waits for its answer.
func (v *visitor) query(sql string) {
	v.t.Helper()
	v.edit(sql)
	v.press("Ctrl+Enter")
	v.wait(exists(".results .result, .results .failure"))
}

// cells returns a table's cells as they are read.
func (v *visitor) cells(table string) [][]string {
	v.t.Helper()
	return value[[][]string](v, `[...document.querySelector(`+strconv.Quote(table)+`).tBodies[0].rows].map(r => [...r.cells].slice(1).map(c => (c.getAttribute("aria-label") ?? c.querySelector(".clip")?.innerText ?? c.innerText)))`)
}

func exists(selector string) string {
	return `document.querySelector(` + strconv.Quote(selector) + `)`
}

func quote(text string) string {
	literal, _ := json.Marshal(text)
	return string(literal)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
