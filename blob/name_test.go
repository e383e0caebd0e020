package blob

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/nearlite/nearlite"
)

func TestNames(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	for _, name := range []string{
		"a", "a/b/c", "...", "..a", "a..", ".hidden", " ", "a b", "a\nb", `a\b`, `c:\x`, "%2e%2e", "日本/ü", "a;DROP TABLE blob", "'",
		strings.Repeat("x", MaxName), strings.Repeat("ü", MaxName/2), "\u202e", "~", "-rf", "*", "\xef\xbf\xbd",
	} {
		put(t, s, db, name, []byte(name), nil)
		if got := get(t, s, db, name); string(got) != name {
			t.Errorf("%q: got %q", name, got)
		}
		if got, err := fs.ReadFile(s.FS(db), name); err != nil || string(got) != name {
			t.Errorf("%q as a file: %q, %v", name, got, err)
		}
	}
	if err := fstest.TestFS(s.FS(db), "a/b/c", "...", `c:\x`); err == nil || !strings.Contains(err.Error(), "a/b/c") {
		t.Errorf("there is a file called a, so a/b/c must not be listed: %v", err)
	}
}

var badNames = map[string]string{
	"nothing":           "",
	"dot":               ".",
	"dot dot":           "..",
	"up":                "../x",
	"up within":         "a/../../x",
	"dot within":        "a/./b",
	"ends with dots":    "a/..",
	"absolute":          "/etc/passwd",
	"a directory":       "a/",
	"two slashes":       "a//b",
	"a slash":           "/",
	"NUL":               "a\x00b",
	"only NUL":          "\x00",
	"not UTF-8":         "a\xff",
	"half a rune":       "日"[:2],
	"a surrogate":       "\xed\xa0\x80",
	"one byte too many": strings.Repeat("x", MaxName+1),
	"4 kB":              strings.Repeat("x", 4096),
	"1 MB":              strings.Repeat("x", 1<<20),
}

func TestBadNames(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	put(t, s, db, "x", []byte("x"), nil)
	for what, name := range badNames {
		for op, do := range map[string]func(tx *nearlite.WriteTx) error{
			"put":       func(tx *nearlite.WriteTx) error { return second(s.Put(tx, name, nil, nil)) },
			"put rows":  func(tx *nearlite.WriteTx) error { return second(s.Put(tx, name, noise(2*RowSize), nil)) },
			"create":    func(tx *nearlite.WriteTx) error { return second(s.Create(tx, name, nil)) },
			"get":       func(tx *nearlite.WriteTx) error { return second(s.Get(tx, name)) },
			"stat":      func(tx *nearlite.WriteTx) error { return second(s.Stat(tx, name)) },
			"open":      func(tx *nearlite.WriteTx) error { return second(s.Open(tx, name)) },
			"delete":    func(tx *nearlite.WriteTx) error { return s.Delete(tx, name) },
			"rename":    func(tx *nearlite.WriteTx) error { return s.Rename(tx, name, "y") },
			"rename to": func(tx *nearlite.WriteTx) error { return s.Rename(tx, "x", name) },
		} {
			err := db.Update(bg, do)
			var bad *NameError
			if !errors.Is(err, ErrBadName) || !errors.Is(err, fs.ErrInvalid) || !errors.As(err, &bad) || bad.Name != name {
				t.Errorf("%s, %s: %v", what, op, err)
			} else if len(err.Error()) > 500 || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\x00\n") {
				t.Errorf("%s, %s: the message is %q", what, op, err)
			}
		}
		if _, err := s.Upload(bg, db, name, strings.NewReader("x"), nil); !errors.Is(err, ErrBadName) {
			t.Errorf("%s, upload: %v", what, err)
		}
		if name == "." {
			continue
		}
		if _, err := s.FS(db).Open(name); !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s as a file: %v", what, err)
		}
	}
	if n := count(t, db, "SELECT count(*) FROM blob"); n != 1 {
		t.Errorf("%d objects", n)
	}
}

// FuzzName: a name that is taken comes back the same, is seen through the file
// system, and is listed; one that is not has an error that says so.
func FuzzName(f *testing.F) {
	for _, name := range badNames {
		f.Add(name)
	}
	for _, name := range []string{"a", "a/b", "...", "日本/ü", "a\nb", "a0", "\u007f"} {
		f.Add(name)
	}
	s, db := setup(f, &nearlite.Options{Durability: nearlite.Normal})
	f.Fuzz(func(t *testing.T, name string) {
		err := db.Update(bg, func(tx *nearlite.WriteTx) error {
			return second(s.Put(tx, name, []byte(name), nil))
		})
		if (err == nil) != (CheckName(name) == nil) || err != nil && !errors.Is(err, ErrBadName) {
			t.Fatalf("put %q: %v", name, err)
		}
		if err != nil {
			return
		}
		if got, err := s.FS(db).ReadFile(name); err != nil || string(got) != name {
			t.Errorf("file %q: %q, %v", name, got, err)
		}
		if flat := flatten.Replace(name); strings.Contains(flat, "/") || unflatten.Replace(flat) != name {
			t.Errorf("%q as a flat file is %q, and back %q", name, flat, unflatten.Replace(flat))
		}
		view(t, db, func(tx *nearlite.ReadTx) error {
			for info, err := range s.List(tx, name) {
				if err != nil || info.Name != name {
					t.Errorf("list %q: %q, %v", name, info.Name, err)
				}
				break
			}
			return nil
		})
		update(t, db, func(tx *nearlite.WriteTx) error { return s.Delete(tx, name) })
	})
}
