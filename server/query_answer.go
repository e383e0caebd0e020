package server

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
)

// A queryAnswer takes the entries of a cursor and makes the answer to a query of
// them: JSON is collected and sent as a whole, the other forms as they come.
type queryAnswer struct {
	c      *call
	q      *query
	s      *stream.Stream
	buf    *[]byte
	taken  int64    // of the server's memory
	gives  []func() // give it back
	offset int      // of the steps: 1 when there is a BEGIN before

	step    int // that is told of now
	cols    []hrana.Col
	rows    int
	cut     bool // rows were left out
	mayStop bool // and nothing is lost if the statement ends there
	results int  // complete in buf
	begun   bool // something was sent
	asked   bool // wrote is known
	wrote   bool // see writes
	failed  error
}

var errEnough = errors.New("the rows are enough")

func newQueryAnswer(c *call, q *query, s *stream.Stream) *queryAnswer {
	a := &queryAnswer{c: c, q: q, s: s, buf: takeBuffer(), step: -1}
	if len(q.stmts) > 1 {
		a.offset = 1
	}
	if q.format == formatJSON {
		*a.buf = append(*a.buf, `{"results":[`...)
	}
	return a
}

func (a *queryAnswer) release() {
	giveBuffer(a.buf)
	for _, give := range a.gives {
		give()
	}
}

// entry takes one entry of the cursor.
func (a *queryAnswer) entry(e *hrana.CursorEntry) error {
	switch e.Kind {
	case hrana.StepBegin:
		a.step, a.cols, a.rows, a.cut = int(e.Step)-a.offset, e.Cols, 0, false
		if a.told() {
			return a.begin()
		}
	case hrana.Row:
		if a.told() {
			return a.row(e.Row)
		}
	case hrana.StepEnd:
		if a.told() {
			return a.end(e)
		}
	case hrana.StepError:
		step := int(e.Step) - a.offset
		a.failed = a.c.failedAt(min(max(step, 0), len(a.q.stmts)-1), a.q, e.Error)
		return a.failed
	case hrana.BatchError:
		// It may be of any statement; of one it is of that.
		a.failed = a.c.failedAt(max(a.step, 0), a.q, e.Error)
		return a.failed
	}
	return nil
}

// told says whether a step belongs to the answer: BEGIN and COMMIT do not, and
// where there is place for one result only, it is the last statement's.
func (a *queryAnswer) told() bool {
	if a.q.format == formatJSON {
		return a.step >= 0 && a.step < len(a.q.stmts)
	}
	return a.step == len(a.q.stmts)-1
}

// begin writes what stands before the rows.
func (a *queryAnswer) begin() error {
	switch a.q.format {
	case formatCSV:
		a.fields(len(a.cols), func(i int) { *a.buf = appendField(*a.buf, a.name(i)) })
	case formatJSON:
		if a.results > 0 {
			*a.buf = append(*a.buf, ',')
		}
		a.head()
	}
	return nil
}

func (a *queryAnswer) name(i int) string {
	if name := a.cols[i].Name; name != nil {
		return *name
	}
	return ""
}

// head writes the columns of a result in JSON.
func (a *queryAnswer) head() {
	*a.buf = append(*a.buf, `{"columns":[`...)
	a.list(len(a.cols), func(i int) { *a.buf = appendJSONString(*a.buf, a.name(i)) })
	*a.buf = append(*a.buf, `],"types":[`...)
	a.list(len(a.cols), func(i int) {
		if t := a.cols[i].Decltype; t != nil {
			*a.buf = appendJSONString(*a.buf, *t)
		} else {
			*a.buf = append(*a.buf, "null"...)
		}
	})
	*a.buf = append(*a.buf, `],"rows":[`...)
}

// list writes n things with commas between them.
func (a *queryAnswer) list(n int, write func(i int)) {
	for i := range n {
		if i > 0 {
			*a.buf = append(*a.buf, ',')
		}
		write(i)
	}
}

// fields writes a line of CSV.
func (a *queryAnswer) fields(n int, write func(i int)) {
	a.list(n, write)
	*a.buf = append(*a.buf, '\n')
}

// row writes a row, unless there are enough.
func (a *queryAnswer) row(row []hrana.Value) error {
	if a.q.MaxRows > 0 && a.rows >= a.q.MaxRows {
		if !a.cut {
			a.cut = true
			a.mayStop = len(a.q.stmts) == 1 && a.reads(a.step)
		}
		if a.mayStop {
			return errEnough
		}
		return nil
	}
	a.rows++
	switch a.q.format {
	case formatCSV:
		a.fields(len(row), func(i int) { *a.buf = appendCSV(*a.buf, &row[i]) })
		return a.stream()
	case formatNDJSON:
		*a.buf = append(*a.buf, '{')
		a.list(len(row), func(i int) {
			*a.buf = append(appendJSONString(*a.buf, a.name(i)), ':')
			*a.buf = appendValue(*a.buf, &row[i], a.q.big)
		})
		*a.buf = append(*a.buf, "}\n"...)
		return a.stream()
	}
	if a.rows > 1 {
		*a.buf = append(*a.buf, ',')
	}
	*a.buf = append(*a.buf, '[')
	a.list(len(row), func(i int) { *a.buf = appendValue(*a.buf, &row[i], a.q.big) })
	*a.buf = append(*a.buf, ']')
	return a.bound()
}

