package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// Ctrl-C ends a statement from the command line, whatever it does.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	const endless = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) "
	db := filepath.Join(t.TempDir(), "a.db")
	if code, _, stderr := command(t.Context(), "shell", db, "CREATE TABLE t(a)"); code != exitOK {
		t.Fatal(stderr)
	}
	for name, statements := range map[string][]string{
		"a read":                {endless + "SELECT count(*) FROM r"},
		"a write":               {"INSERT INTO t " + endless + "SELECT i FROM r"},
		"in a transaction":      {"BEGIN; INSERT INTO t VALUES (1); " + endless + "SELECT count(*) FROM r"},
		"a write in one":        {"BEGIN", "INSERT INTO t " + endless + "SELECT i FROM r"},
		"on its own connection": {"PRAGMA temp_store = MEMORY", "INSERT INTO t " + endless + "SELECT i FROM r"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(50*time.Millisecond, cancel)
		code, _, stderr := command(ctx, append([]string{"shell", db}, statements...)...)
		timer.Stop()
		cancel()
		if code != exitInterrupted || stderr != "interrupted\n" {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
	if _, stdout, stderr := command(t.Context(), "shell", "--mode", "csv", db, "SELECT count(*) FROM t"); stdout != "count(*)\n0\n" {
		t.Errorf("afterwards: %s %s", stdout, stderr)
	}
}
