package nearlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/nearlite/nearlite/internal/fault"
	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/wal"
)

// memoryLog is a Log in memory whose answers a test chooses.
type memoryLog struct {
	mu      sync.Mutex // protects the following
	entries []memoryEntry
	answer  error
	stored  bool          // the entry is there, whatever the answer
	hold    chan struct{} // Append waits for it, if not nil
	entered chan struct{}
}

type memoryEntry struct {
	Entry
	pages map[uint32][]byte
}

func (l *memoryLog) Head(context.Context) (Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head(), nil
}

func (l *memoryLog) head() Head {
	if len(l.entries) == 0 {
		return Head{}
	}
	return l.entries[len(l.entries)-1].Head
}

func (l *memoryLog) Read(_ context.Context, after uint64, visit func(wal.Page) error) (Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pages, head := map[uint32][]byte{}, l.head()
	for _, e := range l.entries[min(int(after), len(l.entries)):] {
		maps.Copy(pages, e.pages)
	}
	for _, n := range slices.Sorted(maps.Keys(pages)) {
		if n <= head.Pages {
			if err := visit(wal.Page{Number: n, Data: pages[n]}); err != nil {
				return Head{}, err
			}
		}
	}
	return head, nil
}

func (l *memoryLog) Append(_ context.Context, e *Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hold != nil {
		close(l.entered)
		<-l.hold
		l.hold = nil
	}
	if last := l.head().TXID; e.TXID != last+1 {
		return &FencedError{TXID: last, Who: fmt.Sprintf("%08x", l.head().Epoch)}
	}
	if l.answer == nil || l.stored {
		m := memoryEntry{Entry: *e, pages: map[uint32][]byte{}}
		last := uint32(0)
		err := e.Each(func(p wal.Page) error {
			if p.Number <= last || p.Number > e.Pages {
				return fmt.Errorf("page %d of %d behind page %d", p.Number, e.Pages, last)
			}
			last = p.Number
			m.pages[p.Number] = bytes.Clone(p.Data)
			return nil
		})
		if err != nil {
			return err
		}
		l.entries = append(l.entries, m)
	}
	return l.answer
}

func (l *memoryLog) say(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = err
}

