package stream

import (
	"strings"

	"github.com/nearlite/nearlite/sqlite"
)

// What is decided by the text of a statement, and why: SQLite says of a prepared
// statement whether it writes and which parameters it has, and that is what counts.
// It does not say where one statement of a text ends without preparing it (which
// fails before the table it is about exists), nor whether one is an INSERT, nor
// what a COMMIT or a PRAGMA wants; that is read here, from SQLite's own tokens.

// tokenKind is what a token is.
type tokenKind byte

const (
	end    tokenKind = iota
	word             // a keyword or a name without quotes
	quoted           // a name in quotes, or a string
	other            // a number, a variable, a piece of punctuation
	semi             // ;
)

type token struct {
	kind tokenKind
	text string
	at   int // where it begins
}

// is reports whether the token is this keyword, given in capitals.
func (t token) is(keyword string) bool {
	return t.kind == word && len(t.text) == len(keyword) && strings.EqualFold(t.text, keyword)
}

// name returns what a token names, without its quotes.
func (t token) name() string {
	if t.kind != quoted {
		return t.text
	}
	open, body := t.text[0], strings.TrimSuffix(t.text[1:], t.text[len(t.text)-1:])
	if open == '[' {
		return body
	}
	return strings.ReplaceAll(body, string(open)+string(open), string(open))
}

// lexer cuts a text into tokens as SQLite does.
type lexer struct {
	sql string
	at  int
}

// next returns the next token that is no blank or comment.
func (l *lexer) next() token {
	l.skip()
	from := l.at
	if from >= len(l.sql) {
		return token{kind: end, at: from}
	}
	kind := other
	switch c := l.sql[from]; {
	case c == ';':
		l.at++
		kind = semi
	case c == '\'' || c == '"' || c == '`':
		l.quoted(c)
		kind = quoted
	case c == '[':
		l.until("]")
		kind = quoted
	case wordByte(c) && (c < '0' || c > '9'):
		for l.at < len(l.sql) && wordByte(l.sql[l.at]) {
			l.at++
		}
		kind = word
		if l.at == from+1 && (c|0x20) == 'x' && l.at < len(l.sql) && l.sql[l.at] == '\'' { // a blob
			l.quoted('\'')
			kind = other
		}
	default:
		l.at++
		for (wordByte(c) || strings.IndexByte("?:@#$", c) >= 0) && l.at < len(l.sql) && wordByte(l.sql[l.at]) {
			l.at++
		}
	}
	return token{kind, l.sql[from:l.at], from}
}

// skip passes blanks and comments.
func (l *lexer) skip() {
	for l.at < len(l.sql) {
		rest := l.sql[l.at:]
		switch {
		case strings.IndexByte(" \t\n\v\f\r", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "--"):
			l.until("\n")
		case strings.HasPrefix(rest, "/*") && len(rest) > 2:
			l.at += 2
			l.until("*/")
		case strings.HasPrefix(rest, "\uFEFF"):
			l.at += len("\uFEFF")
		default:
			return
		}
	}
}

// until passes everything up to and with the mark.
func (l *lexer) until(mark string) {
	if i := strings.Index(l.sql[l.at:], mark); i >= 0 {
		l.at += i + len(mark)
		return
	}
	l.at = len(l.sql)
}

// quoted passes a string or a name in quotes; two of them stand for one.
func (l *lexer) quoted(q byte) {
	for l.at++; l.at < len(l.sql); l.at++ {
		if l.sql[l.at] != q {
			continue
		}
		l.at++
		if l.at == len(l.sql) || l.sql[l.at] != q {
			return
		}
	}
}

func wordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// Split returns the statements of a text.
func Split(sql string) (statements []string) {
	for first, rest := cut(sql); first != ""; first, rest = cut(rest) {
		statements = append(statements, first)
	}
	return statements
}

// cut returns the first statement of a text, without its semicolon and the blanks
// around it, and what follows. Both are "" when there is none.
func cut(sql string) (first, rest string) {
	l := lexer{sql: sql}
	t := l.next()
	for t.kind == semi {
		t = l.next()
	}
	from := t.at
	trigger := beginsTrigger(lexer{sql: sql, at: from})
	for last, before := (token{}), (token{}); ; before, last, t = last, t, l.next() {
		switch {
		case t.kind == end:
			return strings.TrimSpace(sql[from:]), ""
		case t.kind == semi && (!trigger || last.is("END") && before.kind == semi):
			return strings.TrimSpace(sql[from:t.at]), sql[t.at+1:]
		}
	}
}

// beginsTrigger reports whether a CREATE TRIGGER follows, whose body holds
// semicolons.
func beginsTrigger(l lexer) bool {
	t := l.next()
	for t.is("EXPLAIN") || t.is("QUERY") || t.is("PLAN") {
		t = l.next()
	}
	if !t.is("CREATE") {
		return false
	}
	if t = l.next(); t.is("TEMP") || t.is("TEMPORARY") {
		t = l.next()
	}
	return t.is("TRIGGER")
}

// blank reports whether a text holds no statement.
func blank(sql string) bool {
	l := lexer{sql: sql}
	t := l.next()
	for t.kind == semi {
		t = l.next()
	}
	return t.kind == end
}

// verb returns the word that says what a statement does, in capitals: the first
// one, or that behind the WITH.
func verb(sql string) string {
	first := sqlite.Verb(sql)
	if first != "WITH" {
		return first
	}
	l := lexer{sql: sql}
	t := l.next()
	for !t.is("WITH") && t.kind != end {
		t = l.next()
	}
	if t = l.next(); t.is("RECURSIVE") {
		t = l.next()
	}
	for { // t is the name of a common table expression
		for t = l.next(); !t.is("AS"); t = l.next() {
			if t.kind == end || t.kind == semi {
				return first
			}
		}
		for t = l.next(); t.text != "("; t = l.next() {
			if t.kind == end || t.kind == semi {
				return first
			}
		}
		if l.parenthesis(); l.at >= len(l.sql) {
			return first
		}
		if t = l.next(); t.text != "," {
			return strings.ToUpper(t.text)
		}
		t = l.next()
	}
}

// parenthesis passes what is left up to the closing one.
func (l *lexer) parenthesis() {
	for depth := 1; depth > 0; {
		switch t := l.next(); {
		case t.kind == end:
			return
		case t.kind == other && t.text == "(":
			depth++
		case t.kind == other && t.text == ")":
			depth--
		}
	}
}
