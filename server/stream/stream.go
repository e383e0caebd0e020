package stream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
)

// Options of a stream. The zero value is all defaults.
type Options struct {
	// ReadOnly is for a token that may only read.
	ReadOnly bool
	// BlockReads and BlockWrites refuse what they say, for BlockReason.
	BlockReads, BlockWrites bool
	BlockReason             string
	// MaxRows and MaxBytes bound what one request returns: RESPONSE_TOO_LARGE
	// beyond. 0: a million rows, 10 MB.
	MaxRows, MaxBytes int
	// StatementTimeout is how long one statement may run; 0: as long as it likes.
	StatementTimeout time.Duration
	// QueueTimeout is how long a statement may wait for others that write, which does
	// not count as running; 0: as long as it may run.
	QueueTimeout time.Duration
	// TransactionTimeout is how long the statements of a transaction that one request
	// begins and ends may take together; 0: as long as they like.
	TransactionTimeout time.Duration
	// Memory is where large results are taken from; nil: they are not counted. The caller
	// gives back what [Stream.Owes].
	Memory Memory
	// OnStatement, if not nil, is told of every statement that ran.
	OnStatement func(Ran)
	// Positions has the stream note what its snapshots see; see [Stream.Position].
	Positions bool
	// Classes are shared by the streams of a database; nil: the stream has its own.
	Classes *Classes
	// Store has the stored texts. Those of a WebSocket's streams share one; nil:
	// the stream has its own, for 50 texts.
	Store *Store
}

// A Stream is what a client takes for a connection to a database. It holds nothing
// of the database but while a transaction is open. Its methods may be called from
// any goroutine and do one thing at a time.
type Stream struct {
	db   *nearlite.DB
	opts Options

	mu     sync.Mutex // protects the following
	closed bool
	tx     transaction  // nil when none is open
	saves  []string     // savepoints that are open in it, outermost first
	bySave bool         // the outermost has begun it: its RELEASE is a COMMIT
	lost   *hrana.Error // how the request has lost its transaction; see Lost

	seen    nearlite.Position // by the last snapshot, if the options want that
	keysOff bool              // PRAGMA foreign_keys = OFF was run here
	rowID   int64
	changes int64
	total   int64 // of changes

	run runner // memory of the statement that runs
}

// transaction is one that stays open between requests.
type transaction interface {
	Run(ctx context.Context, visit func(nearlite.Row) error, sql string, args ...any) (nearlite.Result, error)
	Describe(ctx context.Context, sql string) (nearlite.Description, error)
	DeferredViolation() bool
	Commit(ctx context.Context) error
	Rollback() error
	Err() error
}

// New returns a stream on a database.
func New(db *nearlite.DB, opts Options) *Stream {
	if opts.Classes == nil {
		opts.Classes = NewClasses()
	}
	if opts.Store == nil {
		opts.Store = NewStore(0)
	}
	s := &Stream{db: db, opts: opts.withDefaults()}
	s.run.init(s)
	return s
}

func (o Options) withDefaults() Options {
	if o.MaxRows == 0 {
		o.MaxRows = 1_000_000
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 10 << 20
	}
	return o
}

// SetOptions changes what the stream may do from its next request on, also in an open
// transaction. Classes and Store stay what they are.
func (s *Stream) SetOptions(opts Options) {
	s.mu.Lock()
	defer s.mu.Unlock()
	opts.Classes, opts.Store = s.opts.Classes, s.opts.Store
	s.run.giveBack() // to where it was taken from
	s.opts = opts.withDefaults()
}

// Do does what a request asks, if it is one of [hrana.Execute], [hrana.RunBatch],
// [hrana.Sequence], [hrana.Describe], [hrana.StoreSQL], [hrana.CloseSQL],
// [hrana.GetAutocommit] and [hrana.Close].
func (s *Stream) Do(ctx context.Context, req *hrana.Request) (res *hrana.Response, herr *hrana.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if herr != nil {
			s.run.giveBack()
		}
	}()
	defer s.survive(&herr)
	s.lost = nil
	if s.closed {
		return nil, errClosed
	}
	res = &hrana.Response{Kind: req.Kind}
	switch req.Kind {
	case hrana.Execute:
		res.Result, herr = s.execute(ctx, req.Stmt)
	case hrana.RunBatch:
		res.Batch, herr = s.batch(ctx, req.Batch)
	case hrana.Sequence:
		herr = s.sequence(ctx, req.SQL, req.SQLID)
	case hrana.Describe:
		res.Describe, herr = s.describe(ctx, req.SQL, req.SQLID)
	case hrana.StoreSQL:
		herr = s.opts.Store.put(req.SQLID, req.SQL)
	case hrana.CloseSQL:
		s.opts.Store.remove(req.SQLID)
	case hrana.GetAutocommit:
		res.IsAutocommit = s.tx == nil || s.tx.Err() != nil
	case hrana.Close:
		s.close()
	default:
		herr = protocolError("a stream cannot do a request of kind %d", req.Kind)
	}
	if herr != nil {
		return nil, herr
	}
	return res, nil
}

// survive turns a panic into an error. What it interrupted is rolled back: the
// engine has done that for a closure, and an open transaction is ended here.
func (s *Stream) survive(herr **hrana.Error) {
	v := recover()
	if v == nil {
		return
	}
	*herr = &hrana.Error{Code: CodeInternal, Message: fmt.Sprintf("the statement made the server panic, and was rolled back: %v", v)}
	if s.tx != nil {
		s.lost = *herr
	}
	s.end()
}

