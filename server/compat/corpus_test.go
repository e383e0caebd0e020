package compat

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var record = flag.Bool("record", false, "write what sqld answers, and where Nearlite differs, into testdata/corpus")

const (
	corpusDir       = "testdata/corpus"
	differencesFile = "testdata/differences.txt"
)

// scripts returns the corpus.
func scripts(t *testing.T) []*script {
	t.Helper()
	files, err := filepath.Glob(corpusDir + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []*script
	for _, file := range files {
		s, err := readScript(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// What is recorded is what the real sqld says. With -record, it becomes so.
func TestCorpusOfSQLD(t *testing.T) {
	sqld := startSQLD(t)
	for _, s := range scripts(t) {
		changed := false
		for i, c := range s.cases {
			answers, err := sqld.answers(t.Context(), databaseName(s, i), c)
			if err != nil {
				t.Fatalf("%s: %s: %v", s.name, c.title, err)
			}
			for j, r := range c.requests {
				if *record {
					changed, r.answer = changed || !slices.Equal(r.answer, answers[j]), answers[j]
				} else if !slices.Equal(r.answer, answers[j]) {
					t.Errorf("%s: %s: %s: sqld answers\n%s\nand the recording says\n%s", s.name, c.title, r.text(), quote(answers[j]), quote(r.answer))
				}
			}
		}
		if changed {
			if err := s.write(corpusDir + "/" + s.name + ".txt"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Nearlite says what sqld says, but for the differences that are listed; and
// each of those still exists.
func TestCorpus(t *testing.T) {
	listed := readDifferences(t)
	ours := startNearlite(t)
	var unlisted []*difference
	requests, differ := 0, 0
	for _, s := range scripts(t) {
		for i, c := range s.cases {
			answers, err := ours.answers(t.Context(), databaseName(s, i), c)
			if err != nil {
				t.Errorf("%s: %s: %v", s.name, c.title, err)
				continue
			}
			for j, r := range c.requests {
				requests++
				if slices.Equal(r.answer, answers[j]) {
					continue
				}
				d := &difference{where: s.name + ": " + c.title, request: fmt.Sprintf("%s #%d", r.text(), j+1), sqld: r.answer, ours: answers[j]}
				if differ++; !listed.has(d) {
					unlisted = append(unlisted, d)
				}
			}
		}
	}
	t.Logf("%d requests, %d of them answered differently, %d of those not on purpose", requests, differ, len(unlisted))
	for _, d := range listed.gone() {
		t.Errorf("%s: %s: %s lists a difference that does not exist", d.where, d.request, differencesFile)
	}
	if *record {
		suggest(t, unlisted)
		return
	}
	for _, d := range unlisted {
		t.Errorf("%s: %s: Nearlite answers\n%s\nsqld answers\n%s", d.where, d.request, quote(d.ours), quote(d.sqld))
	}
}

// suggest writes the differences that are not listed beside the list, for
// somebody to give reasons to.
func suggest(t *testing.T, unlisted []*difference) {
	if len(unlisted) == 0 {
		return
	}
	var text strings.Builder
	where := ""
	for _, d := range unlisted {
		if d.where != where {
			where = d.where
			fmt.Fprintf(&text, "\n== %s\n", where)
		}
		fmt.Fprintf(&text, "%s\n", d.request)
		for _, line := range d.sqld {
			fmt.Fprintf(&text, "< %s\n", line)
		}
		for _, line := range d.ours {
			fmt.Fprintf(&text, "> %s\n", line)
		}
	}
	file := filepath.Join(t.ArtifactDir(), "unlisted.txt")
	if err := os.WriteFile(file, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d differences are not listed: %s", len(unlisted), file)
}

func databaseName(s *script, i int) string { return fmt.Sprintf("%s-%d", s.name, i) }

func quote(lines []string) string { return "  > " + strings.Join(lines, "\n  > ") }
