package sqlite

import (
	"errors"
	"testing"
)

func TestCacheUse(t *testing.T) {
	t.Parallel()
	c := open(t)
	mustExec(t, c, "CREATE TABLE t(a); INSERT INTO t VALUES (1)")
	before, err := c.CacheUse()
	if err != nil || before.Writes == 0 {
		t.Fatalf("after two commits: %+v, %v", before, err)
	}
	c.QueryRow("SELECT a FROM t").Int(0)
	after, err := c.CacheUse()
	if err != nil || after.Hits <= before.Hits || after.Misses != before.Misses {
		t.Errorf("a page read again: %+v, then %+v, %v", before, after, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CacheUse(); !errors.Is(err, ErrClosed) {
		t.Errorf("of a closed connection: %v", err)
	}
}