// Idle reports whether the stream has no transaction and no setting of its own: it
// can be closed, and a new one given its [Store] is the same to the client, but
// for last_insert_rowid() and changes().
func (s *Stream) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx == nil && !s.keysOff
}

// Err returns why the open transaction has ended by itself, as its client will
// be told: its lease is over, say. It is nil otherwise.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx == nil {
		return nil
	}
	return s.tx.Err()
}

// Lost returns the error by which the last request has lost its transaction, or has
// failed to begin one; nil if it has not. What the client has sent by then was meant
// for the transaction: do not let it be committed alone. An error that the client
// itself wants to end the transaction, by OR ROLLBACK, is none of these.
func (s *Stream) Lost() *hrana.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// lose notes that an error has ended a transaction, or kept it from beginning.
func (s *Stream) lose(herr *hrana.Error) {
	if herr.Code != errKeys.Code { // OR ROLLBACK, RAISE(ROLLBACK)
		s.lost = herr
	}
}

// Position returns what the last snapshot outside of an open transaction has seen,
// with [Options.Positions], or what it must have after something was written: the
// latest commit.
func (s *Stream) Position() nearlite.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen != (nearlite.Position{}) {
		return s.seen
	}
	return s.db.Position()
}

// Stored returns the stored texts.
func (s *Stream) Stored() map[int32]string { return s.opts.Store.all() }

// StoredSize returns how many bytes they have together.
func (s *Stream) StoredSize() int { return s.opts.Store.bytes() }

// Restore replaces the stored texts.
func (s *Stream) Restore(texts map[int32]string) { s.opts.Store.replace(texts) }

// Close rolls back the open transaction, if there is one. It waits for a request
// under way, which ends soon when its context does.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
}

func (s *Stream) close() {
	s.end()
	s.closed = true
}

// end forgets the open transaction, rolling it back.
func (s *Stream) end() {
	if s.tx != nil {
		s.tx.Rollback() // it may have ended by itself, which comes to the same
		s.forget()
	}
}

// forget is the end of a transaction that has ended already.
func (s *Stream) forget() {
	s.tx, s.saves, s.bySave = nil, s.saves[:0], false
}

// text returns the SQL that a request means.
func (s *Stream) text(sql *string, id *int32) (string, *hrana.Error) {
	switch {
	case sql != nil && id != nil:
		return "", protocolError("Either `sql` or `sql_id` are required, but not both")
	case sql != nil:
		return *sql, nil
	case id != nil:
		return s.opts.Store.get(*id)
	}
	return "", protocolError("Either `sql` or `sql_id` are required")
}

// class returns what a text is, asking SQLite if it was not seen before.
func (s *Stream) class(ctx context.Context, text string) (*class, *hrana.Error) {
	return s.classify(text, func(sql string) (nearlite.Description, error) {
		if s.tx != nil {
			return s.tx.Describe(ctx, sql)
		}
		return s.db.Describe(ctx, sql)
	})
}

// classify is class for a schema that need not be the stream's.
func (s *Stream) classify(text string, describe func(string) (nearlite.Description, error)) (*class, *hrana.Error) {
	if c := s.opts.Classes.get(text); c != nil {
		return c, nil
	}
	if len(text) <= ownText {
		text = strings.Clone(text) // here and with SQLite it stays, and it may be part of something large
	}
	c, herr := read(text)
	if herr != nil {
		return nil, herr
	}
	if c.kind == plain {
		d, err := describe(text)
		if err != nil {
			return c, translate(err)
		}
		c.describe(d)
	}
	s.opts.Classes.put(c)
	return c, nil
}

// describe notes what SQLite says.
func (c *class) describe(d nearlite.Description) {
	c.described = true
	c.rows = len(d.Columns) > 0
	c.reads = d.ReadOnly && c.rows
	c.params = d.Params
	c.asksRowID, c.asksChanges = d.AsksRowID, d.AsksChanges
	if d.AsksChanges {
		c.names = d.Columns
	}
}

// describe answers a describe request.
func (s *Stream) describe(ctx context.Context, sql *string, id *int32) (*hrana.DescribeResult, *hrana.Error) {
	text, herr := s.text(sql, id)
	if herr != nil {
		return nil, herr
	}
	if herr := s.expired(); herr != nil {
		return nil, herr
	}
	first, _ := cut(text)
	res := &hrana.DescribeResult{Params: []hrana.DescribeParam{}, Cols: []hrana.DescribeCol{}, IsReadonly: true}
	if first == "" {
		return res, nil
	}
	c, herr := read(first)
	if herr != nil {
		return nil, herr
	}
	switch c.kind {
	case plain, foreignKeys, constant:
	default: // nothing to be described
		res.IsReadonly = c.kind != alone
		return res, nil
	}
	var d nearlite.Description
	var err error
	if s.tx != nil {
		d, err = s.tx.Describe(ctx, first)
	} else {
		d, err = s.db.Describe(ctx, first)
	}
	if err != nil && c.kind == plain {
		return nil, translateDescribed(err)
	}
	res.IsExplain, res.IsReadonly = c.explain, d.ReadOnly || err != nil
	for _, p := range d.Params {
		param := hrana.DescribeParam{}
		if p != "" {
			param.Name = &p
		}
		res.Params = append(res.Params, param)
	}
	for i := range d.Columns {
		col := hrana.DescribeCol{Name: d.Columns[i].Name}
		if d.Columns[i].DeclType != "" {
			col.Decltype = &d.Columns[i].DeclType
		}
		res.Cols = append(res.Cols, col)
	}
	return res, nil
}
