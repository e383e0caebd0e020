//go:build linux

package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// commits makes a database with three transactions of each of two callers.
func commits(t *testing.T) (path string, acks []ack) {
	t.Helper()
	path = filepath.Join(t.TempDir(), databaseAt)
	db, err := nearlite.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := createTables(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	for i := range int64(6) {
		a, err := commit(t.Context(), db, i%2)
		if err != nil {
			t.Fatal(err)
		}
		acks = append(acks, a)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path, acks
}

// The judge sees each kind of damage, and nothing where there is none.
func TestExamine(t *testing.T) {
	t.Parallel()
	const last = "DELETE FROM entry WHERE seq = 6; UPDATE caller SET n = 2 WHERE id = 1"
	tests := map[string]struct {
		damage  string
		base    int64
		lost    int
		problem string
	}{
		"nothing":             {"", 6, 0, ""},
		"a tail":              {last, 5, 1, ""},
		"what was there":      {last, 6, 1, "5 transactions are left; 6 were there"},
		"half a transaction":  {"DELETE FROM entry WHERE seq = 6", 0, 1, "caller 1 has counted 3 transactions; 2 are there"},
		"the other half":      {"DELETE FROM caller WHERE id = 1", 0, 0, "2 callers have transactions; 1 have counted"},
		"one from the middle": {"DELETE FROM entry WHERE seq = 3", 0, 4, "transaction 4 follows 2: there is a hole"},
		"another's contents":  {"UPDATE entry SET pad = x'00' WHERE seq = 2", 0, 0, "transaction 2 has 1 bytes that are not its own"},
		"another's place":     {"UPDATE entry SET seq = 9 WHERE seq = 1; UPDATE entry SET seq = 1 WHERE seq = 2; UPDATE entry SET seq = 2 WHERE seq = 9", 0, 0, "acknowledged was number 1 of caller 0"},
		"everything":          {"DELETE FROM entry; DELETE FROM caller", 0, 6, ""},
		"the tables":          {"DROP TABLE entry; DROP TABLE caller", 0, 6, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, acks := commits(t)
			c, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Exec(test.damage); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			f := examine(context.Background(), path, test.base, acks)
			problems := strings.Join(f.problems, "\n")
			if f.lost != test.lost || !strings.Contains(problems, test.problem) || test.problem == "" && problems != "" {
				t.Errorf("%d lost, %q; want %d lost, %q", f.lost, problems, test.lost, test.problem)
			}
		})
	}
}

func TestExamineWithoutDatabase(t *testing.T) {
	t.Parallel()
	f := examine(t.Context(), filepath.Join(t.TempDir(), databaseAt), 1, []ack{{1, 0, 1}})
	if f.left != 0 || f.lost != 1 || len(f.problems) != 1 {
		t.Errorf("%+v", f)
	}
}

func TestAcks(t *testing.T) {
	t.Parallel()
	data := ack{4, 5, 6}.append(ack{1, 2, 3}.append(nil))
	got := decodeAcks(append(data, 7)) // the last one was being written
	if len(got) != 2 || got[0] != (ack{1, 2, 3}) || got[1] != (ack{4, 5, 6}) {
		t.Errorf("%v", got)
	}
}
