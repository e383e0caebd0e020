package stream

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/sqlite"
)

// kind is what becomes of a statement.
type kind uint8

const (
	plain       kind = iota // the engine runs it
	begin                   // BEGIN, DEFERRED or not said
	beginNow                // BEGIN IMMEDIATE and EXCLUSIVE
	beginRead               // BEGIN TRANSACTION READONLY, which is libSQL's
	commit                  // COMMIT, END
	rollback                // ROLLBACK without TO
	savepoint               // SAVEPOINT name
	release                 // RELEASE name
	rollbackTo              // ROLLBACK TO name
	foreignKeys             // PRAGMA foreign_keys, read or set
	constant                // a PRAGMA that is answered without asking anybody
	alone                   // runs outside of any transaction: VACUUM, PRAGMA optimize
	unsupported             // is refused
)

// A class is what is known of a text that holds one statement. None of it depends
// on the schema, except that a statement may be about something that is not there.
type class struct {
	text   string
	kind   kind
	name   string // of a savepoint; of a PRAGMA
	value  string // given to a PRAGMA
	set    bool   // there is one
	reason string // of unsupported

	changes   bool // INSERT, UPDATE or DELETE: it has an affected_row_count
	insert    bool // INSERT or REPLACE: it has a last_insert_rowid
	mayInsert bool // an INSERT that may do nothing, or something else: OR IGNORE, ON CONFLICT
	keeps     bool // OR FAIL: what it did before it failed stays
	explain   bool

	described   bool // by SQLite, hence:
	reads       bool // it returns rows and cannot change the database
	rows        bool // it returns rows
	params      []string
	names       []sqlite.Column // of asksChanges
	asksRowID   bool            // calls last_insert_rowid()
	asksChanges bool            // calls changes() or total_changes()

	columns atomic.Pointer[columns] // as they were last
}

// columns are a result's columns in both forms.
type columns struct {
	from []sqlite.Column
	cols []hrana.Col
}

// cols returns columns as the protocol has them; mostly those of the last time.
func (c *class) cols(from []sqlite.Column) []hrana.Col {
	if last := c.columns.Load(); last != nil && sameColumns(last.from, from) {
		return last.cols
	}
	cols := make([]hrana.Col, len(from))
	for i := range from {
		col := &from[i]
		cols[i].Name = &col.Name
		if col.DeclType != "" {
			cols[i].Decltype = &col.DeclType
		}
	}
	if len(from) <= columnsMax {
		c.columns.Store(&columns{from, cols})
	}
	return cols
}

