package compat

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var record = flag.Bool("record", false, "write what sqld answers into testdata/corpus")

// scripts returns the corpus.
func scripts(t *testing.T) []*script {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.txt")
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
	t.Parallel()
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
			if err := s.write("testdata/corpus/" + s.name + ".txt"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func databaseName(s *script, i int) string { return fmt.Sprintf("%s-%d", s.name, i) }

func quote(lines []string) string { return "  > " + strings.Join(lines, "\n  > ") }
