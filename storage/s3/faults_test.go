package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// suffering is a store behind a proxy, and one of the same objects that is not.
func suffering(t *testing.T, change func(*Options)) (s, calm *Store, proxy *storagetest.Proxy) {
	t.Helper()
	o := options(t)
	calm = open(t, o)
	proxy = storagetest.NewProxy(t, o.Endpoint)
	o.Endpoint = proxy.URL
	o.RetryFor = 10 * time.Second
	if change != nil {
		change(&o)
	}
	s = open(t, o)
	s.pause = time.Millisecond
	return s, calm, proxy
}

func is(method, query string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && (query == "" || r.URL.Query().Has(query))
	}
}

// Whatever happens to the first tries, a write that can be done is done, and is
// said to be.
func TestTriesOfWrites(t *testing.T) {
	t.Parallel()
	lost := storagetest.HTTPFault{Drop: true}
	for name, faults := range map[string][]storagetest.HTTPFault{
		"not sent":                  {{Refuse: true}},
		"answer lost":               {lost},
		"answer lost, again":        {lost, lost, lost},
		"answer late":               {{Late: 2 * time.Second}},
		"no answer":                 {{Delay: 2 * time.Second}},
		"done after the second try": {{Delay: 1500 * time.Millisecond, Undead: true}},
		"500":                       {{Status: 500}, {Status: 500}},
		"500 and done":              {{StatusAfter: 500}, {StatusAfter: 500}},
		"503":                       {{Status: 503}},
		"503 and done":              {{StatusAfter: 503}},
		"slow down":                 {{Status: 503, Code: "SlowDown", RetryAfter: 1}},
		"a race":                    {{Status: 409, Code: "ConditionalRequestConflict"}},
		"too many":                  {{Status: 429}},
		"mixed":                     {{Status: 503}, lost, {Status: 500}, {Refuse: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, calm, proxy := suffering(t, func(o *Options) { o.TryTimeout = time.Second })
			proxy.Script(is("PUT", ""), faults...)
			created, err := s.Create(t.Context(), "a", storage.Bytes([]byte("first")))
			if err != nil {
				t.Fatal(err)
			}
			proxy.Script(is("PUT", ""), faults...)
			replaced, err := s.Replace(t.Context(), "a", storage.Bytes([]byte("second")), created.Version)
			if err != nil {
				t.Fatal(err)
			}
			got, info, err := storage.ReadAll(t.Context(), calm, "a")
			if err != nil || string(got) != "second" || info.Version != replaced.Version {
				t.Errorf("%q %+v, %v; Replace returned %+v", got, info, err, replaced)
			}
		})
	}
}

// A write that cannot succeed any more says what is certain, and no more.
func TestOutcomesOfWrites(t *testing.T) {
	t.Parallel()
	lost := storagetest.HTTPFault{Drop: true}
	ever := func(f storagetest.HTTPFault) []storagetest.HTTPFault {
		faults := make([]storagetest.HTTPFault, 1000)
		for i := range faults {
			faults[i] = f
		}
		return faults
	}
	for name, test := range map[string]struct {
		faults          []storagetest.HTTPFault
		create, replace error // with nothing in the way
		rival           error // of a Create that another was faster than
	}{
		"nothing":              {nil, nil, nil, storage.ErrExist},
		"lost":                 {[]storagetest.HTTPFault{lost}, nil, nil, storage.ErrExist},
		"never reachable":      {ever(storagetest.HTTPFault{Refuse: true}), storage.ErrUnknown, storage.ErrUnknown, storage.ErrUnknown},
		"always slow down":     {ever(storagetest.HTTPFault{Status: 503, Code: "SlowDown"}), storage.ErrUnavailable, storage.ErrUnavailable, storage.ErrUnavailable},
		"always 503":           {ever(storagetest.HTTPFault{Status: 503}), storage.ErrUnknown, storage.ErrUnknown, storage.ErrExist},
		"done, and never told": {ever(lost), nil, nil, storage.ErrExist},
		"denied":               {ever(storagetest.HTTPFault{Status: 403, Code: "AccessDenied"}), storage.ErrRefused, storage.ErrRefused, storage.ErrRefused},
		"lost, then denied":    {append([]storagetest.HTTPFault{lost}, ever(storagetest.HTTPFault{Status: 403})...), nil, nil, storage.ErrExist},
		"unsure, then denied":  {append([]storagetest.HTTPFault{{Status: 500}}, ever(storagetest.HTTPFault{Status: 403})...), storage.ErrUnknown, storage.ErrUnknown, storage.ErrExist},
		"a clock":              {ever(storagetest.HTTPFault{Status: 403, Code: "RequestTimeTooSkewed"}), storage.ErrRefused, storage.ErrRefused, storage.ErrRefused},
		"no conditions":        {ever(storagetest.HTTPFault{Status: 501, Code: "NotImplemented"}), storage.ErrRefused, storage.ErrRefused, storage.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, calm, proxy := suffering(t, func(o *Options) { o.RetryFor = 50 * time.Millisecond })
			theirs, err := calm.Create(t.Context(), "theirs", storage.Bytes([]byte("theirs")))
			if err != nil {
				t.Fatal(err)
			}
			match := is("PUT", "")
			if name == "never reachable" {
				match = func(*http.Request) bool { return true }
			}
			proxy.Script(match, test.faults...)
			_, err = s.Create(t.Context(), "ours", storage.Bytes([]byte("ours")))
			check(t, "create", err, test.create)
			proxy.Script(match, test.faults...)
			_, err = s.Create(t.Context(), "theirs", storage.Bytes([]byte("ours")))
			check(t, "create what exists", err, test.rival)
			proxy.Script(match, test.faults...)
			_, err = s.Replace(t.Context(), "theirs", storage.Bytes([]byte("ours")), theirs.Version)
			check(t, "replace", err, test.replace)
		})
	}
}

