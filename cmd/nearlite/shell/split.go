package shell

import (
	"strings"

	"github.com/nearlite/nearlite/sqlite"
)

// A scanner follows SQL through its strings, quoted names and comments, line
// after line, so that a statement of many lines is looked at once and not anew
// with each of them.
type scanner struct {
	inside byte // what ends the string or comment the text is in; 0 if it is in none
}

const (
	lineComment  = '\n'
	blockComment = '/'
)

// semicolons continues with text and returns where in it a statement may end.
func (s *scanner) semicolons(text string) (at []int) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case s.inside == blockComment:
			if c == '*' && i+1 < len(text) && text[i+1] == '/' {
				s.inside, i = 0, i+1
			}
		case s.inside != 0:
			if c == s.inside {
				s.inside = 0
			}
		case c == ';':
			at = append(at, i)
		case c == '\'' || c == '"' || c == '`':
			s.inside = c
		case c == '[':
			s.inside = ']'
		case strings.HasPrefix(text[i:], "--"):
			s.inside = lineComment
		case strings.HasPrefix(text[i:], "/*"):
			s.inside, i = blockComment, i+1
		}
	}
	return at
}

// nextStatement cuts the first statement off text. A semicolon inside a trigger
// does not end it, so SQLite is asked at each one.
func nextStatement(text string) (statement, rest string) {
	var s scanner
	for _, i := range s.semicolons(text) {
		if sqlite.Complete(text[:i+1]) {
			return text[:i+1], text[i+1:]
		}
	}
	return text, ""
}

// A pending text collects lines until they are whole statements.
type pending struct {
	text  strings.Builder
	scan  scanner
	lines int // how many were added, over all texts
	first int // the line the text begins at, from 1
}

// empty reports whether the next line begins a new text.
func (p *pending) empty() bool { return p.text.Len() == 0 }

// add takes one more line, without its end, and reports whether the text is
// whole now. Blank lines and comments before a statement are left out.
func (p *pending) add(line string) bool {
	p.lines++
	if p.empty() {
		if p.scan == (scanner{}) && firstWord(line) == "" && !strings.Contains(line, "/*") {
			return false
		}
		p.first = p.lines
	}
	p.text.WriteString(line)
	p.text.WriteByte('\n')
	mayEnd := len(p.scan.semicolons(line+"\n")) > 0
	return mayEnd && p.scan.inside == 0 && sqlite.Complete(p.text.String())
}

// take returns the text and begins a new one.
func (p *pending) take() string {
	text := p.text.String()
	p.text.Reset()
	p.scan = scanner{}
	return text
}

// words returns up to max words at the beginning of a statement, in upper case;
// comments do not count.
func words(statement string, max int) (found []string) {
	for len(found) < max {
		statement = skipBlank(statement)
		n := 0
		for n < len(statement) && isLetter(statement[n]) {
			n++
		}
		if n == 0 {
			return found
		}
		found = append(found, strings.ToUpper(statement[:n]))
		statement = statement[n:]
	}
	return found
}

// firstWord returns the first word of a statement, its first character if it
// begins with something else, and "" if there is none.
func firstWord(statement string) string {
	if w := words(statement, 1); len(w) > 0 {
		return w[0]
	}
	if rest := skipBlank(statement); rest != "" {
		return rest[:1]
	}
	return ""
}

// skipBlank cuts off blanks, empty statements and comments.
func skipBlank(text string) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n\f;")
		var end string
		switch {
		case strings.HasPrefix(text, "--"):
			end = "\n"
		case strings.HasPrefix(text, "/*"):
			end = "*/"
		default:
			return text
		}
		_, text, _ = strings.Cut(text[2:], end)
	}
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
