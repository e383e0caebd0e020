package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
)

// step is a statement of a program with its condition.
type step struct {
	text  string
	stmt  *hrana.Stmt
	cond  *hrana.BatchCond
	class *class // nil as long as it is about something that is not there
}

// kind returns the step's kind.
func (st *step) kind() kind {
	if st.class == nil {
		return plain
	}
	return st.class.kind
}

// reads reports whether it is certain that the step only reads.
func (st *step) reads() bool { return st.class != nil && st.class.reads }

// A program is a batch on its way: its steps, and what became of those that ran.
type program struct {
	s       *Stream
	steps   []step
	results []*hrana.StmtResult // as many as have run or were skipped
	errors  []*hrana.Error
	chain   bool    // each step wants the one before to have succeeded: a sequence
	cursor  *cursor // who is told, if it is one
}

// batch runs the steps of a batch.
func (s *Stream) batch(ctx context.Context, b *hrana.Batch) (*hrana.BatchResult, *hrana.Error) {
	p, herr := s.program(ctx, b)
	if herr != nil {
		return nil, herr
	}
	s.run.request()
	if herr := p.run(ctx); herr != nil {
		return nil, herr
	}
	return &hrana.BatchResult{StepResults: p.results, StepErrors: p.errors}, nil
}

// stepsMax bounds the steps of a batch, and the statements of a sequence. Each takes a
// few hundred bytes before the first of them runs.
const stepsMax = 500_000

// expect takes memory for n steps, or refuses them.
func (s *Stream) expect(ctx context.Context, n int) *hrana.Error {
	if n > stepsMax {
		return &hrana.Error{Code: "BATCH_TOO_LARGE", Message: fmt.Sprintf("More than %d statements in one request: send them in several", stepsMax)}
	}
	s.run.ctx, s.run.mayWait = ctx, s.tx == nil
	if grown := int64(n*stepSize) - s.run.mem; grown > 0 {
		if err := s.run.spend(int(grown)); err != nil {
			return translate(err)
		}
	}
	return nil
}

// program reads a batch. What no parser would take fails all of it.
func (s *Stream) program(ctx context.Context, b *hrana.Batch) (*program, *hrana.Error) {
	if b == nil {
		return nil, protocolError("a batch request needs `batch`")
	}
	if herr := s.expect(ctx, len(b.Steps)); herr != nil {
		return nil, herr
	}
	p := &program{s: s, steps: make([]step, len(b.Steps)),
		results: make([]*hrana.StmtResult, 0, len(b.Steps)), errors: make([]*hrana.Error, 0, len(b.Steps))}
	for i := range b.Steps {
		from, to := &b.Steps[i], &p.steps[i]
		text, herr := s.text(from.Stmt.SQL, from.Stmt.SQLID)
		if herr != nil {
			return nil, herr
		}
		if len(from.Stmt.Args) > 0 && len(from.Stmt.NamedArgs) > 0 {
			return nil, errBoth
		}
		if !refersBack(from.Condition, i) {
			return nil, protocolError("Invalid reference to step in a batch condition")
		}
		to.text, to.stmt, to.cond = text, &from.Stmt, from.Condition
		if herr := s.parse(ctx, to); herr != nil {
			return nil, herr
		}
	}
	return p, nil
}

// refersBack reports whether a condition is about steps before the one at i only.
func refersBack(c *hrana.BatchCond, i int) bool {
	if c == nil {
		return true
	}
	if (c.Kind == hrana.CondOK || c.Kind == hrana.CondError) && int64(c.Step) >= int64(i) || c.Kind == hrana.CondNot && len(c.Conds) != 1 {
		return false
	}
	for j := range c.Conds {
		if !refersBack(&c.Conds[j], i) {
			return false
		}
	}
	return true
}

// parse finds out what a step is. That it is about a table which an earlier step
// is to create is no error yet.
func (s *Stream) parse(ctx context.Context, st *step) *hrana.Error {
	c, herr := s.class(ctx, st.text)
	if c == nil || herr != nil && herr.Code == "SQL_PARSE_ERROR" {
		return herr
	}
	if c.kind == unsupported {
		return c.refused()
	}
	if herr == nil {
		st.class = c
	}
	return nil
}

