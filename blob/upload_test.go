package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nearlite/nearlite"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"empty": 0, "a row": RowSize, "a row and a byte": RowSize + 1,
		"a step": uploadStep, "a step and a byte": uploadStep + 1, "steps": 2*uploadStep + 3*RowSize + 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, db := setup(t, nil)
			put(t, s, db, "x", noise(2*RowSize), nil)
			content := noise(size)
			info, err := s.Upload(bg, db, "x", iotest.HalfReader(bytes.NewReader(content)), &PutOptions{SHA256: sha256.Sum256(content)})
			if err != nil || info.Size != int64(size) || info.SHA256 != sha256.Sum256(content) {
				t.Fatalf("%+v: %v", info, err)
			}
			if got := get(t, s, db, "x"); !bytes.Equal(got, content) {
				t.Errorf("%d bytes came back of %d", len(got), size)
			}
			checkInvariant(t, db)
		})
	}
}

// checkInvariant looks for rows that nobody will ever free or that belong to two.
func checkInvariant(t testing.TB, db *nearlite.DB) {
	t.Helper()
	for what, sql := range map[string]string{
		"chunks of nobody":      "SELECT count(*) FROM blob_chunk WHERE id >> 24 NOT IN (SELECT id FROM blob WHERE chunk > 0 UNION SELECT id FROM blob_loose)",
		"contents of nobody":    "SELECT count(*) FROM blob_content WHERE id NOT IN (SELECT id FROM blob WHERE chunk = 0)",
		"loose ones with names": "SELECT count(*) FROM blob_loose WHERE id IN (SELECT id FROM blob WHERE chunk > 0)",
		"shared contents":       "SELECT count(*) - count(DISTINCT id || ' ' || (chunk > 0)) FROM blob",
		"wrong sizes": "SELECT count(*) FROM blob b WHERE size <> CASE chunk WHEN 0 THEN (SELECT length(content) FROM blob_content c WHERE c.id = b.id)" +
			" ELSE (SELECT sum(length(content)) FROM blob_chunk c WHERE c.id >> 24 = b.id) END",
	} {
		if n := count(t, db, sql); n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
}

// An upload whose reader waits keeps nobody from writing, and shows nothing.
func TestSlowUploadHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := s.Upload(bg, db, "slow", r, nil)
		done <- err
	}()
	content := noise(2*uploadStep + 1)
	w.Write(content[:uploadStep+1]) // returns when it was read: one step is written or being
	put(t, s, db, "quick", []byte("x"), nil)
	view(t, db, func(tx *nearlite.ReadTx) error {
		if _, err := s.Stat(tx, "slow"); !errors.Is(err, ErrNotExist) {
			t.Errorf("before its end: %v", err)
		}
		return nil
	})
	w.Write(content[uploadStep+1:])
	w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, db, "slow"); !bytes.Equal(got, content) {
		t.Error("something else came back")
	}
}

