package blob

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nearlite/nearlite"
)

func TestFS(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	names := []string{"index.html", "a/1", "a/2", "a/b/c/d", "a!", "z", "ü/日本", "large/rows", "empty"}
	for _, name := range names {
		content := []byte(name)
		switch name {
		case "large/rows":
			content = noise(3*RowSize + 1)
		case "empty":
			content = nil
		}
		put(t, s, db, name, content, nil)
	}
	if err := fstest.TestFS(s.FS(db), names...); err != nil {
		t.Error(err)
	}
	sub, err := fs.Sub(s.FS(db), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(sub, "1", "b/c/d"); err != nil {
		t.Error(err)
	}
	if info, err := fs.Stat(s.FS(db), "a/1"); err != nil || info.Sys().(Info).Name != "a/1" {
		t.Errorf("%v, %v", info, err)
	}
}

func TestReadDir(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	update(t, db, func(tx *nearlite.WriteTx) error {
		for i := range 2 * pageSize {
			for _, dir := range []string{"many/", "many/dir", "many/x" + strings.Repeat("y", i%300) + "/"} {
				if _, err := s.Put(tx, dir+strings.Repeat("z", i), nil, nil); err != nil && i > 0 {
					return err
				}
			}
		}
		for _, name := range []string{"both", "both/below", "both!"} {
			if _, err := s.Put(tx, name, nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if _, err := db.Exec(bg, "INSERT INTO blob SELECT ?, id, chunk, size, mtime, type, sha256 FROM blob WHERE name = 'both'", "../up"); err != nil {
		t.Fatal(err)
	}
	entries, err := s.FS(db).ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, e := range entries {
		listed = append(listed, fs.FormatDirEntry(e))
	}
	if got := strings.Join(listed, ", "); got != "- both, - both!, d many/" {
		t.Error(got)
	}
	if got, err := fs.ReadFile(s.FS(db), "both/below"); err != nil || len(got) != 0 {
		t.Errorf("below a file: %q, %v", got, err)
	}
	dir, err := s.FS(db).Open("many")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for {
		entries, err := dir.(fs.ReadDirFile).ReadDir(7)
		seen += len(entries)
		if err == io.EOF {
			break
		}
		if err != nil || len(entries) == 0 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
	}
	if want := 2*pageSize - 1 + 2*pageSize + 300; seen != want {
		t.Errorf("%d entries, want %d", seen, want)
	}
	for _, name := range []string{"both", "nothing", "many/dirzz"} {
		if _, err := s.FS(db).ReadDir(name); err == nil {
			t.Errorf("the directory %s was read", name)
		}
	}
	if _, err := s.FS(db).ReadFile("many"); !errors.Is(err, errIsDirectory) {
		t.Errorf("a directory's content: %v", err)
	}
}

// A file that is deleted or replaced is read to its end.
func TestFileSurvivesItsObject(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	for what, change := range map[string]func(tx *nearlite.WriteTx, name string) error{
		"deleted":           func(tx *nearlite.WriteTx, name string) error { return s.Delete(tx, name) },
		"replaced":          func(tx *nearlite.WriteTx, name string) error { return second(s.Put(tx, name, noise(100), nil)) },
		"replaced by large": func(tx *nearlite.WriteTx, name string) error { return second(s.Put(tx, name, noise(4*RowSize), nil)) },
		"renamed":           func(tx *nearlite.WriteTx, name string) error { return s.Rename(tx, name, "y") },
	} {
		for name, size := range sizes {
			content := noise(size)
			put(t, s, db, "x", content, nil)
			file, err := s.FS(db).Open("x")
			if err != nil {
				t.Fatal(err)
			}
			head := make([]byte, size/3)
			if _, err := io.ReadFull(file, head); err != nil {
				t.Fatal(err)
			}
			update(t, db, func(tx *nearlite.WriteTx) error { return change(tx, "x") })
			rest, err := io.ReadAll(file)
			if got := append(head, rest...); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s, %s: %d bytes of %d, %v", name, what, len(got), size, err)
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
			if _, err := file.Read(head[:min(1, len(head))]); size > 3 && err == nil {
				t.Error("a closed file was read")
			}
			checkInvariant(t, db)
		}
	}
}

// Open files hold nothing: more of them than the database has readers.
func TestManyOpenFiles(t *testing.T) {
	t.Parallel()
	s, db := setup(t, &nearlite.Options{MaxReaders: 2})
	content := noise(3 * RowSize)
	put(t, s, db, "x", content, nil)
	var files []fs.File
	for range 50 {
		file, err := s.FS(db).Open("x")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		if _, err := file.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		if rest, err := io.ReadAll(file); err != nil || !bytes.Equal(rest, content[10:]) {
			t.Errorf("%d bytes, %v", len(rest), err)
		}
	}
}
