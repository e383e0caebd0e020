package catalog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	process "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/storage/file"
)

// childRole makes a copy of this test program the process that is killed.
const childRole = "NEARLITE_CATALOG_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childRole); dir != "" {
		work := func() error { return verbsUntilKilled(dir, os.Args[1], os.Args[2]) }
		if most, err := strconv.ParseUint(os.Getenv(childFiles), 10, 64); err == nil {
			work = func() error { return openManyWithFewFiles(dir, most) }
		}
		if err := work(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A process that is killed in the middle of a verb has done it or not: what is
// there afterwards is what was there before it, or after it, and nothing else is.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 40
	if os.Getenv("NEARLITE_LONG") != "" {
		rounds = 1000
	}
	killInRounds(t, rounds, "", nearlite.Full)
}

// An archive that follows behind has everything once a process ends well, however
// many before it were killed.
func TestKillAheadOfTheArchive(t *testing.T) {
	t.Parallel()
	rounds := 6
	if os.Getenv("NEARLITE_LONG") != "" {
		rounds = 300
	}
	k := killInRounds(t, rounds, filepath.Join(t.TempDir(), "archive"), nearlite.Full)
	k.look() // opens every database, and closes it
	if err := os.RemoveAll(k.dir); err != nil {
		t.Fatal(err)
	}
	if found := k.look(); !maps.Equal(found, k.there) {
		t.Errorf("the archive has %v, not %v", found, k.there)
	}
}

// With an archive that decides about commits a machine may be lost, too: the next
// one begins with an empty directory, and has everything that was acknowledged.
func TestKillAndLoseTheDisk(t *testing.T) {
	t.Parallel()
	rounds := 8
	if os.Getenv("NEARLITE_LONG") != "" {
		rounds = 300
	}
	killInRounds(t, rounds, filepath.Join(t.TempDir(), "archive"), nearlite.Archived)
}

// killInRounds kills processes that do verbs. Between two of them the directory is
// lost now and then if an archive decides about commits.
func killInRounds(t *testing.T, rounds int, archive string, durability nearlite.Durability) *killed {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	dir := filepath.Join(t.TempDir(), "data")
	source := makeSource(t)
	k := &killed{t: t, dir: dir, archive: archive, durability: durability, there: map[string]string{Main: ""}, verbs: map[string]int{}}
	for round := range rounds {
		k.round(source, rng, durability == nearlite.Archived && round%2 == 1)
		if t.Failed() {
			t.Fatalf("in round %d of seed %d", round, seed)
		}
	}
	t.Logf("killed in the middle of %v; of them %d had been done", k.verbs, k.done)
	return k
}

// makeSource makes a database to be imported.
func makeSource(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "source.db")
	db, err := nearlite.Open(bg, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := fill(db, "imported"); err != nil {
		t.Fatal(err)
	}
	return path
}

func fill(db *nearlite.DB, value string) error {
	_, err := db.Batch(bg,
		nearlite.Statement{SQL: "CREATE TABLE IF NOT EXISTS kept(value, filler)"},
		nearlite.Statement{SQL: "DELETE FROM kept"},
		nearlite.Statement{SQL: "INSERT INTO kept VALUES (?, zeroblob(200000))", Args: []any{value}})
	return err
}

type killed struct {
	durability nearlite.Durability
	t          *testing.T
	dir        string
	archive    string            // "": none
	there      map[string]string // values by name, as far as acknowledged
	verbs      map[string]int
	done       int
}

