package s3

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// fake is an endpoint that answers every request the same.
func fake(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func always(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		w.WriteHeader(status)
		if code != "" {
			_, _ = w.Write([]byte("<Error><Code>" + code + "</Code></Error>"))
		}
	}
}

// What is set wrong is told at Open, with what to do about it.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	tls := httptest.NewUnstartedServer(always(200, ""))
	tls.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	tls.StartTLS()
	t.Cleanup(tls.Close)
	for name, test := range map[string]struct {
		change func(*Options)
		kind   error
		say    []string
	}{
		"access key":     {func(o *Options) { o.AccessKey = "nobody" }, storage.ErrRefused, []string{"AWS_ACCESS_KEY_ID"}},
		"secret key":     {func(o *Options) { o.SecretKey = "wrong" }, storage.ErrRefused, []string{"SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"}},
		"one key":        {func(o *Options) { o.SecretKey = "" }, storage.ErrRefused, []string{"go together"}},
		"bucket":         {func(o *Options) { o.Bucket = "no-such-bucket" }, storage.ErrRefused, []string{"NoSuchBucket", "create the bucket"}},
		"no bucket":      {func(o *Options) { o.Bucket = "" }, storage.ErrRefused, []string{"s3://BUCKET/PREFIX"}},
		"prefix":         {func(o *Options) { o.Prefix = "a/../b" }, storage.ErrRefused, []string{`".."`}},
		"part size":      {func(o *Options) { o.PartSize = 1 }, storage.ErrRefused, []string{"5 MiB"}},
		"checksum":       {func(o *Options) { o.Checksum = "md5" }, storage.ErrRefused, []string{"md5", "crc64nvme"}},
		"endpoint":       {func(o *Options) { o.Endpoint = "s3.example.com" }, storage.ErrRefused, []string{"https://HOST:PORT"}},
		"nobody listens": {func(o *Options) { o.Endpoint = "http://127.0.0.1:1" }, storage.ErrUnavailable, []string{"refused", "reachable"}},
		"no host":        {func(o *Options) { o.Endpoint = "http://nowhere.invalid" }, storage.ErrUnavailable, []string{"is the host's name right?"}},
		"certificate":    {func(o *Options) { o.Endpoint = tls.URL }, storage.ErrRefused, []string{"AWS_CA_BUNDLE"}},
		"ignores": {func(o *Options) { o.Endpoint = fake(t, always(200, "")) }, storage.ErrRefused,
			[]string{"ignores", "If-None-Match", "AWS S3", "file:///"}},
		"ignores If-Match": {func(o *Options) {
			o.Endpoint = fake(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") == "" {
					always(200, "")(w, r)
				} else {
					always(412, "PreconditionFailed")(w, r)
				}
			})
		}, storage.ErrRefused, []string{"ignores", "If-Match"}},
		"makes what is not there": {func(o *Options) {
			o.Endpoint = fake(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/"+absentKey) {
					always(200, "")(w, r)
				} else {
					always(412, "PreconditionFailed")(w, r)
				}
			})
		}, storage.ErrRefused, []string{"ignores", "If-Match on a key"}},
		"does not know": {func(o *Options) { o.Endpoint = fake(t, always(501, "NotImplemented")) }, storage.ErrRefused, []string{"NotImplemented", "AWS S3"}},
		"no S3":         {func(o *Options) { o.Endpoint = fake(t, always(404, "")) }, storage.ErrRefused, []string{"(404)", "is this the address"}},
		"region": {func(o *Options) {
			o.Endpoint = fake(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Amz-Bucket-Region", "eu-south-2")
				always(301, "PermanentRedirect")(w, r)
			})
		}, storage.ErrRefused, []string{"?region=eu-south-2"}},
		"clock": {func(o *Options) {
			o.Endpoint = fake(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(-22*time.Minute).UTC().Format(http.TimeFormat))
				always(403, "RequestTimeTooSkewed")(w, r)
			})
		}, storage.ErrRefused, []string{"clock", "22m", "ahead of"}},
		"read only credentials": {func(o *Options) { o.Endpoint = fake(t, always(403, "AccessDenied")) }, storage.ErrRefused, []string{"AccessDenied", "s3:PutObject"}},
		"down":                  {func(o *Options) { o.Endpoint = fake(t, always(503, "")) }, storage.ErrUnavailable, []string{"(503)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.RetryFor = 10 * time.Millisecond
			test.change(&o)
			s, err := Open(t.Context(), o)
			var e *storage.Error
			if s != nil || !errors.Is(err, test.kind) || !errors.As(err, &e) || e.Op != "open" {
				t.Fatalf("open: %v", err)
			}
			for _, say := range append(test.say, "s3://") {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("%q is not in: %v", say, err)
				}
			}
			if strings.Contains(err.Error(), o.SecretKey) && o.SecretKey != "" || strings.Contains(err.Error(), "operation error") || len(err.Error()) > 600 {
				t.Errorf("the message is %v", err)
			}
		})
	}
}

