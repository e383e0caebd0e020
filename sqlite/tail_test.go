package sqlite

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestQueryRowTail(t *testing.T) {
	t.Parallel()
	c := open(t)
	long := strings.Repeat("long", 20_000)
	for name, test := range map[string]struct {
		first, last any
		tail        string
	}{
		"nothing":                  {"first", nil, ""},
		"empty":                    {"first", []byte{}, ""},
		"a few bytes":              {"first", []byte("few"), "few"},
		"text":                     {7, "text", "text"},
		"large":                    {"first", []byte(long), long},
		"large text":               {nil, long, long},
		"large behind large":       {long, []byte(long), long},
		"a few bytes behind large": {long, "few", "few"},
		"a number":                 {"first", 12, ""},
	} {
		s, err := c.Prepare("SELECT ?1, 42, ?2")
		if err != nil {
			t.Fatal(err)
		}
		for range 20 { // more than a block of the ring holds
			tail := []byte("before ")
			row := s.QueryRowTail(&tail, test.first, test.last)
			if row.Err() != nil {
				t.Fatalf("%s: %v", name, row.Err())
			}
			if string(tail) != "before "+test.tail {
				t.Errorf("%s: the tail has %d bytes, want %d", name, len(tail), len(test.tail)+7)
			}
			if !row.IsNull(2) || row.Int(1) != 42 {
				t.Errorf("%s: the row has %v and %v", name, row.Any(1), row.Type(2))
			}
			switch first := test.first.(type) {
			case string:
				if row.Text(0) != first {
					t.Errorf("%s: the first column has %d bytes", name, len(row.Text(0)))
				}
			case nil:
				if !row.IsNull(0) {
					t.Errorf("%s: the first column is no NULL", name)
				}
			}
		}
	}
	tail := []byte("kept")
	if row := c.QueryRow("SELECT 1 WHERE 0"); !errors.Is(row.Err(), ErrNoRows) {
		t.Error(row.Err())
	}
	s, err := c.Prepare("SELECT 1 WHERE 0")
	if err != nil {
		t.Fatal(err)
	}
	if row := s.QueryRowTail(&tail); !errors.Is(row.Err(), ErrNoRows) || string(tail) != "kept" {
		t.Errorf("%v, %q", row.Err(), tail)
	}
}

// The statement is over when the call returns: the table can be dropped.
func TestQueryRowTailEndsTheStatement(t *testing.T) {
	t.Parallel()
	c := open(t)
	if err := c.Exec("CREATE TABLE big(a); INSERT INTO big VALUES (randomblob(100000)), (randomblob(100000))"); err != nil {
		t.Fatal(err)
	}
	s, err := c.Prepare("SELECT a FROM big")
	if err != nil {
		t.Fatal(err)
	}
	var tail []byte
	if row := s.QueryRowTail(&tail); row.Err() != nil || len(tail) != 100_000 {
		t.Fatalf("%d bytes, %v", len(tail), row.Err())
	}
	if err := c.Exec("DROP TABLE big"); err != nil {
		t.Error(err)
	}
}

func TestQueryRowTailAllocates(t *testing.T) {
	if asan {
		t.Skip("the sanitizer's build allocates what the compiler otherwise leaves on the stack")
	}
	c := open(t)
	s, err := c.Prepare("SELECT 1, zeroblob(?)")
	if err != nil {
		t.Fatal(err)
	}
	tail, zeros := make([]byte, 0, 100_000), make([]byte, 100_000)
	for _, size := range []int{10, 10_000, 100_000} {
		n := testing.AllocsPerRun(500, func() {
			tail = tail[:0]
			if row := s.QueryRowTail(&tail, size); row.Err() != nil {
				t.Fatal(row.Err())
			}
		})
		if n > 0 || !bytes.Equal(tail, zeros[:size]) {
			t.Errorf("%d bytes: %v allocations, %d bytes", size, n, len(tail))
		}
	}
}