// round has a child do verbs, kills it, and looks at what it left.
func (k *killed) round(source string, rng *rand.Rand, lost bool) {
	cmd := process.Command(os.Args[0], source, strconv.FormatUint(rng.Uint64(), 10))
	cmd.Env = append(os.Environ(), childRole+"="+k.dir, childArchive+"="+k.archive, childDurability+"="+k.durability.String())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		k.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var begun []string // the verb that has begun
	last := rng.IntN(30)
	for n := 0; lines.Scan(); n++ {
		switch f := strings.Fields(lines.Text()); f[0] {
		case "begin":
			if begun = f[1:]; n/2 >= last {
				time.AfterFunc(time.Duration(rng.IntN(3000))*time.Microsecond, func() { cmd.Process.Kill() })
			}
		case "done":
			apply(k.there, begun)
			begun = nil
		case "failed":
			k.t.Errorf("%q: %s", begun, lines.Text())
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if k.t.Failed() {
		return
	}
	if lost {
		if err := os.RemoveAll(k.dir); err != nil {
			k.t.Fatal(err)
		}
	}
	after := maps.Clone(k.there)
	if begun != nil {
		k.verbs[begun[0]]++
		apply(after, begun)
	}
	found := k.look()
	switch {
	case maps.Equal(found, k.there):
	case maps.Equal(found, after):
		k.there = after
		k.done++
	default:
		k.t.Errorf("killed in %q: found %v, not %v or %v", begun, found, k.there, after)
	}
}

// apply is what a verb does.
func apply(there map[string]string, verb []string) {
	switch verb[0] {
	case "create":
		there[verb[1]] = ""
	case "write":
		there[verb[1]] = verb[2]
	case "fork":
		there[verb[2]] = there[verb[1]]
	case "rename":
		there[verb[2]] = there[verb[1]]
		delete(there, verb[1])
	case "delete":
		delete(there, verb[1])
	case "import", "replace":
		there[verb[1]] = "imported"
	}
}

// look opens the catalog and returns what is there.
func (k *killed) look() map[string]string {
	o, err := killOptions(k.archive, k.durability.String())
	if err != nil {
		k.t.Fatal(err)
	}
	o.Logger = nil
	c := openIn(k.t, k.dir, o)
	defer c.Close()
	found, ids := map[string]string{}, map[string]bool{}
	list, err := c.List(bg, "", "", 0)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, i := range list {
		ids[i.ID.String()] = true
		h, err := c.Acquire(bg, i.Name)
		if err != nil {
			k.t.Fatal(err)
		}
		if found[i.Name], err = read(h); err != nil {
			k.t.Errorf("read %s: %v", i.Name, err)
		}
		err = h.DB().View(bg, func(tx *nearlite.ReadTx) error {
			s, err := nearlite.One[string](tx, "PRAGMA integrity_check")
			if err == nil && s != "ok" {
				err = errors.New(s)
			}
			return err
		})
		if err != nil {
			k.t.Errorf("check %s: %v", i.Name, err)
		}
		h.Release()
	}
	for _, f := range files(c) {
		if id, _, _ := strings.Cut(f, "."); !ids[id] {
			k.t.Errorf("%s is of no database", f)
		}
	}
	return found
}

// The child's archive, and what its commits wait for.
const (
	childArchive    = "NEARLITE_CATALOG_ARCHIVE"
	childDurability = "NEARLITE_CATALOG_DURABILITY"
)

// killOptions are those of the processes that are killed.
func killOptions(dir, durability string) (*Options, error) {
	o := &Options{MaxOpen: 3, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if dir == "" {
		return o, nil
	}
	store, err := file.Open(bg, dir, nil)
	o.Archive, o.Engine.LogDelay = store, time.Millisecond
	if durability == nearlite.Archived.String() {
		o.Engine.Durability = nearlite.Archived
	}
	return o, err
}

// verbsUntilKilled is the child: it does one verb after the other, and tells of
// each before it begins and when it is done.
func verbsUntilKilled(dir, source, seed string) error {
	o, err := killOptions(os.Getenv(childArchive), os.Getenv(childDurability))
	if err != nil {
		return err
	}
	c, err := Open(bg, dir, o)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(n, 2))
	for i := 0; ; i++ {
		list, err := c.List(bg, "", "", 0)
		if err != nil {
			return err
		}
		var names []string
		for _, i := range list {
			names = append(names, i.Name)
		}
		verb := choose(rng, names, fmt.Sprintf("v%d-%d", n, i))
		fmt.Println("begin", strings.Join(verb, " "))
		if err := do(c, verb, source); err != nil {
			fmt.Println("failed", err)
			return nil
		}
		fmt.Println("done")
	}
}

// choose draws a verb that will succeed.
func choose(rng *rand.Rand, names []string, value string) []string {
	there := names[rng.IntN(len(names))]
	free := slices.DeleteFunc([]string{"a", "b", "c", "d", "e"}, func(n string) bool { return slices.Contains(names, n) })
	verbs := [][]string{{"write", there, value}, {"replace", there}}
	if there != Main {
		verbs = append(verbs, []string{"delete", there})
	}
	if len(free) > 0 {
		to := free[rng.IntN(len(free))]
		verbs = append(verbs, []string{"create", to}, []string{"fork", there, to}, []string{"import", to})
		if there != Main {
			verbs = append(verbs, []string{"rename", there, to})
		}
	}
	return verbs[rng.IntN(len(verbs))]
}

func do(c *Catalog, verb []string, source string) (err error) {
	switch verb[0] {
	case "create":
		_, err = c.Create(bg, verb[1], nil)
	case "fork":
		_, err = c.Fork(bg, verb[1], verb[2])
	case "rename":
		err = c.Rename(bg, verb[1], verb[2])
	case "delete":
		err = c.Delete(bg, verb[1])
	case "import":
		_, err = c.Import(bg, verb[1], source, nil)
	case "replace":
		_, err = c.Import(bg, verb[1], source, &ImportOptions{Replace: true})
	case "write":
		h, err := c.Acquire(bg, verb[1])
		if err != nil {
			return err
		}
		defer h.Release()
		return fill(h.DB(), verb[2])
	}
	return err
}
