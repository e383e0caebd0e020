package archive

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/storagetest"
	"github.com/nearlite/nearlite/wal"
)

// entry is one of a database of a single page.
func entry(txid uint64, epoch uint32) *nearlite.Entry {
	data := make([]byte, 512)
	data[0], data[1] = byte(txid), byte(epoch)
	return nearlite.NewEntry(nearlite.Head{TXID: txid, Epoch: epoch, Sum: uint32(crc64iso.Page(1, data)), PageSize: 512, Pages: 1, Time: time.UnixMilli(int64(txid))},
		[]wal.Page{{Number: 1, Data: data}})
}

func appendAll(t testing.TB, a *Archive, entries ...*nearlite.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := a.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// Each answer of the store has one of three outcomes.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	lost := storagetest.Fault{After: storagetest.ErrLost}
	away := storagetest.Fault{Before: errors.New("503")}
	entries := func(key string) bool { return strings.HasSuffix(key, ".ltx") }
	for name, test := range map[string]struct {
		faults storagetest.Faults
		want   string // "nil", "not" or "unknown"
		there  bool
	}{
		"stored":               {func(string, string) storagetest.Fault { return storagetest.Fault{} }, "nil", true},
		"stored, answer lost":  {storagetest.FailFirst(1, "create", entries, lost), "nil", true},
		"unavailable once":     {storagetest.FailFirst(1, "create", entries, away), "nil", true},
		"never available":      {storagetest.FailFirst(1000, "create", entries, away), "not", false},
		"every answer lost":    {both(storagetest.FailFirst(1000, "create", entries, lost), storagetest.FailFirst(1000, "stat", entries, away)), "unknown", true},
		"lost, then away":      {then(lost, away), "unknown", true},
		"lost, and found late": {both(storagetest.FailFirst(1, "create", entries, lost), storagetest.FailFirst(2, "stat", entries, away)), "nil", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := directory(t, t.TempDir())
			appendAll(t, open(t, s, nil), entry(1, 1))
			patience := 20 * time.Second
			if test.want != "nil" { // it comes to its end
				patience = 200 * time.Millisecond
			}
			a := open(t, storagetest.Faulty(s, test.faults), &Options{Patience: patience})
			err := a.Append(t.Context(), entry(2, 1))
			got := "unknown"
			if err == nil {
				got = "nil"
			} else if errors.Is(err, nearlite.ErrNotCommitted) {
				got = "not"
			}
			if got != test.want || errors.Is(err, nearlite.ErrFenced) {
				t.Errorf("%s: %v", got, err)
			}
			head, err := open(t, s, nil).Head(t.Context())
			if err != nil || (head.TXID == 2) != test.there {
				t.Errorf("%+v, %v", head, err)
			}
		})
	}
}

func both(a, b storagetest.Faults) storagetest.Faults {
	return func(op, key string) storagetest.Fault {
		if f := a(op, key); f != (storagetest.Fault{}) {
			return f
		}
		return b(op, key)
	}
}

// then is the first fault for the first Create of an entry, and the second for all
// others.
func then(first, others storagetest.Fault) storagetest.Faults {
	var n atomic.Int64
	return func(op, key string) storagetest.Fault {
		if op != "create" || !strings.HasSuffix(key, ".ltx") {
			return storagetest.Fault{}
		}
		if n.Add(1) == 1 {
			return first
		}
		return others
	}
}

// A store that refuses is not asked again.
func TestRefused(t *testing.T) {
	t.Parallel()
	a := open(t, refusing{directory(t, t.TempDir())}, nil)
	begun := time.Now()
	err := a.Append(t.Context(), entry(1, 1))
	if !errors.Is(err, nearlite.ErrNotCommitted) || errors.Is(err, nearlite.ErrFenced) || !errors.Is(err, storage.ErrRefused) {
		t.Error(err)
	}
	if time.Since(begun) > 5*time.Second {
		t.Error("it was asked again and again")
	}
}

// The loser is told the name of the winner, not its own, though it has begun after.
func TestWhoWon(t *testing.T) {
	t.Parallel()
	s := directory(t, t.TempDir())
	winner, loser := open(t, s, nil), open(t, s, nil)
	appendAll(t, winner, entry(1, 1))
	renamePrimary(t, s, "web-1")
	if _, err := loser.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendAll(t, winner, entry(2, 1))
	err := loser.Append(t.Context(), entry(2, 2))
	var fenced *nearlite.FencedError
	if !errors.As(err, &fenced) || fenced.TXID != 2 || !strings.HasPrefix(fenced.Who, `host "web-1", process `) {
		t.Fatal(err)
	}
}

