package archive

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/storagetest"
)

// restored restores, which has to succeed, and returns where.
func restored(t testing.TB, s storage.Store, o RestoreOptions) string {
	t.Helper()
	dest := filepath.Join(t.TempDir(), "restored.db")
	if _, err := Restore(t.Context(), s, dest, o); err != nil {
		t.Fatal(err)
	}
	return dest
}

func TestRestore(t *testing.T) {
	t.Parallel()
	h, s := newHistory(t, 1024), directory(t, t.TempDir())
	h.live(open(t, s, nil), 25)
	h.holds(restored(t, s, RestoreOptions{}), 25)
	for txid := 1; txid <= 25; txid++ {
		h.holds(restored(t, s, RestoreOptions{TXID: uint64(txid)}), txid)
	}
	first := time.UnixMilli(1_700_000_001_000)
	for after, txid := range map[time.Duration]int{
		0: 1, 999 * time.Millisecond: 1, time.Second: 2, 10*time.Second + time.Millisecond: 11, 24 * time.Second: 25, time.Hour: 25,
	} {
		h.holds(restored(t, s, RestoreOptions{At: first.Add(after)}), txid)
	}
}

// What cannot be restored is refused, and nothing is left behind.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	h, s := newHistory(t, 1024), directory(t, t.TempDir())
	h.live(open(t, s, nil), 3)
	empty := directory(t, t.TempDir())
	first := time.UnixMilli(1_700_000_001_000)
	for name, test := range map[string]struct {
		store storage.Store
		o     RestoreOptions
		want  error
		text  string
	}{
		"empty":        {empty, RestoreOptions{}, ErrEmpty, ""},
		"empty, entry": {empty, RestoreOptions{TXID: 1}, ErrEmpty, ""},
		"too late":     {s, RestoreOptions{TXID: 4}, ErrRange, "begins with entry 1 of 2023-11-14T22:13:21.000Z and ends with entry 3 of 2023-11-14T22:13:23.000Z"},
		"too early":    {s, RestoreOptions{At: first.Add(-time.Millisecond)}, ErrRange, "begins with entry 1"},
		"tomorrow":     {s, RestoreOptions{At: time.Now().Add(time.Hour)}, ErrRange, "ends with entry 3"},
		"both":         {s, RestoreOptions{At: first, TXID: 1}, nil, "choose one"},
	} {
		dir := t.TempDir()
		_, err := Restore(t.Context(), test.store, filepath.Join(dir, "x.db"), test.o)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v", name, err)
		}
		nothing(t, dir)
	}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		dest := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(dest+suffix, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), s, dest, RestoreOptions{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%q: %v", suffix, err)
		}
		if text, err := os.ReadFile(dest + suffix); err != nil || string(text) != "mine" {
			t.Errorf("%q: %v, %q", suffix, err, text)
		}
	}
}

// nothing expects that a directory is empty.
func nothing(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s was left behind", entry.Name())
	}
}

// A restore that is interrupted again and again comes to its end, and reads little
// twice.
func TestRestoreResumes(t *testing.T) {
	t.Parallel()
	h, s := newHistory(t, 4096), directory(t, t.TempDir())
	a := open(t, s, nil)
	h.exec("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO note (text) SELECT randomblob(500) FROM n")
	h.live(a, 6)
	dest := filepath.Join(t.TempDir(), "x.db")
	var starts []int64
	for tries := 0; ; tries++ {
		ctx, cancel := context.WithCancel(t.Context())
		begun := int64(-1)
		_, err := Restore(ctx, s, dest, RestoreOptions{checkpoint: 1 << 20, Progress: func(done, total int64) {
			if begun < 0 {
				begun = done
			}
			if done-begun > 8<<20 && done < total {
				cancel()
			}
		}})
		cancel()
		starts = append(starts, begun)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) || tries > 20 {
			t.Fatal(err)
		}
	}
	for i := 1; i < len(starts); i++ {
		if starts[i] <= starts[i-1] {
			t.Errorf("restores began at %d", starts)
		}
	}
	if len(starts) < 3 {
		t.Errorf("restores began at %d", starts)
	}
	h.holds(dest, 6)
	if _, err := os.Stat(dest + ".part.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the state of the restore was left behind")
	}
}

// What an interrupted restore has left is not trusted if it has changed, and not
// used for another entry.
func TestRestoreBeginsAgain(t *testing.T) {
	t.Parallel()
	h, s := newHistory(t, 4096), directory(t, t.TempDir())
	h.exec("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO note (text) SELECT randomblob(500) FROM n")
	h.live(open(t, s, nil), 3)
	interrupt := func(dest string) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := Restore(ctx, s, dest, RestoreOptions{checkpoint: 1 << 20, Progress: func(done, total int64) {
			if done > total/2 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		for _, suffix := range []string{".part", ".part.json"} {
			if _, err := os.Stat(dest + suffix); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, spoil := range map[string]func(dest string) error{
		"page":     func(dest string) error { return change(dest+".part", 5000) },
		"state":    func(dest string) error { return change(dest+".part.json", 70) },
		"no state": func(dest string) error { return os.Remove(dest + ".part.json") },
		"cut":      func(dest string) error { return os.Truncate(dest+".part", 100) },
		"garbage": func(dest string) error {
			return os.WriteFile(dest+".part.json", []byte(`{"plan":[{}],"sources":[{}]}`), 0o600)
		},
	} {
		dest := filepath.Join(t.TempDir(), "x.db")
		interrupt(dest)
		if err := spoil(dest); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), s, dest, RestoreOptions{}); err != nil {
			t.Fatal(name, err)
		}
		h.holds(dest, 3)
	}
	dest := filepath.Join(t.TempDir(), "x.db")
	interrupt(dest)
	if _, err := Restore(t.Context(), s, dest, RestoreOptions{TXID: 2}); err != nil {
		t.Fatal(err)
	}
	h.holds(dest, 2)
}

// change flips a bit of a file.
func change(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 1
	_, err = f.WriteAt(b, at)
	return err
}

// A store that fails now and then is only slower, or an error; never another database.
func TestRestoreFromFaultyStore(t *testing.T) {
	t.Parallel()
	h, s := newHistory(t, 4096), directory(t, t.TempDir())
	h.live(open(t, s, nil), 8)
	for n := range 12 {
		var calls atomic.Int64
		f := storagetest.Faulty(s, func(op, key string) storagetest.Fault {
			if calls.Add(1) == int64(n)+1 {
				return storagetest.Fault{Before: storagetest.ErrLost}
			}
			return storagetest.Fault{}
		})
		dir := t.TempDir()
		dest := filepath.Join(dir, "x.db")
		switch _, err := Restore(t.Context(), f, dest, RestoreOptions{}); {
		case err == nil:
			h.holds(dest, 8)
		case !errors.Is(err, storage.ErrUnavailable):
			t.Errorf("call %d: %v", n, err)
		default:
			nothing(t, dir)
		}
	}
}
