package nearlite

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nearlite/nearlite/sqlite"
)

// long makes the tests that can go on for ever go on for minutes; see make test-long.
var long = os.Getenv("NEARLITE_LONG") != ""

// Isolation and atomicity against a sequential model. Random transactions, many
// of which fail in every way there is, run side by side. Each writes a row into a
// journal, whose order is then the order in which they happened: replayed one by
// one in that order on a model in plain Go, they must return what they returned,
// leave what they left, and every reader must have seen one state of the replay.
func TestModel(t *testing.T) {
	t.Parallel()
	if !isFlagSet("rapid.checks") {
		checks := "60"
		if long {
			checks = "5000"
		}
		flag.Set("rapid.checks", checks)
	}
	flag.Set("rapid.nofailfile", "true") // the seed says as much
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		m := p.carryOut(t, dir)
		for _, problem := range m.problems {
			t.Error(problem)
		}
	})
}

func isFlagSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// carryOut runs a plan on a fresh database and judges what came of it.
func (p plan) carryOut(t *rapid.T, dir string) *modelRun {
	path := filepath.Join(dir, "model.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(path + suffix)
	}
	db, err := Open(bg, path, &Options{
		Durability: p.Options.Durability, PageSize: p.Options.PageSize, CheckpointBytes: p.Options.Checkpoint,
		MmapSize: p.Options.Mmap, LeaseContended: time.Duration(p.Options.Contended) * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exclusive(bg, func(c *sqlite.Conn) error { return c.Exec(modelSchema) }); err != nil {
		t.Fatal(err)
	}
	m := &modelRun{db: db}
	m.together(t, p)
	m.judge()
	if err := db.Close(); err != nil {
		m.problem("close: %v", err)
	}
	c, err := sqlite.Open(path, sqlite.OpenReadOnly, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s := c.QueryRow("PRAGMA integrity_check").Text(0); s != "ok" {
		m.problem("integrity check: %s", s)
	}
	return m
}

// together lets all callers loose and waits for them.
func (m *modelRun) together(t *rapid.T, p plan) {
	release := func() {}
	if p.Gate {
		hold, held := make(chan struct{}), make(chan struct{})
		var once sync.Once
		go m.db.Update(bg, func(*WriteTx) error { once.Do(func() { close(held); <-hold }); return nil })
		<-held
		release = sync.OnceFunc(func() { close(hold) })
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i, txns := range p.Callers {
		wg.Go(func() { m.run(i, txns) })
	}
	if p.Gate {
		for range 1000 {
			runtime.Gosched()
		}
	}
	release()
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("the callers hang\n%s", buf[:runtime.Stack(buf, true)])
	}
}

// state is the model: the database as plain Go has it.
type state struct {
	balances [accounts]int64
	parents  map[int]bool
	children []int
}

// judge replays the journal.
func (m *modelRun) judge() {
	byTxn := map[int]*outcome{}
	for i := range m.outcomes {
		o := &m.outcomes[i]
		byTxn[o.txn] = o
		m.judgeOutcome(o)
	}
	// A caller may have left while its commit was under way; this comes after it.
	if err := m.db.Update(bg, func(*WriteTx) error { return nil }); err != nil {
		m.problem("the last transaction: %v", err)
	}
	var journal []int
	if err := m.db.View(bg, func(tx *ReadTx) (err error) {
		journal, err = All[int](tx, "SELECT txn FROM journal ORDER BY seq")
		return err
	}); err != nil {
		m.problem("read the journal: %v", err)
		return
	}
	s := state{parents: map[int]bool{}}
	for i := range s.balances {
		s.balances[i] = 100
	}
	history := []state{s.clone()}
	for seq, txn := range journal[1:] {
		o := byTxn[txn]
		switch {
		case o == nil:
			m.problem("the journal holds transaction %d, which nobody made", txn)
			return
		case !o.succeeded() && !errors.Is(o.err, ErrCommitUnknown):
			m.problem("txn %d failed (%v, panic %v, exit %v) and is in the journal: %v", txn, o.err, o.panicked, o.exited, o.plan)
		case o.succeeded() && o.seq != int64(seq+1):
			m.problem("txn %d was told it was number %d and is %d", txn, o.seq, seq+1)
		}
		seen := s.apply(o)
		if o.succeeded() && !slices.Equal(seen, o.seen) {
			m.problem("txn %d read %v; alone, at its place, it reads %v: %v", txn, o.seen, seen, o.plan)
		}
		if orphans := s.orphans(); orphans > 0 {
			m.problem("txn %d committed %d children without a parent: %v", txn, orphans, o.plan)
		}
		history = append(history, s.clone())
		delete(byTxn, txn)
	}
	for txn, o := range byTxn {
		if o.succeeded() {
			m.problem("txn %d was acknowledged and is not in the journal: %v", txn, o.plan)
		}
	}
	if err := m.db.View(bg, func(tx *ReadTx) error { return m.look(m.acked.Load(), tx) }); err != nil {
		m.problem("look at the end: %v", err)
	}
	m.judgeSights(history)
}

// judgeOutcome checks that a transaction ended as planned, or for a good reason.
func (m *modelRun) judgeOutcome(o *outcome) {
	p := o.plan
	if p.Cancel > 0 && (errors.Is(o.err, context.Canceled) || errors.Is(o.err, ErrCommitUnknown)) {
		return
	}
	if p.Vehicle == byBegin && (errors.Is(o.err, ErrLeaseExpired) || errors.Is(o.err, ErrConflict)) {
		return
	}
	if p.risky() && errors.Is(o.err, sqlite.CodeConstraintForeignKey) {
		return
	}
	constraint := errors.Is(o.err, sqlite.CodeConstraintUnique)
	good := o.succeeded()
	switch {
	case p.Vehicle == byExec || p.Vehicle == byBatch:
		good = constraint == o.fails() && (constraint || good)
	case p.End == endError, p.Vehicle == byBegin && (p.End == endPanic || p.End == endGoexit):
		good = errors.Is(o.err, errBoom)
	case p.End == endPanic:
		good = o.panicked == o.txn
	case p.End == endGoexit:
		good = o.exited && o.panicked == nil
	case p.End == endLost || p.End == endBroken:
		good = constraint
	case p.End == endLostQuiet && p.Vehicle == byExclusive:
		good = o.err != nil // its COMMIT has nothing to commit
	case p.End == endLostQuiet:
		good = errors.Is(o.err, ErrTxDone)
	case p.End == endForget && p.Vehicle == byBegin:
		good = errors.Is(o.err, ErrLeaseExpired)
	}
	if !good {
		m.problem("txn %d ended with %v, panic %v, exit %v: %v", o.txn, o.err, o.panicked, o.exited, p)
	}
}

// judgeSights finds each sight in the history.
func (m *modelRun) judgeSights(history []state) {
	slices.SortStableFunc(m.sights, func(a, b sight) int { return int(a.seq - b.seq) })
	for i, s := range m.sights {
		if s.seq < s.floor {
			m.problem("a reader saw number %d after %d was acknowledged", s.seq, s.floor)
		}
		if s.seq >= int64(len(history)) {
			m.problem("a reader saw number %d of %d", s.seq, len(history)-1)
			continue
		}
		if h := history[s.seq]; h.balances != s.balances || int64(len(h.children)) != s.children {
			m.problem("a reader at number %d saw %v and %d children; it was %v and %d", s.seq, s.balances, s.children, h.balances, len(h.children))
		}
		if i > 0 && s.seq > m.sights[i-1].seq {
			if order, ok := s.position.Compare(m.sights[i-1].position); !ok || order <= 0 {
				m.problem("position %v of number %d is not after %v of number %d", s.position, s.seq, m.sights[i-1].position, m.sights[i-1].seq)
			}
		}
	}
}

func (s *state) clone() state {
	return state{balances: s.balances, children: slices.Clone(s.children)}
}

func (s *state) orphans() (n int) {
	for _, p := range s.children {
		if !s.parents[p] {
			n++
		}
	}
	return n
}

// apply does a transaction that committed, and returns what it read.
func (s *state) apply(o *outcome) (seen []int64) {
	if o.plan.Vehicle == byExec {
		st := o.plan.Steps[0]
		s.balances[st.A] += int64(st.D)
		if st.Kind == stepChild {
			s.children = append(s.children, st.B%parents)
		}
		return nil
	}
	if o.plan.Vehicle != byExclusive && slices.ContainsFunc(o.plan.Steps, func(st step) bool { return st.Kind == stepCounters }) {
		seen = append(seen, 0, 0)
	}
	for _, st := range o.plan.Steps {
		switch st.Kind {
		case stepAdd, stepSaved, stepLeftOpen:
			s.balances[st.A] += int64(st.D)
		case stepCopy:
			seen = append(seen, s.balances[st.A])
			s.balances[st.B] = s.balances[st.A] + int64(st.D)
		case stepSum:
			sum := int64(0)
			for _, b := range s.balances {
				sum += b
			}
			seen = append(seen, sum)
		case stepRead:
			seen = append(seen, s.balances[st.A])
		case stepParent:
			s.parents[st.A%parents] = true
		case stepChild:
			s.children = append(s.children, st.A%parents)
		case stepDropParent:
			delete(s.parents, st.A%parents)
		case stepWrap:
			s.parents[1000+o.txn] = true
			s.children = append(s.children, 1000+o.txn)
		case stepCounters:
			seen = append(seen, accounts)
		}
	}
	return seen
}
