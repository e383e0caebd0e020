package nearlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

const modelSchema = `
CREATE TABLE acct(id INTEGER PRIMARY KEY, balance INT NOT NULL);
CREATE TABLE parent(id INTEGER PRIMARY KEY);
CREATE TABLE child(id INTEGER PRIMARY KEY, parent NOT NULL REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE journal(seq INTEGER PRIMARY KEY, txn INT NOT NULL UNIQUE, id INT, delta INT, child INT);
CREATE TRIGGER applied AFTER INSERT ON journal WHEN new.id NOT NULL BEGIN
	UPDATE acct SET balance = balance + new.delta WHERE id = new.id;
	INSERT INTO child(parent) SELECT new.child WHERE new.child NOT NULL;
END;
INSERT INTO journal(seq, txn) VALUES (0, 0);
WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM r WHERE i < 5) INSERT INTO acct SELECT i, 100 FROM r;`

// outcome is what a caller knows of a transaction when it is over.
type outcome struct {
	txn      int
	plan     txnPlan
	err      error
	panicked any
	exited   bool
	seq      int64   // its place in the journal, if it got as far as that
	seen     []int64 // what its statements returned in the last run, in order
}

// sight is what a reader saw.
type sight struct {
	floor    int64 // the highest seq acknowledged before it began
	seq      int64
	balances [accounts]int64
	children int64
	position Position
}

// modelRun carries a plan out and collects what everybody saw.
type modelRun struct {
	db    *DB
	acked atomic.Int64

	mu       sync.Mutex // protects the following
	outcomes []outcome
	sights   []sight
	problems []string
}

func (m *modelRun) problem(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.problems = append(m.problems, fmt.Sprintf(format, args...))
}

// statements is any of the ways to run SQL in a transaction. It returns the rows.
type statements func(sql string, args ...any) ([][]any, error)

var errBoom = errors.New("boom")

// run does all transactions of one caller.
func (m *modelRun) run(caller int, txns []txnPlan) {
	for i, p := range txns {
		o := outcome{txn: 1 + 100*caller + i, plan: p, exited: true}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { o.panicked = recover() }()
			o.err = m.transact(&o)
			o.exited = false
		})
		wg.Wait()
		if p.Vehicle == byView || p.Vehicle == byHeld {
			continue
		}
		if o.succeeded() {
			for old := m.acked.Load(); o.seq > old && !m.acked.CompareAndSwap(old, o.seq); old = m.acked.Load() {
			}
		}
		m.mu.Lock()
		m.outcomes = append(m.outcomes, o)
		m.mu.Unlock()
	}
}

func (o *outcome) succeeded() bool { return o.err == nil && o.panicked == nil && !o.exited }

func (m *modelRun) transact(o *outcome) error {
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	if o.plan.Cancel == 1 {
		go cancel()
	} else if o.plan.Cancel == 0 {
		ctx = bg
	}
	switch o.plan.Vehicle {
	case byExec:
		return m.exec(ctx, o)
	case byBatch:
		return m.batch(ctx, o)
	case byBegin:
		return m.interact(ctx, cancel, o)
	case byView:
		return m.db.View(bg, func(tx *ReadTx) error { return m.look(m.acked.Load(), tx) })
	case byHeld:
		return m.hold()
	case byExclusive:
		return m.db.Exclusive(ctx, func(c *sqlite.Conn) error { return m.alone(c, o) })
	}
	return m.db.Update(ctx, func(tx *WriteTx) error {
		do := func(sql string, args ...any) (rows [][]any, err error) {
			for row, err := range tx.Query(sql, args...) {
				if err != nil {
					return nil, err
				}
				rows = append(rows, rowValues(row))
			}
			return rows, nil
		}
		if err := o.steps(do, func(i int) { o.interfere(i, cancel) }); err != nil {
			return err
		}
		return o.finish(do)
	})
}

// interfere is called before step i of a closure.
func (o *outcome) interfere(i int, cancel func()) {
	if o.plan.Cancel > 1 && i+1 == o.plan.Cancel {
		cancel()
	}
}

// steps runs the transaction up to its end; it may be called again.
func (o *outcome) steps(do statements, before func(i int)) error {
	o.seen, o.seq = nil, 0
	for _, s := range o.plan.Steps {
		if s.Kind == stepCounters && o.plan.Vehicle != byExclusive { // whose connection is not private
			if err := o.observe(do, "SELECT last_insert_rowid(), changes()"); err != nil {
				return err
			}
			break
		}
	}
	rows, err := do("INSERT INTO journal(txn) VALUES (?) RETURNING seq", o.txn)
	if err != nil {
		return err
	}
	o.seq = rows[0][0].(int64)
	for i, s := range o.plan.Steps {
		before(i)
		if err := o.step(do, s); err != nil {
			return err
		}
	}
	before(len(o.plan.Steps))
	return nil
}