func sameColumns(a, b []sqlite.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Classes remember what SQLite said of the statements of one database, so that it
// is asked once. Give all streams of a database the same. They are safe for
// concurrent use.
type Classes struct {
	mu         sync.RWMutex // protects the following
	young, old map[string]*class
	size       int // of what is young, in bytes
}

const (
	// classesMax is how many texts are kept young, and as many old ones. Programs
	// have fewer, or ever new ones.
	classesMax = 1000
	// classesSize is how many bytes they may take, young and old ones each.
	classesSize = 2 << 20
	// classMax bounds each, in bytes.
	classMax = 8 << 10
	// ownText is up to which size a text may be kept by a connection's statements.
	ownText = 32 << 10
	// columnsMax is how many columns of a result are kept with a class.
	columnsMax = 64
)

// size returns about how many bytes a class takes, but for its columns.
func (c *class) size() int {
	const class, param, column = 256, 24, 64
	return class + len(c.text) + param*len(c.params) + column*len(c.names)
}

// NewClasses returns an empty memory.
func NewClasses() *Classes { return &Classes{young: map[string]*class{}} }

func (m *Classes) get(text string) *class {
	m.mu.RLock()
	c := m.young[text]
	var aged *class
	if c == nil {
		aged = m.old[text]
	}
	m.mu.RUnlock()
	if aged != nil {
		m.put(aged)
		return aged
	}
	return c
}

// put keeps a class. What has not been asked for since as many others came is
// forgotten.
func (m *Classes) put(c *class) {
	size := c.size()
	if size > classMax {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young[c.text] != nil {
		return // somebody else was quicker
	}
	if len(m.young) >= classesMax || m.size+size > classesSize {
		m.old, m.young, m.size = m.young, make(map[string]*class, len(m.young)), 0
	}
	m.young[c.text] = c
	m.size += size
}

// read returns what the text of one statement says by itself.
func read(text string) (*class, *hrana.Error) {
	_, rest := cut(text)
	if rest != "" && !blank(rest) {
		return nil, errMany
	}
	v := verb(text)
	if v == "" && blank(text) {
		return nil, errNone
	}
	c := &class{text: text}
	switch v {
	case "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE":
		if herr := c.control(); herr != nil {
			return nil, herr
		}
	case "INSERT", "REPLACE":
		c.changes, c.insert = true, true
		c.mayInsert = v == "REPLACE" || conflicts(text)
		c.keeps = orFail(text)
	case "UPDATE", "DELETE":
		c.changes = true
		c.keeps = orFail(text)
	case "CREATE":
		c.create()
	case "ATTACH", "DETACH":
		c.kind, c.reason = unsupported, "a stream has one database; connect to another one for its tables"
	case "EXPLAIN":
		c.explain = true
	case "PRAGMA":
		c.pragma()
	case "VACUUM":
		c.vacuum()
	}
	return c, nil
}

// conflicts reports whether an INSERT says what to do about a conflict.
func conflicts(text string) bool {
	for l := (lexer{sql: text}); ; {
		switch t := l.next(); {
		case t.kind == end:
			return false
		case t.is("CONFLICT"), t.is("OR"):
			return true
		}
	}
}

// orFail reports whether a statement says OR FAIL.
func orFail(text string) bool {
	for l, or := (lexer{sql: text}), false; ; {
		t := l.next()
		if t.kind == end || or && t.is("FAIL") {
			return t.kind != end
		}
		or = t.is("OR")
	}
}

// create refuses what would stay on a connection that others use.
func (c *class) create() {
	l := &lexer{sql: c.text}
	for t := l.next(); !t.is("CREATE"); t = l.next() {
	}
	if t := l.next(); t.is("TEMP") || t.is("TEMPORARY") {
		c.kind, c.reason = unsupported, "streams share connections, and others would see it; use an ordinary table, or WITH"
	}
}

// control reads a statement about transactions, and says what is wrong with one
// that is none by the grammar.
func (c *class) control() *hrana.Error {
	l := &lexer{sql: c.text}
	t := l.next()
	for t.kind == semi {
		t = l.next()
	}
	first := strings.ToUpper(t.text)
	var words []token
	for t = l.next(); t.kind == word || t.kind == quoted; t = l.next() {
		words = append(words, t)
	}
	if t.kind == other {
		return unexpected(c.text, t)
	}
	after := t
	take := func(keywords ...string) string {
		for _, k := range keywords {
			if len(words) > 0 && words[0].is(k) {
				words = words[1:]
				return k
			}
		}
		return ""
	}
	var kind kind
	switch first {
	case "BEGIN":
		kind = begin
		switch how := take("DEFERRED", "IMMEDIATE", "EXCLUSIVE", "READONLY"); how {
		case "IMMEDIATE", "EXCLUSIVE":
			kind = beginNow
		case "READONLY":
			kind = beginRead
		}
		if take("TRANSACTION") != "" && len(words) == 1 {
			if words[0].is("READONLY") {
				kind = beginRead
			}
			words = words[1:]
		}
	case "COMMIT", "END":
		kind = commit
		if take("TRANSACTION") != "" && len(words) == 1 {
			words = words[1:]
		}
	case "SAVEPOINT":
		kind = savepoint
	case "RELEASE":
		kind = release
		if len(words) > 1 {
			take("SAVEPOINT")
		}
	case "ROLLBACK":
		kind = rollback
		if take("TRANSACTION") != "" && len(words) > 0 && !words[0].is("TO") {
			words = words[1:]
		}
		if take("TO") != "" {
			kind = rollbackTo
			if len(words) > 1 {
				take("SAVEPOINT")
			}
		}
	}
	named := kind == savepoint || kind == release || kind == rollbackTo
	if named && len(words) > 0 {
		c.name, words, named = words[0].name(), words[1:], false
	}
	switch {
	case len(words) > 0:
		return unexpected(c.text, words[0])
	case named:
		return unexpected(c.text, after)
	}
	c.kind = kind
	return nil
}

// Bounds says what the first statement of a text is to a transaction: BEGIN, COMMIT
// or ROLLBACK; "" if it neither begins nor ends one.
func Bounds(sql string) string {
	first, _ := cut(sql)
	c, herr := read(first)
	if herr != nil {
		return ""
	}
	switch c.kind {
	case begin, beginNow, beginRead:
		return "BEGIN"
	case commit:
		return "COMMIT"
	case rollback:
		return "ROLLBACK"
	}
	return ""
}

// vacuum reads a VACUUM.
func (c *class) vacuum() {
	c.kind = alone
	for l := (lexer{sql: c.text}); ; {
		switch t := l.next(); {
		case t.kind == end:
			return
		case t.is("INTO"):
			c.kind, c.reason = unsupported, "VACUUM INTO would write a file of the server; use its backup"
			return
		}
	}
}
