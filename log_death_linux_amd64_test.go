package nearlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

func init() { roles["logging"] = logUntilDeath }

// mortals are the databases that die: with an archive in a directory, of each
// durability, and with a page map alone.
var mortals = []string{"full", "normal", "archived", "map alone"}

// openMortal opens one below a directory.
func openMortal(dir, kind string) (*DB, func() error, error) {
	opts := &Options{PageMap: true, CheckpointBytes: 32 << 10, CacheSize: 1, LogDelay: time.Millisecond, Logger: quiet}
	end := func() error { return nil }
	if kind != "map alone" {
		for _, d := range []Durability{Full, Normal, Archived} {
			if d.String() == kind {
				opts.Durability = d
			}
		}
		var err error
		if opts.Log, end, err = openArchive(filepath.Join(dir, "archive"), ArchiveOptions{}); err != nil {
			return nil, nil, err
		}
	}
	db, err := Open(bg, filepath.Join(dir, "m.db"), opts)
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return db, end, nil
}

// logUntilDeath is the child: it does a script and tells how each transaction ended.
func logUntilDeath(args []string) error {
	if err := beSupervised(); err != nil {
		return err
	}
	db, end, err := openMortal(args[0], args[1])
	if err != nil {
		return err
	}
	fmt.Printf("log %s\n", db.Position().Log)
	if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec(ledgerSchema) }); err != nil {
		return err
	}
	fmt.Println("schema")
	l := newLedger()
	l.told = func(n int, err error) {
		switch {
		case err == nil:
			fmt.Printf("acked %d.\n", n)
		case !errors.Is(err, ErrCommitUnknown):
			fmt.Printf("failed %d.\n", n)
		}
	}
	script(db, l)
	if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec("VACUUM; CREATE INDEX i ON entry(filler)") }); err != nil {
		return err
	}
	script(db, l)
	if err := errors.Join(db.Close(), end()); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}

// remains is what a dead process has left, and what it had said.
type remains struct {
	t       testing.TB
	kind    string
	dir     string
	what    string
	log     string // the id
	schema  bool
	l       *ledger
	careful bool             // nothing that was acknowledged may be lost, and no history ends
	left    func(dir string) // puts it into another directory once more
}

// heard takes in what the process has said.
func (r *remains) heard(said []string) {
	r.l = newLedger()
	for _, line := range said {
		var n int
		if _, err := fmt.Sscanf(line, "acked %d.", &n); err == nil {
			r.l.acked[n] = true
		} else if _, err := fmt.Sscanf(line, "failed %d.", &n); err == nil {
			r.l.failed[n] = errBoom
		}
		r.schema = r.schema || line == "schema"
		if id, ok := strings.CutPrefix(line, "log "); ok {
			r.log = id
		}
	}
}

// judge opens what is left: the database, its map and its archive agree with each
// other, with what the process had said, and with a copy that was fed before.
func (r *remains) judge(f *follower) {
	t := r.t
	t.Helper()
	if !r.careful {
		r.l.acked = map[int]bool{}
	}
	db, end, err := openMortal(r.dir, r.kind)
	if err != nil {
		t.Fatalf("%s: open: %v; it is kept in %s", r.what, err, r.keep())
	}
	if now := db.Position().Log.String(); r.careful && r.log != "" && now != r.log {
		t.Errorf("%s: the history was %s and is %s", r.what, r.log, now)
	}
	if f != nil && r.log != "" {
		if f.log != (LogID{}) && f.log != db.Position().Log {
			t.Errorf("%s: the copy cannot catch up by what has changed", r.what)
		}
		f.catchUp(db)
		f.same(db)
	}
	r.l.next = 1_000_000
	if r.schema && r.careful {
		r.l.write(db, 0)
		if !r.l.acked[r.l.next] {
			t.Errorf("%s: the next write: %v", r.what, r.l.failed[r.l.next])
		}
	}
	if r.kind != "map alone" {
		archiveHas(t, filepath.Join(r.dir, "archive"), db)
	}
	if err := errors.Join(db.Close(), end()); err != nil {
		t.Errorf("%s: close: %v", r.what, err)
	}
	if r.schema && r.careful {
		for _, problem := range r.l.audit(db.Path(), true) {
			t.Errorf("%s: %s", r.what, problem)
		}
	}
	if strays, _ := filepath.Glob(filepath.Join(r.dir, "*replaced*")); r.careful && len(strays) > 0 {
		t.Errorf("%s: the file was made anew: %v", r.what, strays)
	}
	if t.Failed() {
		t.Fatalf("%s: it is kept in %s", r.what, r.keep())
	}
}

