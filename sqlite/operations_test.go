package sqlite

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// FuzzOperations does anything at any moment, also from inside a function that a
// statement calls, and looks for values that are not what was asked for. Memory
// errors are for the sanitizers to see (make sanitize).
func FuzzOperations(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"))
	f.Add([]byte("\x01\x10\x02\x01\x11\x02\x0c\x02\x03\x01\x02\x0d\x02\x02\x09\x04\x04"))
	f.Add([]byte("\x05\x01\x09\x06\x05\x08\x01\x08\x02\x07\x09\x0e\x04\x0f\x04\x02\x03"))
	f.Add([]byte("\x0d\x33\x0d\x0d\x00\x01\x02\x03\x0d\x09\x07\x0b\x0c\x0a\x0e\x0d\x0f\x02\x04"))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 200 {
			return
		}
		o := newOperator(t, script)
		defer o.conn.Close()
		for len(o.script) > 0 {
			o.step()
		}
	})
}

// operator follows a script; each byte is an operation or says what about.
type operator struct {
	t      *testing.T
	conn   *Conn
	script []byte
	rows   []*openRows
	kept   []keptRow
	stmts  []*Stmt
	blobs  []*BlobHandle
	depth  int
}

type openRows struct {
	*Rows
	pad string
	at  int
}

// keptRow is a row that may be out of date, and what it must say if it is not.
type keptRow struct {
	Row
	id  int
	pad string
}

func newOperator(t *testing.T, script []byte) *operator {
	o := &operator{t: t, conn: open(t), script: script}
	mustExec(t, o.conn, "PRAGMA synchronous=OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, body)")
	mustExec(t, o.conn, "INSERT INTO t VALUES (1, zeroblob(5000)), (2, 'text')")
	mustCreate(t, o.conn, "step", 1, func(args []Value) (any, error) {
		want := args[0].Text()
		if o.depth++; o.depth < 4 {
			for range 3 {
				o.step()
			}
		}
		o.depth--
		if args[0].Text() != want {
			t.Error("an argument changed during the call")
		}
		return want, nil
	})
	if err := o.conn.HoldSnapshots(true); err != nil {
		t.Fatal(err)
	}
	return o
}

// next returns the next byte of the script, below n.
func (o *operator) next(n int) int {
	if len(o.script) == 0 {
		return 0
	}
	b := int(o.script[0])
	o.script = o.script[1:]
	return b % n
}

func (o *operator) pad() string {
	return strings.Repeat(string(rune('a'+o.next(26))), []int{0, 10, 3000, 40_000, 100_000}[o.next(5)])
}

// queries return i from 1 on and the argument.
var queries = []string{
	"SELECT 1, ?1",
	"SELECT i, ?1 FROM (" + numbers + " LIMIT 50)",
	"SELECT i, ?1 FROM (" + numbers + ")",
	"SELECT i, CASE WHEN i % 7 = 1 THEN step(?1) ELSE ?1 END FROM (" + numbers + " LIMIT 30)",
	"SELECT 1, step(?1)",
	"INSERT INTO t(body) VALUES (?1) RETURNING 1, body",
}

func (o *operator) step() {
	c := o.conn
	switch query := queries[o.next(len(queries))]; o.next(16) {
	case 0:
		pad := o.pad()
		if row := c.QueryRow(query, pad); row.Err() == nil {
			o.kept = append(o.kept, keptRow{row, 1, pad})
			o.look(len(o.kept) - 1)
		}
	case 1:
		pad := o.pad()
		if s, err := c.Prepare(query); err == nil {
			if r, err := s.Rows(pad); err == nil {
				o.rows = append(o.rows, &openRows{r, pad, 0})
			}
		}
	case 2:
		for _, r := range o.rows {
			o.advance(r)
		}
	case 3:
		if n := len(o.rows); n > 0 {
			o.rows[o.next(n)].Close()
		}
	case 4:
		for i := range o.kept {
			o.look(i)
		}
	case 5:
		if s, _, err := c.PrepareFirst(query); err == nil {
			o.stmts = append(o.stmts, s)
		}
	case 6:
		if n := len(o.stmts); n > 0 {
			s := o.stmts[o.next(n)]
			s.Columns()
			if o.next(2) == 0 {
				s.Exec(o.pad())
			} else {
				s.Finalize()
			}
		}
	case 7:
		if b, err := c.OpenBlob("main", "t", "body", int64(1+o.next(3)), o.next(2) == 0); err == nil {
			o.blobs = append(o.blobs, b)
		}
	case 8:
		o.touchBlob()
	case 9:
		c.CloseCursors()
	case 10:
		s, err := c.Prepare("INSERT INTO t(body) VALUES (step(?))")
		if err == nil {
			c.Batch([]BatchOp{{s, []any{o.pad()}}, {s, []any{o.pad()}}, {s, []any{struct{}{}}}}[:1+o.next(3)], nil)
		}
	case 11:
		c.Exec([]string{"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s"}[o.next(5)])
	case 12:
		[]func(){c.Refresh, c.DropSnapshot, func() { c.RefreshNow() }, func() { c.Checkpoint(CheckpointTruncate) }}[o.next(4)]()
	case 13:
		if o.depth == 0 && c.Revoke(time.Second) {
			for i := range o.kept {
				o.look(i)
			}
			c.QueryRow(query, "x")
			c.Restore()
		}
	case 14:
		for i := range DefaultCacheStatements {
			c.QueryRow(fmt.Sprintf("SELECT %d, %d", i, o.next(256)))
		}
	case 15:
		c.Exec([]string{"ALTER TABLE t ADD COLUMN x", "CREATE INDEX IF NOT EXISTS i ON t(body)", "DROP INDEX IF EXISTS i", "VACUUM", "PRAGMA cache_size=-10"}[o.next(5)])
	}
}

func (o *operator) advance(r *openRows) {
	if r.fetching || !r.Next() {
		return
	}
	r.at++
	row := keptRow{r.Row(), r.at, r.pad}
	if row.Int(0) != row.id || row.Text(1) != row.pad {
		o.t.Errorf("row %d is %d %.10q", row.id, row.Int(0), row.Text(1))
	}
	o.kept = append(o.kept, row)
}

// look reads a row, which must say what it said, or panic because its time is over.
func (o *operator) look(i int) {
	k := o.kept[i]
	defer func() {
		if r := recover(); r != nil && !strings.Contains(fmt.Sprint(r), "after its time") {
			panic(r)
		}
	}()
	k.Columns()
	if k.Int(0) != k.id || k.Text(1) != k.pad {
		o.t.Errorf("a kept row is %d %.10q, was %d %.10q", k.Int(0), k.Text(1), k.id, k.pad)
	}
}

func (o *operator) touchBlob() {
	if len(o.blobs) == 0 {
		return
	}
	b, buf := o.blobs[o.next(len(o.blobs))], make([]byte, 100)
	switch o.next(4) {
	case 0:
		if n, err := b.ReadAt(buf, int64(o.next(256))*40); err != nil && err != io.EOF && n > 0 {
			o.t.Error(n, err)
		}
	case 1:
		b.WriteAt(buf, int64(o.next(256)))
	case 2:
		b.Reopen(int64(1 + o.next(3)))
	case 3:
		b.Close()
	}
}
