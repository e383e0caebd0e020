package blob

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nearlite/nearlite"
)

// put stores an object in a transaction of its own.
func put(t testing.TB, s *Store, db *nearlite.DB, name string, content []byte, opts *PutOptions) Info {
	t.Helper()
	var info Info
	update(t, db, func(tx *nearlite.WriteTx) (err error) {
		info, err = s.Put(tx, name, content, opts)
		return err
	})
	return info
}

func update(t testing.TB, db *nearlite.DB, fn func(tx *nearlite.WriteTx) error) {
	t.Helper()
	if err := db.Update(bg, fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, db *nearlite.DB, fn func(tx *nearlite.ReadTx) error) {
	t.Helper()
	if err := db.View(bg, fn); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, s *Store, db *nearlite.DB, name string) (content []byte) {
	t.Helper()
	view(t, db, func(tx *nearlite.ReadTx) (err error) {
		content, err = s.Get(tx, name)
		return err
	})
	return content
}

// count returns a number from the database.
func count(t testing.TB, db *nearlite.DB, sql string, args ...any) (n int64) {
	t.Helper()
	view(t, db, func(tx *nearlite.ReadTx) (err error) {
		n, err = nearlite.One[int64](tx, sql, args...)
		return err
	})
	return n
}

// sizes are where the layout changes: nothing, a row, a row and a byte, some rows.
var sizes = map[string]int{"empty": 0, "small": 10_000, "a row": RowSize, "a row and a byte": RowSize + 1, "rows": 3 * RowSize, "more rows": 5*RowSize - 7}

func TestPutAndGet(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	at := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	for before := range sizes {
		for name, size := range sizes {
			put(t, s, db, "a/b", noise(sizes[before]), nil)
			content := noise(size)
			info := put(t, s, db, "a/b", content, &PutOptions{ContentType: "text/x", ModTime: at})
			want := Info{Name: "a/b", Size: int64(size), ModTime: at, ContentType: "text/x", SHA256: sha256.Sum256(content)}
			if info != want {
				t.Errorf("%s after %s: put says %+v, want %+v", name, before, info, want)
			}
			view(t, db, func(tx *nearlite.ReadTx) error {
				info, err := s.Stat(tx, "a/b")
				if !info.ModTime.Equal(at) {
					t.Errorf("modified %v, want %v", info.ModTime, at)
				}
				if info.ModTime = at; info != want {
					t.Errorf("%s after %s: stat says %+v, want %+v", name, before, info, want)
				}
				return err
			})
			if got := get(t, s, db, "a/b"); !bytes.Equal(got, content) {
				t.Errorf("%s after %s: %d bytes came back of %d", name, before, len(got), size)
			}
		}
	}
	if n := count(t, db, "SELECT count(*) FROM blob_content"); n > 1 {
		t.Errorf("%d rows of content for one object", n)
	}
}

// Where a transaction can write, it can read what it wrote.
func TestReadsInAnUpdate(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	content := noise(3 * RowSize)
	update(t, db, func(tx *nearlite.WriteTx) error {
		if _, err := s.Put(tx, "x", content, nil); err != nil {
			return err
		}
		r, err := s.Open(tx, "x")
		if err != nil {
			return err
		}
		if err := s.Delete(tx, "x"); err != nil {
			return err
		}
		got, err := io.ReadAll(r) // what was opened
		if !bytes.Equal(got, content) {
			t.Error("the reader lost its object")
		}
		if _, err := s.Get(tx, "x"); !errors.Is(err, ErrNotExist) {
			t.Errorf("after the deletion: %v", err)
		}
		return err
	})
}

func TestRollbackTakesObjectsBack(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	put(t, s, db, "old", []byte("old"), nil)
	errNo := errors.New("no")
	err := db.Update(bg, func(tx *nearlite.WriteTx) error {
		for _, name := range []string{"old", "new", "large"} {
			if _, err := s.Put(tx, name, noise(2*RowSize), nil); err != nil {
				return err
			}
		}
		return errNo
	})
	if err != errNo {
		t.Fatal(err)
	}
	if got := get(t, s, db, "old"); string(got) != "old" {
		t.Errorf("got %q", got)
	}
	if n := count(t, db, "SELECT (SELECT count(*) FROM blob) + (SELECT count(*) FROM blob_chunk) + (SELECT count(*) FROM blob_loose)"); n != 1 {
		t.Errorf("%d rows are left", n)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	for name, size := range sizes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, db := setup(t, nil)
			content := noise(size)
			put(t, s, db, "x", []byte("before"), nil)
			for how, stream := range map[string]func(w *Writer) (int64, error){
				"write":     func(w *Writer) (int64, error) { return io.Copy(struct{ io.Writer }{w}, bytes.NewReader(content)) },
				"read from": func(w *Writer) (int64, error) { return w.ReadFrom(iotest.HalfReader(bytes.NewReader(content))) },
			} {
				update(t, db, func(tx *nearlite.WriteTx) error {
					w, err := s.Create(tx, "x", &PutOptions{ContentType: "a/b"})
					if err != nil {
						return err
					}
					if n, err := stream(w); err != nil || n != int64(size) {
						t.Errorf("%s: %d bytes, %v", how, n, err)
					}
					if err := w.Close(); err != nil {
						return err
					}
					if info := w.Info(); info.Size != int64(size) || info.SHA256 != sha256.Sum256(content) || info.ContentType != "a/b" {
						t.Errorf("%s: %+v", how, info)
					}
					if _, err := w.Write([]byte("more")); err == nil {
						t.Error("a closed writer took more")
					}
					return nil
				})
				if got := get(t, s, db, "x"); !bytes.Equal(got, content) {
					t.Errorf("%s: %d bytes came back of %d", how, len(got), size)
				}
			}
			if size <= RowSize && count(t, db, "SELECT count(*) FROM blob_loose") != 0 {
				t.Error("an object of one row was loose")
			}
		})
	}
}

