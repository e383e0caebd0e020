package blob

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/nearlite/nearlite"
)

// TestModel runs random operations against a store of tiny rows and a map; both
// must always be the same, through every way of looking, and no row be lost.
func TestModel(t *testing.T) {
	t.Parallel()
	db := openDB(t, ":memory:", &nearlite.Options{Durability: nearlite.Normal})
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		if _, err := db.Exec(bg, "DROP TABLE IF EXISTS blob"); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"blob_content", "blob_chunk", "blob_loose"} {
			if _, err := db.Exec(bg, "DROP TABLE IF EXISTS "+table); err != nil {
				t.Fatal(err)
			}
		}
		m := newModel(t, db)
		t.Repeat(map[string]func(*rapid.T){
			"put":    m.put,
			"create": m.create,
			"upload": m.upload,
			"delete": m.delete,
			"rename": m.rename,
			"read":   m.read,
			"open":   m.open,
			"time":   func(t *rapid.T) { m.now = m.now.Add(time.Duration(rapid.Int64Range(0, 1<<42).Draw(t, "ns"))) },
			"sweep":  m.sweep,
			"":       m.check,
		})
	})
}

type model struct {
	s       *Store
	db      *nearlite.DB
	now     time.Time
	objects map[string][]byte
	files   []openFile
}

// openFile is a file that was opened, what it must yield, and since when its
// object may be gone.
type openFile struct {
	file interface {
		io.ReadSeeker
		io.ReaderAt
	}
	want []byte
	at   time.Time
}

func newModel(t *rapid.T, db *nearlite.DB) *model {
	s, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	m := &model{s: s, db: db, now: time.Now(), objects: map[string][]byte{}}
	s.rowSize = 8
	s.now = func() time.Time { return m.now }
	return m
}

var nameGen = rapid.SampledFrom([]string{"a", "a/b", "a/b/c", "a!", "a0", "b", "b/x", "ü"})

var contentGen = rapid.SliceOfN(rapid.Byte(), 0, 50)

func (m *model) names() []string {
	var names []string
	for name := range m.objects {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *model) put(t *rapid.T) {
	name, content := nameGen.Draw(t, "name"), contentGen.Draw(t, "content")
	err := m.db.Update(bg, func(tx *nearlite.WriteTx) error {
		return second(m.s.Put(tx, name, content, nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	m.objects[name] = content
}

func (m *model) create(t *rapid.T) {
	name, content := nameGen.Draw(t, "name"), contentGen.Draw(t, "content")
	finish := rapid.Bool().Draw(t, "finish")
	step := rapid.IntRange(1, 20).Draw(t, "step")
	err := m.db.Update(bg, func(tx *nearlite.WriteTx) error {
		w, err := m.s.Create(tx, name, nil)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(content, step) {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		if !finish {
			return nil
		}
		return w.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	if finish {
		m.objects[name] = content
	}
}

func (m *model) upload(t *rapid.T) {
	name, content := nameGen.Draw(t, "name"), contentGen.Draw(t, "content")
	if _, err := m.s.Upload(bg, m.db, name, bytes.NewReader(content), nil); err != nil {
		t.Fatal(err)
	}
	m.objects[name] = content
}

func (m *model) delete(t *rapid.T) {
	name := nameGen.Draw(t, "name")
	err := m.db.Update(bg, func(tx *nearlite.WriteTx) error { return m.s.Delete(tx, name) })
	if _, there := m.objects[name]; there != (err == nil) || err != nil && !errors.Is(err, ErrNotExist) {
		t.Fatal(err)
	}
	delete(m.objects, name)
}

func (m *model) rename(t *rapid.T) {
	from, to := nameGen.Draw(t, "from"), nameGen.Draw(t, "to")
	err := m.db.Update(bg, func(tx *nearlite.WriteTx) error { return m.s.Rename(tx, from, to) })
	content, there := m.objects[from]
	if there != (err == nil) || err != nil && !errors.Is(err, ErrNotExist) {
		t.Fatal(err)
	}
	if there {
		delete(m.objects, from)
		m.objects[to] = content
	}
}

func (m *model) open(t *rapid.T) {
	if len(m.objects) == 0 {
		t.Skip("there is nothing")
	}
	name := rapid.SampledFrom(m.names()).Draw(t, "name")
	file, err := m.s.FS(m.db).Open(name)
	if err != nil {
		t.Fatal(err)
	}
	m.files = append(m.files, openFile{file.(*objectFile), m.objects[name], m.now})
}

// read reads from an open file, whose object may be another meanwhile.
func (m *model) read(t *rapid.T) {
	if len(m.files) == 0 {
		t.Skip("no file is open")
	}
	f := rapid.SampledFrom(m.files).Draw(t, "file")
	from := rapid.IntRange(0, len(f.want)).Draw(t, "from")
	p := make([]byte, rapid.IntRange(0, 60).Draw(t, "length"))
	n, err := f.file.ReadAt(p, int64(from))
	if !bytes.HasPrefix(f.want[from:], p[:n]) {
		t.Fatalf("other bytes than when it was opened: %q of %q from %d", p[:n], f.want, from)
	}
	switch {
	case err == nil && n == len(p):
	case err == io.EOF && n == len(f.want)-from && n < len(p):
	case errors.Is(err, ErrGone) && m.now.Sub(f.at) > looseReaders && len(f.want) > m.s.rowSize:
	default:
		t.Fatalf("read %d of %d bytes from %d of %d: %v", n, len(p), from, len(f.want), err)
	}
}

func (m *model) sweep(t *rapid.T) {
	if _, err := m.s.Sweep(bg, m.db); err != nil {
		t.Fatal(err)
	}
}

func (m *model) check(t *rapid.T) {
	err := m.db.View(bg, func(tx *nearlite.ReadTx) error {
		var listed []string
		for info, err := range m.s.List(tx, "") {
			if err != nil {
				return err
			}
			want := m.objects[info.Name]
			listed = append(listed, info.Name)
			got, err := m.s.Get(tx, info.Name)
			if err != nil || !bytes.Equal(got, want) || info.Size != int64(len(want)) || info.SHA256 != sha256.Sum256(want) {
				t.Fatalf("%s is %q, want %q: %v", info.Name, got, want, err)
			}
		}
		if names := m.names(); !slices.Equal(listed, names) {
			t.Fatalf("listed %q, want %q", listed, names)
		}
		lost, err := nearlite.One[int64](tx, `SELECT
			(SELECT count(*) FROM blob_chunk WHERE id >> 24 NOT IN (SELECT id FROM blob WHERE chunk > 0 UNION SELECT id FROM blob_loose)) +
			(SELECT count(*) FROM blob_content WHERE id NOT IN (SELECT id FROM blob WHERE chunk = 0)) +
			(SELECT count(*) FROM blob_loose WHERE id IN (SELECT id FROM blob WHERE chunk > 0))`)
		if err == nil && lost != 0 {
			t.Fatalf("%d rows are lost", lost)
		}
		if err != nil && strings.Contains(err.Error(), "no such table") && len(m.objects) == 0 {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var visible []string // what is not hidden by a file in its way
	for _, name := range m.names() {
		_, first := m.objects["a"]
		_, second := m.objects["a/b"]
		_, third := m.objects["b"]
		if hidden := first && strings.HasPrefix(name, "a/") || second && strings.HasPrefix(name, "a/b/") || third && strings.HasPrefix(name, "b/"); !hidden {
			visible = append(visible, name)
		}
	}
	if err := fstest.TestFS(m.s.FS(m.db), visible...); err != nil && len(visible) > 0 {
		t.Fatal(err)
	}
}
