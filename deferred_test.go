package nearlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// deferred begins a deferred transaction.
func deferred(t testing.TB, db *DB) *Tx {
	t.Helper()
	tx, err := db.Begin(bg, &TxOptions{Deferred: true, LastInsertRowID: 7})
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// firstOf runs a statement and returns the first value of its first row.
func firstOf(tx *Tx, sql string, args ...any) (any, error) {
	res, err := tx.Exec(bg, sql, args...)
	if err != nil || len(res.Rows) == 0 {
		return nil, err
	}
	return res.Rows[0][0], nil
}

func counterDB(t testing.TB, opts *Options) *DB {
	db := openTest(t, opts)
	db.readsAgain = time.Hour // whatever the machine is doing
	for _, sql := range []string{"CREATE TABLE counter(name TEXT PRIMARY KEY, n)", "INSERT INTO counter VALUES ('a', 0), ('b', 0)"} {
		if _, err := db.Exec(bg, sql); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestDeferred(t *testing.T) {
	t.Parallel()
	const read, write = "SELECT n FROM counter WHERE name = 'a'", "UPDATE counter SET n = n + 10 WHERE name = 'a'"
	long := "SELECT '" + strings.Repeat("x", callsMax+1) + "'"
	tests := map[string]struct {
		before []string // statements of the transaction, then
		other  string   // one of somebody else, then
		write  string   // the first that writes
		err    error    // it fails with
		n      int64    // the counter at the end
	}{
		"nothing read":              {nil, write, write, nil, 20},
		"nobody else":               {[]string{read}, "", write, nil, 10},
		"what was read has changed": {[]string{read}, write, write, ErrConflict, 10},
		"something else has":        {[]string{read}, "UPDATE counter SET n = 5 WHERE name = 'b'", write, nil, 10},
		"changed to the same":       {[]string{read}, "UPDATE counter SET n = 0 WHERE name = 'a'", write, nil, 10},
		"more rows":                 {[]string{"SELECT name FROM counter"}, "INSERT INTO counter VALUES ('c', 0)", write, ErrConflict, 0},
		"an error that stays":       {[]string{"SELECT * FROM missing"}, "UPDATE counter SET n = 5 WHERE name = 'b'", write, nil, 10},
		"an error that goes":        {[]string{"SELECT * FROM missing"}, "CREATE TABLE missing(x)", write, ErrConflict, 0},
		"too much to compare":       {[]string{long}, "UPDATE counter SET n = 5 WHERE name = 'b'", write, ErrConflict, 0},
		"much, and nobody else":     {[]string{long}, "", write, nil, 10},
		"a write that is refused":   {[]string{read}, "", "UPDATE counter SET nope = 1", nil, 0},
		"a savepoint":               {[]string{read}, write, "SAVEPOINT a", ErrConflict, 10},
		"random":                    {[]string{"SELECT random()"}, write, write, ErrConflict, 10},
		"rowid and changes":         {[]string{"SELECT last_insert_rowid(), changes()"}, "INSERT INTO counter VALUES ('c', 0)", write, nil, 10},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := counterDB(t, nil)
			tx := deferred(t, db)
			for _, sql := range test.before {
				tx.Exec(bg, sql)
			}
			if test.other != "" {
				if _, err := db.Exec(bg, test.other); err != nil {
					t.Fatal(err)
				}
			}
			_, err := tx.Exec(bg, test.write)
			if test.err != nil {
				if !errors.Is(err, test.err) || !errors.Is(tx.Err(), test.err) || !errors.Is(tx.Commit(bg), test.err) {
					t.Errorf("got %v, %v and %v, want %v", err, tx.Err(), tx.Commit(bg), test.err)
				}
			} else if err := tx.Commit(bg); err != nil {
				t.Error(err)
			}
			if n, _ := One[int64](viewer{db}, read); n != test.n {
				t.Errorf("the counter is %d, want %d", n, test.n)
			}
			if s := db.Stats(); s.BusyReaders != 0 {
				t.Errorf("%d readers are still in use", s.BusyReaders)
			}
		})
	}
}

// viewer makes a database a Querier.
type viewer struct{ db *DB }

func (v viewer) Query(sql string, args ...any) iter.Seq2[Row, error] {
	return v.db.Query(bg, sql, args...)
}

// A deferred transaction that reads waits for nobody, and sees one snapshot.
func TestDeferredReadsBesideTheWriter(t *testing.T) {
	t.Parallel()
	db := counterDB(t, nil)
	writing, err := db.Begin(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writing.Exec(bg, "UPDATE counter SET n = 7"); err != nil {
		t.Fatal(err)
	}
	tx := deferred(t, db)
	read := func() any {
		v, err := firstOf(tx, "SELECT n FROM counter")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := read(); v != int64(0) {
		t.Error(v)
	}
	if err := writing.Commit(bg); err != nil {
		t.Fatal(err)
	}
	if v := read(); v != int64(0) {
		t.Errorf("the snapshot has moved: %v", v)
	}
	if d, err := tx.Describe(bg, "SELECT n FROM counter"); err != nil || !d.ReadOnly {
		t.Error(d, err)
	}
	if err := tx.Commit(bg); err != nil {
		t.Error(err)
	}
	if _, err := tx.Exec(bg, "SELECT 1"); !errors.Is(err, ErrTxDone) {
		t.Error(err)
	}
}

// Many increment a counter by reading and writing it; none is lost.
func TestDeferredCounter(t *testing.T) {
	t.Parallel()
	db := counterDB(t, nil)
	const clients, times = 16, 20
	var conflicts atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for done := 0; done < times; {
				err := increment(db)
				switch {
				case err == nil:
					done++
				case errors.Is(err, ErrConflict):
					conflicts.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if n, err := One[int64](viewer{db}, "SELECT n FROM counter WHERE name = 'a'"); n != clients*times {
		t.Errorf("the counter is %d after %d increments (%v)", n, clients*times, err)
	}
	t.Logf("%d conflicts, %d reruns", conflicts.Load(), db.Stats().Reruns)
}

func increment(db *DB) error {
	tx, err := db.Begin(bg, &TxOptions{Deferred: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	v, err := firstOf(tx, "SELECT n FROM counter WHERE name = 'a'")
	if err != nil {
		return err
	}
	if _, err := tx.Exec(bg, "UPDATE counter SET n = ? WHERE name = 'a'", v.(int64)+1); err != nil {
		return err
	}
	return tx.Commit(bg)
}

// A visitor that ended its query is remembered: only the rows it saw count.
func TestDeferredVisitorEnds(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	for n, want := range map[string]error{"z": nil, "0": ErrConflict} {
		db := counterDB(t, nil)
		tx := deferred(t, db)
		if _, err := tx.Run(bg, func(Row) error { return enough }, "SELECT name FROM counter ORDER BY name"); err != enough {
			t.Fatal(err)
		}
		if _, err := db.Exec(bg, "INSERT INTO counter VALUES (?, 0)", n); err != nil { // behind, or before what was seen
			t.Fatal(err)
		}
		if _, err := tx.Exec(bg, "UPDATE counter SET n = 1"); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", n, err, want)
		}
		tx.Rollback()
	}
}

// Reads that took long are not done again on the writer.
func TestDeferredReadsTooLong(t *testing.T) {
	t.Parallel()
	for other, want := range map[string]error{"": nil, "UPDATE counter SET n = 5 WHERE name = 'b'": ErrConflict} {
		db := counterDB(t, nil)
		db.readsAgain = 0
		tx := deferred(t, db)
		if _, err := firstOf(tx, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 300000) SELECT count(*) FROM c"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(bg, cmp.Or(other, "SELECT 1")); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(bg, "UPDATE counter SET n = 1"); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", other, err, want)
		}
		tx.Rollback()
	}
}

// An old snapshot expires, and the transaction with it.
func TestDeferredExpires(t *testing.T) {
	t.Parallel()
	db := counterDB(t, &Options{MaxSnapshotAge: 20 * time.Millisecond})
	tx := deferred(t, db)
	if _, err := firstOf(tx, "SELECT n FROM counter"); err != nil {
		t.Fatal(err)
	}
	for db.Stats().ExpiredSnapshot == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := firstOf(tx, "SELECT n FROM counter"); !errors.Is(err, ErrSnapshotExpired) || !errors.Is(tx.Err(), ErrSnapshotExpired) {
		t.Error(err, tx.Err())
	}
	if s := db.Stats(); s.BusyReaders != 0 {
		t.Errorf("%d readers are still in use", s.BusyReaders)
	}
}

// A read whose context ends takes the snapshot with it, not the transaction: the
// writer confirms what was read before.
func TestDeferredInterrupted(t *testing.T) {
	t.Parallel()
	for _, other := range []string{"UPDATE counter SET n = 1 WHERE name = 'b'", "UPDATE counter SET n = 1 WHERE name = 'a'"} {
		db := counterDB(t, nil)
		tx := deferred(t, db)
		if _, err := firstOf(tx, "SELECT n FROM counter WHERE name = 'a'"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
		_, err := tx.Exec(ctx, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if _, err := db.Exec(bg, other); err != nil {
			t.Fatal(err)
		}
		v, err := firstOf(tx, "SELECT n FROM counter WHERE name = 'a'")
		if strings.Contains(other, "'a'") {
			if !errors.Is(err, ErrConflict) {
				t.Error(v, err)
			}
			continue
		}
		if v != int64(0) || err != nil {
			t.Error(v, err)
		}
		if err := tx.Commit(bg); err != nil {
			t.Error(err)
		}
	}
}

func TestDeferredWhileClosing(t *testing.T) {
	t.Parallel()
	db := counterDB(t, nil)
	tx := deferred(t, db)
	if _, err := firstOf(tx, "SELECT n FROM counter"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(bg, "UPDATE counter SET n = 1"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestDeferredModel interleaves deferred transactions on one goroutine and holds
// each against a map: reads see the snapshot, then the latest state, and a first
// write is a conflict exactly if something read is not true any more.
func TestDeferredModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		db, err := Open(bg, ":memory:", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.readsAgain = time.Hour
		if _, err := db.Exec(bg, "CREATE TABLE kv(k INTEGER PRIMARY KEY, v)"); err != nil {
			t.Fatal(err)
		}
		m := &deferredModel{t: t, db: db, now: map[int64]int64{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m.step()
		}
		for i := range m.open {
			m.end(i, rapid.Bool().Draw(t, "commit"))
		}
		if got := m.all(db.Query(bg, "SELECT k, v FROM kv")); !maps.Equal(got, m.now) {
			t.Fatalf("the table holds %v, the model %v", got, m.now)
		}
	})
}

type deferredModel struct {
	t      *rapid.T
	db     *DB
	now    map[int64]int64 // committed
	open   [3]*modelTx
	writer *modelTx
}

// modelTx is a transaction and what the model says it sees.
type modelTx struct {
	tx    *Tx
	sees  map[int64]int64 // nil before its first statement
	reads []modelRead
}

// modelRead is what a transaction was told, for one key or, -1, for all.
type modelRead struct {
	key  int64
	told string
}

func (m *deferredModel) step() {
	i := rapid.IntRange(0, len(m.open)-1).Draw(m.t, "transaction")
	key := rapid.Int64Range(0, 3).Draw(m.t, "key")
	value := rapid.Int64Range(0, 2).Draw(m.t, "value")
	switch what := rapid.SampledFrom([]string{"read", "read", "count", "write", "other", "commit", "rollback"}).Draw(m.t, "what"); what {
	case "read", "count":
		if what == "count" {
			key = -1
		}
		m.read(m.at(i), key)
	case "write":
		if m.writer == nil || m.writer == m.open[i] {
			m.write(i, key, value)
		}
	case "other":
		if m.writer == nil {
			m.must(m.db.Exec(bg, "REPLACE INTO kv VALUES (?, ?)", key, value))
			m.now[key] = value
		}
	default:
		m.end(i, what == "commit")
	}
}

func (m *deferredModel) must(_ Result, err error) {
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *deferredModel) at(i int) *modelTx {
	if m.open[i] == nil {
		tx, err := m.db.Begin(bg, &TxOptions{Deferred: true})
		if err != nil {
			m.t.Fatal(err)
		}
		m.open[i] = &modelTx{tx: tx}
	}
	return m.open[i]
}

// told is what a read returns in a state.
func told(state map[int64]int64, key int64) string {
	if key < 0 {
		return fmt.Sprint(len(state))
	}
	v, ok := state[key]
	return fmt.Sprint(v, ok)
}

func (m *deferredModel) read(tx *modelTx, key int64) {
	if tx.sees == nil {
		tx.sees = maps.Clone(m.now)
	}
	var got string
	if key < 0 {
		n, err := firstOf(tx.tx, "SELECT count(*) FROM kv")
		if err != nil {
			m.t.Fatal(err)
		}
		got = fmt.Sprint(n)
	} else {
		res, err := tx.tx.Exec(bg, "SELECT v FROM kv WHERE k = ?", key)
		if err != nil {
			m.t.Fatal(err)
		}
		got = fmt.Sprint(0, false)
		if len(res.Rows) > 0 {
			got = fmt.Sprint(res.Rows[0][0], true)
		}
	}
	if want := told(tx.sees, key); got != want {
		m.t.Fatalf("read of %d: got %s, want %s", key, got, want)
	}
	tx.reads = append(tx.reads, modelRead{key, got})
}

func (m *deferredModel) write(i int, key, value int64) {
	tx := m.at(i)
	_, err := tx.tx.Exec(bg, "REPLACE INTO kv VALUES (?, ?)", key, value)
	if m.writer != tx {
		if slices.ContainsFunc(tx.reads, func(r modelRead) bool { return told(m.now, r.key) != r.told }) {
			if !errors.Is(err, ErrConflict) {
				m.t.Fatalf("got %v, want a conflict", err)
			}
			m.open[i] = nil
			return
		}
		m.writer, tx.sees = tx, maps.Clone(m.now)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	tx.sees[key] = value
}

func (m *deferredModel) end(i int, commit bool) {
	tx := m.open[i]
	if tx == nil {
		return
	}
	m.open[i] = nil
	end := tx.tx.Rollback
	if commit {
		end = func() error { return tx.tx.Commit(bg) }
	}
	if err := end(); err != nil {
		m.t.Fatal(err)
	}
	if m.writer == tx {
		m.writer = nil
		if commit {
			m.now = tx.sees
		}
	}
}

func (m *deferredModel) all(rows func(func(Row, error) bool)) map[int64]int64 {
	all := map[int64]int64{}
	for row, err := range rows {
		if err != nil {
			m.t.Fatal(err)
		}
		all[row.Int64(0)] = row.Int64(1)
	}
	return all
}
