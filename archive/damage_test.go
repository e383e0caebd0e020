package archive

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/wal"
)

// Whichever object is damaged or missing: Restore and Read say which, or need it
// not; and Verify finds it.
func TestDamage(t *testing.T) {
	t.Parallel()
	h, dir := newHistory(t, 1024), t.TempDir()
	s := directory(t, dir)
	a := open(t, s, nil)
	h.live(a, 6)
	if _, err := a.createMerged(t.Context(), 1, all(t, a)[1:4]); err != nil {
		t.Fatal(err)
	}
	if _, err := a.snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.live(a, 2)
	wellFormed(t, a)
	for _, o := range all(t, a) {
		path := filepath.Join(dir, filepath.FromSlash(o.Key))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, spoil := range map[string]func() error{
			"magic":     func() error { return change(path, 2) },
			"entries":   func() error { return change(path, 23) },
			"commit":    func() error { return change(path, 15) },
			"timestamp": func() error { return change(path, 38) },
			"sum":       func() error { return change(path, 79) },
			"page":      func() error { return change(path, 120) },
			"middle":    func() error { return change(path, o.Size/2) },
			"index":     func() error { return change(path, o.Size-30) },
			"checksum":  func() error { return change(path, o.Size-1) },
			"cut":       func() error { return os.Truncate(path, o.Size-9) },
			"empty":     func() error { return os.Truncate(path, 0) },
			"longer":    func() error { return os.WriteFile(path, append([]byte{}, append(whole, 0)...), 0o600) },
			"missing":   func() error { return os.Remove(path) },
			"another":   func() error { return replaceByOther(dir, path) },
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			h.suffers(s, a, o, o.Key+" "+name, name == "missing")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	wellFormed(t, a)
}

// replaceByOther puts a good object in the place of another one.
func replaceByOther(dir, path string) error {
	other := filepath.Join(dir, "ltx", "0", "0000000000000003-0000000000000003.ltx")
	if other == path {
		other = filepath.Join(dir, "ltx", "0", "0000000000000004-0000000000000004.ltx")
	}
	b, err := os.ReadFile(other)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// suffers expects the right database or an error that names the object.
func (h *history) suffers(s storage.Store, a *Archive, o Object, name string, missing bool) {
	h.t.Helper()
	named := func(err error) bool {
		return errors.Is(err, storage.ErrDamaged) && strings.Contains(err.Error(), o.Key) || missing && errors.Is(err, ErrIncomplete)
	}
	dir := h.t.TempDir()
	for txid := range len(h.states) {
		dest := filepath.Join(dir, "x.db")
		head, err := Restore(h.t.Context(), s, dest, RestoreOptions{TXID: uint64(txid)})
		switch {
		case err == nil:
			h.holds(dest, int(head.TXID))
			if err := os.Remove(dest); err != nil {
				h.t.Fatal(err)
			}
		case !named(err) && !(missing && errors.Is(err, ErrRange)):
			h.t.Errorf("%s: restore entry %d: %v", name, txid, err)
		}
		if _, err := os.Stat(dest); err == nil {
			h.t.Errorf("%s: there is a database after an error", name)
		}
		_, err = a.Read(h.t.Context(), uint64(txid), func(wal.Page) error { return nil })
		if err != nil && !named(err) {
			h.t.Errorf("%s: read after %d: %v", name, txid, err)
		}
	}
	v, err := a.Verify(h.t.Context(), nil)
	if err != nil {
		h.t.Errorf("%s: verify: %v", name, err)
	}
	found := missing && o.Level > 0 // it is as if it had never been made
	for _, problem := range v.Problems {
		found = found || named(problem)
	}
	if !found && !missing {
		h.t.Errorf("%s: Verify found %v", name, v.Problems)
	}
}

// A database whose objects are all in order, but were made of another state, is not
// taken for the right one.
func TestWrongSum(t *testing.T) {
	t.Parallel()
	h, s := newHistory(t, 1024), directory(t, t.TempDir())
	a := open(t, s, nil)
	h.live(a, 3)
	h.exec("INSERT INTO note (text) VALUES ('x')")
	e := h.entry()
	e.Sum++
	if err := a.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := Restore(t.Context(), s, filepath.Join(dir, "x.db"), RestoreOptions{}); !errors.Is(err, ErrSum) {
		t.Error(err)
	}
	nothing(t, dir)
	v, err := a.Verify(t.Context(), nil)
	if err != nil || len(v.Problems) != 1 || !errors.Is(v.Problems[0], ErrSum) || v.Sums != 3 {
		t.Errorf("%+v, %v", v, err)
	}
}
