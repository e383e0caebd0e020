package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/storage/file"
)

// rivalRole is how a copy of this test program is told to be a primary.
const rivalRole = "NEARLITE_TEST_RIVAL"

func init() {
	if os.Getenv(rivalRole) == "" {
		return
	}
	if err := beRival(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Printf("lost: %q\n", err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// rivalEntryRetention is shorter than the pauses that rivals make, as a day is
// shorter than a machine's that was stopped for two.
const rivalEntryRetention = 400 * time.Millisecond

// beRival writes until it may not, says of each row what became of it, and has the
// archive merged and pruned all the time.
func beRival(dir, path, durability string) error {
	mergeEvery = [levelTop]time.Duration{20 * time.Millisecond, 60 * time.Millisecond, 150 * time.Millisecond}
	ctx, silent := context.Background(), slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := file.Open(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	a, err := Open(ctx, s, &Options{Patience: 500 * time.Millisecond, Maintain: true, EntryRetention: rivalEntryRetention, Logger: silent})
	if err != nil {
		return err
	}
	defer a.Close()
	opts := &nearlite.Options{Log: a, LogDelay: 20 * time.Millisecond, Logger: silent, CheckpointBytes: 128 << 10}
	if durability == nearlite.Archived.String() {
		opts.Durability = nearlite.Archived
	}
	db, err := nearlite.Open(ctx, path, opts)
	if err != nil {
		return err
	}
	defer db.Close()
	go func() {
		for {
			_, _ = a.Prune(ctx)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	if _, err := db.Exec(ctx, "CREATE TABLE IF NOT EXISTS note(text TEXT PRIMARY KEY)"); err != nil {
		return err
	}
	fmt.Println("open")
	for n := 0; ; n++ {
		row := fmt.Sprintf("<%d-%06d>", os.Getpid(), n)
		_, err := db.Exec(ctx, "INSERT INTO note VALUES (?)", row)
		switch {
		case err == nil:
			fmt.Println("acked", row)
		case errors.Is(err, nearlite.ErrCommitUnknown):
			fmt.Println("unknown", row)
		default:
			fmt.Println("failed", row)
		}
		if errors.Is(err, nearlite.ErrPoisoned) || errors.Is(err, nearlite.ErrFenced) {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// rival is such a process.
type rival struct {
	t     *testing.T
	cmd   *exec.Cmd
	path  string
	ended chan struct{}

	mu    sync.Mutex // protects the following
	rows  map[string]string
	acked int
	lost  string // why it has given up
}

func startRival(t *testing.T, archive, path string, d nearlite.Durability) *rival {
	t.Helper()
	r := &rival{t: t, path: path, rows: map[string]string{}, ended: make(chan struct{})}
	r.cmd = exec.Command(os.Args[0], archive, path, d.String())
	r.cmd.Env = append(os.Environ(), rivalRole+"=1")
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.hear(lines.Text())
		}
		_ = r.cmd.Wait()
	}()
	t.Cleanup(r.kill)
	return r
}

func (r *rival) kill() {
	_ = r.cmd.Process.Kill()
	<-r.ended
}

func (r *rival) hear(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what, rest, _ := strings.Cut(line, " ")
	switch what {
	case "lost:":
		r.lost, _ = strconv.Unquote(rest)
	case "acked":
		r.acked++
		fallthrough
	case "failed", "unknown":
		r.rows[rest] = what
	}
}

func (r *rival) acknowledged() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acked
}

// until waits for a rival to have had so many rows acknowledged.
func (r *rival) until(n int) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); r.acknowledged() < n; time.Sleep(5 * time.Millisecond) {
		select {
		case <-r.ended:
			r.t.Fatalf("it has ended: %s", r.lost)
		default:
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d of %d rows within a minute", r.acknowledged(), n)
		}
	}
}

// Two primaries on one archive, one of which is stopped for longer than entries are
// kept and requests are patient, while the other goes on and merges and deletes what
// it had written: never do both acknowledge. The loser says who has won, and what it
// had acknowledged under Full is kept.
func TestRivals(t *testing.T) {
	t.Parallel()
	rounds := 1
	if os.Getenv("NEARLITE_LONG") != "" {
		rounds = 40
	}
	for _, d := range []nearlite.Durability{nearlite.Archived, nearlite.Full} {
		for _, stopped := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, stopped %v", d, stopped), func(t *testing.T) {
				t.Parallel()
				for range rounds {
					rivals(t, d, stopped)
				}
			})
		}
	}
}

func rivals(t *testing.T, d nearlite.Durability, stopped bool) {
	dir := t.TempDir()
	first := startRival(t, dir, filepath.Join(t.TempDir(), "app.db"), d)
	first.until(20)
	if stopped {
		pause(t, first.cmd.Process)
	}
	second := startRival(t, dir, filepath.Join(t.TempDir(), "app.db"), d)
	if stopped {
		second.until(30)
		time.Sleep(3 * rivalEntryRetention)
		second.until(second.acknowledged() + 10)
		proceed(t, first.cmd.Process)
	}
	loser, winner := first, second
	select {
	case <-first.ended:
	case <-second.ended:
		if stopped {
			t.Fatalf("the one that was not stopped has lost: %s", second.lost)
		}
		loser, winner = second, first
	case <-time.After(time.Minute):
		t.Fatalf("both write: %d and %d rows", first.acknowledged(), second.acknowledged())
	}
	winner.until(winner.acknowledged() + 20)
	winner.kill()
	if want := fmt.Sprintf("process %d,", winner.cmd.Process.Pid); !strings.Contains(loser.lost, want) {
		t.Errorf("the loser says %q, and has lost to %s", loser.lost, want)
	}
	there := rowsOf(t, restored(t, directory(t, dir), RestoreOptions{}))
	for _, row := range slices.Sorted(maps.Keys(winner.rows)) {
		if d == nearlite.Archived && winner.rows[row] == "acked" && !there[row] || winner.rows[row] == "failed" && there[row] {
			t.Errorf("the winner's row %s was %s, and is there: %v", row, winner.rows[row], there[row])
		}
	}
	orphans := orphansOf(t, loser.path)
	for _, row := range slices.Sorted(maps.Keys(loser.rows)) {
		switch kept := bytes.Contains(orphans, []byte(row)); {
		case loser.rows[row] == "acked" && !there[row] && (d == nearlite.Archived || !kept):
			t.Errorf("the loser's row %s was acknowledged, and is neither there nor kept", row)
		case loser.rows[row] == "failed" && there[row]:
			t.Errorf("the loser's row %s was refused, and is there", row)
		}
	}
	t.Logf("%d and %d rows acknowledged, %d archived, %d bytes kept apart", loser.acked, winner.acked, len(there), len(orphans))
	again := startRival(t, dir, loser.path, d)
	select {
	case <-again.ended:
	case <-time.After(time.Minute):
		t.Fatal("the loser was started again, and writes")
	}
	if again.acked > 0 || again.lost == "" {
		t.Errorf("the loser was started again, and wrote %d rows: %s", again.acked, again.lost)
	}
}

// rowsOf reads a database's rows.
func rowsOf(t *testing.T, path string) map[string]bool {
	t.Helper()
	c, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rows := map[string]bool{}
	for row, err := range c.Query("SELECT text FROM note") {
		if err != nil {
			t.Fatal(err)
		}
		rows[row.Text(0)] = true
	}
	if check := c.QueryRow("PRAGMA integrity_check"); check.Err() != nil || check.Text(0) != "ok" {
		t.Errorf("integrity check: %v", check.Err())
	}
	return rows
}

// orphansOf reads the pages that are kept beside a database.
func orphansOf(t *testing.T, path string) (pages []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "orphaned-*.ltx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d := ltx.NewDecoder(f)
		if err := d.DecodeHeader(); err != nil {
			t.Fatal(err)
		}
		page := make([]byte, d.Header().PageSize)
		for {
			var h ltx.PageHeader
			if err := d.DecodePage(&h, page); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, page...)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	return pages
}
