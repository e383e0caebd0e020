package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nearlite/nearlite"
)

var then = time.Date(2020, 1, 2, 3, 4, 5, 6789, time.UTC)

// tree is a file system of some files, small and large.
func tree(names ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i, name := range names {
		size := []int{0, 10, 5000, RowSize, RowSize + 1, uploadStep + 17}[i%6]
		files[name] = &fstest.MapFile{Data: noise(size), Mode: 0o644, ModTime: then.Add(time.Duration(i) * time.Hour)}
	}
	return files
}

// compare says how a directory differs from what it should be.
func compare(t *testing.T, got fs.FS, want fstest.MapFS) {
	t.Helper()
	found := map[string]bool{}
	err := fs.WalkDir(got, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found[name] = true
		content, err := fs.ReadFile(got, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if w := want[name]; w == nil {
			t.Errorf("%s should not be there", name)
		} else if !bytes.Equal(content, w.Data) || !info.ModTime().Equal(w.ModTime) {
			t.Errorf("%s: %d bytes of %v, want %d of %v", name, len(content), info.ModTime(), len(w.Data), w.ModTime)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for name := range want {
		if !found[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestImportAndExport(t *testing.T) {
	t.Parallel()
	files := tree("a", "b/c", "b/d/e", "100%", "b/%2F", "ü/日本", "b/x", "last")
	var total int64
	for _, f := range files {
		total += int64(len(f.Data))
	}
	for _, dir := range []string{"", "some/where"} {
		s, db := setup(t, nil)
		put(t, s, db, "other", []byte("x"), nil)
		if dir != "" {
			put(t, s, db, "some/where!", []byte("x"), nil)
		}
		var last Progress
		opts := &TransferOptions{Dir: dir, Progress: func(p Progress) { last = p }}
		report, err := s.Import(bg, db, files, opts)
		if err != nil || report.Files != 8 || report.Bytes != total || report.Unchanged != 0 {
			t.Fatalf("%+v: %v", report, err)
		}
		if last != (Progress{8, total, 8, total}) {
			t.Errorf("progress ended at %+v", last)
		}
		report, err = s.Import(bg, db, files, opts)
		if err != nil || report.Files != 0 || report.Unchanged != 8 {
			t.Errorf("again: %+v: %v", report, err)
		}
		checkInvariant(t, db)
		if dir == "" {
			update(t, db, func(tx *nearlite.WriteTx) error { return s.Delete(tx, "other") })
		}

		out := filepath.Join(t.TempDir(), "not", "there")
		report, err = s.Export(bg, db, out, opts)
		if err != nil || report.Files != 8 || report.Bytes != total {
			t.Fatalf("export: %+v: %v", report, err)
		}
		if last != (Progress{8, total, 8, total}) {
			t.Errorf("progress ended at %+v", last)
		}
		compare(t, os.DirFS(out), files)
		report, err = s.Export(bg, db, out, opts)
		if err != nil || report.Files != 0 || report.Unchanged != 8 {
			t.Errorf("again: %+v: %v", report, err)
		}
	}
}

// Flat, even what no tree can hold goes out and comes back.
func TestFlat(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	want := fstest.MapFS{}
	for _, name := range []string{"a", "a/b", "a/b/c", "100%", "a%2Fb", `c:\x`} {
		want[flatten.Replace(name)] = &fstest.MapFile{Data: []byte(name), ModTime: then}
		put(t, s, db, name, []byte(name), &PutOptions{ModTime: then})
	}
	out := t.TempDir()
	if report, err := s.Export(bg, db, out, &TransferOptions{Flat: true}); err != nil || report.Files != 6 {
		t.Fatalf("%+v: %v", report, err)
	}
	compare(t, os.DirFS(out), want)
	if err := os.Mkdir(filepath.Join(out, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	back, db2 := setup(t, nil)
	report, err := back.Import(bg, db2, os.DirFS(out), &TransferOptions{Flat: true})
	if err != nil || report.Files != 6 || !slices.Equal(report.Irregular, []string{"dir"}) {
		t.Fatalf("%+v: %v", report, err)
	}
	for _, name := range []string{"a", "a/b", "a/b/c", "100%", "a%2Fb", `c:\x`} {
		if got := get(t, back, db2, name); string(got) != name {
			t.Errorf("%q came back as %q", name, got)
		}
	}
}

// What changed is imported, what is the same is not written, what is wrong is told.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	files := tree("a", "b", "c", "d")
	if _, err := s.Import(bg, db, files, nil); err != nil {
		t.Fatal(err)
	}
	files["a"].ModTime = then.Add(time.Minute) // touched
	files["b"].Data, files["b"].ModTime = noise(10), then.Add(time.Minute)
	files["c"].Data = noise(len(files["c"].Data)) // a change that time and size do not tell
	old := files["c"]
	delete(files, "d") // an import deletes nothing
	report, err := s.Import(bg, db, files, nil)
	if err != nil || report.Files != 1 || report.Unchanged != 2 {
		t.Errorf("%+v: %v", report, err)
	}
	if got := get(t, s, db, "b"); !bytes.Equal(got, files["b"].Data) {
		t.Error("b was not imported")
	}
	if got := get(t, s, db, "c"); bytes.Equal(got, old.Data) {
		t.Error("c was read")
	}
	view(t, db, func(tx *nearlite.ReadTx) error {
		info, err := s.Stat(tx, "a")
		if !info.ModTime.Equal(files["a"].ModTime) {
			t.Errorf("a was modified %v", info.ModTime)
		}
		return err
	})
}

func TestImportOfBadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"good": "good", "bad\xff": "x", strings.Repeat("x", 200) + "/" + strings.Repeat("y", 200) + "/" + strings.Repeat("z", 200) + "/" + strings.Repeat("z", 200) + "/" + strings.Repeat("z", 200) + "/" + strings.Repeat("z", 200): "too long", "dir/good": "good"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Skipf("this file system refuses the name: %v", err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s, db := setup(t, nil)
	report, err := s.Import(bg, db, os.DirFS(dir), nil)
	if report.Files != 2 || !slices.Equal(report.Irregular, []string{"link"}) {
		t.Errorf("%+v", report)
	}
	if !errors.Is(err, ErrBadName) || !strings.Contains(err.Error(), `import "bad\xff"`) || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("the error is %v", err)
	}
	if n := count(t, db, "SELECT count(*) FROM blob"); n != 2 {
		t.Errorf("%d objects", n)
	}
}

func TestImportStops(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("%04d", i))
	}
	files := fstest.MapFS{}
	for _, name := range names {
		files[name] = &fstest.MapFile{Data: []byte(name), ModTime: then}
	}
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	_, err := s.Import(ctx, db, files, &TransferOptions{Progress: func(p Progress) {
		if p.Files == 100 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if n := count(t, db, "SELECT count(*) FROM blob"); n < 100 || n >= 2000 {
		t.Errorf("%d objects", n)
	}
	if _, err := s.Import(bg, db, files, nil); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "SELECT count(*) FROM blob"); n != 2000 {
		t.Errorf("%d objects in the end", n)
	}
	if _, err := s.Import(bg, db, os.DirFS(filepath.Join(t.TempDir(), "nothing")), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := s.Import(bg, db, files, &TransferOptions{Dir: "../x"}); !errors.Is(err, ErrBadName) {
		t.Errorf("a bad directory: %v", err)
	}
}

// A name that leads out of the directory can only be in the tables if somebody
// put it there by SQL; it is refused, and nothing is written outside.
func TestExportStaysInside(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	put(t, s, db, "good", []byte("good"), nil)
	out := filepath.Join(t.TempDir(), "out")
	hostile := []string{"../evil", "/tmp/nearlite-evil", "a/../../evil", "..", "evil/", "x/./evil", "evil\x00"}
	for _, name := range hostile {
		if _, err := db.Exec(bg, "INSERT INTO blob SELECT ?, id, chunk, size, mtime, type, sha256 FROM blob WHERE name = 'good'", name); err != nil {
			t.Fatal(err)
		}
	}
	for _, opts := range []*TransferOptions{nil, {Flat: true}, {Overwrite: true}} {
		report, err := s.Export(bg, db, out, opts)
		if !errors.Is(err, ErrBadName) || strings.Count(err.Error(), "\n") != len(hostile)-1 {
			t.Errorf("the error is %v", err)
		}
		if report.Files+report.Unchanged != 1 {
			t.Errorf("%+v", report)
		}
	}
	var found []string
	filepath.WalkDir(filepath.Dir(out), func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, d.Name())
		}
		return err
	})
	if !slices.Equal(found, []string{"good"}) {
		t.Errorf("written: %q", found)
	}
	if _, err := os.Stat("/tmp/nearlite-evil"); err == nil {
		t.Error("an absolute name was written")
	}
}

func TestExportAndSymlinks(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	put(t, s, db, "dir/file", []byte("new"), nil)
	put(t, s, db, "link", []byte("new"), nil)
	base := t.TempDir()
	outside, out := filepath.Join(base, "outside"), filepath.Join(base, "out")
	for _, dir := range []string{outside, out} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	victim := filepath.Join(outside, "file")
	if err := os.WriteFile(victim, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"dir": outside, "link": victim} {
		if err := os.Symlink(to, filepath.Join(out, link)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Export(bg, db, out, &TransferOptions{Overwrite: true})
	if err == nil || !strings.Contains(err.Error(), "export dir/file") || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("the error is %v", err)
	}
	if got, _ := os.ReadFile(victim); string(got) != "old" {
		t.Errorf("outside there is %q now", got)
	}
	// The link itself is replaced, not followed.
	if info, err := os.Lstat(filepath.Join(out, "link")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("link: %v, %v", info, err)
	}
}

func TestExportDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	put(t, s, db, "a", []byte("new"), nil)
	put(t, s, db, "b", []byte("b"), nil)
	put(t, s, db, "d", []byte("a file"), nil)
	put(t, s, db, "d/e", []byte("in a directory"), nil)
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "a"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	report, err := s.Export(bg, db, out, nil)
	if !errors.Is(err, fs.ErrExist) || report.Files != 2 || !strings.Contains(err.Error(), "export a: ") || !strings.Contains(err.Error(), "export d/e: ") {
		t.Errorf("%+v: %v", report, err)
	}
	if _, err = s.Export(bg, db, out, &TransferOptions{Overwrite: true}); err == nil || strings.Contains(err.Error(), "export a: ") {
		t.Errorf("overwriting: %v", err)
	}
	got := map[string]string{}
	for _, name := range []string{"a", "b", "d"} {
		content, _ := os.ReadFile(filepath.Join(out, name))
		got[name] = string(content)
	}
	if want := map[string]string{"a": "new", "b": "b", "d": "a file"}; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	entries, _ := os.ReadDir(out)
	if len(entries) != 3 {
		t.Errorf("%v is left", entries)
	}
}
