package archive

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite/sqlite"
)

// litestream runs Litestream itself, which has to succeed, or skips the test.
func litestream(t testing.TB, args ...string) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		program := filepath.Join(dir, "bin", "tools", "litestream")
		if _, err := os.Stat(program); err == nil {
			run(t, program, args...)
			return
		}
	}
	t.Skip("no Litestream to compare with: `make litestream` installs it")
}

func run(t testing.TB, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "LITESTREAM_ACCESS_KEY_ID=nearlite", "LITESTREAM_SECRET_ACCESS_KEY=nearlite-secret")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("litestream %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Litestream restores what we have archived, from a directory.
func TestLitestreamRestoresFile(t *testing.T) {
	t.Parallel()
	for _, pageSize := range []int{512, 4096, 65536} {
		h, dir := newHistory(t, pageSize), t.TempDir()
		h.live(open(t, directory(t, dir), nil), 30)
		dest := filepath.Join(t.TempDir(), "theirs.db")
		litestream(t, "restore", "-o", dest, "file://"+dir)
		h.holds(dest, 30)
		dest = filepath.Join(t.TempDir(), "earlier.db")
		litestream(t, "restore", "-txid", "0000000000000011", "-o", dest, "file://"+dir)
		h.holds(dest, 0x11)
	}
}

// And from a bucket.
func TestLitestreamRestoresBucket(t *testing.T) {
	t.Parallel()
	o, store := bucket(t)
	h := newHistory(t, 4096)
	h.live(open(t, store(), nil), 30)
	dest := filepath.Join(t.TempDir(), "theirs.db")
	litestream(t, "restore", "-o", dest, "s3://bucket/"+o.Prefix+"?endpoint="+o.Endpoint+"&forcePathStyle=true&region=us-east-1")
	h.holds(dest, 30)
}

// We restore what Litestream has archived, and go on where it has stopped.
func TestRestoreLitestream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	conn, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec := func(sql string) {
		if err := conn.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	replica := filepath.Join(dir, "replica")
	exec("PRAGMA journal_mode = WAL; CREATE TABLE note (id INTEGER PRIMARY KEY, text)")
	for range 3 {
		exec("INSERT INTO note (text) SELECT hex(randomblob(3000))")
		litestream(t, "replicate", "-once", path, "file://"+replica)
	}
	theirs := filepath.Join(t.TempDir(), "theirs.db")
	litestream(t, "restore", "-o", theirs, "file://"+replica)
	s := directory(t, replica)
	ours := restored(t, s, RestoreOptions{})
	want, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(ours); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v: we have restored another database", err)
	}

	a := open(t, s, nil)
	head, err := a.Head(t.Context())
	if err != nil || head.TXID == 0 || head.Epoch != 0 {
		t.Fatal(head, err)
	}
	h := newHistory(t, head.PageSize)
	h.head.TXID, h.head.Pages = head.TXID, head.Pages
	h.states[0] = want
	h.live(a, 5)
	h.holds(restored(t, s, RestoreOptions{}), 5)
	dest := filepath.Join(t.TempDir(), "both.db")
	litestream(t, "restore", "-o", dest, "file://"+replica)
	h.holds(dest, 5)
}
