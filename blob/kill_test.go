package blob

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
)

// importRole tells a copy of this test program to import a directory.
const importRole = "NEARLITE_BLOB_TEST_IMPORT"

func TestMain(m *testing.M) {
	if path := os.Getenv(importRole); path != "" {
		if err := importInChild(path, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// importInChild imports a directory and prints how far it has come.
func importInChild(path, dir string) error {
	db, err := nearlite.Open(bg, path, nil)
	if err != nil {
		return err
	}
	s, err := New("")
	if err != nil {
		return err
	}
	_, err = s.Import(bg, db, os.DirFS(dir), &TransferOptions{Progress: func(p Progress) { fmt.Println(p.Files) }})
	return errors.Join(err, db.Close())
}

// A process that is killed in the middle of an import leaves whole files and
// nothing else to be seen; importing again goes on where it stopped.
func TestKilledImport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const files = 300
	for i := range files {
		size := rand.IntN(20_000)
		if i%30 == 5 {
			size = uploadStep + rand.IntN(2*RowSize)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d", i)), noise(size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "killed.db")
	there := 0 // files that a new try finds unchanged, which is progress, too
	for kills := 0; ; kills++ {
		if finished := importAndKill(t, path, dir, there+20+rand.IntN(60)); finished {
			if kills < 2 {
				t.Errorf("killed %d times only", kills)
			}
			break
		}
		there = checkWhole(t, path, dir, -1)
	}
	checkWhole(t, path, dir, files)
}

// importAndKill starts an import and kills it after some files; it reports
// whether it had ended before.
func importAndKill(t *testing.T, path, dir string, after int) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), importRole+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			break // half a line
		}
		if n == after {
			cmd.Process.Kill()
		}
	}
	return cmd.Wait() == nil
}

// checkWhole compares every object with its file. want is how many there are, or
// -1 for any number; it returns how many.
func checkWhole(t *testing.T, path, dir string, want int) int {
	t.Helper()
	db, err := nearlite.Open(bg, path, &nearlite.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := newStore(t)
	if want < 0 && count(t, db, "SELECT count(*) FROM sqlite_schema WHERE name = 'blob_loose'") == 0 {
		return 0
	}
	got := 0
	view(t, db, func(tx *nearlite.ReadTx) error {
		for info, err := range s.List(tx, "") {
			if err != nil {
				return err
			}
			content, err := s.Get(tx, info.Name)
			if err != nil {
				return err
			}
			if file, err := os.ReadFile(filepath.Join(dir, info.Name)); err != nil || !bytes.Equal(content, file) {
				t.Errorf("%s: %d bytes of %d, %v", info.Name, len(content), len(file), err)
			}
			got++
		}
		return nil
	})
	if want >= 0 && got != want {
		t.Errorf("%d objects, want %d", got, want)
	}
	checkInvariant(t, db)
	if want < 0 {
		return got
	}
	s.now = func() time.Time { return time.Now().Add(2 * looseWriters) }
	if _, err := s.Sweep(bg, db); err != nil {
		t.Error(err)
	}
	if n := count(t, db, "SELECT count(*) FROM blob_loose"); n != 0 {
		t.Errorf("%d loose contents are left", n)
	}
	return got
}

// TestHuge takes an object larger than 32 bits count through everything, which
// needs 8 GB of disk and some minutes: make blob-huge.
func TestHuge(t *testing.T) {
	if os.Getenv("NEARLITE_BLOB_HUGE") == "" {
		t.Skip("set NEARLITE_BLOB_HUGE=1, or run make blob-huge")
	}
	s, db := setup(t, &nearlite.Options{Durability: nearlite.Normal})
	const size = 5<<30 + 12345
	info, err := s.Upload(bg, db, "huge", io.LimitReader(new(counting), size), nil)
	if err != nil || info.Size != size {
		t.Fatalf("%+v: %v", info, err)
	}
	file, err := s.FS(db).Open("huge")
	if err != nil {
		t.Fatal(err)
	}
	r := file.(*objectFile)
	for _, off := range []int64{0, 1<<31 - 4, 1 << 31, 1<<32 - 4, 1 << 32, size - 8} {
		var got, want [8]byte
		(&counting{off}).Read(want[:])
		if _, err := r.ReadAt(got[:], off); err != nil || got != want {
			t.Errorf("at %d: %x, want %x: %v", off, got, want, err)
		}
	}
	other := new(counting)
	n, err := r.WriteTo(writerFunc(func(p []byte) (int, error) {
		want := make([]byte, len(p))
		other.Read(want)
		if !bytes.Equal(p, want) {
			return 0, errors.New("something else came back")
		}
		return len(p), nil
	}))
	if err != nil || n != size {
		t.Errorf("%d bytes: %v", n, err)
	}
	began := time.Now()
	update(t, db, func(tx *nearlite.WriteTx) error { return s.Delete(tx, "huge") })
	if took := time.Since(began); took > time.Second {
		t.Errorf("deleting took %v", took)
	}
	s.now = func() time.Time { return time.Now().Add(2 * looseReaders) }
	if n, err := s.Sweep(bg, db); n != 1 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	checkInvariant(t, db)
}

// counting yields the bytes of a counter, so that every place looks different.
type counting struct{ off int64 }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(uint64(c.off/8) * 0x9E3779B97F4A7C15 >> (8 * (c.off % 8)))
		c.off++
	}
	return len(p), nil
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
