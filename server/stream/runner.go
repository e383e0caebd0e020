package stream

import (
	"context"
	"errors"
	"strconv"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/sqlite"
)

// A place is where a statement runs: a snapshot, or a transaction.
type place interface {
	Run(visit func(nearlite.Row) error, sql string, args ...any) (nearlite.Result, error)
}

// A runner runs one statement at a time and collects its rows. It is the stream's
// memory for that, since a point read costs little more than what it allocates.
type runner struct {
	s *Stream

	// Of the request:
	left  spare
	had   spare                                           // left before the statement
	out   func([]hrana.Col, [][]hrana.Value) *hrana.Error // takes rows that are many; nil: they are kept
	mem   int64                                           // bytes of all results
	held  int64                                           // taken of Options.Memory for them
	gives []func()                                        // end that

	// Of the statement:
	c     *class
	sql   string
	args  []any
	want  bool
	cols  []hrana.Col
	rows  [][]hrana.Value
	slab  []hrana.Value // room for values
	count int
	spent int // bytes since the last out
	ctx   context.Context
	// mayWait says that nobody has to wait for the statement if it waits for memory.
	mayWait bool
	hadMem  int64 // mem before the statement
	res     nearlite.Result

	failed error // of a statement whose transaction is committed all the same

	// Methods as values, made once:
	visit  func(nearlite.Row) error
	view   func(*nearlite.ReadTx) error
	update func(*nearlite.WriteTx) error
}

// spare is what a request may still return.
type spare struct{ rows, bytes int }

func (r *runner) init(s *Stream) {
	r.s = s
	r.visit, r.view, r.update = r.take, r.viewing, r.updating
}

// request sets the bounds for the next request.
func (r *runner) request() {
	r.left = spare{r.s.opts.MaxRows, r.s.opts.MaxBytes}
	r.out = nil
}

// statement prepares for one.
func (r *runner) statement(c *class, args []any, want bool) {
	r.c, r.sql, r.args, r.want, r.had, r.hadMem = c, c.text, args, want, r.left, r.mem
	if c.asksChanges {
		r.sql = c.withChanges(r.s.changes, r.s.total)
	}
	r.again()
}

// again forgets what was collected, since a closure may run more than once.
func (r *runner) again() {
	r.left, r.mem, r.failed = r.had, r.hadMem, nil
	r.cols, r.rows, r.slab, r.count, r.spent, r.res = nil, nil, nil, 0, 0, nearlite.Result{}
}

const (
	// slabMax is how many values there is room for in a slab.
	slabMax = 4096
	// valueSize is what a value takes in memory beyond what it takes as JSON.
	valueSize = 40
)

// outMin is how many bytes of rows are kept before out gets them.
const outMin = 256 << 10

// take is the visit of every statement.
func (r *runner) take(row nearlite.Row) error {
	if !r.want {
		return nil
	}
	if r.left.rows--; r.left.rows < 0 && r.out == nil {
		return errTooLarge
	}
	n := row.Len()
	if r.count == 0 {
		r.cols = r.c.cols(r.columns(row.Columns()))
	}
	if len(r.slab) < n {
		r.slab = make([]hrana.Value, n*max(1, min(r.count, 256, slabMax/max(n, 1))))
	}
	values := r.slab[:n:n]
	r.slab = r.slab[n:]
	size := 24 // of the brackets, and the slice
	room := r.left.bytes
	if r.out != nil {
		room = r.s.opts.MaxBytes
	}
	for i := range values {
		if size += fill(&values[i], row, i); size > room {
			return errTooLarge
		}
	}
	r.count++
	r.rows = append(r.rows, values)
	if r.out == nil {
		r.left.bytes -= size
		return r.spend(size + valueSize*n)
	}
	r.spent += size
	if r.spent >= outMin {
		rows := r.rows
		r.rows, r.spent = nil, 0
		if herr := r.out(r.cols, rows); herr != nil {
			return herr
		}
	}
	return nil
}

// fill reads a column and returns about how many bytes it takes as JSON.
func fill(v *hrana.Value, row nearlite.Row, i int) int {
	switch row.Type(i) {
	case sqlite.Integer:
		v.Kind, v.Integer = hrana.Integer, row.Int64(i)
		return 36
	case sqlite.Float:
		v.Kind, v.Float = hrana.Float, row.Float64(i)
		return 36
	case sqlite.Text:
		v.Kind, v.Text = hrana.Text, row.Text(i)
		return 28 + len(v.Text)
	case sqlite.Blob:
		v.Kind, v.Blob = hrana.Blob, row.Blob(i)
		return 28 + len(v.Blob)*4/3
	}
	return 15
}

// columns returns the columns of a result, of a statement whose text was changed
// those of the original.
func (r *runner) columns(from []sqlite.Column) []sqlite.Column {
	if r.c.asksChanges && len(r.c.names) == len(from) {
		return r.c.names
	}
	return from
}

// viewing runs the statement on a snapshot.
func (r *runner) viewing(tx *nearlite.ReadTx) (err error) {
	if r.c.asksRowID {
		tx.SetLastInsertRowID(r.s.rowID)
	}
	r.res, err = tx.Run(r.visit, r.sql, r.args...)
	r.s.see(tx)
	return err
}

// updating runs the statement as a transaction of its own.
func (r *runner) updating(tx *nearlite.WriteTx) (err error) {
	r.again()
	tx.SetLastInsertRowID(r.s.rowID)
	r.res, err = tx.Run(r.visit, r.sql, r.args...)
	if r.c.keeps && errors.Is(err, sqlite.CodeConstraint) {
		r.failed, err = err, nil
	}
	return err
}

// in runs the statement at a place.
func (r *runner) in(p place) (err error) {
	r.res, err = p.Run(r.visit, r.sql, r.args...)
	return err
}

// result returns what the statement says after it has succeeded, and notes what
// the stream remembers of it.
func (r *runner) result() *hrana.StmtResult {
	c, s := r.c, r.s
	res := &hrana.StmtResult{Cols: r.cols, Rows: r.rows, RowsRead: uint64(r.count), RowsWritten: uint64(r.res.Changes)}
	if r.cols == nil {
		res.Cols = c.cols(r.columns(r.res.Columns))
	}
	if !c.changes {
		return res
	}
	res.AffectedRowCount = uint64(r.res.Changes)
	s.changes = r.res.Changes
	s.total += r.res.Changes
	if c.insert {
		if r.res.Changes > 0 || c.mayInsert {
			s.rowID = r.res.LastInsertRowID
		}
		id := s.rowID
		res.LastInsertRowID = &id
	}
	return res
}

// failure returns the error of the statement, after which changes() is 0.
func (r *runner) failure(err error) *hrana.Error {
	if r.c.changes {
		r.s.changes = 0
	}
	return translate(err)
}

// withChanges returns the text with changes() and total_changes() replaced by what
// they are to the stream: SQLite knows only what its connection did, and cannot
// be told otherwise.
func (c *class) withChanges(changes, total int64) string {
	var out []byte
	done := 0
	for l := (lexer{sql: c.text}); ; {
		t := l.next()
		if t.kind == end {
			return string(append(out, c.text[done:]...))
		}
		value := changes
		if t.is("TOTAL_CHANGES") {
			value = total
		} else if !t.is("CHANGES") {
			continue
		}
		after := l
		if after.next().text != "(" || after.next().text != ")" {
			continue
		}
		out = append(out, c.text[done:t.at]...)
		out = append(out, '(')
		out = strconv.AppendInt(out, value, 10)
		out = append(out, ')')
		done, l.at = after.at, after.at
	}
}
