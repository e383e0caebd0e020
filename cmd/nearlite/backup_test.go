package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// command runs nearlite in this process.
func command(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(ctx, args, &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err})
	return code, out.String(), err.String()
}

// An interrupted backup leaves nothing behind: neither half a file nor, if it
// was to be replaced, half of the old one.
func TestBackupInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, dest := filepath.Join(dir, "a.db"), filepath.Join(dir, "copy.db")
	if code, _, stderr := command(t.Context(), "shell", db, "CREATE TABLE t(a)",
		"WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < 20000) INSERT INTO t SELECT zeroblob(1000) FROM r"); code != 0 {
		t.Fatal(stderr)
	}
	before, _ := os.ReadFile(db)
	interrupted := 0
	for delay := time.Duration(0); delay < 40*time.Millisecond; delay += 2 * time.Millisecond {
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(delay, cancel)
		if delay == 0 {
			cancel()
		}
		code, _, stderr := command(ctx, "backup", db, dest, "--verify")
		timer.Stop()
		cancel()
		if code == exitOK {
			if err := os.Remove(dest); err != nil {
				t.Fatal(err)
			}
		} else if interrupted++; code != exitInterrupted || stderr != "interrupted\n" {
			t.Fatalf("after %v: exit code %d, %s", delay, code, stderr)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 1 {
			t.Fatalf("after %v: left behind: %v %v", delay, left, err)
		}
	}
	if after, err := os.ReadFile(db); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database itself has changed: %v", err)
	}
	if interrupted == 0 {
		t.Error("no backup was interrupted")
	}
}