func TestWriterThatIsNotClosed(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	put(t, s, db, "x", []byte("before"), nil)
	update(t, db, func(tx *nearlite.WriteTx) error {
		w, err := s.Create(tx, "x", nil)
		if err == nil {
			_, err = w.Write(noise(3 * RowSize))
		}
		return err
	})
	if got := get(t, s, db, "x"); string(got) != "before" {
		t.Errorf("got %d bytes", len(got))
	}
	s.now = func() time.Time { return time.Now().Add(2 * looseWriters) }
	if n, err := s.Sweep(bg, db); n != 1 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	if n := count(t, db, "SELECT count(*) FROM blob_chunk"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	err := db.Update(bg, func(tx *nearlite.WriteTx) error {
		w, err := s.Create(tx, "x", nil)
		if err != nil {
			return err
		}
		if _, err := w.Write(noise(RowSize + 1)); err != nil {
			return err
		}
		w.seq = seqMax - 1
		if _, err := w.Write(noise(2 * RowSize)); err != nil {
			return err
		}
		return w.Close()
	})
	if !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	for name, size := range sizes {
		content := noise(size)
		put(t, s, db, "x", content, nil)
		view(t, db, func(tx *nearlite.ReadTx) error {
			r, err := s.Open(tx, "x")
			if err != nil {
				return err
			}
			if err := iotest.TestReader(r, content); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, off := range []int64{0, 1, int64(size) / 2, int64(size) - 1} {
				if off < 0 {
					continue
				}
				if _, err := r.Seek(off, io.SeekStart); err != nil {
					return err
				}
				var all bytes.Buffer
				n, err := r.WriteTo(&all)
				if err != nil || n != int64(all.Len()) || !bytes.Equal(all.Bytes(), content[min(off, int64(size)):]) {
					t.Errorf("%s: WriteTo from %d wrote %d: %v", name, off, n, err)
				}
			}
			if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
				t.Error("an offset below zero was read")
			}
			return nil
		})
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	large := noise(2 * RowSize)
	put(t, s, db, "a", large, &PutOptions{ContentType: "x/y"})
	put(t, s, db, "b", []byte("b"), nil)
	update(t, db, func(tx *nearlite.WriteTx) error { return s.Rename(tx, "a", "b") })
	update(t, db, func(tx *nearlite.WriteTx) error { return s.Rename(tx, "b", "b") })
	if got := get(t, s, db, "b"); !bytes.Equal(got, large) {
		t.Errorf("%d bytes came back", len(got))
	}
	for _, test := range []struct {
		from, to string
		want     error
	}{{"a", "c", ErrNotExist}, {"b", "", ErrBadName}, {"", "c", ErrBadName}, {"a", "a", ErrNotExist}} {
		err := db.Update(bg, func(tx *nearlite.WriteTx) error { return s.Rename(tx, test.from, test.to) })
		if !errors.Is(err, test.want) {
			t.Errorf("rename %q to %q: %v, want %v", test.from, test.to, err, test.want)
		}
	}
	if n := count(t, db, "SELECT count(*) FROM blob_content"); n != 0 {
		t.Errorf("what was replaced left %d rows", n)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	names := []string{"a", "a b", "a/1", "a/2/x", "a0", "b", "ü", "üb", "日本"}
	for _, name := range names {
		put(t, s, db, name, []byte(name), nil)
	}
	for prefix, want := range map[string]string{
		"": "a,a b,a/1,a/2/x,a0,b,ü,üb,日本", "a": "a,a b,a/1,a/2/x,a0", "a/": "a/1,a/2/x", "a/2": "a/2/x", "ü": "ü,üb", "c": "", "日": "日本", "\xff": "",
	} {
		var got []string
		view(t, db, func(tx *nearlite.ReadTx) error {
			for info, err := range s.List(tx, prefix) {
				if err != nil {
					return err
				}
				got = append(got, info.Name)
			}
			return nil
		})
		if strings.Join(got, ",") != want {
			t.Errorf("list %q: %q, want %q", prefix, got, want)
		}
	}
	view(t, db, func(tx *nearlite.ReadTx) error {
		for info, err := range s.ListFrom(tx, "a", "a/1\x00") {
			if err != nil || info.Name != "a/2/x" {
				t.Errorf("after a/1: %q, %v", info.Name, err)
			}
			break
		}
		return nil
	})
}

// The loop may delete what it is shown, also across the pages it is read in.
func TestListAndDelete(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	const n = 3*pageSize + 1
	seen := 0
	update(t, db, func(tx *nearlite.WriteTx) error {
		for i := range n {
			if _, err := s.Put(tx, strings.Repeat("x", 1+i), nil, nil); err != nil {
				return err
			}
		}
		for info, err := range s.List(tx, "x") {
			if err != nil {
				return err
			}
			if err := s.Delete(tx, info.Name); err != nil {
				return err
			}
			seen++
		}
		return nil
	})
	if left := count(t, db, "SELECT count(*) FROM blob"); seen != n || left != 0 {
		t.Errorf("%d seen of %d, %d left", seen, n, left)
	}
}

// Before the first write there are no tables, and that is an empty store.
func TestNoTables(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	view(t, db, func(tx *nearlite.ReadTx) error {
		for what, err := range map[string]error{
			"get":  second(s.Get(tx, "x")),
			"stat": second(s.Stat(tx, "x")),
			"open": second(s.Open(tx, "x")),
		} {
			if !errors.Is(err, ErrNotExist) || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for range s.List(tx, "") {
			t.Error("something is listed")
		}
		return nil
	})
	if entries, err := s.FS(db).ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if n, err := s.Sweep(bg, db); n != 0 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	err := db.Update(bg, func(tx *nearlite.WriteTx) error { return s.Delete(tx, "x") })
	if !errors.Is(err, ErrNotExist) {
		t.Errorf("delete: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// Two stores of one database do not meet.
func TestTwoStores(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	other, err := New("Photos_2")
	if err != nil {
		t.Fatal(err)
	}
	update(t, db, other.Init)
	update(t, db, other.Init)
	put(t, s, db, "x", []byte("1"), nil)
	put(t, other, db, "x", noise(2*RowSize), nil)
	update(t, db, func(tx *nearlite.WriteTx) error { return other.Delete(tx, "x") })
	if got := get(t, s, db, "x"); string(got) != "1" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"1a", "a b", `a"b`, "ä", "sqlite_x", strings.Repeat("x", 65)} {
		if _, err := New(bad); err == nil {
			t.Errorf("a store in table %q", bad)
		}
	}
}

func TestModTimeOutOfRange(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	err := db.Update(bg, func(tx *nearlite.WriteTx) error {
		_, err := s.Put(tx, "x", nil, &PutOptions{ModTime: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "1678") {
		t.Error(err)
	}
}

// Tables that were changed by other means are found out.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	put(t, s, db, "small", noise(100), nil)
	put(t, s, db, "large", noise(3*RowSize), nil)
	for _, sql := range []string{
		"UPDATE blob_content SET content = x'00'", "UPDATE blob_chunk SET content = x'00' WHERE id & 1",
		"INSERT INTO blob SELECT 'negative', id, chunk, -1, mtime, type, sha256 FROM blob WHERE name = 'large'",
		"INSERT INTO blob SELECT 'negative rows', id, -1, size, mtime, type, sha256 FROM blob WHERE name = 'large'",
		"INSERT INTO blob SELECT 'endless', id, chunk, 9e15, mtime, type, sha256 FROM blob WHERE name = 'large'",
		"INSERT INTO blob SELECT 'one endless row', id, 9e15, 9e15, mtime, type, sha256 FROM blob WHERE name = 'large'",
		"INSERT INTO blob SELECT 'endless row', id, 0, 9e15, mtime, type, sha256 FROM blob WHERE name = 'small'",
	} {
		if _, err := db.Exec(bg, sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"small", "large", "negative", "negative rows", "endless", "one endless row", "endless row"} {
		view(t, db, func(tx *nearlite.ReadTx) error {
			if _, err := s.Get(tx, name); !errors.Is(err, ErrDamaged) {
				t.Errorf("get %s: %v", name, err)
			}
			r, err := s.Open(tx, name)
			if err == nil {
				_, err = io.ReadAll(r)
			}
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrGone) {
				t.Errorf("read %s: %v", name, err)
			}
			return nil
		})
	}
}

// Into a buffer with room, reading allocates nothing.
func TestGetAllocates(t *testing.T) {
	s, db := setup(t, nil)
	put(t, s, db, "10k", noise(10_000), nil)
	put(t, s, db, "rows", noise(3*RowSize), nil)
	for name, into := range map[string][]byte{"10k": make([]byte, 0, 10_000), "rows": make([]byte, 0, 3*RowSize)} {
		get := func(tx *nearlite.ReadTx) (err error) {
			_, err = s.Append(tx, into, name)
			return err
		}
		n := testing.AllocsPerRun(1000, func() {
			if err := db.View(bg, get); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	get := func(tx *nearlite.ReadTx) error { return second(s.Get(tx, "10k")) }
	n := testing.AllocsPerRun(1000, func() {
		if err := db.View(bg, get); err != nil {
			t.Fatal(err)
		}
	})
	if n != 1 {
		t.Errorf("%v allocations for a result", n)
	}
}