func TestLogHasThreeOutcomes(t *testing.T) {
	t.Parallel()
	l := &memoryLog{}
	db := openTest(t, &Options{Log: l, Durability: Archived})
	before := db.Position()
	exec(t, db, "UPDATE account SET balance = 1 WHERE id = 1")
	if order, ok := before.Compare(db.Position()); !ok || order != -1 {
		t.Fatal("the position did not advance", before, db.Position())
	}
	for i, e := range l.entries {
		if e.TXID != uint64(i+1) || e.Transactions == 0 && i > 0 { // the first is the database as it was
			t.Fatalf("entry %d: %+v", i, e.Head)
		}
	}

	l.say(ErrNotCommitted)
	if _, err := db.Exec(bg, "UPDATE account SET balance = 2 WHERE id = 1"); !errors.Is(err, ErrNotCommitted) || errors.Is(err, ErrCommitUnknown) {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 1 {
		t.Fatal("a refused entry was committed", n)
	}
	l.say(nil)
	exec(t, db, "UPDATE account SET balance = 3 WHERE id = 1")

	l.say(errors.New("no answer"))
	if _, err := db.Exec(bg, "UPDATE account SET balance = 4 WHERE id = 1"); !errors.Is(err, ErrCommitUnknown) {
		t.Fatal(err)
	}
	l.say(nil)
	if _, err := db.Exec(bg, "UPDATE account SET balance = 5 WHERE id = 1"); !errors.Is(err, ErrPoisoned) {
		t.Fatal(err)
	}
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 3 {
		t.Fatal("reads go on, and see what is certain", n)
	}
}

// A caller whose context ends while the log is asked cannot know.
func TestContextEndsInsideTheBarrier(t *testing.T) {
	t.Parallel()
	l := &memoryLog{}
	db := openTest(t, &Options{Log: l, Durability: Archived})
	hold, entered := make(chan struct{}), make(chan struct{})
	running, release := make(chan struct{}), make(chan struct{})
	go db.Update(bg, func(tx *WriteTx) error { close(running); <-release; return nil }) // so that the next one queues
	<-running
	ctx, cancel := context.WithCancel(bg)
	errs := make(chan error, 1)
	go func() { _, err := db.Exec(ctx, "UPDATE account SET balance = 7 WHERE id = 1"); errs <- err }()
	for db.Stats().QueueDepth == 0 {
		runtime.Gosched()
	}
	l.mu.Lock()
	l.hold, l.entered = hold, entered
	l.mu.Unlock()
	close(release)
	<-entered
	cancel()
	if err := <-errs; !errors.Is(err, ErrCommitUnknown) || !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(hold)
	if n := number(t, db, "SELECT 1"); n != 1 {
		t.Fatal(n)
	}
	exec(t, db, "UPDATE account SET balance = balance + 1 WHERE id = 1")
	if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != 8 {
		t.Fatal("the commit was taken by the log, and came through", n)
	}
}

func TestPositionRoundTrip(t *testing.T) {
	t.Parallel()
	p := Position{Log: newLogID(), Change: 1<<40 + 5}
	if got, err := ParsePosition(p.String()); err != nil || got != p {
		t.Fatal(got, err)
	}
	for _, bad := range []string{"", "x", p.String() + "0", p.Log.String(), "zz" + p.String()[2:]} {
		if _, err := ParsePosition(bad); err == nil {
			t.Errorf("%q was read as a position", bad)
		}
	}
}

// The same for one who is alone, and for the client of an interactive transaction.
func TestContextEndsInsideTheBarrierOfOne(t *testing.T) {
	t.Parallel()
	l := &memoryLog{}
	db := openTest(t, &Options{Log: l, Durability: Archived})
	for name, write := range map[string]func(ctx context.Context) error{
		"Exec": func(ctx context.Context) error {
			_, err := db.Exec(ctx, "UPDATE account SET balance = balance + 1 WHERE id = 1")
			return err
		},
		"Update": func(ctx context.Context) error {
			return db.Update(ctx, func(tx *WriteTx) error {
				_, err := tx.Exec("UPDATE account SET balance = balance + 1 WHERE id = 1")
				return err
			})
		},
		"Begin": func(ctx context.Context) error {
			tx, err := db.Begin(bg, nil)
			if err == nil {
				_, err = tx.Exec(bg, "UPDATE account SET balance = balance + 1 WHERE id = 1")
			}
			if err != nil {
				return err
			}
			return tx.Commit(ctx)
		},
	} {
		before := number(t, db, "SELECT balance FROM account WHERE id = 1")
		hold, entered := make(chan struct{}), make(chan struct{})
		l.mu.Lock()
		l.hold, l.entered = hold, entered
		l.mu.Unlock()
		ctx, cancel := context.WithCancel(bg)
		errs := make(chan error, 1)
		go func() { errs <- write(ctx) }()
		<-entered
		cancel()
		within(t, name, func() {
			if err := <-errs; !errors.Is(err, ErrCommitUnknown) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		})
		close(hold)
		exec(t, db, "UPDATE account SET balance = balance WHERE id = 1")
		if n := number(t, db, "SELECT balance FROM account WHERE id = 1"); n != before+1 {
			t.Errorf("%s: the log took it, and the balance went from %d to %d", name, before, n)
		}
	}
}

// A moodyLog takes some entries and refuses others, until it gives no answer.
type moodyLog struct {
	mu      sync.Mutex // protects the following
	asked   int
	silent  int // the call that gets no answer
	last    Entry
	refused int
	broken  string
}

func (l *moodyLog) Head(context.Context) (Head, error) { return Head{}, nil }

func (l *moodyLog) Read(context.Context, uint64, func(wal.Page) error) (Head, error) {
	return Head{}, nil
}

func (l *moodyLog) Append(_ context.Context, e *Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked++; l.asked == l.silent {
		return errors.New("no answer")
	}
	if l.asked%3 == 0 && l.asked > 5 { // the first are the schema's
		l.refused++
		return ErrNotCommitted
	}
	if e.TXID != l.last.TXID+1 || e.Transactions < 1 && l.asked > 5 {
		l.broken = fmt.Sprintf("entry %+v follows %+v", e, l.last)
	}
	l.last = *e
	return nil
}

// What the log says of a batch is what becomes of each transaction in it.
func TestEachCallerLearnsWhatTheLogSaid(t *testing.T) {
	t.Parallel()
	l := &moodyLog{}
	db, err := Open(bg, filepath.Join(t.TempDir(), "log.db"), &Options{Log: l, Logger: quiet, Durability: Archived})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec(ledgerSchema) }); err != nil {
		t.Fatal(err)
	}
	l.silent = 150
	book := newLedger()
	var wg sync.WaitGroup
	for caller := range 12 {
		wg.Go(func() {
			for i := 0; db.writer.poisoned.Load() == nil; i++ {
				book.write(db, caller+i)
			}
		})
	}
	within(t, "the callers", wg.Wait)
	for n, err := range book.failed {
		if !errors.Is(err, ErrNotCommitted) && !errors.Is(err, errBoom) && !errors.Is(err, ErrPoisoned) {
			t.Errorf("transaction %d: %v", n, err)
		}
	}
	if l.broken != "" {
		t.Error(l.broken)
	}
	if len(book.acked) == 0 || len(book.unknown) == 0 || l.refused == 0 {
		t.Errorf("%d acknowledged, %d unknown, %d entries refused", len(book.acked), len(book.unknown), l.refused)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	for _, problem := range book.audit(db.Path(), true) {
		t.Error(problem)
	}
}

// What the disk refuses the log is never asked about, and the next write goes on.
func TestDiskRefusesBeforeTheLog(t *testing.T) {
	t.Parallel()
	l := &memoryLog{}
	b := newFaultBed(t, Options{Log: l, Durability: Archived}, nil)
	for _, rule := range []fault.Rule{
		{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeIOErrWrite, At: 1},
		{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeIOErrWrite, Late: true, At: 1},
		{Ops: fault.Write, Files: fault.WAL, Code: sqlite.CodeIOErrWrite, Torn: true, At: 2},
		{Ops: fault.Sync, Files: fault.WAL, Code: sqlite.CodeIOErrFsync, At: 1},
		{Ops: fault.Sync, Files: fault.WAL, Code: sqlite.CodeIOErrFsync, Late: true, At: 1},
	} {
		before := len(l.entries)
		b.vfs.Set(rule)
		_, err := b.db.Exec(bg, "INSERT INTO entry VALUES (1, 1, 'x')")
		b.vfs.Set(fault.Rule{})
		if err == nil || errors.Is(err, ErrCommitUnknown) || len(l.entries) != before {
			t.Errorf("%+v: %v, and the log took %d entries", rule, err, len(l.entries)-before)
		}
		if _, err := b.db.Exec(bg, "UPDATE total SET sum = sum"); err != nil {
			t.Errorf("%+v: the next write: %v", rule, err)
		}
	}
	logHas(t, l, b.db)
}