// reads says whether a statement cannot change anything.
func (a *queryAnswer) reads(step int) bool {
	d, err := a.c.handle.DB().Describe(a.c.r.Context(), *a.q.stmts[step].SQL)
	return err == nil && d.ReadOnly
}

// bound keeps what is collected within the limits, and counts it. What has been
// written is told in any case: tried again, it would be written twice.
func (a *queryAnswer) bound() error {
	most := min(a.c.caller.limits.Bytes, answerMax)
	large := int64(len(*a.buf)) > most || a.rows > a.c.caller.limits.Rows
	if large && !a.writes() {
		f := &failure{status: http.StatusRequestEntityTooLarge, code: "RESPONSE_TOO_LARGE", statement: a.step + 1, offset: -1,
			message: "The answer is too large: ask for less at a time with LIMIT or \"max_rows\", or for ndjson or csv, which come as a stream"}
		a.failed = f
		return f
	}
	size := 2 * int64(len(*a.buf)) // it doubles when it grows
	if size <= max(a.taken, small) {
		return nil
	}
	need := int64(stream.Middling)
	if a.taken > 0 || size > need {
		need = 2 * most
	}
	give, err := results{a.c.s}.Take(a.c.r.Context(), need, !a.writes())
	if err != nil {
		a.failed = err
		return err
	}
	a.taken += need
	a.gives = append(a.gives, give)
	return nil
}

// writes says whether any statement of the query may have written something.
func (a *queryAnswer) writes() bool {
	for i := 0; i < len(a.q.stmts) && !a.asked; i++ {
		a.wrote = a.wrote || !a.reads(i)
	}
	a.asked = true
	return a.wrote
}

// end writes what stands behind the rows.
func (a *queryAnswer) end(e *hrana.CursorEntry) error {
	rowid := "null"
	if e.LastInsertRowID != nil {
		rowid = string(appendInteger(nil, *e.LastInsertRowID, a.q.big))
	}
	switch {
	case a.q.format == formatJSON:
		a.results++
		*a.buf = append(*a.buf, `],"rows_affected":`...)
		*a.buf = strconv.AppendUint(*a.buf, e.AffectedRowCount, 10)
		*a.buf = append(append(*a.buf, `,"last_insert_rowid":`...), rowid...)
		if a.cut {
			*a.buf = append(*a.buf, `,"truncated":true`...)
		}
		*a.buf = append(*a.buf, '}')
	case a.q.format == formatNDJSON && len(a.cols) == 0:
		*a.buf = append(*a.buf, `{"rows_affected":`...)
		*a.buf = strconv.AppendUint(*a.buf, e.AffectedRowCount, 10)
		*a.buf = append(append(append(*a.buf, `,"last_insert_rowid":`...), rowid...), "}\n"...)
	case a.q.format == formatCSV && len(a.cols) == 0:
		*a.buf = (*a.buf)[:0] // no columns, no lines
	}
	return nil
}

func (a *queryAnswer) contentType() []string {
	return [...][]string{formatJSON: typeJSON, formatNDJSON: typeNDJSON, formatCSV: typeCSV}[a.q.format]
}

// stream sends what is collected when it is much.
func (a *queryAnswer) stream() error {
	if len(*a.buf) < cursorPiece {
		return nil
	}
	if !a.begun {
		a.begun = true
		h := a.c.w.Header()
		h["Content-Type"] = a.contentType()
		// The snapshot is not older than this.
		h[positionHeader] = []string{a.c.handle.DB().Position().String()}
	}
	_, err := a.c.w.Write(*a.buf)
	*a.buf = (*a.buf)[:0]
	return err
}

// enough ends an answer whose statement was stopped.
func (a *queryAnswer) enough() error {
	if err := a.end(&hrana.CursorEntry{Kind: hrana.StepEnd}); err != nil {
		return err
	}
	return a.finish()
}

// finish sends the rest, or all of it.
func (a *queryAnswer) finish() error {
	if a.begun {
		_, _ = a.c.w.Write(*a.buf)
		return nil
	}
	position := a.s.Position().String()
	if a.q.format == formatJSON {
		*a.buf = append(*a.buf, `],"position":"`...)
		*a.buf = append(append(*a.buf, position...), `","time_ms":`...)
		*a.buf = strconv.AppendFloat(*a.buf, float64(time.Since(a.q.began).Microseconds())/1000, 'f', -1, 64)
		*a.buf = append(*a.buf, "}\n"...)
	}
	a.c.w.Header()[positionHeader] = []string{position}
	a.c.send(a.contentType(), *a.buf, a.taken)
	return nil
}

// appendCSV writes a value as a field: NULL is nothing, an empty text "", and a blob
// base64.
func appendCSV(dst []byte, v *hrana.Value) []byte {
	switch v.Kind {
	case hrana.Integer:
		return strconv.AppendInt(dst, v.Integer, 10)
	case hrana.Float:
		return appendFloat(dst, v.Float)
	case hrana.Text:
		if v.Text == "" {
			return append(dst, `""`...)
		}
		return appendField(dst, v.Text)
	case hrana.Blob:
		return base64.StdEncoding.AppendEncode(dst, v.Blob)
	}
	return dst
}

// appendField quotes a field where RFC 4180 wants it.
func appendField(dst []byte, s string) []byte {
	if !strings.ContainsAny(s, "\",\r\n") {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}
