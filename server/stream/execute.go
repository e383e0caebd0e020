package stream

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
)

// execute runs one statement of a request.
func (s *Stream) execute(ctx context.Context, stmt *hrana.Stmt) (*hrana.StmtResult, *hrana.Error) {
	if stmt == nil {
		return nil, protocolError("execute needs `stmt`")
	}
	text, herr := s.text(stmt.SQL, stmt.SQLID)
	if herr != nil {
		return nil, herr
	}
	if len(stmt.Args) > 0 && len(stmt.NamedArgs) > 0 {
		return nil, errBoth
	}
	s.run.request()
	if herr := s.expired(); herr != nil {
		return nil, herr
	}
	return s.step(ctx, nil, text, stmt)
}

// expired returns the error of a transaction that has ended by itself, once: what
// comes after is outside of it, and its client has to know before.
func (s *Stream) expired() *hrana.Error {
	if s.tx == nil {
		return nil
	}
	err := s.tx.Err()
	if err == nil {
		return nil
	}
	s.forget()
	s.lost = translate(err)
	return s.lost
}

// step runs one statement, whose class may not be known yet, and tells who wants
// to know.
func (s *Stream) step(ctx context.Context, c *class, text string, stmt *hrana.Stmt) (*hrana.StmtResult, *hrana.Error) {
	from := time.Now()
	open := s.tx != nil
	s.run.c = nil
	s.seen = nearlite.Position{}
	res, herr := s.dispatch(ctx, c, text, stmt)
	s.tell(s.ran(text, from, res, herr, s.tx == nil && (open || s.run.c != nil && !s.run.c.reads)))
	return res, herr
}

// Ran is a statement that ran.
type Ran struct {
	SQL     string
	Took    time.Duration
	Rows    int  // returned
	Reads   bool // it cannot change the database
	Commits bool // it ended with a commit: a write by itself, a COMMIT
	Err     *hrana.Error
}

// ran describes a statement that ran just now.
func (s *Stream) ran(text string, from time.Time, res *hrana.StmtResult, herr *hrana.Error, commits bool) Ran {
	took := time.Since(from)
	rows := 0
	if res != nil {
		res.QueryDurationMS = float64(took.Microseconds()) / 1000
		rows = int(res.RowsRead)
	}
	return Ran{text, took, rows, s.run.c != nil && s.run.c.reads, commits && herr == nil, herr}
}

// tell tells who wants to know.
func (s *Stream) tell(list ...Ran) {
	if f := s.opts.OnStatement; f != nil {
		for _, r := range list {
			f(r)
		}
	}
}

// dispatch runs a statement where the stream is: in its transaction, or outside.
func (s *Stream) dispatch(ctx context.Context, c *class, text string, stmt *hrana.Stmt) (*hrana.StmtResult, *hrana.Error) {
	if c == nil {
		var herr *hrana.Error
		if c, herr = s.class(ctx, text); herr != nil {
			return nil, herr
		}
	}
	if herr := s.blocked(c); herr != nil {
		return nil, herr
	}
	switch c.kind {
	case plain:
	case begin, beginNow, beginRead, commit, rollback, savepoint, release, rollbackTo:
		if herr := c.tooMany(stmt); herr != nil {
			return nil, herr
		}
		return s.control(ctx, c)
	case foreignKeys, constant, alone, unsupported:
		return s.special(ctx, c)
	}
	args, herr := c.bind(stmt)
	if herr != nil {
		return nil, herr
	}
	s.run.statement(c, args, stmt.WantRows == nil || *stmt.WantRows)
	ctx = s.limited(ctx)
	s.run.ctx, s.run.mayWait = ctx, c.reads && s.tx == nil
	var err error
	if s.tx != nil {
		err = s.inside(ctx)
	} else {
		err = s.outside(ctx)
	}
	if err != nil {
		return nil, s.run.failure(err)
	}
	return s.run.result(), nil
}

// blocked returns why a statement may not run here.
func (s *Stream) blocked(c *class) *hrana.Error {
	writes := !c.reads && (c.kind == plain || c.kind == alone)
	o := &s.opts
	switch {
	case !o.BlockReads && !(o.BlockWrites && writes):
	case c.kind == commit || c.kind == rollback || c.kind == release || c.kind == savepoint || c.kind == rollbackTo:
	case o.BlockReason != "":
		return &hrana.Error{Code: "BLOCKED", Message: "Operation was blocked: " + o.BlockReason}
	default:
		return &hrana.Error{Code: "BLOCKED", Message: "Operation was blocked"}
	}
	if o.ReadOnly && writes {
		return errForbidden
	}
	return nil
}

