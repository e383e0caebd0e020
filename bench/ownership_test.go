package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// A database of somebody else's is refused by every workload, and not a byte of
// it changes.
func TestOthersTablesAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ schema, want string }{
		"other columns": {"CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT, owner)", "(account)"},
		"gaps":          {"CREATE TABLE account(id PRIMARY KEY, balance INT); INSERT INTO account VALUES (0, 1), (7, 1)", "(account)"},
		"a hole":        {"CREATE TABLE account(id PRIMARY KEY, balance INT); INSERT INTO account VALUES (0, 1), (1, 1), (2, 1); DELETE FROM account WHERE id = 1", "(account)"},
		"two more":      {"CREATE TABLE account(id PRIMARY KEY, balance INT); CREATE TABLE x(a); CREATE VIEW y AS SELECT 1", "(x, y)"},
		"perfTest":      {"CREATE TABLE perfTest(a)", "(perfTest)"},
		"kv":            {"CREATE TABLE kv(k TEXT PRIMARY KEY, v BLOB)", "(kv)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "theirs.db")
			makeDatabase(t, path, test.schema)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			l, mattn, r, b := tiny(t), tiny(t), tinyReads(t), tinyBlobs(t)
			l.DB, mattn.DB, r.DB, b.DB = path, path, path, path
			mattn.Peer, r.Query = Mattn, Perftest
			for workload, run := range map[string]func() error{
				"ledger": func() error { _, err := l.Run(t.Context()); return err },
				"mattn":  func() error { _, err := mattn.Run(t.Context()); return err },
				"reads":  func() error { _, err := r.Run(t.Context()); return err },
				"blobs":  func() error { _, err := b.Run(t.Context()); return err },
			} {
				want := path + " is a database with tables of its own " + test.want + "; name another file"
				if err := run(); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: error %v, want %q", workload, err, want)
				}
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("the database has changed: %v", err)
			}
		})
	}
}

func makeDatabase(t *testing.T, path, schema string) {
	t.Helper()
	conn, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err == nil {
		err = errors.Join(conn.Exec(schema), conn.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A load that was interrupted says how far it came, and the next goes on there.
func TestLoadGoesOn(t *testing.T) {
	t.Parallel()
	ledger := func(ctx context.Context, dir string, progress Progress) error {
		l := tiny(t)
		l.DB, l.Accounts, l.Duration, l.Progress = filepath.Join(dir, "x.db"), 2*chunk+1, time.Millisecond, progress
		_, err := l.Run(ctx)
		return err
	}
	mattn := func(ctx context.Context, dir string, progress Progress) error {
		l := tiny(t)
		l.DB, l.Accounts, l.Duration, l.Progress, l.Peer = filepath.Join(dir, "x.db"), 2*chunk+1, time.Millisecond, progress, Mattn
		_, err := l.Run(ctx)
		return err
	}
	reads := func(ctx context.Context, dir string, progress Progress) error {
		r := tinyReads(t)
		r.DB, r.Query, r.Rows, r.Progress = filepath.Join(dir, "x.db"), Perftest, 2*chunk+1, progress
		_, err := r.Run(ctx)
		return err
	}
	for name, run := range map[string]func(context.Context, string, Progress) error{"ledger": ledger, "mattn": mattn, "reads": reads} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			err := run(ctx, dir, func(string, int64, int64) { cancel() })
			stopped := new(LoadStopped)
			if !errors.Is(err, context.Canceled) || !errors.As(err, &stopped) || stopped.Done != chunk || stopped.Total != 2*chunk+1 {
				t.Fatalf("interrupted: %v", err)
			}
			var steps []int64
			if err := run(t.Context(), dir, func(step string, done, _ int64) {
				if strings.HasPrefix(step, "loading") {
					steps = append(steps, done)
				}
			}); err != nil {
				t.Fatal(err)
			}
			if len(steps) != 2 || steps[0] != 2*chunk || steps[1] != 2*chunk+1 {
				t.Errorf("it went on with %v", steps)
			}
		})
	}
}

// Blobs go on at any of their steps.
func TestBlobsGoOn(t *testing.T) {
	t.Parallel()
	b := tinyBlobs(t)
	b.Count, b.Size, b.Variance = 20, 1<<20, 100
	for _, at := range []string{"loading blobs", "writing files", "importing files"} {
		ctx, cancel := context.WithCancel(t.Context())
		b.Progress = func(step string, done, total int64) {
			if strings.HasPrefix(step, at) {
				cancel()
			}
		}
		if _, err := b.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: %v", at, err)
		}
		cancel()
	}
	b.Progress = nil
	if _, err := b.Run(t.Context()); err != nil {
		t.Error(err)
	}
}
