package stream

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/sqlite"
)

// Whatever ends a transaction unasked, what comes after it in the same request was
// meant for it and is not committed alone; and the server is told, since what comes
// in the next requests of a pipeline was meant for it, too.
func TestLost(t *testing.T) {
	t.Parallel()
	const after = "insert into t values ('after')"
	for name, test := range map[string]struct {
		begin string // and what is lost with it
		fails string
		want  string // outcomes of fails, after and COMMIT
	}{
		"a conflict":              {"begin; select count(*) from t", "update t set x = 1", "!SQLITE_BUSY|!SQLITE_BUSY|!SQLITE_BUSY"},
		"an interrupt":            {"begin; insert into t values ('lost')", "insert into t " + endless, "!SQLITE_INTERRUPT|!SQLITE_INTERRUPT|!SQLITE_INTERRUPT"},
		"an interrupt of own":     {"pragma foreign_keys = off; begin; insert into t values ('lost')", "insert into t " + endless, "!SQLITE_INTERRUPT|!SQLITE_INTERRUPT|!SQLITE_INTERRUPT"},
		"a full queue":            {"begin immediate", "insert into t values ('full')", "!TRANSACTION_BUSY|!TRANSACTION_BUSY|!TRANSACTION_BUSY"},
		"a full queue, savepoint": {"begin", "savepoint a", "!TRANSACTION_BUSY|!TRANSACTION_BUSY|!TRANSACTION_BUSY"},
		"OR ROLLBACK":             {"begin; insert into t values ('lost')", "insert or rollback into u values (1)", "!SQLITE_CONSTRAINT|~1#1|!SQLITE_UNKNOWN"}, // as in SQLite: it says so itself
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openBusy(t)
			s, other := New(db.DB, Options{StatementTimeout: 50 * time.Millisecond}), New(db.DB, Options{})
			defer s.Close()
			defer other.Close()
			for _, sql := range []string{"create table t(x)", "create table u(x unique)", "insert into u values (1)"} {
				do(t, other, sql)
			}
			for sql := range strings.SplitSeq(test.begin, "; ") {
				do(t, s, sql)
			}
			if name == "a conflict" {
				do(t, other, "insert into t values ('other')")
			}
			if strings.HasPrefix(name, "a full queue") {
				defer db.fill(t)()
			}
			got := tryBatch(s, steps(test.fails, after, "commit"))
			if want := test.want; got != want && strings.ReplaceAll(got, "#2", "#1") != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if lost := s.Lost(); (lost != nil) != (name != "OR ROLLBACK") {
				t.Errorf("lost: %v", lost)
			}
			if name == "OR ROLLBACK" {
				return
			}
			db.release()
			if got := do(t, s, "select count(*) from t where x in ('lost', 'after')"); got != "0" {
				t.Errorf("%s rows of the transaction are there", got)
			}
			if lost := s.Lost(); lost != nil {
				t.Errorf("still lost: %v", lost)
			}
		})
	}
}

// busyDB has room for one who waits for the writer.
type busyDB struct {
	*nearlite.DB
	unblock chan struct{}
}

func openBusy(t *testing.T) *busyDB {
	t.Helper()
	db, err := nearlite.Open(bg, t.TempDir()+"/app.db", &nearlite.Options{QueueMax: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &busyDB{db, nil}
}

// fill keeps the writer at work, and one more waiting, until release.
func (db *busyDB) fill(t *testing.T) (release func()) {
	t.Helper()
	db.unblock = make(chan struct{})
	unblock, began := db.unblock, make(chan struct{})
	go db.Exclusive(bg, func(*sqlite.Conn) error { close(began); <-unblock; return nil })
	<-began
	go db.Update(bg, func(*nearlite.WriteTx) error { return nil })
	for db.Stats().QueueDepth == 0 {
		time.Sleep(time.Millisecond)
	}
	return db.release
}

func (db *busyDB) release() {
	if db.unblock != nil {
		close(db.unblock)
		db.unblock = nil
	}
}

// A transaction in one batch that SQLite throws away takes the rest of the batch with it.
func TestLostInside(t *testing.T) {
	t.Parallel()
	s, _ := open(t, Options{}, "create table t(x)", "create table u(x unique)", "insert into u values (1)")
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, herr := s.Do(ctx, &hrana.Request{Kind: hrana.RunBatch, Batch: steps("begin", "insert into t values (1)", "commit")}); herr == nil {
		t.Error("a batch whose context had ended has run")
	}
	db := openBusy(t)
	b := New(db.DB, Options{})
	defer b.Close()
	do(t, b, "create table t(x)")
	release := db.fill(t)
	if got := tryBatch(b, steps("begin", "insert into t values (1)", "commit")); got != "!TRANSACTION_BUSY|!TRANSACTION_BUSY|!TRANSACTION_BUSY" {
		t.Error(got)
	}
	if b.Lost() == nil {
		t.Error("what follows a BEGIN that failed was meant for it")
	}
	release()
	if got := do(t, b, "select count(*) from t"); got != "0" {
		t.Errorf("%s rows", got)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"BEGIN": "BEGIN", " ; /* */ begin immediate; select 1": "BEGIN", "begin transaction readonly": "BEGIN", "commit": "COMMIT", "END TRANSACTION": "COMMIT",
		"rollback": "ROLLBACK", "rollback to a": "", "savepoint a": "", "release a": "", "begin nonsense": "", "select 1; commit": "", "": "", "explain commit": "",
	} {
		if got := Bounds(sql); got != want {
			t.Errorf("%q: got %q", sql, got)
		}
	}
}
