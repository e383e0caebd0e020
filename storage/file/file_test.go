//go:build unix

package file

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nearlite/nearlite/storage"
)

// trace records the steps of a store.
func trace(s *Store) *[]string {
	var steps []string
	s.before = func(step, path string) error {
		name, err := filepath.Rel(s.root, path)
		if err != nil || strings.HasPrefix(name, storage.Reserved) {
			name = "temporary"
		}
		steps = append(steps, step+" "+filepath.ToSlash(name))
		return nil
	}
	return &steps
}

// The order of what is done to the disk is the promise.
func TestSteps(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	defer s.Close()
	steps := trace(s)
	var info storage.Info
	for _, test := range []struct {
		do   func() error
		want []string
	}{
		{func() error { _, err := s.Create(t.Context(), "a/b/c", storage.Bytes(nil)); return err }, []string{
			"write temporary", "sync temporary",
			"make directory a", "sync directory .", "make directory a/b", "sync directory a",
			"publish a/b/c", "sync directory a/b"}},
		{func() (err error) { info, err = s.Create(t.Context(), "a/b/d", storage.Bytes(nil)); return err }, []string{
			"write temporary", "sync temporary", "publish a/b/d", "sync directory a/b"}},
		{func() error {
			_, err := s.Create(t.Context(), "a/b/d", storage.Bytes(nil))
			if errors.Is(err, storage.ErrExist) {
				return nil
			}
			return err
		}, []string{"sync directory a/b"}},
		{func() error { _, err := s.Replace(t.Context(), "a/b/d", storage.Bytes(nil), info.Version); return err }, []string{
			"write temporary", "sync temporary", "replace a/b/d", "sync directory a/b"}},
		{func() error { return s.Delete(t.Context(), "a/b/d", "a/b/c") }, []string{
			"remove a/b/d", "remove a/b/c", "sync directory a/b"}},
	} {
		*steps = nil
		if err := test.do(); err != nil || !slices.Equal(*steps, test.want) {
			t.Errorf("the steps are %q, not %q; %v", *steps, test.want, err)
		}
	}
}