// Without credentials anywhere nothing is sent, and one is told where to put them.
func TestNoCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, t.TempDir()+"/none")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	_, err := Open(t.Context(), Options{Bucket: "b"})
	if !errors.Is(err, storage.ErrRefused) || !strings.Contains(err.Error(), "?region=") {
		t.Errorf("without a region: %v", err)
	}
	_, err = Open(t.Context(), Options{Bucket: "b", Endpoint: "http://127.0.0.1:1", PathStyle: true})
	if !errors.Is(err, storage.ErrRefused) || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
		t.Errorf("without credentials: %v", err)
	}
	_, err = Open(t.Context(), Options{Bucket: "b", Region: "us-east-1", Profile: "nobody's"})
	if !errors.Is(err, storage.ErrRefused) || !strings.Contains(err.Error(), "nobody's") {
		t.Errorf("with a profile that does not exist: %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "nearlite")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "nearlite-secret")
	o := options(t)
	o.AccessKey, o.SecretKey = "", ""
	open(t, o).Close()
}

// A store that only reads sends nothing until it is asked, and writes nothing.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s, calm, proxy := suffering(t, func(o *Options) { o.ReadOnly = true })
	if n := proxy.Requests.Load(); n != 0 {
		t.Errorf("Open sent %d requests", n)
	}
	info, err := calm.Create(t.Context(), "a", storage.Bytes([]byte("a")))
	if err != nil {
		t.Fatal(err)
	}
	_, create := s.Create(t.Context(), "b", storage.Bytes(nil))
	_, replace := s.Replace(t.Context(), "a", storage.Bytes(nil), info.Version)
	for _, err := range []error{create, replace, s.Delete(t.Context(), "a")} {
		check(t, "write", err, storage.ErrRefused)
	}
	if n := proxy.Requests.Load(); n != 0 {
		t.Errorf("refused writes sent %d requests", n)
	}
	if got, _, err := storage.ReadAll(t.Context(), s, "a"); err != nil || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
}

// The requests that doc.go promises, since they are paid for.
func TestRequests(t *testing.T) {
	t.Parallel()
	s, _, proxy := suffering(t, nil)
	count := func(what string, want int64, do func() error) {
		t.Helper()
		before := proxy.Requests.Load()
		err := do()
		if got := proxy.Requests.Load() - before; got != want || err != nil {
			t.Errorf("%s took %d requests, not %d: %v", what, got, want, err)
		}
	}
	var info storage.Info
	count("first open", 5, func() error {
		o := s.opts
		o.Prefix += "-another"
		_, err := Open(t.Context(), o)
		return err
	})
	count("open", 3, func() error { _, err := Open(t.Context(), s.opts); return err })
	count("create", 1, func() (err error) {
		info, err = s.Create(t.Context(), "a", storage.Bytes([]byte("a")))
		return err
	})
	count("create again", 1, func() error {
		if _, err := s.Create(t.Context(), "a", storage.Bytes([]byte("a"))); !errors.Is(err, storage.ErrExist) {
			return err
		}
		return nil
	})
	count("holds", 1, func() error {
		_, err := storage.Holds(t.Context(), s, "a", 1, storage.Sum(info.SHA256))
		return err
	})
	count("replace", 1, func() error { _, err := s.Replace(t.Context(), "a", storage.Bytes(nil), info.Version); return err })
	count("get", 1, func() error { _, _, err := storage.ReadAll(t.Context(), s, "a"); return err })
	count("list", 1, func() error {
		for _, err := range s.List(t.Context(), "", "") {
			return err
		}
		return nil
	})
	count("delete", 1, func() error { return s.Delete(t.Context(), "a", "b", "c") })
	count("20 MiB", 1+1+3+1, func() error {
		_, err := s.Create(t.Context(), "large", storage.Bytes(make([]byte, 20<<20)))
		return err
	})
}