// keep puts what was left where it outlives the test.
func (r *remains) keep() string {
	to, err := os.MkdirTemp("", "nearlite-dead-")
	if err == nil && r.left != nil {
		r.left(to)
	} else if err == nil {
		err = os.CopyFS(to, os.DirFS(r.dir))
	}
	if err != nil {
		r.t.Log(err)
	}
	return to
}

// A process dies before each of its writes, syncs and renames, whether SQLite's, the
// page map's or the archive's, or the power fails there and takes what was not
// synced: all of it, none, or some sectors. Afterwards database, map and archive
// agree, what was acknowledged is there, what was refused is not, and a follower
// catches up by what has changed.
func TestDieAtEachCall(t *testing.T) {
	t.Parallel()
	for _, kind := range mortals {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 8))
			root := t.TempDir()
			var calls []fileCall
			supervise(t, startChild(t, "logging", root, kind), root, func(c fileCall) bool {
				calls = append(calls, c)
				return true
			})
			every := 1
			if !long {
				every = len(calls)/12 + 1
			}
			disk, f := newSimDisk(root), &follower{t: t}
			next := rng.IntN(every)
			for at, c := range calls {
				disk.apply(c)
				if at != next && at != len(calls)-1 {
					continue
				}
				next = at + 1 + rng.IntN(2*every-1)
				judgeDisk(t, disk, kind, fmt.Sprintf("killed after call %d of %d", at, len(calls)), 0, f)
				cut := rng.Uint64()
				judgeDisk(t, disk, kind, fmt.Sprintf("power cut %d after call %d of %d", cut, at, len(calls)), cut, nil)
			}
			if len(disk.said) == 0 || disk.said[len(disk.said)-1] != "done" {
				t.Errorf("it did not get through: %v", disk.said)
			}
			t.Logf("%d calls; the copy was sent %d pages, and has %d", len(calls), f.fed, len(f.pages))
		})
	}
}

// judgeDisk looks at what is on the disk after a power cut of that number, or with 0
// after the process was killed.
func judgeDisk(t *testing.T, d *simDisk, kind, what string, cut uint64, f *follower) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	left := func(dir string) { d.write(t, dir, nil) }
	if cut != 0 {
		left = func(dir string) { d.write(t, dir, rand.New(rand.NewPCG(cut, 9))) }
	}
	left(dir)
	r := &remains{left: left, t: t, kind: kind, dir: dir, what: what, careful: cut == 0 || kind != "normal"}
	r.heard(d.said)
	r.judge(f)
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// The same with real deaths: the process is killed when it is about to make a call.
func TestKilledAtACall(t *testing.T) {
	t.Parallel()
	for _, kind := range mortals {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			step, most := 400, 5
			if long {
				step, most = 10, 10_000
			}
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 10))
			at := rng.IntN(step)
			for range most {
				root, n, died := t.TempDir(), 0, false
				var said []string
				supervise(t, startChild(t, "logging", root, kind), root, func(c fileCall) bool {
					if died = died || n == at; died {
						return false
					}
					n++
					if c.op == callSay {
						said = append(said, strings.Split(strings.TrimSuffix(string(c.data), "\n"), "\n")...)
					}
					return true
				})
				if !died {
					return
				}
				r := &remains{t: t, kind: kind, dir: root, what: fmt.Sprintf("killed at call %d", at), careful: true}
				r.heard(said)
				r.judge(nil)
				at += step/2 + rng.IntN(step)
			}
		})
	}
}