func TestUploadThatFails(t *testing.T) {
	t.Parallel()
	errNo := errors.New("the network is down")
	for name, test := range map[string]struct {
		size int
		last error
		opts *PutOptions
		want error
	}{
		"small, reader fails": {100, errNo, nil, errNo},
		"large, reader fails": {uploadStep + RowSize, errNo, nil, errNo},
		"small, wrong sum":    {100, io.EOF, &PutOptions{SHA256: sha256.Sum256(nil)}, ErrChecksum},
		"large, wrong sum":    {uploadStep + RowSize, io.EOF, &PutOptions{SHA256: sha256.Sum256(nil)}, ErrChecksum},
		"context ended":       {uploadStep + RowSize, context.Canceled, nil, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, db := setup(t, nil)
			put(t, s, db, "x", []byte("before"), nil)
			ctx, cancel := context.WithCancel(bg)
			r := io.MultiReader(bytes.NewReader(noise(test.size)), readerFunc(func([]byte) (int, error) {
				if test.last == context.Canceled {
					cancel()
					return 1, nil
				}
				return 0, test.last
			}))
			_, err := s.Upload(ctx, db, "x", r, test.opts)
			cancel()
			var named *Error
			if !errors.Is(err, test.want) || !errors.As(err, &named) || named.Op != "upload" || named.Name != "x" {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if got := get(t, s, db, "x"); string(got) != "before" {
				t.Errorf("%d bytes are there", len(got))
			}
			if n := count(t, db, "SELECT (SELECT count(*) FROM blob_chunk) + (SELECT count(*) FROM blob_loose)"); n != 0 {
				t.Errorf("%d rows are left", n)
			}
		})
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// An upload that was swept away says so, and one that goes on is not swept.
func TestAbandonedUpload(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	start := time.Now()
	s.now = func() time.Time { return start }
	late := newStore(t)
	read, looks := 0, 0
	r := readerFunc(func(p []byte) (int, error) {
		switch {
		case looks == 0 && read > 2*uploadStep: // two steps are written
			looks++
			late.now = func() time.Time { return start.Add(looseWriters - time.Second) }
			if n, err := late.Sweep(bg, db); n != 0 || err != nil {
				t.Errorf("swept %d too early: %v", n, err)
			}
		case looks == 1 && read > 3*uploadStep:
			looks++
			late.now = func() time.Time { return start.Add(looseWriters + time.Second) }
			if n, err := late.Sweep(bg, db); n != 1 || err != nil {
				t.Errorf("swept %d: %v", n, err)
			}
		case read > 4*uploadStep:
			return 0, io.EOF
		}
		read += len(p)
		return len(p), nil
	})
	if _, err := s.Upload(bg, db, "x", r, nil); !errors.Is(err, ErrAbandoned) {
		t.Error(err)
	}
	checkInvariant(t, db)
}

// What was deleted can be read on for a minute, and goes then in steps.
func TestSweep(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	start := time.Now()
	s.now = func() time.Time { return start }
	for _, name := range []string{"a", "b", "c"} {
		put(t, s, db, name, noise(3*sweepRows*RowSize/2), nil)
	}
	put(t, s, db, "small", noise(RowSize), nil)
	for _, name := range []string{"a", "b", "small"} {
		update(t, db, func(tx *nearlite.WriteTx) error { return s.Delete(tx, name) })
	}
	put(t, s, db, "c", noise(3*sweepRows*RowSize/2), nil)
	for _, test := range []struct {
		after time.Duration
		want  int
	}{{looseReaders, 0}, {looseReaders + 1, 3}, {looseReaders + 1, 0}} {
		s.now = func() time.Time { return start.Add(test.after) }
		if n, err := s.Sweep(bg, db); n != test.want || err != nil {
			t.Errorf("after %v: swept %d, want %d: %v", test.after, n, test.want, err)
		}
		checkInvariant(t, db)
	}
	if n := count(t, db, "SELECT count(*) FROM blob_chunk"); n != 3*sweepRows/2 {
		t.Errorf("%d rows of one object are left", n)
	}
}

// Nobody has to call Sweep: deleting objects frees what was deleted before.
func TestDeletingSweeps(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	now := time.Now()
	s.now = func() time.Time { return now }
	for range 10 {
		put(t, s, db, "x", noise(4*RowSize), nil)
		now = now.Add(looseReaders + time.Second)
	}
	if n := count(t, db, "SELECT count(*) FROM blob_chunk"); n > 3*4 {
		t.Errorf("%d rows after an object of 4 was replaced nine times", n)
	}
}

// An id is never used twice, so a reader never meets another object's rows.
func TestIDsAreNotReused(t *testing.T) {
	t.Parallel()
	s, db := setup(t, nil)
	now := time.Now()
	s.now = func() time.Time { return now }
	first := noise(4 * RowSize)
	put(t, s, db, "x", first, nil)
	file, err := s.FS(db).Open("x")
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 10)
	if _, err := io.ReadFull(file, head); err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx *nearlite.WriteTx) error { return s.Delete(tx, "x") })
	now = now.Add(2 * looseReaders)
	if n, err := s.Sweep(bg, db); n != 1 || err != nil {
		t.Fatalf("swept %d: %v", n, err)
	}
	put(t, s, db, "x", noise(4*RowSize), nil)
	rest, err := io.ReadAll(file)
	if !errors.Is(err, ErrGone) || !bytes.HasPrefix(first[10:], rest) {
		t.Errorf("%d bytes, then %v", len(rest), err)
	}
}
