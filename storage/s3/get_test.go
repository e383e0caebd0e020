package s3

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// A body that breaks off is read on where it broke.
func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("broken bodies "), 1<<16)
	for name, faults := range map[string][]storagetest.HTTPFault{
		"once":           {{Cut: 1000}},
		"often":          {{Cut: 1}, {Cut: 70000}, {Cut: 3}, {Cut: 200000}},
		"and not found":  {{Cut: 1000}, {Refuse: true}, {Status: 503}, {Cut: 1000}},
		"at the end":     {{Cut: int64(len(content)) - 1}},
		"before a byte":  {{Cut: 1}, {Drop: true}, {Drop: true}},
		"slow to answer": {{Cut: 1}, {Delay: 2 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, calm, proxy := suffering(t, func(o *Options) { o.TryTimeout = time.Second })
			if _, err := calm.Create(t.Context(), "a", storage.Bytes(content)); err != nil {
				t.Fatal(err)
			}
			for _, part := range []storage.Range{storage.All, {Offset: 5}, {Offset: -800000}, {Offset: 7, Length: 850000}} {
				proxy.Script(is("GET", ""), faults...)
				from, to, _ := part.In(int64(len(content)))
				got, _, err := storage.ReadRange(t.Context(), s, "a", part)
				if err != nil || !bytes.Equal(got, content[from:to]) {
					t.Errorf("%+v: %d bytes, %v", part, len(got), err)
				}
			}
		})
	}
}

func TestDamagedBodies(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 17<<16)
	for _, sum := range []Checksum{CRC64NVME, CRC32C, SHA256, NoChecksum} {
		for key, size := range map[string]int{"small": 1000, "large": len(content)} {
			t.Run(string(sum)+" "+key, func(t *testing.T) {
				t.Parallel()
				s, _, proxy := suffering(t, func(o *Options) { o.Checksum = sum })
				if _, err := s.Create(t.Context(), key, storage.Bytes(content[:size])); err != nil {
					t.Fatal(err)
				}
				if got, _, err := storage.ReadAll(t.Context(), s, key); err != nil || !bytes.Equal(got, content[:size]) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
				for _, fault := range []storagetest.HTTPFault{{Flip: 1}, {Flip: int64(size) - 1}, {Flip: 10, Cut: 500}} {
					proxy.Script(is("GET", ""), fault)
					_, _, err := storage.ReadAll(t.Context(), s, key)
					// What was uploaded in parts has a checksum of all its bytes with one algorithm
					// only. Without any, some services compute one themselves.
					known, unsure := size == 1000 || sum == CRC64NVME, size > 1000 && sum == NoChecksum
					if errors.Is(err, storage.ErrDamaged) != known && !unsure || errors.Is(err, storage.ErrConflict) {
						t.Errorf("%+v: %v", fault, err)
					}
				}
			})
		}
	}
}

// The halves of two objects are never put together.
func TestReplacedWhileRead(t *testing.T) {
	t.Parallel()
	s, calm, proxy := suffering(t, nil)
	first, second := bytes.Repeat([]byte("1"), 100000), bytes.Repeat([]byte("2"), 100000)
	info, err := calm.Create(t.Context(), "a", storage.Bytes(first))
	if err != nil {
		t.Fatal(err)
	}
	proxy.Script(is("GET", ""), storagetest.HTTPFault{Cut: 50000})
	r, _, err := s.Get(t.Context(), "a", storage.All)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := calm.Replace(t.Context(), "a", storage.Bytes(second), info.Version); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if !errors.Is(err, storage.ErrConflict) || !bytes.Equal(got, first[:len(got)]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := calm.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("after Delete: %v", err)
	}
}

// A body that stays away is given up when RetryFor is over, not before.
func TestBodiesThatStayAway(t *testing.T) {
	t.Parallel()
	s, calm, proxy := suffering(t, func(o *Options) { o.RetryFor = 100 * time.Millisecond })
	if _, err := calm.Create(t.Context(), "a", storage.Bytes(make([]byte, 1<<20))); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(t.Context(), "a", storage.Range{Offset: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	proxy.Plan(func(*http.Request) storagetest.HTTPFault { return storagetest.HTTPFault{Refuse: true} })
	r.(*reader).stop()
	_, err = r.Read(make([]byte, 1))
	check(t, "read", err, storage.ErrUnavailable)
	proxy.Plan(func(*http.Request) storagetest.HTTPFault { return storagetest.HTTPFault{} })
	if n, err := io.Copy(io.Discard, r); err != nil || n != 1<<20-1 {
		t.Errorf("afterwards: %d bytes, %v", n, err)
	}
}