// sequence runs statements one after the other and stops at the first error. Rows
// are not wanted.
func (s *Stream) sequence(ctx context.Context, sql *string, id *int32) *hrana.Error {
	text, herr := s.text(sql, id)
	if herr != nil {
		return herr
	}
	p := &program{s: s, chain: true}
	no := false
	stmt := &hrana.Stmt{WantRows: &no}
	for first, rest := cut(text); first != ""; first, rest = cut(rest) {
		st := step{text: first, stmt: stmt}
		if herr := s.parse(ctx, &st); herr != nil {
			return herr
		}
		if p.steps = append(p.steps, st); len(p.steps)%4096 == 0 {
			if herr := s.expect(ctx, len(p.steps)); herr != nil {
				return herr
			}
		}
	}
	s.run.request()
	if herr := p.run(ctx); herr != nil {
		return herr
	}
	for _, herr := range p.errors {
		if herr != nil {
			return herr
		}
	}
	return nil
}

// run runs the steps. A transaction that begins and ends in the program is one
// closure of the engine's, so that it shares its commit and never waits for its
// client; what surrounds it runs step by step.
func (p *program) run(ctx context.Context) *hrana.Error {
	s := p.s
	s.expired()
	for len(p.results) < len(p.steps) {
		if err := ctx.Err(); err != nil {
			return translate(context.Cause(ctx))
		}
		i := len(p.results)
		st := &p.steps[i]
		switch {
		case s.lost != nil: // all that follows was meant to be inside
			p.note(nil, s.lost)
		case !p.enabled(st, s.tx == nil || s.tx.Err() != nil):
			p.note(nil, nil)
		case s.tx == nil && p.closes(i):
			if herr := p.contained(ctx, i); herr != nil {
				return herr
			}
		default:
			if herr := p.single(ctx, st); herr != nil {
				return herr
			}
		}
		if p.cursor != nil {
			if herr := p.cursor.flush(p); herr != nil {
				return herr
			}
		}
	}
	return nil
}

// note adds what became of the next step.
func (p *program) note(res *hrana.StmtResult, herr *hrana.Error) {
	if p.chain && res != nil {
		res = succeeded
	}
	p.results = append(p.results, res)
	p.errors = append(p.errors, herr)
}

// back forgets what became of the step at i and those behind it.
func (p *program) back(i int) {
	clear(p.results[i:])
	p.results, p.errors = p.results[:i], p.errors[:i]
}

// single runs one step where the stream is.
func (p *program) single(ctx context.Context, st *step) *hrana.Error {
	s := p.s
	if p.cursor != nil && s.tx == nil && st.reads() {
		s.run.out = p.cursor.rows
		defer func() { s.run.out = nil }()
	}
	res, herr := s.step(ctx, st.class, st.text, st.stmt)
	if fatal(herr) {
		return herr
	}
	p.note(res, herr)
	return nil
}

// fatal reports whether an error is not a step's but all of the request's.
func fatal(herr *hrana.Error) bool {
	return herr == errTooLarge || herr == errForbidden || herr == errClosed
}

// enabled reports whether the condition of the next step holds.
func (p *program) enabled(st *step, autocommit bool) bool {
	if p.chain {
		n := len(p.results)
		return n == 0 || p.results[n-1] != nil
	}
	return st.cond == nil || p.holds(st.cond, autocommit)
}

func (p *program) holds(c *hrana.BatchCond, autocommit bool) bool {
	switch c.Kind {
	case hrana.CondOK:
		return p.results[c.Step] != nil
	case hrana.CondError:
		return p.errors[c.Step] != nil
	case hrana.CondNot:
		return !p.holds(&c.Conds[0], autocommit)
	case hrana.CondIsAutocommit:
		return autocommit
	case hrana.CondOr:
		for i := range c.Conds {
			if p.holds(&c.Conds[i], autocommit) {
				return true
			}
		}
		return false
	}
	for i := range c.Conds {
		if !p.holds(&c.Conds[i], autocommit) {
			return false
		}
	}
	return true
}