// An endpoint that cannot delete many objects at once deletes them one by one.
func TestDeleteEach(t *testing.T) {
	t.Parallel()
	s, calm, proxy := suffering(t, nil)
	for _, key := range []string{"a", "b", "c"} {
		if _, err := calm.Create(t.Context(), key, storage.Bytes(nil)); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Script(is("POST", "delete"), storagetest.HTTPFault{Status: 501, Code: "NotImplemented"})
	if err := s.Delete(t.Context(), "a", "b", "c", "d"); err != nil {
		t.Fatal(err)
	}
	for info := range calm.List(t.Context(), "", "") {
		t.Errorf("%s is left", info.Key)
	}
	proxy.Script(is("POST", "delete"), storagetest.HTTPFault{Status: 403, Code: "AccessDenied"})
	err := s.Delete(t.Context(), "a", "b")
	if check(t, "delete", err, storage.ErrRefused); !strings.Contains(err.Error(), "delete a in") || !strings.Contains(err.Error(), "delete b in") {
		t.Errorf("the error names the keys: %v", err)
	}
}

// Batches whose answer names objects that are still there.
func TestDeleteErrors(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	endpoint := fake(t, func(w http.ResponseWriter, r *http.Request) {
		answers := []string{
			`<Error><Key>p/a</Key><Code>InternalError</Code></Error><Error><Key>p/b</Key><Code>AccessDenied</Code></Error>`,
			`<Error><Key>p/a</Key><Code>SlowDown</Code></Error>`, ``,
		}
		_, _ = w.Write([]byte("<DeleteResult>" + answers[min(tries.Add(1), 3)-1] + "</DeleteResult>"))
	})
	s := open(t, Options{Bucket: "b", Prefix: "p", Endpoint: endpoint, PathStyle: true, AccessKey: "a", SecretKey: "b", NoProbe: true})
	s.pause = time.Millisecond
	err := s.Delete(t.Context(), "a", "b", "c")
	if !errors.Is(err, storage.ErrRefused) || !strings.Contains(err.Error(), "delete b in") || strings.Contains(err.Error(), "delete a in") || tries.Load() != 3 {
		t.Errorf("after %d tries: %v", tries.Load(), err)
	}
}

// A context that ends in the middle of a write leaves it unknown, at once.
func TestCancelWrite(t *testing.T) {
	t.Parallel()
	s, _, proxy := suffering(t, nil)
	arrived := make(chan struct{}, 1)
	proxy.Plan(func(*http.Request) storagetest.HTTPFault {
		arrived <- struct{}{}
		return storagetest.HTTPFault{Delay: time.Minute}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := s.Create(ctx, "a", storage.Bytes(nil))
	check(t, "create", err, storage.ErrUnknown)
	check(t, "create", err, context.Canceled)

	// While it waits for the next try, what is certain is certain.
	proxy.Plan(func(*http.Request) storagetest.HTTPFault {
		return storagetest.HTTPFault{Status: 503, Code: "SlowDown", RetryAfter: 20}
	})
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.opts.RetryFor = time.Minute
	_, err = s.Create(ctx, "b", storage.Bytes(nil))
	if check(t, "create", err, context.DeadlineExceeded); errors.Is(err, storage.ErrUnknown) {
		t.Errorf("nothing can have happened: %v", err)
	}
}

// A list that is out of order is noticed, and one that is cut is asked for again.
func TestLists(t *testing.T) {
	t.Parallel()
	entry := func(key string) string { return "<Contents><Key>" + key + "</Key><ETag>1</ETag></Contents>" }
	answer := "<ListBucketResult>" + entry("p/b") + entry("p/a") + "</ListBucketResult>"
	o := Options{Bucket: "b", Prefix: "p", PathStyle: true, AccessKey: "a", SecretKey: "b", NoProbe: true}
	o.Endpoint = fake(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(answer)) })
	var last error
	for _, last = range open(t, o).List(t.Context(), "", "") {
	}
	if check(t, "list", last, storage.ErrRefused); !strings.Contains(last.Error(), "out of order") {
		t.Error(last)
	}

	s, calm, proxy := suffering(t, nil)
	s.pageSize = 3
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		if _, err := calm.Create(t.Context(), key, storage.Bytes(nil)); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Script(is("GET", "list-type"), storagetest.HTTPFault{Cut: 100}, storagetest.HTTPFault{Status: 500}, storagetest.HTTPFault{}, storagetest.HTTPFault{Drop: true})
	keys := ""
	for info, err := range s.List(t.Context(), "", "b") {
		if err != nil {
			t.Fatal(err)
		}
		keys += info.Key
	}
	if keys != "cdefg" {
		t.Errorf("the list is %q", keys)
	}
}
