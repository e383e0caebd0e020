package archive

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/wal"
)

// all lists an archive.
func all(t testing.TB, a *Archive) []Object {
	t.Helper()
	objects, err := a.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// levels counts the objects of each level.
func levels(objects []Object) map[int]int {
	n := map[int]int{}
	for _, o := range objects {
		n[o.Level]++
	}
	return n
}

// wellFormed expects that everything is right.
func wellFormed(t testing.TB, a *Archive) {
	t.Helper()
	v, err := a.Verify(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range v.Problems {
		t.Error(problem)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// A maintained archive has fewer objects for the same states, and Litestream
// restores those that are there.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	h, dir := newHistory(t, 1024), t.TempDir()
	s := directory(t, dir)
	a := open(t, s, nil)
	a.opts.Maintain = true // by hand
	m := newMaintenance(a)
	now := time.Now()
	for range 40 {
		h.live(a, 3)
		m.appended(a.keeper.take(), now)
		if due := m.due(); due.IsZero() || due.After(now.Add(mergeEvery[0])) {
			t.Fatal("the next merge is due", due.Sub(now))
		}
		now = m.due()
		m.run(t.Context(), now)
	}
	for due := m.due(); !due.IsZero(); due = m.due() {
		m.run(t.Context(), due)
	}
	wellFormed(t, a)
	n := levels(all(t, a))
	if n[0] != 120 || n[1] < 30 || n[2] < 2 || n[3] != 1 || n[levelSnapshot] < 1 {
		t.Fatalf("objects of each level: %v", n)
	}
	h.holds(restored(t, s, RestoreOptions{}), 120)
	for _, txid := range []int{1, 2, 17, 60, 119} {
		h.holds(restored(t, s, RestoreOptions{TXID: uint64(txid)}), txid)
	}
	dest := filepath.Join(t.TempDir(), "theirs.db")
	litestream(t, "restore", "-o", dest, "file://"+dir)
	h.holds(dest, 120)

	// A day later: single entries have gone, all but the newest.
	age(t, dir, 25*time.Hour)
	if _, err := a.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, a)
	after := levels(all(t, a))
	if after[0] != 2 || after[1] != n[1] || after[levelSnapshot] != n[levelSnapshot] { // the first has all pages
		t.Fatalf("objects of each level: %v, and then %v", n, after)
	}
	h.holds(restored(t, s, RestoreOptions{}), 120)
	h.live(a, 3)
	h.holds(restored(t, s, RestoreOptions{}), 123)
	for _, txid := range []uint64{1, 4, 7, 119} {
		_, err := Restore(t.Context(), s, filepath.Join(t.TempDir(), "x.db"), RestoreOptions{TXID: txid})
		if (err == nil) != slices.ContainsFunc(all(t, a), func(o Object) bool { return o.Max == txid }) {
			t.Errorf("entry %d: %v", txid, err)
		}
	}

	// A week later: only what the newest snapshot needs.
	age(t, dir, 8*24*time.Hour)
	if _, err := a.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, a)
	if n := levels(all(t, a)); n[levelSnapshot] != 1 {
		t.Fatalf("objects of each level: %v", n)
	}
	h.holds(restored(t, s, RestoreOptions{}), 123)
	dest = filepath.Join(t.TempDir(), "later.db")
	litestream(t, "restore", "-o", dest, "file://"+dir)
	h.holds(dest, 123)
	if deleted, err := a.Prune(t.Context()); err != nil || deleted != 0 {
		t.Fatalf("another %d were deleted, %v", deleted, err)
	}
}

// age makes all objects of a directory older.
func age(t testing.TB, dir string, by time.Duration) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "ltx"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chtimes(path, time.Time{}, info.ModTime().Add(-by))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Two that maintain the same archive at a time do no harm.
func TestTwoMaintainers(t *testing.T) {
	t.Parallel()
	h, s := newHistory(t, 1024), directory(t, t.TempDir())
	a := open(t, s, nil)
	a.opts.Maintain = true
	other := open(t, s, &Options{Maintain: true})
	one, two := newMaintenance(a), newMaintenance(other)
	now := time.Now()
	for i := range 20 {
		h.live(a, 1+i%4)
		n := a.keeper.take()
		one.appended(n, now)
		two.appended(n, now)
		now = now.Add(10 * time.Minute)
		if i%2 == 0 {
			one.run(t.Context(), now)
			h.live(a, 1)
		}
		two.run(t.Context(), now)
		one.run(t.Context(), now)
	}
	wellFormed(t, a)
	h.holds(restored(t, s, RestoreOptions{}), len(h.states)-1)
	wantRequests := a.Requests()
	one.run(t.Context(), now)
	if a.Requests() != wantRequests {
		t.Error("maintenance without news asks for something")
	}
}

// Nothing is asked of a store while nothing happens, and little while something
// does.
func TestRequests(t *testing.T) {
	t.Parallel()
	_, store := bucket(t)
	h, a := newHistory(t, 4096), open(t, store(), nil)
	if r := a.Requests(); r != (Requests{}) {
		t.Errorf("opening asks for %+v", r)
	}
	h.live(a, 1)
	before := a.Requests()
	h.live(a, 10)
	if r := a.Requests(); r.Puts != before.Puts+10 || r.Lists != before.Lists || r.Gets != before.Gets {
		t.Errorf("ten entries ask for %+v after %+v", r, before)
	}
	if _, err := a.writeHint(t.Context(), h.head); err != nil {
		t.Fatal(err)
	}
	reader := open(t, store(), nil)
	if _, err := reader.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := reader.Requests(); r.Lists != 1 || r.Gets != 2 || r.Puts != 0 {
		t.Errorf("looking for the head asks for %+v", r)
	}
	before = reader.Requests()
	if _, err := reader.Read(t.Context(), 8, func(wal.Page) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if r := reader.Requests(); r.Lists != before.Lists+1 || r.Gets != before.Gets+3 {
		t.Errorf("reading three entries asks for %+v after %+v", r, before)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s := directory(t, t.TempDir())
	a := open(t, s, nil)
	empty, err := a.Status(t.Context())
	if err != nil || empty.Objects != 0 || empty.Problem != nil {
		t.Fatalf("%+v, %v", empty, err)
	}
	h := newHistory(t, 1024)
	h.live(a, 12)
	if _, err := a.createMerged(t.Context(), 1, all(t, a)[1:10]); err != nil {
		t.Fatal(err)
	}
	got, err := a.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Head != h.head || got.First != 1 || got.Last != 12 || got.Objects != 13 || len(got.Levels) != 2 ||
		got.Levels[0].Objects != 12 || got.Levels[1].Min != 2 || got.Levels[1].Max != 10 || got.Pending == 0 || got.Problem != nil {
		t.Errorf("%+v", got)
	}
	host, _ := os.Hostname()
	if len(got.Primaries) != 1 || got.Primaries[0].Host != host || got.Primaries[0].PID != os.Getpid() || !strings.HasPrefix(got.Store, "file://") {
		t.Errorf("%+v", got)
	}
	if err := s.Delete(t.Context(), a.layout.key(0, 11, 11)); err != nil {
		t.Fatal(err)
	}
	if got, err = a.Status(t.Context()); err != nil || got.Problem == nil || got.Last != 10 || !strings.Contains(got.Problem.Error(), "11 to 11") {
		t.Errorf("%+v, %v", got, err)
	}
}

var _ storage.Store = nowhere{}