// closes reports whether the step at i begins a transaction that a later one may
// end.
func (p *program) closes(i int) bool {
	if k := p.steps[i].kind(); k != begin && k != beginNow && k != beginRead {
		return false
	}
	for _, st := range p.steps[i+1:] {
		if st.kind() == commit || st.kind() == rollback {
			return true
		}
	}
	return false
}

// contents is what a contained transaction runs on.
type contents interface {
	place
	Describe(sql string) (nearlite.Description, error)
	DeferredViolation() bool
	Err() error
}

var (
	errRolledBack = errors.New("the client has rolled back")
	errStaysOpen  = errors.New("the transaction stays open")
)

// A containment is one run of a contained transaction.
type containment struct {
	p      *program
	ctx    context.Context
	first  int          // the step that begins it
	ran    bool         // the closure was entered
	commit bool         // its last step was the COMMIT, whose outcome is to be noted
	fatal  *hrana.Error // of the whole request
	told   []Ran        // what ran, to be told of when it is certain
	at     contents     // where it runs
	spare  spare        // as it was before
	rowID  int64        // of the stream, before
	count  [2]int64     // changes and total, before
	from   time.Time    // when it began to wait for its turn
}

// contained runs the transaction that begins at step i, in one closure.
func (p *program) contained(ctx context.Context, i int) *hrana.Error {
	s := p.s
	s.seen = nearlite.Position{}
	ctx = s.together(ctx)
	t := &containment{p: p, ctx: ctx, from: time.Now(), first: i, spare: s.run.left, rowID: s.rowID, count: [2]int64{s.changes, s.total}}
	var err error
	switch {
	case s.opts.ReadOnly || p.steps[i].kind() == beginRead || p.onlyReads(i):
		err = s.db.View(ctx, func(tx *nearlite.ReadTx) error {
			defer s.see(tx)
			return t.run(reading{tx, s})
		})
	case s.keysOff:
		err = s.exclusively(ctx, func(o *own) error { return t.exclusive(o) })
	default:
		err = s.db.Update(ctx, func(tx *nearlite.WriteTx) error {
			tx.SetLastInsertRowID(t.rowID)
			return t.run(tx)
		})
	}
	switch {
	case t.fatal != nil:
		return t.fatal
	case !t.ran: // the queue was full, or the like: the BEGIN has failed
		p.note(nil, translate(err))
		s.lose(p.errors[i])
	case errors.Is(err, errStaysOpen):
		t.undo()
		return p.single(ctx, &p.steps[i])
	case t.commit && err != nil:
		p.note(nil, translate(err))
	case err != nil && !errors.Is(err, errRolledBack): // SQLite has thrown it away
		if herr := p.errors[len(p.errors)-1]; herr != nil {
			s.lose(herr)
		} else {
			s.lose(translate(err))
		}
	case t.commit:
		p.note(done(), nil)
		s.run.c = nil
		t.told = append(t.told, s.ran("COMMIT", t.from, nil, nil, s.seen == (nearlite.Position{}) && !p.onlyReads(i)))
	}
	s.tell(t.told...)
	return nil
}

// see notes what a snapshot sees, if somebody wants to know.
func (s *Stream) see(tx *nearlite.ReadTx) {
	if s.opts.Positions {
		s.seen, _ = tx.Position() // without one it has seen nothing
	}
}

