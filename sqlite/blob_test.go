package sqlite

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// blobs returns a connection with a table of two blobs, rows 1 and 2.
func blobs(t testing.TB, sizes ...int) *Conn {
	t.Helper()
	c := open(t)
	mustExec(t, c, "CREATE TABLE file(id INTEGER PRIMARY KEY, body)")
	for _, n := range sizes {
		mustExec(t, c, "INSERT INTO file(body) VALUES (?)", ZeroBlob(n))
	}
	return c
}

func openBlob(t testing.TB, c *Conn, row int64, write bool) *BlobHandle {
	t.Helper()
	b, err := c.OpenBlob("main", "file", "body", row, write)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBlobStreams(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 4096, 1 << 20} {
		c := blobs(t, size)
		want := make([]byte, size)
		rand.Read(want)
		b := openBlob(t, c, 1, true)
		if n, err := io.Copy(io.NewOffsetWriter(b, 0), bytes.NewReader(want)); err != nil || int(n) != size {
			t.Fatalf("wrote %d of %d: %v", n, size, err)
		}
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %d of %d: %v", len(got), size, err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if stored := c.QueryRow("SELECT body FROM file").Blob(0); !bytes.Equal(stored, want) {
			t.Fatalf("%d bytes were stored, %d written", len(stored), size)
		}
	}
}

func TestBlobBounds(t *testing.T) {
	t.Parallel()
	c := blobs(t, 10)
	b := openBlob(t, c, 1, true)
	defer b.Close()
	for _, tc := range []struct {
		n    int
		off  int64
		want int
		err  error
	}{
		{10, 0, 10, nil}, {3, 7, 3, nil}, {0, 0, 0, nil}, {0, 10, 0, nil}, {11, 0, 10, io.EOF}, {5, 8, 2, io.EOF},
		{1, 10, 0, io.EOF}, {1, 1 << 40, 0, io.EOF},
	} {
		if n, err := b.ReadAt(make([]byte, tc.n), tc.off); n != tc.want || err != tc.err {
			t.Errorf("read %d at %d: %d, %v", tc.n, tc.off, n, err)
		}
	}
	for _, tc := range []struct {
		n   int
		off int64
		ok  bool
	}{{10, 0, true}, {3, 7, true}, {0, 10, true}, {11, 0, false}, {1, 10, false}, {1, -1, false}, {1, 1 << 40, false}} {
		n, err := b.WriteAt(make([]byte, tc.n), tc.off)
		if tc.ok != (err == nil) || tc.ok && n != tc.n || !tc.ok && (n != 0 || !errors.Is(err, io.ErrShortWrite)) {
			t.Errorf("write %d at %d: %d, %v", tc.n, tc.off, n, err)
		}
	}
	if _, err := b.ReadAt(make([]byte, 1), -1); err == nil || !strings.Contains(err.Error(), "main.file.body of row 1") {
		t.Error(err)
	}
}

func TestBlobErrors(t *testing.T) {
	t.Parallel()
	c := blobs(t, 10, 20)
	for name, err := range map[string]error{
		"row 3":     errOf(c.OpenBlob("main", "file", "body", 3, false)),
		"no table":  errOf(c.OpenBlob("main", "folder", "body", 1, false)),
		"no column": errOf(c.OpenBlob("main", "file", "head", 1, false)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "open blob main.f") || Code(err) != CodeError {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := openBlob(t, c, 1, false)
	if _, err := b.WriteAt([]byte("x"), 0); !errors.Is(err, CodeReadOnly) {
		t.Errorf("write to a handle for reading: %v", err)
	}
	if err := b.Reopen(2); err != nil || b.Size() != 20 {
		t.Errorf("reopen: size %d, %v", b.Size(), err)
	}
	mustExec(t, c, "UPDATE file SET body = 'new' WHERE id = 2")
	if _, err := b.ReadAt(make([]byte, 1), 0); !errors.Is(err, CodeAbort) || !strings.Contains(err.Error(), "open it again") {
		t.Errorf("read of a changed row: %v", err)
	}
	if err := b.Reopen(3); err == nil || !strings.Contains(err.Error(), "row 3") {
		t.Error(err)
	}
	if _, err := b.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestBlobsEndWithTheTransaction(t *testing.T) {
	t.Parallel()
	c := blobs(t, 10, 10, 10)
	mustExec(t, c, "BEGIN")
	handles := []*BlobHandle{openBlob(t, c, 1, true), openBlob(t, c, 2, true), openBlob(t, c, 3, true)}
	if _, err := handles[0].WriteAt([]byte("kept"), 0); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("COMMIT"); !errors.Is(err, CodeBusy) {
		t.Fatalf("commit beside an open handle: %v", err)
	}
	handles[1].Close()
	c.CloseCursors()
	mustExec(t, c, "COMMIT")
	for _, b := range handles {
		if _, err := b.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("read after the transaction: %v", err)
		}
		b.Close()
	}
	if got := c.QueryRow("SELECT substr(body, 1, 4) FROM file WHERE id = 1").Text(0); got != "kept" {
		t.Error(got)
	}
	b := openBlob(t, c, 1, false)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := c.OpenBlob("main", "file", "body", 1, false); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestBlobOfARevokedSnapshot(t *testing.T) {
	t.Parallel()
	w := blobs(t, 10)
	r := second(t, w)
	if err := r.HoldSnapshots(false); err != nil {
		t.Fatal(err)
	}
	r.Refresh()
	b := openBlob(t, r, 1, false)
	if !r.Revoke(time.Second) {
		t.Fatal("not revoked")
	}
	if _, err := b.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	r.Restore()
	r.Refresh()
	if b = openBlob(t, r, 1, false); b.Size() != 10 {
		t.Error(b.Size())
	}
	b.Close()
}

// A handle opened right after Refresh sees what was committed before.
func TestBlobOfTheNewestSnapshot(t *testing.T) {
	t.Parallel()
	w := blobs(t, 10)
	r := second(t, w)
	if err := r.HoldSnapshots(false); err != nil {
		t.Fatal(err)
	}
	for size := range int64(5) {
		mustExec(t, w, "UPDATE file SET body = zeroblob(?)", size)
		r.Refresh()
		b := openBlob(t, r, 1, false)
		if b.Size() != size {
			t.Errorf("size %d, want %d", b.Size(), size)
		}
		b.Close()
	}
}

func BenchmarkBlobRead(b *testing.B) {
	c := blobs(b, 10_000, 10_000)
	h := openBlob(b, c, 1, false)
	defer h.Close()
	buf := make([]byte, 10_000)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if err := h.Reopen(1 + i&1); err != nil {
			b.Fatal(err)
		}
		if _, err := h.ReadAt(buf, 0); err != nil {
			b.Fatal(err)
		}
	}
}