// observe runs a query and notes what it returned.
func (o *outcome) observe(do statements, sql string, args ...any) error {
	rows, err := do(sql, args...)
	for _, row := range rows {
		for _, v := range row {
			n, _ := v.(int64)
			o.seen = append(o.seen, n)
		}
	}
	return err
}

func (o *outcome) step(do statements, s step) error {
	all := func(list ...string) error {
		for _, sql := range list {
			if _, err := do(sql); err != nil {
				return err
			}
		}
		return nil
	}
	add := fmt.Sprintf("UPDATE acct SET balance = balance + %d WHERE id = %d", s.D, s.A)
	p := s.A % parents
	switch s.Kind {
	case stepAdd:
		return all(add)
	case stepCopy:
		if err := o.observe(do, "SELECT balance FROM acct WHERE id = ?", s.A); err != nil {
			return err
		}
		_, err := do("UPDATE acct SET balance = ? WHERE id = ?", o.seen[len(o.seen)-1]+int64(s.D), s.B)
		return err
	case stepSum:
		return o.observe(do, "SELECT sum(balance) FROM acct")
	case stepRead:
		return o.observe(do, "SELECT balance FROM acct WHERE id = ?", s.A)
	case stepRefused:
		if _, err := do("INSERT INTO acct VALUES (1000, 1), (?, 0)", s.A); err == nil {
			return errors.New("a duplicate key was accepted")
		} else if !errors.Is(err, sqlite.CodeConstraint) {
			return err
		}
		return nil
	case stepUndone:
		return all("SAVEPOINT u", add, "ROLLBACK TO u", "RELEASE u")
	case stepSaved:
		return all("SAVEPOINT s", add, "RELEASE s")
	case stepLeftOpen:
		return all("SAVEPOINT l", add)
	case stepParent:
		return all(fmt.Sprintf("INSERT OR IGNORE INTO parent VALUES (%d)", p))
	case stepChild:
		return all(fmt.Sprintf("INSERT INTO child(parent) VALUES (%d)", p))
	case stepDropParent:
		return all(fmt.Sprintf("DELETE FROM parent WHERE id = %d", p))
	case stepWrap:
		return all(fmt.Sprintf("INSERT INTO child(parent) VALUES (%d)", 1000+o.txn), fmt.Sprintf("INSERT OR IGNORE INTO parent VALUES (%d)", 1000+o.txn))
	case stepCounters:
		if err := all("UPDATE acct SET balance = balance"); err != nil {
			return err
		}
		return o.observe(do, "SELECT changes()")
	case stepDDL:
		return all(fmt.Sprintf("CREATE INDEX i%d ON acct(balance)", o.txn), fmt.Sprintf("DROP INDEX i%d", o.txn))
	}
	return fmt.Errorf("step %d", s.Kind)
}

// finish ends a closure as planned.
func (o *outcome) finish(do statements) error {
	switch o.plan.End {
	case endError:
		return errBoom
	case endPanic:
		panic(o.txn)
	case endGoexit:
		runtime.Goexit()
	case endBroken:
		_, err := do("INSERT INTO journal(txn) VALUES (0)")
		return err
	case endLost, endLostQuiet:
		_, err := do("INSERT OR ROLLBACK INTO journal(txn) VALUES (0)")
		if o.plan.End == endLost {
			return err
		}
	}
	return nil
}

// exec does the first step as one statement, by way of a trigger.
func (m *modelRun) exec(ctx context.Context, o *outcome) error {
	s := o.plan.Steps[0]
	var child any
	if s.Kind == stepChild {
		child = s.B % parents
	}
	verb, tail := "INSERT", ""
	switch o.plan.End {
	case endError:
		verb = "INSERT OR FAIL"
	case endLost, endLostQuiet:
		verb = "INSERT OR ROLLBACK"
	}
	if o.fails() {
		tail = ", (0, 0, 0, NULL)"
	}
	if s.A%2 == 0 {
		tail += " RETURNING seq"
	}
	res, err := m.db.Exec(ctx, verb+" INTO journal(txn, id, delta, child) VALUES (?, ?, ?, ?)"+tail, o.txn, s.A, s.D, child)
	if err != nil {
		return err
	}
	if s.A%2 == 0 {
		o.seq = res.Rows[0][0].(int64)
	} else if o.seq = res.LastInsertRowID; res.Changes != 1 {
		m.problem("txn %d changed %d rows", o.txn, res.Changes)
	}
	return nil
}