// onlyReads reports whether nothing from the step at i on can write.
func (p *program) onlyReads(i int) bool {
	for _, st := range p.steps[i:] {
		switch st.kind() {
		case begin, beginNow, beginRead, commit, rollback:
		case plain:
			if !st.reads() {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// undo forgets what an earlier run of the closure did to the stream.
func (t *containment) undo() {
	s := t.p.s
	t.p.back(t.first)
	s.run.left, s.rowID, s.changes, s.total = t.spare, t.rowID, t.count[0], t.count[1]
	s.saves = s.saves[:0]
	t.commit, t.fatal, t.told = false, nil, t.told[:0]
}

// run is the closure. It returns nil to commit.
func (t *containment) run(at contents) error {
	t.undo()
	t.ran, t.at = true, at
	p := t.p
	p.note(done(), nil) // the BEGIN
	for len(p.results) < len(p.steps) {
		st := &p.steps[len(p.results)]
		if !p.enabled(st, false) {
			p.note(nil, nil)
			continue
		}
		switch st.kind() {
		case commit:
			if at.DeferredViolation() {
				p.note(nil, errKeys)
				continue
			}
			t.commit = true
			return nil
		case rollback:
			p.note(done(), nil)
			return errRolledBack
		}
		if err := t.step(st); err != nil {
			return err
		}
		if err := at.Err(); err != nil {
			return err
		}
	}
	return errStaysOpen
}

// step runs one step inside.
func (t *containment) step(st *step) error {
	from, s := time.Now(), t.p.s
	s.run.c = nil
	extend(t.ctx)
	res, herr := s.within(t.ctx, t.at, st)
	t.told = append(t.told, s.ran(st.text, from, res, herr, false))
	if fatal(herr) {
		t.fatal = herr
		return herr
	}
	if err := t.ctx.Err(); err != nil {
		t.fatal = translate(context.Cause(t.ctx))
		return t.fatal
	}
	t.p.note(res, herr)
	return nil
}

// exclusive is run with a connection of the stream's own.
func (t *containment) exclusive(o *own) error {
	if err := o.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := t.run(o)
	if err == nil {
		err = o.conn.Exec("COMMIT")
	}
	return err
}

// within runs a statement in a contained transaction.
func (s *Stream) within(ctx context.Context, at contents, st *step) (*hrana.StmtResult, *hrana.Error) {
	c := st.class
	if c == nil {
		var herr *hrana.Error
		if c, herr = s.classify(st.text, at.Describe); herr != nil {
			return nil, herr
		}
	}
	if herr := s.blocked(c); herr != nil {
		return nil, herr
	}
	switch c.kind {
	case begin, beginNow, beginRead:
		return nil, errNested
	case constant:
		return c.constantRow(), nil
	case foreignKeys:
		if c.set {
			return done(), nil // as in any transaction: nothing
		}
		return s.foreignKeys(c), nil
	case alone:
		return nil, sqliteError("UNKNOWN", "cannot VACUUM from within a transaction")
	case savepoint, release, rollbackTo:
		if herr := s.markWithin(at, c); herr != nil {
			return nil, herr
		}
		return done(), nil
	}
	args, herr := c.bind(st.stmt)
	if herr != nil {
		return nil, herr
	}
	s.run.statement(c, args, st.stmt.WantRows == nil || *st.stmt.WantRows)
	s.run.ctx, s.run.mayWait = ctx, false
	if err := s.run.in(at); err != nil {
		return nil, s.run.failure(err)
	}
	return s.run.result(), nil
}

// markWithin runs a statement about savepoints in a contained transaction.
func (s *Stream) markWithin(at contents, c *class) *hrana.Error {
	_, err := at.Run(nil, c.text)
	if err == nil || errors.Is(err, nearlite.ErrReadOnly) {
		return nil
	}
	return translate(err)
}

// reading is a snapshot as the place of a contained transaction.
type reading struct {
	*nearlite.ReadTx
	s *Stream
}

// Run runs one query.
func (r reading) Run(visit func(nearlite.Row) error, sql string, args ...any) (nearlite.Result, error) {
	if c := r.s.run.c; c != nil && c.asksRowID {
		r.SetLastInsertRowID(r.s.rowID)
	}
	return r.ReadTx.Run(visit, sql, args...)
}

// Describe says what a statement is.
func (r reading) Describe(sql string) (nearlite.Description, error) {
	return r.s.db.Describe(r.Context(), sql)
}

// DeferredViolation and Err are of transactions that write.
func (r reading) DeferredViolation() bool { return false }

func (r reading) Err() error { return nil }
