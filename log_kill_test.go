package nearlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

func init() { roles["logging until killed"] = logUntilKilled }

// logUntilKilled is the child: callers that write, and tell of each transaction.
func logUntilKilled(args []string) error {
	round, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	db, _, err := openMortal(args[0], args[1])
	if err != nil {
		fmt.Printf("open: %q\n", err.Error())
		return err
	}
	if err := db.View(bg, func(tx *ReadTx) error { return tx.QueryRow("SELECT count(*) FROM entry").Err() }); err != nil {
		if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec(ledgerSchema) }); err != nil {
			return err
		}
	}
	fmt.Println("log", db.Position().Log)
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				n := (round*8+caller)*1000 + i
				switch err := writeEntry(db, n, i); {
				case err == nil:
					fmt.Printf("acked %d.\n", n)
				case !errors.Is(err, ErrCommitUnknown):
					fmt.Printf("failed %d.\n", n)
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// A process that is killed at random moments, again and again, loses nothing, and its
// history goes on: a follower catches up each time by what has changed, and the
// archive has it all.
func TestKillGoesOn(t *testing.T) {
	t.Parallel()
	rounds := 15
	if long {
		rounds = 250
	}
	for _, kind := range mortals {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 14))
			k := &killedAgain{t: t, kind: kind, dir: t.TempDir(), l: newLedger(), f: &follower{t: t}}
			for round := range rounds {
				k.round(round, rng)
				k.check()
				if t.Failed() {
					t.Fatalf("in round %d of seed %d", round, seed)
				}
			}
			t.Logf("%d acknowledged; the copy was sent %d pages, and has %d", len(k.l.acked), k.f.fed, len(k.f.pages))
			if len(k.l.acked) == 0 {
				t.Error("nothing was written")
			}
		})
	}
}

type killedAgain struct {
	t    *testing.T
	kind string
	dir  string
	log  string // the id
	l    *ledger
	f    *follower
}

// round starts a writer and kills it.
func (k *killedAgain) round(round int, rng *rand.Rand) {
	c := startChild(k.t, "logging until killed", k.dir, k.kind, strconv.Itoa(round))
	if round > 0 && rng.IntN(6) == 0 { // somewhere on its way up
		time.Sleep(time.Duration(rng.IntN(30_000)) * time.Microsecond)
		c.cmd.Process.Kill()
	}
	kill := 1 + rng.IntN(60)
	for n := 0; ; n++ {
		if n == kill {
			c.cmd.Process.Kill()
		}
		line, ok := c.line()
		if !ok {
			break
		}
		var number int
		var text string
		if m, _ := fmt.Sscanf(line, "acked %d.", &number); m == 1 && line[len(line)-1] == '.' {
			k.l.acked[number] = true
		} else if m, _ := fmt.Sscanf(line, "failed %d.", &number); m == 1 && line[len(line)-1] == '.' {
			k.l.failed[number] = errBoom
		} else if m, _ := fmt.Sscanf(line, "open: %q", &text); m == 1 {
			k.t.Errorf("open: %s", text)
		}
	}
	c.kill()
}

func (k *killedAgain) check() {
	t := k.t
	db, end, err := openMortal(k.dir, k.kind)
	if err != nil {
		t.Error(err)
		return
	}
	now := db.Position().Log.String()
	if k.log != "" && now != k.log {
		t.Errorf("the history was %s and is %s", k.log, now)
	}
	k.log = now
	k.f.catchUp(db)
	k.f.same(db)
	if k.kind != "map alone" {
		archiveHas(t, filepath.Join(k.dir, "archive"), db)
	}
	if err := errors.Join(db.Close(), end()); err != nil {
		t.Error(err)
	}
	if len(k.l.acked) == 0 {
		return
	}
	// Looked at elsewhere: SQLite on its own would begin the WAL again.
	copied := copyDatabase(t, db.Path(), t.TempDir())
	for _, problem := range k.l.audit(copied, true) {
		t.Error(problem)
	}
	if strays, _ := filepath.Glob(filepath.Join(k.dir, "*replaced*")); len(strays) > 0 {
		t.Errorf("the file was made anew: %v", strays)
	}
	if err := os.RemoveAll(filepath.Dir(copied)); err != nil {
		t.Error(err)
	}
}