// batch does the steps as a list of statements.
func (m *modelRun) batch(ctx context.Context, o *outcome) error {
	var list []Statement
	record := func(sql string, args ...any) ([][]any, error) {
		list = append(list, Statement{sql, args})
		return [][]any{{int64(0)}}, nil
	}
	for i, s := range o.plan.Steps { // what needs a decision in Go is not for a Batch
		if s.Kind == stepCopy || s.Kind == stepRefused {
			o.plan.Steps[i].Kind = stepAdd
		}
	}
	o.steps(record, func(int) {})
	if o.fails() {
		verb := "INSERT"
		if o.plan.End == endLost || o.plan.End == endLostQuiet {
			verb = "INSERT OR ROLLBACK"
		}
		record(verb + " INTO journal(txn) VALUES (0)")
	}
	results, err := m.db.Batch(ctx, list...)
	if err != nil {
		return err
	}
	o.seen = nil
	for i, res := range results {
		switch rows := res.Rows; {
		case len(rows) > 0 && list[i].SQL[:6] == "INSERT":
			o.seq = rows[0][0].(int64)
		case len(rows) > 0:
			for _, v := range rows[0] {
				n, _ := v.(int64)
				o.seen = append(o.seen, n)
			}
		}
	}
	return nil
}

// fails reports whether the last statement of an Exec or a Batch is to fail.
func (o *outcome) fails() bool {
	switch o.plan.End {
	case endError, endLost, endLostQuiet, endBroken:
		return true
	}
	return false
}

func (m *modelRun) interact(ctx context.Context, cancel func(), o *outcome) error {
	tx, err := m.db.Begin(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	do := func(sql string, args ...any) ([][]any, error) {
		res, err := tx.Exec(ctx, sql, args...)
		return res.Rows, err
	}
	err = o.steps(do, func(i int) {
		o.interfere(i, cancel)
		if o.plan.Think == i+1 {
			time.Sleep(time.Duration(rand.IntN(8)) * time.Millisecond) // a client thinks; nothing depends on how long
		}
	})
	if err != nil {
		return err
	}
	switch o.plan.End {
	case endError, endPanic, endGoexit:
		if err := tx.Rollback(); err != nil {
			return err
		}
		return errBoom
	case endForget: // until its lease ends
		if _, err := m.db.Exec(bg, "UPDATE acct SET balance = balance WHERE id = 0"); err != nil {
			m.problem("a transaction behind an abandoned one: %v", err)
		}
	default:
		if err := o.finish(do); err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}

// alone runs the steps on the writing connection itself.
func (m *modelRun) alone(c *sqlite.Conn, o *outcome) error {
	do := func(sql string, args ...any) (rows [][]any, err error) {
		for row, err := range c.Query(sql, args...) {
			if err != nil {
				return nil, err
			}
			rows = append(rows, rowValues(row))
		}
		return rows, nil
	}
	if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := o.steps(do, func(int) {}); err != nil {
		return err
	}
	if err := o.finish(do); err != nil {
		return err
	}
	return c.Exec("COMMIT; CREATE TEMP TABLE acct(id, balance); PRAGMA query_only = 1") // which must not stay
}

// look notes all there is to see in one snapshot.
func (m *modelRun) look(floor int64, q Querier) error {
	s := sight{floor: floor}
	var err error
	if s.seq, err = One[int64](q, "SELECT max(seq) FROM journal"); err != nil {
		return err
	}
	balances, err := All[int64](q, "SELECT balance FROM acct ORDER BY id")
	if err != nil {
		return err
	}
	if len(balances) != accounts {
		return fmt.Errorf("%d accounts", len(balances))
	}
	copy(s.balances[:], balances)
	if s.children, err = One[int64](q, "SELECT count(*) FROM child"); err != nil {
		return err
	}
	if tx, ok := q.(*ReadTx); ok {
		if s.position, err = tx.Position(); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sights = append(m.sights, s)
	return nil
}

// hold looks twice through a read-only interactive transaction.
func (m *modelRun) hold() error {
	floor := m.acked.Load()
	tx, err := m.db.Begin(bg, &TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := m.look(floor, tx.reader); err != nil {
		return err
	}
	if _, err := m.db.Exec(bg, "UPDATE acct SET balance = balance WHERE id = 0"); err != nil {
		return err
	}
	return m.look(floor, tx.reader)
}