func check(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("%s: %v, not %v", what, err, want)
	}
}

// Many writers under random faults: what is said is true. A success is there, a
// plain failure is not and never will be, and each counter has been raised as
// often as was said, or as was not known.
func TestTruthUnderFaults(t *testing.T) {
	t.Parallel()
	s, calm, proxy := suffering(t, func(o *Options) { o.RetryFor, o.TryTimeout = 200*time.Millisecond, 100*time.Millisecond })
	proxy.Plan(func(*http.Request) storagetest.HTTPFault { return randomFault() })
	if _, err := calm.Create(t.Context(), "counter", storage.Bytes([]byte("0"))); err != nil {
		t.Fatal(err)
	}
	truth := &truth{stores: []*Store{s, calm}}
	var all sync.WaitGroup
	for writer := range 8 {
		all.Go(func() {
			for slot := range 15 {
				truth.create(t.Context(), s, fmt.Sprintf("slot/%02d", slot), fmt.Sprintf("writer %d at %d", writer, slot))
				truth.raise(t.Context(), s, "counter")
			}
		})
	}
	all.Wait()
	proxy.Plan(func(*http.Request) storagetest.HTTPFault { return storagetest.HTTPFault{} })
	truth.check(t, calm)
}

func randomFault() storagetest.HTTPFault {
	faults := []storagetest.HTTPFault{
		{Drop: true}, {Refuse: true}, {StatusAfter: 500}, {Status: 503}, {Status: 503, Code: "SlowDown"}, {StatusAfter: 503},
		{Late: 150 * time.Millisecond}, {Delay: 150 * time.Millisecond, Undead: true}, {Delay: 150 * time.Millisecond}, {Cut: 1},
		{Status: 409, Code: "ConditionalRequestConflict"}, {Status: 403, Code: "AccessDenied"},
	}
	if i := rand.IntN(3 * len(faults)); i < len(faults) {
		return faults[i]
	}
	return storagetest.HTTPFault{}
}

// truth is what was said.
type truth struct {
	stores          []*Store
	created, failed sync.Map // contents that are said to be stored, or certainly not
	raised, unknown atomic.Int64
	outcomes        [4]atomic.Int64
}

func (tr *truth) create(ctx context.Context, s *Store, key, content string) {
	_, err := s.Create(ctx, key, storage.Bytes([]byte(content)))
	switch {
	case err == nil:
		tr.created.Store(content, key)
		tr.outcomes[0].Add(1)
	case errors.Is(err, storage.ErrUnknown):
		tr.outcomes[1].Add(1)
	default:
		tr.failed.Store(content, key)
		tr.outcomes[2].Add(1)
	}
}

