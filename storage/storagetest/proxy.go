package storagetest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// HTTPFault is what happens to one request. The zero value is nothing.
type HTTPFault struct {
	// Delay is waited before the request goes on, if the client still waits.
	Delay time.Duration
	// Undead lets the request go on after Delay even if nobody waits for it.
	Undead bool
	// Late lets the server do what it is asked, and waits before the answer.
	Late time.Duration
	// Status answers at once instead of the server, if it is not zero.
	Status int
	// StatusAfter lets the server do what it is asked, and answers with this.
	StatusAfter int
	// RetryAfter is a header of such an answer, in seconds.
	RetryAfter int
	// Code is S3's name for the error in the body of such an answer.
	Code string
	// Hang up before the server hears of it.
	Refuse bool
	// Let the server do what it is asked, and hang up instead of answering.
	Drop bool
	// Cut breaks the answer's body off after so many bytes, if it is not zero.
	Cut int64
	// Flip changes the answer's byte at this place, if it is not zero.
	Flip int64
}

// Proxy stands between an HTTP client and a server, and lets them suffer. It keeps
// the Host header, so that signatures stay good.
type Proxy struct {
	URL      string
	Requests atomic.Int64 // that came in

	plan   atomic.Pointer[func(*http.Request) HTTPFault]
	server *httptest.Server
	behind *httputil.ReverseProxy
}

// NewProxy listens on loopback until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{}
	p.behind = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}
	p.Plan(func(*http.Request) HTTPFault { return HTTPFault{} })
	p.server = httptest.NewServer(p)
	p.URL = p.server.URL
	t.Cleanup(p.server.Close)
	return p
}

// Plan says what happens to each request from now on.
func (p *Proxy) Plan(plan func(*http.Request) HTTPFault) { p.plan.Store(&plan) }

// Script lets each of the requests that match meet the next fault, and those after
// the last none.
func (p *Proxy) Script(match func(*http.Request) bool, faults ...HTTPFault) {
	var next atomic.Int64
	p.Plan(func(r *http.Request) HTTPFault {
		if !match(r) {
			return HTTPFault{}
		}
		if i := next.Add(1); i <= int64(len(faults)) {
			return faults[i-1]
		}
		return HTTPFault{}
	})
}

// ServeHTTP carries out the plan.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.Requests.Add(1)
	fault := (*p.plan.Load())(r)
	if fault.Undead {
		r = r.WithContext(context.WithoutCancel(r.Context()))
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if !wait(r.Context(), fault.Delay) {
		return
	}
	switch {
	case fault.Refuse:
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		_, _ = io.Copy(io.Discard, r.Body)
		fault.answer(w, fault.Status)
	case fault.Drop, fault.StatusAfter != 0, fault.Late > 0:
		answer := httptest.NewRecorder()
		p.behind.ServeHTTP(answer, r)
		if fault.Late > 0 {
			if wait(r.Context(), fault.Late) {
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			}
			return
		}
		if fault.Drop {
			panic(http.ErrAbortHandler)
		}
		fault.answer(w, fault.StatusAfter)
	default:
		p.behind.ServeHTTP(&sufferer{ResponseWriter: w, fault: fault}, r)
	}
}

// wait reports whether the time has passed with somebody still there.
func wait(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (f HTTPFault) answer(w http.ResponseWriter, status int) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if f.Code != "" {
		_, _ = io.WriteString(w, "<Error><Code>"+f.Code+"</Code><Message>on purpose</Message></Error>")
	}
}

// sufferer is the way of an answer's body back to the client.
type sufferer struct {
	http.ResponseWriter
	fault HTTPFault
	sent  int64
}

// Write breaks off, or changes a byte, where the plan says so.
func (s *sufferer) Write(p []byte) (int, error) {
	if i := s.fault.Flip - s.sent; s.fault.Flip > 0 && i >= 0 && i < int64(len(p)) {
		p = bytes.Clone(p)
		p[i] ^= 1
	}
	if s.fault.Cut > 0 && s.sent+int64(len(p)) > s.fault.Cut {
		_, _ = s.ResponseWriter.Write(p[:s.fault.Cut-s.sent])
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	n, err := s.ResponseWriter.Write(p)
	s.sent += int64(n)
	return n, err
}

// Unwrap lets the proxy flush.
func (s *sufferer) Unwrap() http.ResponseWriter { return s.ResponseWriter }
