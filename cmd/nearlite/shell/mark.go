package shell

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth" // the line editor's own measure of a character

	"github.com/nearlite/nearlite/sqlite"
)

// StatementError is what went wrong with one statement of a script or a prompt.
type StatementError struct {
	Line int // where the statement begins in its script, from 1; 0 at a prompt
	Err  error
}

// Unwrap returns what SQLite or the engine said.
func (e *StatementError) Unwrap() error { return e.Err }

// Error says what went wrong and, if SQLite knows where, shows the line of the
// statement with a caret under the place.
func (e *StatementError) Error() string {
	text := e.Err.Error()
	var marked string
	var cause *sqlite.Error
	if errors.As(e.Err, &cause) && cause.SQL != "" {
		short := *cause
		short.SQL = "" // who typed the statement need not read it again
		text = strings.Replace(text, cause.Error(), short.Error(), 1)
		marked = mark(cause.SQL, cause.Offset)
	}
	if e.Line > 0 {
		line := e.Line
		if marked != "" {
			line += strings.Count(cause.SQL[:cause.Offset], "\n")
		}
		text = fmt.Sprintf("line %d: %s", line, text)
	}
	return text + marked
}

// How much of a long line is shown before and after the caret, in columns.
const (
	shownBefore = 60
	shownAfter  = 40
)

// mark returns the line of the statement that offset lies in, and a caret below
// that place; nothing if the place is not known.
func mark(sql string, offset int) string {
	if offset < 0 || offset > len(sql) {
		return ""
	}
	start := strings.LastIndexByte(sql[:offset], '\n') + 1
	before := visible(sql[start:offset])
	after, _, _ := strings.Cut(sql[offset:], "\n")
	after = visible(after)
	if w := width(before); w > shownBefore {
		before = "…" + wide.TruncateLeft(before, w-shownBefore, "")
	}
	after = wide.Truncate(after, shownAfter, "…")
	return fmt.Sprintf("\n  %s%s\n  %s^", before, after, strings.Repeat(" ", width(before)))
}

// wide measures text as a Western terminal shows it, whatever the locale.
var wide = &runewidth.Condition{StrictEmojiNeutral: true}

// width returns how many columns a text takes on the screen.
func width(text string) int { return wide.StringWidth(text) }

// visible replaces what would move the cursor or command the terminal by the
// pictures Unicode has for it, and what is no UTF-8 by the replacement character.
func visible(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		plain = text[i] >= ' ' && text[i] < 0x7f
	}
	if plain {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return '␀' + r
		case r == 0x7f:
			return '␡'
		case r >= 0x80 && r < 0xa0:
			return '�'
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}