// outside runs the statement as a transaction of its own.
func (s *Stream) outside(ctx context.Context) (err error) {
	r := &s.run
	switch c := r.c; {
	case c.reads:
		return s.db.View(ctx, r.view)
	case s.keysOff:
		return s.keysOffWrite(ctx)
	case !c.rows && !c.mayInsert && !c.keeps && !c.asksRowID:
		r.res, err = s.db.Exec(ctx, r.sql, r.args...)
		return err
	}
	if err := s.db.Update(ctx, r.update); err != nil {
		return err
	}
	return r.failed
}

// inside runs the statement in the open transaction. Some errors end it: SQLite
// has rolled everything back, and the stream is outside of a transaction again.
func (s *Stream) inside(ctx context.Context) error {
	err := s.run.in(live{ctx, s.tx})
	switch {
	case err == nil:
	case s.tx.Err() != nil:
		s.forget()
		s.lose(translate(err))
	case errors.Is(err, errTooLarge) && !s.run.c.reads:
		// It has written, and failed: only with the transaction can it be undone.
		s.end()
		s.lose(errTooLarge)
	}
	return err
}

// live is the place of an open transaction.
type live struct {
	ctx context.Context
	tx  transaction
}

func (l live) Run(visit func(nearlite.Row) error, sql string, args ...any) (nearlite.Result, error) {
	return l.tx.Run(l.ctx, visit, sql, args...)
}

// done is the result of a statement that has none.
func done() *hrana.StmtResult { return &hrana.StmtResult{} }

// control runs a statement about transactions.
func (s *Stream) control(ctx context.Context, c *class) (*hrana.StmtResult, *hrana.Error) {
	var herr *hrana.Error
	switch c.kind {
	case begin, beginNow, beginRead:
		herr = s.begin(ctx, c.kind)
	case commit:
		herr = s.commit(ctx)
	case rollback:
		if s.tx == nil {
			return nil, errNoRollback
		}
		s.end()
	case savepoint:
		herr = s.savepoint(ctx, c)
	case release, rollbackTo:
		herr = s.release(ctx, c)
	}
	if herr != nil {
		return nil, herr
	}
	return done(), nil
}

// begin opens a transaction.
func (s *Stream) begin(ctx context.Context, how kind) *hrana.Error {
	if s.tx != nil {
		return errNested
	}
	if s.keysOff && how != beginRead && !s.opts.ReadOnly {
		s.tx = newDetached(s)
		return nil
	}
	tx, err := s.db.Begin(ctx, s.txOptions(how))
	if err != nil {
		herr := translate(err)
		s.lose(herr)
		return herr
	}
	s.tx = tx
	return nil
}

// txOptions returns the engine's options for a kind of BEGIN.
func (s *Stream) txOptions(how kind) *nearlite.TxOptions {
	return &nearlite.TxOptions{ReadOnly: how == beginRead || s.opts.ReadOnly, Deferred: how == begin, LastInsertRowID: s.rowID}
}

// commit ends the transaction. A deferred foreign key that is violated leaves it
// open, as in SQLite: the client may still put things right.
func (s *Stream) commit(ctx context.Context) *hrana.Error {
	if s.tx == nil {
		return errNoCommit
	}
	if s.tx.DeferredViolation() {
		return errKeys
	}
	err := s.tx.Commit(ctx)
	s.forget()
	if err != nil {
		return translate(err)
	}
	return nil
}

// savepoint opens a savepoint, and outside of a transaction one as well.
func (s *Stream) savepoint(ctx context.Context, c *class) *hrana.Error {
	begun := false
	if s.tx == nil {
		if herr := s.begin(ctx, begin); herr != nil {
			return herr
		}
		begun = true
	}
	if herr := s.mark(ctx, c); herr != nil {
		if begun {
			s.end()
		}
		return herr
	}
	s.bySave = s.bySave || begun
	s.saves = append(s.saves, c.name)
	return nil
}

// release ends a savepoint, or goes back to it.
func (s *Stream) release(ctx context.Context, c *class) *hrana.Error {
	at := -1
	for i, name := range s.saves {
		if strings.EqualFold(name, c.name) {
			at = i
		}
	}
	if s.tx == nil || at < 0 {
		return sqliteError("UNKNOWN", "no such savepoint: "+c.name)
	}
	if c.kind == rollbackTo {
		if herr := s.mark(ctx, c); herr != nil {
			return herr
		}
		s.saves = s.saves[:at+1]
		return nil
	}
	if at == 0 && s.bySave {
		return s.commit(ctx)
	}
	if herr := s.mark(ctx, c); herr != nil {
		return herr
	}
	s.saves = s.saves[:at]
	return nil
}

// mark runs a statement about savepoints. In a transaction that only reads there
// is nothing to go back to.
func (s *Stream) mark(ctx context.Context, c *class) *hrana.Error {
	_, err := s.tx.Run(s.limited(ctx), nil, c.text)
	if errors.Is(err, nearlite.ErrReadOnly) {
		return nil
	}
	if err == nil {
		return nil
	}
	herr := translate(err)
	if s.tx.Err() != nil {
		s.forget()
		s.lose(herr)
	}
	return herr
}
