package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
)

// Not parallel: the bound is of the whole process.
func TestLimitTempFiles(t *testing.T) {
	if err := LimitTempFiles(20 << 20); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = LimitTempFiles(0) })
	c, err := Open(filepath.Join(t.TempDir(), "a.db"), OpenReadWrite|OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < "
	if err := c.Exec("CREATE TABLE t (a); PRAGMA cache_size = -500"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		sql string
		ok  bool
	}{
		{rows + "3000) SELECT count(*) FROM (SELECT DISTINCT randomblob(2000) FROM n)", true},
		{rows + "30000) SELECT count(*) FROM (SELECT DISTINCT randomblob(2000) FROM n)", false},
		{rows + "100000) INSERT INTO t SELECT * FROM (SELECT randomblob(1000) AS b FROM n) ORDER BY b", false},
		{rows + "3000) INSERT INTO t SELECT randomblob(1000) FROM n", true},
		{"VACUUM", true},
	} {
		err := c.Exec(tt.sql)
		if tt.ok != (err == nil) || err != nil && !errors.Is(err, CodeFull) {
			t.Errorf("%s: %v", tt.sql, err)
		}
		if n := TempFiles(); n > 1<<20 {
			t.Errorf("%s: %d bytes are counted afterwards", tt.sql, n)
		}
	}
	if n := c.QueryRow("SELECT count(*) FROM t").Int64(0); n != 3000 {
		t.Error(n)
	}
}
