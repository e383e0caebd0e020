package compat

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A difference is a request that Nearlite answers differently from sqld, on purpose.
type difference struct {
	where   string // file and title of the case
	request string // its text and its place in the case
	reason  string
	sqld    []string
	ours    []string
}

func (d *difference) key() string { return d.where + "\x00" + d.request }

// differences are those that are listed: one by one, and as rules.
type differences struct {
	each  map[string]*difference
	rules []*rule
	found map[string]bool
}

// readDifferences reads the list. It is made of
//
//	# Why the following differ.
//	== errors: syntax
//	SELEC 1 #1
//	< what sqld answers
//	> what Nearlite answers
//
// and a reason holds for all that follows, until the next one. In the case
// "everywhere" an entry is a rule for any request: * stands for the same text in
// both answers, … for any text in one.
func readDifferences(t *testing.T) *differences {
	t.Helper()
	content, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	list := &differences{each: map[string]*difference{}, found: map[string]bool{}}
	var reason, where string
	var current *difference
	inReason := false
	for i, line := range strings.Split(string(content), "\n") {
		comment, isComment := strings.CutPrefix(line, "#")
		switch {
		case strings.TrimSpace(line) == "":
		case isComment && inReason:
			reason += comment
		case isComment:
			reason = strings.TrimSpace(comment)
		case strings.HasPrefix(line, "== "):
			where = line[3:]
		case strings.HasPrefix(line, "<") && current != nil:
			current.sqld = append(current.sqld, strings.TrimPrefix(line[1:], " "))
		case strings.HasPrefix(line, ">") && current != nil:
			current.ours = append(current.ours, strings.TrimPrefix(line[1:], " "))
		case reason == "" || where == "":
			t.Fatalf("%s:%d: a difference without a reason or a case", differencesFile, i+1)
		default:
			current = &difference{where: where, request: line, reason: reason}
			if list.each[current.key()] != nil {
				t.Fatalf("%s:%d: listed twice", differencesFile, i+1)
			}
			list.each[current.key()] = current
		}
		inReason = isComment
	}
	for key, d := range list.each {
		if d.where == "everywhere" {
			delete(list.each, key)
			list.rules = append(list.rules, newRule(d))
		}
	}
	return list
}

// has reports whether a difference is listed, and notes that it exists.
func (l *differences) has(d *difference) bool {
	if listed := l.each[d.key()]; listed != nil && slices.Equal(listed.ours, d.ours) {
		l.found[d.key()] = true
		return true
	}
	for _, r := range l.rules {
		if r.matches(d) {
			r.found = true
			return true
		}
	}
	return false
}

// gone returns what is listed and was not found.
func (l *differences) gone() []*difference {
	var gone []*difference
	for key, d := range l.each {
		if !l.found[key] {
			gone = append(gone, d)
		}
	}
	for _, r := range l.rules {
		if !r.found {
			gone = append(gone, r.difference)
		}
	}
	return gone
}

// rule is a difference of many requests.
type rule struct {
	*difference
	sqld, ours *regexp.Regexp
	found      bool
}

func newRule(d *difference) *rule {
	compile := func(lines []string) *regexp.Regexp {
		text := regexp.QuoteMeta(strings.Join(lines, "\n"))
		text = strings.ReplaceAll(text, `\*`, "(.*?)")
		return regexp.MustCompile("(?s)^" + strings.ReplaceAll(text, "…", ".*") + "$")
	}
	return &rule{difference: d, sqld: compile(d.sqld), ours: compile(d.ours)}
}

func (r *rule) matches(d *difference) bool {
	sqld := r.sqld.FindStringSubmatch(strings.Join(d.sqld, "\n"))
	ours := r.ours.FindStringSubmatch(strings.Join(d.ours, "\n"))
	return sqld != nil && ours != nil && slices.Equal(sqld[1:], ours[1:])
}
