package nearlite

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
)

// memoryLog is a Log in memory whose answers a test chooses.
type memoryLog struct {
	mu      sync.Mutex // protects the following
	entries []Entry
	answer  error
	hold    chan struct{} // Append waits for it, if not nil
	entered chan struct{}
}

func (l *memoryLog) Head(context.Context) (Position, error) { return Position{}, nil }

func (l *memoryLog) Append(_ context.Context, e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hold != nil {
		close(l.entered)
		<-l.hold
		l.hold = nil
	}
	if l.answer == nil {
		l.entries = append(l.entries, e)
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
	db := openTest(t, &Options{Log: l})
	before := db.Position()
	exec(t, db, "UPDATE account SET balance = 1 WHERE id = 1")
	if order, ok := before.Compare(db.Position()); !ok || order != -1 {
		t.Fatal("the position did not advance", before, db.Position())
	}
	for i, e := range l.entries {
		if e.TXID != uint64(i+1) || e.Transactions == 0 {
			t.Fatalf("entry %d: %+v", i, e)
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
	db := openTest(t, &Options{Log: l})
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
