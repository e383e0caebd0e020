package sqldriver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// statement is what SQLite says of a text.
type statement struct {
	text    string
	params  int
	empty   bool // nothing but blanks and comments
	many    bool // more than one statement
	reads   bool // it returns rows and cannot change the database
	control control
	alone   atomic.Bool // a transaction has refused it
}

// statements remembers what SQLite said of texts. None of it depends on the
// schema, but that there is anything to be said at all.
type statements struct {
	mu     sync.RWMutex // protects the following
	byText map[string]*statement
}

// statementsMax bounds the memory. Programs have fewer texts, or ever new ones.
const statementsMax = 1000

func newStatements() *statements { return &statements{byText: map[string]*statement{}} }

func (s *statements) get(text string) *statement {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byText[text]
}

func (s *statements) put(st *statement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byText) >= statementsMax {
		for text := range s.byText { // any will do
			delete(s.byText, text)
			break
		}
	}
	s.byText[st.text] = st
}

// describer is a database or a transaction: whose schema counts.
type describer interface {
	Describe(ctx context.Context, sql string) (nearlite.Description, error)
}

// look asks what the first statement of a text is and returns the text behind it.
func look(ctx context.Context, d describer, text string) (*statement, string, error) {
	what, err := d.Describe(ctx, text)
	if errors.Is(err, nearlite.ErrRefused) {
		return lookRefused(text)
	}
	if err != nil {
		return nil, "", err
	}
	st := &statement{text: text[:len(text)-len(what.Tail)], params: len(what.Params), empty: what.Empty,
		reads: what.ReadOnly && len(what.Columns) > 0}
	if !what.Empty && len(what.Columns) == 0 {
		if st.control, err = controlOf(st.text); err != nil {
			return nil, "", err
		}
	}
	return st, what.Tail, nil
}

// lookRefused does the same for a statement that no transaction would run, about
// which SQLite does not say more than that.
func lookRefused(text string) (*statement, string, error) {
	first, tail := split(text)
	st := &statement{text: first, params: -1}
	var err error
	if st.control, err = controlOf(first); err != nil {
		return nil, "", err
	}
	st.alone.Store(st.control == none)
	return st, tail, nil
}

// split cuts a text behind its first statement, as sqlite3_complete sees it.
func split(text string) (first, tail string) {
	for i := 0; i < len(text); i++ {
		if text[i] == ';' && sqlite.Complete(text[:i+1]) {
			return text[:i+1], text[i+1:]
		}
	}
	return text, ""
}

// describe returns what a text is, from memory if it was seen before.
func (c *conn) describe(ctx context.Context, text string) (*statement, error) {
	if st := c.statements.get(text); st != nil {
		return st, nil
	}
	d := c.schema()
	st, tail, err := look(ctx, d, text)
	if err != nil {
		return nil, err
	}
	if tail != "" {
		// What follows may be about what the first statement creates; then it is
		// an error here, and more than a comment.
		next, err := d.Describe(ctx, tail)
		st.many = err != nil || !next.Empty
	}
	st.text = text
	c.statements.put(st)
	return st, nil
}

// control is a statement that begins or ends a transaction, or a part of one.
type control int

const (
	none control = iota
	begin
	commit
	rollback
	savepoint
)

// parser is a connection to nothing. Statements about transactions need no
// schema, so it can say which of them a text is: as SQLite reads it.
var parser struct {
	mu   sync.Mutex
	conn *sqlite.Conn
	last control
}

// controlOf says which statement about transactions a text is.
func controlOf(text string) (control, error) {
	parser.mu.Lock()
	defer parser.mu.Unlock()
	if parser.conn == nil {
		c, err := sqlite.Open(":memory:", sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenMemory, "")
		if err != nil {
			return none, fmt.Errorf("open a parser: %w", err)
		}
		c.SetAuthorizer(note)
		parser.conn = c
	}
	parser.last = none
	s, _, err := parser.conn.PrepareFirst(text)
	if err != nil {
		var bad *sqlite.Error
		if errors.As(err, &bad) { // of a schema that the parser does not have
			return none, nil
		}
		return none, err
	}
	if s != nil {
		s.Finalize()
	}
	return parser.last, nil
}

// note is the parser's authorizer.
func note(a sqlite.Action) sqlite.Decision {
	switch a.Op {
	case sqlite.OpSavepoint:
		parser.last = savepoint
	case sqlite.OpTransaction:
		switch a.A {
		case "BEGIN":
			parser.last = begin
		case "COMMIT":
			parser.last = commit
		case "ROLLBACK":
			parser.last = rollback
		}
	}
	return sqlite.Allow
}