// A disk that fails at any step leaves nothing half done, and no temporary file.
func TestFailingSteps(t *testing.T) {
	t.Parallel()
	for step := range 8 {
		s := open(t, t.TempDir())
		count := -1
		var failed string
		s.before = func(name, _ string) error {
			if count++; count == step {
				failed = name
				return syscall.ENOSPC
			}
			return nil
		}
		_, err := s.Create(t.Context(), "a/b/c", storage.Bytes([]byte("x")))
		s.before = func(string, string) error { return nil }
		got, _, reading := storage.ReadAll(t.Context(), s, "a/b/c")
		if last := step == 7; last {
			if !errors.Is(err, storage.ErrUnknown) || string(got) != "x" {
				t.Errorf("%s: %v; %q", failed, err, got)
			}
		} else if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "make room") || !errors.Is(reading, storage.ErrNotExist) {
			t.Errorf("step %d, %s: %v; %v", step, failed, err, reading)
		}
		if files, _ := filepath.Glob(filepath.Join(s.owner.dir, s.owner.name+"-*")); len(files) > 0 {
			t.Errorf("step %d left %q", step, files)
		}
		if _, err := s.Create(t.Context(), "a/b/c", storage.Bytes([]byte("x"))); err != nil && !errors.Is(err, storage.ErrExist) {
			t.Errorf("after step %d: %v", step, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What the dead have left is removed; what the living need, and what nobody knows
// since a moment ago, is not.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	living := open(t, dir)
	defer living.Close()
	tmp := living.owner.dir
	touch := func(name string, age time.Duration) string {
		path := filepath.Join(tmp, name)
		at := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kept := []string{touch(living.owner.name+"-7", 48*time.Hour), touch("unknown-1", time.Hour), touch("something", 48*time.Hour)}
	gone := []string{touch("dead.owner", 0), touch("dead-1", 0), touch("dead-22", 0), touch("orphan-1", 48*time.Hour)}
	open(t, dir).Close()
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range gone {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", path)
		}
	}
}

// Objects are plain files; other files are objects if their names are keys.
func TestPlainFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	if _, err := s.Create(t.Context(), "a/b", storage.Bytes([]byte("content"))); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a", "b")); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a", "c"), []byte("c"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "no\nkey"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(outside, "d"), []byte("d"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	must(t, os.Symlink(filepath.Join(outside, "nothing"), filepath.Join(dir, "dangling")))
	must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	var keys []string
	for info, err := range s.List(t.Context(), "", "") {
		must(t, err)
		keys = append(keys, info.Key)
	}
	if !slices.Equal(keys, []string{"a/b", "a/c", "link/d"}) {
		t.Errorf("the list is %q", keys)
	}
	if got, _, err := storage.ReadAll(t.Context(), s, "link/d"); err != nil || string(got) != "d" {
		t.Errorf("%q, %v", got, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The root that disappears was a disk: it is not made again. A directory below it
// is.
func TestDirectoryGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "root")
	s := open(t, dir)
	_, err := s.Create(t.Context(), "a/b/c", storage.Bytes(nil))
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(dir, "a")))
	_, err = s.Create(t.Context(), "a/b/c", storage.Bytes(nil))
	must(t, err)
	_, err = s.Stat(t.Context(), "a/b/c")
	must(t, err)
	must(t, os.RemoveAll(dir))
	if _, err = s.Create(t.Context(), "a/b/c", storage.Bytes(nil)); !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "mounted") {
		t.Errorf("without the root: %v", err)
	}
	for _, err := range s.List(t.Context(), "", "") {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("list without the root: %v", err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the root is back: %v", err)
	}
	_ = s.Close()
	if _, err := Open(t.Context(), filepath.Join(os.Args[0], "x"), nil); !errors.Is(err, storage.ErrRefused) {
		t.Errorf("below a file: %v", err)
	}
	if _, err := Open(t.Context(), os.Args[0], nil); !errors.Is(err, storage.ErrRefused) {
		t.Errorf("a file: %v", err)
	}
}

// Versions go up even if the file was written by somebody with a clock ahead.
func TestVersionsGoUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	_, err := s.Create(t.Context(), "a", storage.Bytes([]byte("0")))
	must(t, err)
	future := time.Now().Add(time.Hour)
	must(t, os.Chtimes(filepath.Join(dir, "a"), future, future))
	info, err := s.Stat(t.Context(), "a")
	must(t, err)
	seen := map[storage.Version]bool{info.Version: true}
	for range 50 {
		before := info.Time
		info, err = s.Replace(t.Context(), "a", storage.Bytes([]byte("0")), info.Version)
		must(t, err)
		if seen[info.Version] || !info.Time.After(before) {
			t.Fatalf("the version %s came back, or %v is not after %v", info.Version, info.Time, before)
		}
		seen[info.Version] = true
	}
}

// Whoever waits for a lock that is held elsewhere can be called off.
func TestLockHeldElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	defer s.Close()
	defer other.Close()
	info, err := s.Create(t.Context(), "a", storage.Bytes(nil))
	must(t, err)
	unlock, err := other.lock(t.Context(), "a")
	must(t, err)
	for _, store := range []*Store{s, other} { // another process, and another goroutine
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err = store.Replace(ctx, "a", storage.Bytes([]byte("1")), info.Version)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, storage.ErrUnknown) {
			t.Errorf("replace: %v", err)
		}
		if err := store.Delete(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("delete: %v", err)
		}
		cancel()
	}
	unlock()
	_, err = s.Replace(t.Context(), "a", storage.Bytes([]byte("1")), info.Version)
	must(t, err)
}

// A file that is cut while it is read does not end as if it were whole.
func TestCutWhileRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	_, err := s.Create(t.Context(), "a", storage.Bytes(make([]byte, 10000)))
	must(t, err)
	r, _, err := s.Get(t.Context(), "a", storage.All)
	must(t, err)
	defer r.Close()
	must(t, os.Truncate(filepath.Join(dir, "a"), 5000))
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, storage.ErrDamaged) || n != 5000 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// Where a rename cannot be told not to replace, a link does the same.
func TestLinkNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	must(t, os.WriteFile(a, []byte("a"), 0o600))
	must(t, linkNew(a, b))
	if err := linkNew(a, b); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto a file: %v", err)
	}
	if err := linkNew(a, filepath.Join(dir, "x", "b")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into nothing: %v", err)
	}
}
