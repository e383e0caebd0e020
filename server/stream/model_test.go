package stream

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/sqlite"
)

// TestLikeSQLite runs random statements on a stream and on one connection of SQLite
// itself. Rows, counts, rowids, errors and whether a transaction is open have to be
// the same, however the statements are sent.
func TestLikeSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := newModel(t, filepath.Join(dir, fmt.Sprint(n)))
		defer m.close()
		for range rapid.IntRange(1, 12).Draw(t, "requests") {
			if rapid.Bool().Draw(t, "alone") {
				m.execute(m.statement())
			} else {
				m.batch(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return m.statement() }), 1, 8).Draw(t, "batch"))
			}
		}
	})
}

type model struct {
	t    *rapid.T
	db   *nearlite.DB
	s    *Stream
	conn *sqlite.Conn
}

var modelSchema = []string{
	"CREATE TABLE t(id INTEGER PRIMARY KEY, x UNIQUE, n NOT NULL DEFAULT 0)",
	"CREATE TABLE log(id INTEGER PRIMARY KEY, what)",
	"CREATE TRIGGER tl AFTER INSERT ON t BEGIN INSERT INTO log(what) VALUES (new.x), (last_insert_rowid()); END",
	"CREATE TABLE p(id INTEGER PRIMARY KEY)",
	"CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)",
	"INSERT INTO log VALUES (1000, 'so that its rowids are others')",
}

func newModel(t *rapid.T, path string) *model {
	db, err := nearlite.Open(bg, path+".stream", &nearlite.Options{Durability: nearlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.Open(path+".plain", sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		t.Fatal(err)
	}
	m := &model{t: t, db: db, conn: conn, s: New(db, Options{})}
	for _, sql := range append([]string{"PRAGMA foreign_keys = 1", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = 0"}, modelSchema...) {
		if err := conn.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range modelSchema {
		if got := try(m.s, sql); strings.HasPrefix(got, "SQL") {
			t.Fatal(sql, got)
		}
	}
	return m
}

func (m *model) close() {
	m.s.Close()
	m.db.Close()
	m.conn.Close()
}

// statement returns a random one.
func (m *model) statement() string {
	value := func() int { return rapid.IntRange(0, 4).Draw(m.t, "value") }
	switch rapid.IntRange(0, 26).Draw(m.t, "statement") {
	case 0:
		return "BEGIN"
	case 1:
		return "BEGIN IMMEDIATE"
	case 2, 3:
		return "COMMIT"
	case 4:
		return "ROLLBACK"
	case 5:
		return fmt.Sprintf("SAVEPOINT s%d", value()%2)
	case 6:
		return fmt.Sprintf("RELEASE s%d", value()%2)
	case 7:
		return fmt.Sprintf("ROLLBACK TO s%d", value()%2)
	case 8, 9:
		return fmt.Sprintf("INSERT INTO t(x) VALUES (%d)", value())
	case 10:
		return fmt.Sprintf("INSERT OR IGNORE INTO t(x) VALUES (%d), (%d)", value(), value())
	case 11:
		return fmt.Sprintf("INSERT OR REPLACE INTO t(x) VALUES (%d) RETURNING id, x", value())
	case 12:
		return fmt.Sprintf("INSERT OR ROLLBACK INTO t(x) VALUES (%d)", value())
	case 13:
		return fmt.Sprintf("UPDATE OR FAIL t SET x = x + 1 WHERE x <> %d", value())
	case 14:
		return fmt.Sprintf("INSERT INTO t(x) VALUES (%d) ON CONFLICT DO UPDATE SET n = n + 1", value())
	case 15:
		return fmt.Sprintf("UPDATE t SET n = n + 1 WHERE x > %d", value())
	case 16:
		return fmt.Sprintf("DELETE FROM t WHERE x = %d RETURNING *", value())
	case 17:
		return "SELECT * FROM t"
	case 18:
		return "SELECT last_insert_rowid(), changes()"
	case 19:
		return fmt.Sprintf("INSERT INTO p VALUES (%d)", value())
	case 20:
		return fmt.Sprintf("INSERT INTO c VALUES (%d)", value())
	case 21:
		return fmt.Sprintf("DELETE FROM c WHERE p = %d", value())
	case 22:
		return "SELECT id, what, (SELECT count(*) FROM c) FROM log"
	case 23:
		return "INSERT INTO t(x) SELECT last_insert_rowid() * 10"
	case 24:
		return "SELECT nope FROM t"
	case 25:
		return fmt.Sprintf("INSERT INTO t(x, n) VALUES (%d, NULL)", value())
	default:
		return "INSERT INTO t(x) SELECT 1 WHERE 0"
	}
}

// plain runs a statement on SQLite's connection and describes its outcome as line
// does a stream's.
func (m *model) plain(sql string) string {
	c, herr := read(sql)
	if herr != nil {
		m.t.Fatal(herr)
	}
	s, _, err := m.conn.PrepareFirst(sql)
	if err != nil {
		return failure(err)
	}
	defer s.Finalize()
	before := m.conn.LastInsertRowID()
	res := &hrana.StmtResult{}
	rows, err := s.Rows()
	if err == nil {
		for rows.Next() {
			values := make([]hrana.Value, rows.Row().Len())
			for i := range values {
				fill(&values[i], rows.Row(), i)
			}
			res.Rows = append(res.Rows, values)
		}
		err = errors.Join(rows.Err(), rows.Close())
	}
	if err != nil {
		// SQLite keeps the rowid of a row it has taken back, and counts the rows
		// that OR FAIL keeps.
		m.conn.SetLastInsertRowID(before)
		if c.keeps {
			m.conn.Exec("DELETE FROM t WHERE 0")
		}
		return failure(err)
	}
	if c.changes {
		res.AffectedRowCount = uint64(m.conn.Changes())
	}
	if c.insert {
		id := m.conn.LastInsertRowID()
		res.LastInsertRowID = &id
	}
	return line(res)
}

func failure(err error) string {
	herr := translate(err)
	return herr.Code + ": " + herr.Message
}

func (m *model) execute(sql string) {
	m.compare(sql, try(m.s, sql), m.plain(sql))
	m.autocommit(sql)
}

func (m *model) compare(sql, got, want string) {
	if got != want {
		m.t.Fatalf("%s:\n got %s\nwant %s", sql, got, want)
	}
}

// autocommit compares whether a transaction is open.
func (m *model) autocommit(sql string) {
	res, herr := m.s.Do(bg, &hrana.Request{Kind: hrana.GetAutocommit})
	if herr != nil {
		m.t.Fatal(herr)
	}
	if want := m.conn.AutoCommit(); res.IsAutocommit != want {
		m.t.Fatalf("after %s: autocommit is %t, want %t", sql, res.IsAutocommit, want)
	}
}

// batch sends statements at once.
func (m *model) batch(sqls []string) {
	b := &hrana.Batch{}
	for _, sql := range sqls {
		b.Steps = append(b.Steps, hrana.BatchStep{Stmt: *stmt(sql)})
	}
	res, herr := m.s.Do(bg, &hrana.Request{Kind: hrana.RunBatch, Batch: b})
	if herr != nil {
		m.t.Fatal(herr)
	}
	for i, sql := range sqls {
		got := ""
		if e := res.Batch.StepErrors[i]; e != nil {
			got = e.Code + ": " + e.Message
		} else {
			got = line(res.Batch.StepResults[i])
		}
		m.compare(fmt.Sprintf("step %d of %q", i, sqls), got, m.plain(sql))
	}
	m.autocommit(strings.Join(sqls, "; "))
}
