package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

func TestPackages(t *testing.T) {
	t.Parallel()
	const index = "Package: a\nVersion: 1\nDescription: it's\n long\nSize: 12\nTag: x::y,\n z\n\n\nPackage: b\nUnknown: c\n\nVersion: no name\n"
	var all []pkg
	for p, err := range packages(strings.NewReader(index)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	want := []pkg{{Name: "a", Version: "1", Summary: "it's long", Tags: "x::y, z", Size: 12}, {Name: "b"}}
	if !slices.Equal(all, want) {
		t.Errorf("got %+v", all)
	}
	var sql bytes.Buffer
	if err := writeSQL(&sql, packages(strings.NewReader(index))); err != nil || !strings.Contains(sql.String(), "'it''s long'") {
		t.Errorf("error %v, SQL\n%s", err, &sql)
	}
}

func TestSharesAddUp(t *testing.T) {
	t.Parallel()
	for _, votes := range []int{0, 1, 63, 64, 65, 1000} {
		total := 0
		for voter := range voters {
			total += share(votes, voter)
		}
		if total != votes {
			t.Errorf("%d votes are shared out as %d", votes, total)
		}
	}
}

// A bench is the database of all packages with the two programs that work on it.
type bench struct {
	t        *testing.T
	dir, db  string
	stock    string // the sqlite3 program
	nearlite string // our command
	packages int64
}

// TestDebianPackages is the way of a user with real data: the stock program makes
// the database, the shell opens it, full-text search finds in it what the stock
// program finds, the engine changes it while the stock program reads and writes,
// two backups are taken meanwhile, and the stock program finds everything whole.
func TestDebianPackages(t *testing.T) {
	t.Parallel()
	b := makeBench(t)
	if got := b.shell("SELECT count(*) FROM package"); got != strconv.FormatInt(b.packages, 10) {
		t.Fatalf("the shell counts %s packages, the index has %d", got, b.packages)
	}
	db, err := nearlite.Open(t.Context(), b.db, &nearlite.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	b.search(db)
	b.changeTogether(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(b.db + "-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	b.whole(b.db)
	if got, want := b.shell("SELECT votes FROM turnout"), b.sqlite3("SELECT sum(votes) FROM vote"); got != want || got != strconv.Itoa(votesCast) {
		t.Errorf("the turnout is %s, the votes are %s, cast were %d", got, want, votesCast)
	}
}

const (
	votesCast = 20_000
	rounds    = 40
)

func makeBench(t *testing.T) *bench {
	t.Helper()
	if !slices.Contains(sqlite.CompileOptions(), "ENABLE_FTS5") {
		t.Skip("built without full-text search: make test builds with it")
	}
	stock, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("the stock sqlite3 program is not installed: apt-get install sqlite3")
	}
	if _, err := exec.LookPath("apt-cache"); err != nil {
		t.Skip("apt-cache is not installed: this machine is no Debian")
	}
	index, err := exec.Command("apt-cache", "dumpavail").Output()
	if err != nil || len(index) == 0 {
		t.Skipf("the package index is empty (apt-get update fills it): %v", err)
	}
	dir := t.TempDir()
	b := &bench{t: t, dir: dir, db: filepath.Join(dir, "packages.db"), stock: stock, nearlite: filepath.Join(dir, "nearlite")}
	if out, err := exec.Command("go", "build", "-o", b.nearlite, "../../cmd/nearlite").CombinedOutput(); err != nil {
		t.Fatalf("build nearlite: %v\n%s", err, out)
	}
	b.packages = int64(bytes.Count(append([]byte("\n"), index...), []byte("\nPackage: ")))
	var script bytes.Buffer
	if err := writeSQL(&script, packages(bytes.NewReader(index))); err != nil {
		t.Fatal(err)
	}
	load := exec.Command(stock, "-bail", b.db)
	load.Stdin = &script
	if out, err := load.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("sqlite3 did not load the index: %v\n%s", err, out)
	}
	t.Logf("%d packages", b.packages)
	return b
}

// output runs a program and returns what it prints, without the last line's end.
func (b *bench) output(program string, args ...string) string {
	b.t.Helper()
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		b.t.Errorf("%s %v: %v", filepath.Base(program), args, err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// sqlite3 asks the stock program. It waits for locks, and checks what it may.
func (b *bench) sqlite3(sql string) string {
	b.t.Helper()
	return b.output(b.stock, "-bail", "-cmd", ".timeout 30000", b.db, sql)
}

// shell asks nearlite shell for one value.
func (b *bench) shell(sql string) string {
	b.t.Helper()
	_, value, _ := strings.Cut(b.output(b.nearlite, "shell", "--mode", "csv", b.db, sql), "\n")
	return value
}

// search compares what the engine finds with what the stock program finds.
func (b *bench) search(db *nearlite.DB) {
	b.t.Helper()
	for _, words := range []string{"web server", "sqlite", "editor", `quo"te`} {
		hits, err := search(b.t.Context(), db, words, int(b.packages))
		if err != nil {
			b.t.Fatalf("search %s: %v", words, err)
		}
		match := "FROM search WHERE search MATCH " + quote(everyWord(words))
		want := b.sqlite3("SELECT count(*) " + match)
		if got := b.shell("SELECT count(*) " + match); got != want || strconv.Itoa(len(hits)) != want {
			b.t.Errorf("%s: the engine finds %d, the shell %s, sqlite3 %s", words, len(hits), got, want)
		}
		if words == "sqlite" && (len(hits) == 0 || !strings.Contains(strings.ToLower(hits[0].Name+hits[0].Summary), "sqlite")) {
			b.t.Errorf("%s: the best hit is %v", words, hits)
		}
	}
}

// changeTogether has the engine vote while the stock program writes and reads,
// and takes one backup with the command and one with the engine meanwhile. They
// meet in rounds: the stock program sleeps between two looks at a lock, and finds
// it taken for as long as votes come without end.
func (b *bench) changeTogether(db *nearlite.DB) {
	b.t.Helper()
	if _, err := ensureBallot(b.t.Context(), db); err != nil { // so that each backup has one
		b.t.Fatal(err)
	}
	b.sqlite3("CREATE TABLE note(n INTEGER PRIMARY KEY, turnout INTEGER)")
	for round := range rounds {
		voted := make(chan error, 1)
		go func() { voted <- vote(b.t.Context(), db, votesCast/rounds) }()
		b.sqlite3(fmt.Sprintf(`BEGIN IMMEDIATE; INSERT INTO note SELECT %d, votes FROM turnout; COMMIT;
			SELECT count(*) FROM package WHERE name LIKE 'lib%%'`, round))
		switch round {
		case rounds / 4:
			b.output(b.nearlite, "backup", "--verify", b.db, filepath.Join(b.dir, "command.db"))
		case rounds / 2:
			if err := db.Backup(b.t.Context(), filepath.Join(b.dir, "engine.db"), nil); err != nil {
				b.t.Errorf("back up: %v", err)
			}
		}
		if err := <-voted; err != nil {
			b.t.Fatalf("vote: %v", err)
		}
	}
	if got := b.shell("SELECT count(*) FROM note"); got != strconv.Itoa(rounds) {
		b.t.Errorf("sqlite3 wrote %d notes, there are %s", rounds, got)
	}
	if got := b.shell("SELECT count(*) FROM note a JOIN note b ON a.n < b.n WHERE a.turnout > b.turnout"); got != "0" {
		b.t.Errorf("sqlite3 has seen the turnout go down %s times", got)
	}
	b.whole(filepath.Join(b.dir, "command.db"))
	b.whole(filepath.Join(b.dir, "engine.db"))
}

// whole has the stock program check a database, in all it promises: its pages,
// its packages, its search index, and that no vote was counted by half.
func (b *bench) whole(path string) {
	b.t.Helper()
	if _, err := os.Stat(path); err != nil {
		b.t.Error(err)
		return
	}
	for question, want := range map[string]string{
		"PRAGMA integrity_check":                                               "ok",
		"PRAGMA foreign_key_check":                                             "",
		"SELECT count(*) FROM package":                                         strconv.FormatInt(b.packages, 10),
		"INSERT INTO search(search, rank) VALUES ('integrity-check', 1)":       "",
		"SELECT (SELECT votes FROM turnout) = (SELECT total(votes) FROM vote)": "1",
	} {
		if got := b.output(b.stock, "-bail", path, question); got != want {
			b.t.Errorf("%s: %s is %q, want %q", filepath.Base(path), question, got, want)
		}
	}
}
