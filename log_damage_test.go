package nearlite

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/storage/file"
)

// damages are what becomes of an object of an archive.
var damages = []struct {
	name string
	do   func(rng *rand.Rand, path, other string) error
}{
	{"a flipped bit", func(rng *rand.Rand, path, _ string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		return os.WriteFile(path, b, 0o644)
	}},
	{"cut off", func(rng *rand.Rand, path, _ string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, rng.Int64N(info.Size()))
	}},
	{"empty", func(_ *rand.Rand, path, _ string) error { return os.Truncate(path, 0) }},
	{"missing", func(_ *rand.Rand, path, _ string) error { return os.Remove(path) }},
	{"another one's content", func(_ *rand.Rand, path, other string) error {
		b, err := os.ReadFile(other)
		if err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o644)
	}},
	{"zeros at the end", func(rng *rand.Rand, path, _ string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		clear(b[rng.IntN(len(b)):])
		return os.WriteFile(path, b, 0o644)
	}},
}

// Whatever becomes of an object of its archive, a database that is restored, or that
// restores itself when it is opened, is the one that was archived, or there is an
// error that names the object or what is missing, and no database. One whose file is
// there loses nothing.
func TestDamagedArchive(t *testing.T) {
	t.Parallel()
	rounds := 60
	if long {
		rounds = 3000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 12))
	root := t.TempDir()
	l, end, err := openArchive(filepath.Join(root, "archive"), ArchiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	db := openLogged(t, filepath.Join(root, "d.db"), l, Archived)
	for range 12 {
		randomStep(t, db, rng)
	}
	archiveHas(t, filepath.Join(root, "archive"), db)
	want := filepath.Join(root, "want.db")
	if err := errors.Join(db.Backup(bg, want, nil), db.Close(), end()); err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob(filepath.Join(root, "archive/ltx/*/*.ltx"))
	if err != nil || len(entries) < 5 {
		t.Fatal(entries, err)
	}
	found := 0
	for range rounds {
		d, which := damages[rng.IntN(len(damages))], rng.IntN(len(entries))
		victim := entries[which]
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(root)); err != nil {
			t.Fatal(err)
		}
		key, err := filepath.Rel(filepath.Join(root, "archive"), victim)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.do(rng, filepath.Join(dir, "archive", key), entries[rng.IntN(len(entries))]); err != nil {
			t.Fatal(err)
		}
		found += judgeDamage(t, dir, want, key, d.name)
	}
	t.Logf("%d of %d damages were in the way", found, rounds)
	if found < rounds/3 {
		t.Error("too few")
	}
}

// judgeDamage returns 1 if the damage was noticed.
func judgeDamage(t *testing.T, dir, want, key, what string) (found int) {
	t.Helper()
	what = key + ", " + what
	s, err := file.Open(bg, filepath.Join(dir, "archive"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	restored := filepath.Join(dir, "restored.db")
	_, err = Archives.Restore(bg, s, restored)
	found += judgeMade(t, err, restored, want, key, what+", restored")

	l, end, err := Archives.Open(bg, s, ArchiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	made := filepath.Join(dir, "made.db")
	db, err := Open(bg, made, &Options{Log: l, Durability: Archived, Logger: quiet})
	if err == nil {
		made = filepath.Join(dir, "made-backup.db")
		err = db.Backup(bg, made, nil)
		db.Close()
	}
	judgeMade(t, err, made, want, key, what+", opened on an empty disk")

	db, err = Open(bg, filepath.Join(dir, "d.db"), &Options{Log: l, Durability: Archived, Logger: quiet})
	if err == nil {
		if err := db.Backup(bg, filepath.Join(dir, "there.db"), nil); err != nil {
			t.Error(err)
		}
		db.Close()
		if err := sameContent(filepath.Join(dir, "there.db"), want); err != nil {
			t.Errorf("%s, opened with its file: %v", what, err)
		}
	} else if !strings.Contains(err.Error(), filepath.Base(key)) && !errors.Is(err, ErrLogMismatch) {
		t.Errorf("%s, opened with its file: %v", what, err)
	}
	return found
}

// judgeMade looks at a database that was made of the archive, or was not.
func judgeMade(t *testing.T, err error, path, want, key, what string) (found int) {
	t.Helper()
	if err == nil {
		if err := sameContent(path, want); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return 0
	}
	if !strings.Contains(err.Error(), filepath.Base(key)) && !namesEntry(err, key) {
		t.Errorf("%s: the error does not name it: %v", what, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: there is a database", what)
	}
	return 1
}

// namesEntry reports whether an error has the number of the object's first entry.
func namesEntry(err error, key string) bool {
	var from, to uint64
	if _, serr := fmt.Sscanf(filepath.Base(key), "%x-%x.ltx", &from, &to); serr != nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, fmt.Sprint("entries ", from, " to ")) || strings.Contains(text, fmt.Sprint("entry ", from)) ||
		strings.Contains(text, "entry with the number") || strings.Contains(text, "there is no snapshot")
}