// renamePrimary pretends that the last to begin was on another host.
func renamePrimary(t testing.TB, s storage.Store, host string) {
	t.Helper()
	b, info, err := storage.ReadAll(t.Context(), s, primaryKey)
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePrimaries(b)
	if err != nil {
		t.Fatal(err)
	}
	p.Host = host
	if b, err = json.Marshal(p); err == nil {
		_, err = s.Replace(t.Context(), primaryKey, storage.Bytes(b), info.Version)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A writer that was stopped while its entry was taken by another one, merged and
// deleted finds out, wherever it was stopped.
func TestZombie(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(*Archive){
		"before the entry": func(a *Archive) { a.looked = a.looked.Add(-7 * time.Hour) },
		"between look and entry": func(a *Archive) {
			// It looks now, and is stopped before it stores.
			stopped := a.store.Store
			a.store.Store = &stopping{Store: stopped, stop: func() {
				a.opts.EntryRetention = 1 // as if a day were over; and another look does not help
				if _, err := a.Head(t.Context()); err != nil {
					t.Error(err)
				}
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := directory(t, dir)
			zombie, rival := open(t, s, nil), open(t, s, nil)
			appendAll(t, zombie, entry(1, 1), entry(2, 1))
			for txid := uint64(3); txid < 10; txid++ {
				appendAll(t, rival, entry(txid, 2))
			}
			if _, err := rival.createMerged(t.Context(), 1, all(t, rival)[1:8]); err != nil {
				t.Fatal(err)
			}
			age(t, dir, 30*time.Hour)
			if _, err := rival.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := levels(all(t, rival))[0]; n != 2 { // the first and the newest
				t.Fatal(n)
			}
			look(zombie)
			err := zombie.Append(t.Context(), entry(3, 1))
			if !errors.Is(err, nearlite.ErrFenced) {
				t.Fatal(err)
			}
			wellFormed(t, rival)
			appendAll(t, rival, entry(10, 2))
			head, err := open(t, s, nil).Read(t.Context(), 0, func(p wal.Page) error {
				if p.Data[0] != 10 || p.Data[1] != 2 {
					t.Error("the page is the zombie's")
				}
				return nil
			})
			if err != nil || head.TXID != 10 {
				t.Fatal(head, err)
			}
			for txid := uint64(1); txid <= 10; txid++ {
				if head, err := Restore(t.Context(), s, t.TempDir()+"/x.db", RestoreOptions{TXID: txid}); err == nil && head.Epoch == 1 && txid > 2 {
					t.Errorf("the zombie's entry %d was restored", txid)
				}
			}
		})
	}
}

// stopping calls stop before it creates the first entry.
type stopping struct {
	storage.Store
	stop func()
}

// Create stops.
func (s *stopping) Create(ctx context.Context, key string, c storage.Content) (storage.Info, error) {
	if strings.HasSuffix(key, ".ltx") {
		s.stop()
	}
	return s.Store.Create(ctx, key, c)
}

// refusing is a store of somebody else.
type refusing struct{ storage.Store }

// Create refuses.
func (r refusing) Create(_ context.Context, key string, _ storage.Content) (storage.Info, error) {
	return storage.Info{}, &storage.Error{Op: "create", Store: r.String(), Key: key, Kind: storage.ErrRefused}
}

// The head is the truth, whatever the hint says.
func TestHintIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := directory(t, t.TempDir())
	a := open(t, s, nil)
	for txid := uint64(1); txid <= 5; txid++ {
		appendAll(t, a, entry(txid, 1))
	}
	if _, err := s.Create(t.Context(), hintKey, storage.Bytes([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		``, `{}`, `null`, `[]`, `"head"`, "\x00\xff", `{"txid":1}`, `{"txid":3}`, `{"txid":5}`,
		`{"txid":-1}`, `{"txid":"5"}`, strings.Repeat("[", 10_000),
	} {
		info, err := s.Stat(t.Context(), hintKey)
		if err == nil {
			_, err = s.Replace(t.Context(), hintKey, storage.Bytes([]byte(text)), info.Version)
		}
		if err != nil {
			t.Fatal(err)
		}
		if head, err := open(t, s, nil).Head(t.Context()); err != nil || head.TXID != 5 {
			t.Errorf("%.30q: %+v, %v", text, head, err)
		}
	}
}

// The newest entry is missed by the hint that names it.
func TestNewestIsMissing(t *testing.T) {
	t.Parallel()
	s := directory(t, t.TempDir())
	a := open(t, s, nil)
	for txid := uint64(1); txid <= 5; txid++ {
		appendAll(t, a, entry(txid, 1))
	}
	if err := a.Close(); err != nil { // writes the hint
		t.Fatal(err)
	}
	key := a.layout.key(0, 5, 5)
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, s, nil).Head(t.Context())
	if !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), key) {
		t.Error(err)
	}
	dest := filepath.Join(t.TempDir(), "x.db")
	if _, err := Restore(t.Context(), s, dest, RestoreOptions{}); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), key) {
		t.Error(err)
	}
	if _, err := Restore(t.Context(), s, dest, RestoreOptions{TXID: 4}); err != nil {
		t.Error("what is there can be had by its number:", err)
	}
}

func FuzzHint(f *testing.F) {
	f.Add([]byte(`{"txid":5,"time":"2026-11-21T20:15:00Z","page_size":4096,"pages":3,"epoch":"00000001","sum":"00000002"}`))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseHint(b) })
}

func FuzzPrimaries(f *testing.F) {
	f.Add([]byte(`{"host":"web-1","pid":1,"started":"2026-11-21T20:15:00Z","epoch":"00000001","nearlite":"v1","before":[{"host":"x"}]}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, err := parsePrimaries(b); err == nil {
			for _, one := range p.all() {
				_ = one.String()
			}
		}
	})
}

func FuzzPartState(f *testing.F) {
	f.Add([]byte(`{"plan":[{"key":"a","size":1000}],"sources":[{"Header":{"PageSize":4096,"MinTXID":"0000000000000001","MaxTXID":"0000000000000001"},"Offset":100}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parsePartState(b); err == nil && s.Sources[0].Header.PageSize < 512 {
			t.Fatal("no page is so small")
		}
	})
}
