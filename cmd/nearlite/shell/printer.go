package shell

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"

	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
	"github.com/nearlite/nearlite/dump"
	"github.com/nearlite/nearlite/sqlite"
)

// Mode is how results are printed.
type Mode string

// The modes. Each shows NULL unlike any text, and a blob as x'…'.
const (
	Table Mode = "table" // columns under each other, for people
	JSON  Mode = "json"  // an array of objects
	CSV   Mode = "csv"   // with a header; NULL is nothing, empty text is ""
	Line  Mode = "line"  // a line for each value
)

// Modes lists them all.
var Modes = []Mode{Table, JSON, CSV, Line}

// A printer writes results in its mode.
type printer struct {
	mode  Mode
	w     *bufio.Writer
	width int  // of the terminal; 0: there is none, lines are never cut
	color bool // the terminal shows NULL dim
}

func newPrinter(w io.Writer, mode Mode) *printer {
	return &printer{
		mode:  mode,
		w:     bufio.NewWriterSize(w, 1<<16),
		width: terminal.Width(w),
		color: terminal.Is(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

// A layout prints one result.
type layout interface {
	row(values []any)
	end() // also after an error, to let what was printed stand
}

// rows prints a result and returns how many rows it had. What came before an
// error is printed.
func (p *printer) rows(columns []sqlite.Column, rows iter.Seq2[[]any, error]) (int64, error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	var out layout // none yet: an error alone has no head
	count := int64(0)
	var failed error
	for row, err := range rows {
		if err != nil {
			failed = err
			break
		}
		if out == nil {
			out = p.layout(names)
		}
		out.row(row)
		count++
	}
	if failed == nil && out == nil {
		out = p.layout(names)
	}
	if out != nil {
		out.end()
	}
	if err := p.w.Flush(); err != nil && failed == nil {
		failed = fmt.Errorf("print the result: %w", err)
	}
	return count, failed
}

// text prints a line as it is, in every mode.
func (p *printer) text(line string) error {
	fmt.Fprintln(p.w, line)
	return p.w.Flush()
}

func (p *printer) layout(names []string) layout {
	switch p.mode {
	case JSON:
		return newJSONLayout(p.w, names)
	case CSV:
		return newCSVLayout(p.w, names)
	case Line:
		return newLineLayout(p, names)
	}
	return newTableLayout(p, names)
}

// null is how NULL looks where text may stand, unlike any text people write.
const null = "⟨null⟩"

// plain writes a value as text. It says of NULL and blobs what SQL would.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return null
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return dump.Number(v, 15)
	case string:
		return v
	case []byte:
		return "x'" + hex.EncodeToString(v) + "'"
	}
	return fmt.Sprint(v)
}