func (tr *truth) raise(ctx context.Context, s *Store, key string) {
	old, info, err := storage.ReadAll(ctx, s, key)
	if err != nil {
		return
	}
	count, _ := strconv.Atoi(string(old))
	_, err = s.Replace(ctx, key, storage.Bytes([]byte(strconv.Itoa(count+1))), info.Version)
	if err == nil {
		tr.raised.Add(1)
	} else if errors.Is(err, storage.ErrUnknown) {
		tr.unknown.Add(1)
	}
}

func (tr *truth) check(t *testing.T, calm *Store) {
	objects := map[string]string{}
	for info, err := range calm.List(t.Context(), "slot/", "") {
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := storage.ReadAll(t.Context(), calm, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		objects[info.Key] = string(content)
	}
	tr.created.Range(func(content, key any) bool {
		if objects[key.(string)] != content {
			t.Errorf("%s: %q is said to be stored; there is %q", key, content, objects[key.(string)])
		}
		return true
	})
	tr.failed.Range(func(content, key any) bool {
		if objects[key.(string)] == content {
			t.Errorf("%s: %q is said not to be stored, and is", key, content)
		}
		return true
	})
	counter, _, err := storage.ReadAll(t.Context(), calm, "counter")
	if err != nil {
		t.Fatal(err)
	}
	count, _ := strconv.ParseInt(string(counter), 10, 64)
	if raised, unknown := tr.raised.Load(), tr.unknown.Load(); count < raised || count > raised+unknown {
		t.Errorf("the counter is at %d; %d were said to have raised it, and %d do not know", count, raised, unknown)
	}
	t.Logf("creates: %d stored, %d unknown, %d certainly not; counter %d, %d raised, %d unknown", tr.outcomes[0].Load(),
		tr.outcomes[1].Load(), tr.outcomes[2].Load(), count, tr.raised.Load(), tr.unknown.Load())
}

// An upload in parts survives what a PUT does, has one winner, and leaves nothing
// to pay for.
func TestUploads(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 17<<16)
	lost := storagetest.HTTPFault{Drop: true}
	for name, test := range map[string]struct {
		match  func(*http.Request) bool
		faults []storagetest.HTTPFault
		want   error
	}{
		"begin refused": {is("POST", "uploads"), []storagetest.HTTPFault{{Status: 503, Code: "SlowDown"}}, nil},
		"part lost":     {is("PUT", "partNumber"), []storagetest.HTTPFault{lost, {Status: 500}, {Refuse: true}}, nil},
		"end lost":      {is("POST", "uploadId"), []storagetest.HTTPFault{lost}, nil},
		"end 500":       {is("POST", "uploadId"), []storagetest.HTTPFault{{StatusAfter: 500}, {Status: 500}}, nil},
		"end slow":      {is("POST", "uploadId"), []storagetest.HTTPFault{{Status: 503, Code: "SlowDown"}, {Status: 409, Code: "ConditionalRequestConflict"}}, nil},
		"part denied":   {is("PUT", "partNumber"), []storagetest.HTTPFault{{}, {Status: 403, Code: "AccessDenied"}}, storage.ErrRefused},
		"end denied":    {is("POST", "uploadId"), []storagetest.HTTPFault{{Status: 403, Code: "AccessDenied"}}, storage.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, calm, proxy := suffering(t, nil)
			proxy.Script(test.match, test.faults...)
			_, err := s.Create(t.Context(), "large", storage.Bytes(content))
			if check(t, "create", err, test.want); err == nil {
				if got, _, err := storage.ReadAll(t.Context(), calm, "large"); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}
			noUploads(t, calm)
		})
	}
	t.Run("a race", func(t *testing.T) {
		t.Parallel()
		s := open(t, options(t))
		var winners atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := s.Create(t.Context(), "large", storage.Bytes(content)); err == nil {
					winners.Add(1)
				} else if !errors.Is(err, storage.ErrExist) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := winners.Load(); n != 1 {
			t.Errorf("%d of 4 writers won", n)
		}
		noUploads(t, s)
	})
}

// noUploads expects that nothing is left half uploaded.
func noUploads(t *testing.T, s *Store) {
	t.Helper()
	out, err := s.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &s.opts.Bucket, Prefix: &s.prefix})
	if err != nil {
		t.Fatal(err)
	}
	for _, upload := range out.Uploads {
		t.Errorf("the upload %s of %s was left behind", *upload.UploadId, *upload.Key)
	}
}
