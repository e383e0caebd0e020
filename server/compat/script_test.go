package compat

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A script is a file of the corpus. It is made to be read:
//
//	# A comment.
//	== a case: each has a database and a stream of its own
//	CREATE TABLE t(a INTEGER, b TEXT)
//	> ok
//	INSERT INTO t VALUES (?, :b)
//	  ? 1
//	  :b "one"
//	> affected 1, rowid 1
//	batch
//	  BEGIN
//	  if ok 0: DELETE FROM t
//	> 0: ok
//	> 1: affected 1
//
// A line without indentation is a request: a verb (see [verbs]), or else a
// statement to execute. Indented lines belong to the request above: the steps of
// a batch, the arguments of a statement (? is one by position), or the rest of
// its text. Lines that begin with > are what sqld answers.
type script struct {
	name  string
	cases []*scriptCase
	lines []string // as they stand in the file, without the answers
}

type scriptCase struct {
	title    string
	comment  []string // the lines above the title
	requests []*request
}

// request is one request of a stream and the recorded answer.
type request struct {
	verb   string
	rest   string   // of the first line, after the verb
	more   []string // the indented lines
	answer []string
	line   int // in script.lines, of the last line that belongs to it
}

// verbs are the requests that are not "execute".
var verbs = []string{
	"norows",     // execute with want_rows false
	"batch",      // its steps are indented
	"cursor",     // the same, asked of /v3/cursor
	"sequence",   // many statements
	"describe",   // a statement
	"store",      // a number and a text
	"stored",     // execute the text of a number
	"forget",     // close_sql of a number
	"autocommit", // get_autocommit
	"close",      // the stream; the next request opens another
	"raw",        // a request as JSON
}

// text is the request as it stands in the file, in one line.
func (r *request) text() string {
	return strings.TrimSpace(r.verb + " " + strings.Join(append([]string{r.rest}, r.more...), " "))
}

func readScript(file string) (*script, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := parseScript(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	s.name = strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".txt")
	return s, nil
}

func parseScript(content string) (*script, error) {
	s := new(script)
	var comment []string
	var current *request
	for i, line := range strings.Split(strings.TrimRight(content, "\n"), "\n") {
		if answer, ok := strings.CutPrefix(line, ">"); ok {
			if current == nil {
				return nil, fmt.Errorf("line %d: an answer to nothing", i+1)
			}
			current.answer = append(current.answer, strings.TrimPrefix(answer, " "))
			continue
		}
		s.lines = append(s.lines, line)
		title, isTitle := strings.CutPrefix(line, "== ")
		switch {
		case isTitle:
			s.cases = append(s.cases, &scriptCase{title: title, comment: comment})
			comment, current = nil, nil
		case strings.HasPrefix(line, "#"):
			comment, current = append(comment, strings.TrimSpace(line[1:])), nil
		case strings.TrimSpace(line) == "":
			current = nil
		case len(s.cases) == 0:
			return nil, fmt.Errorf("line %d: a request before the first case", i+1)
		case line[0] == ' ':
			if current == nil || current.answer != nil {
				return nil, fmt.Errorf("line %d: belongs to no request", i+1)
			}
			current.more, current.line = append(current.more, strings.TrimSpace(line)), len(s.lines)-1
		default:
			current = newRequest(line, len(s.lines)-1)
			c := s.cases[len(s.cases)-1]
			c.requests = append(c.requests, current)
			comment = nil
		}
	}
	return s, nil
}

func newRequest(line string, number int) *request {
	if verb, rest, _ := strings.Cut(line, " "); slices.Contains(verbs, verb) {
		return &request{verb: verb, rest: rest, line: number}
	}
	return &request{rest: line, line: number}
}

// write replaces the file's answers by those of its requests.
func (s *script) write(file string) error {
	answers := map[int][]string{}
	for _, c := range s.cases {
		for _, r := range c.requests {
			answers[r.line] = r.answer
		}
	}
	var text strings.Builder
	for i, line := range s.lines {
		fmt.Fprintln(&text, line)
		for _, answer := range answers[i] {
			fmt.Fprintln(&text, strings.TrimRight("> "+answer, " "))
		}
	}
	return os.WriteFile(file, []byte(text.String()), 0o666)
}

// A message is a JSON object on its way to a server.
type message = map[string]any

// messages returns the request as the protocol has it.
func (r *request) message() (message, error) {
	switch r.verb {
	case "", "norows":
		stmt, err := statement(r.rest, r.more)
		if r.verb == "norows" {
			stmt["want_rows"] = false
		}
		return message{"type": "execute", "stmt": stmt}, err
	case "batch", "cursor":
		batch, err := batchOf(r.more)
		return message{"type": "batch", "batch": batch}, err
	case "sequence", "describe":
		if id, err := strconv.Atoi(r.rest); err == nil {
			return message{"type": r.verb, "sql_id": id}, nil
		}
		return message{"type": r.verb, "sql": strings.Join(append([]string{r.rest}, r.more...), "\n")}, nil
	case "store":
		number, text, _ := strings.Cut(r.rest, " ")
		id, err := strconv.Atoi(number)
		return message{"type": "store_sql", "sql_id": id, "sql": text}, err
	case "stored":
		id, err := strconv.Atoi(r.rest)
		if err != nil {
			return nil, err
		}
		stmt, err := statement("", r.more)
		delete(stmt, "sql")
		stmt["sql_id"] = id
		return message{"type": "execute", "stmt": stmt}, err
	case "forget":
		id, err := strconv.Atoi(r.rest)
		return message{"type": "close_sql", "sql_id": id}, err
	case "autocommit":
		return message{"type": "get_autocommit"}, nil
	case "close":
		return message{"type": "close"}, nil
	}
	return nil, fmt.Errorf("no request %q", r.verb)
}

// statement makes a statement of its first line and the indented ones.
func statement(text string, more []string) (message, error) {
	stmt := message{}
	var args, named []any
	for _, line := range more {
		switch {
		case strings.HasPrefix(line, "? "):
			value, err := parseValue(line[2:])
			if err != nil {
				return stmt, err
			}
			args = append(args, value)
		case strings.ContainsRune(":@$=", rune(line[0])):
			name, literal, _ := strings.Cut(line, " ")
			value, err := parseValue(literal)
			if err != nil {
				return stmt, err
			}
			named = append(named, message{"name": strings.TrimPrefix(name, "="), "value": value})
		default:
			text += "\n" + line
		}
	}
	stmt["sql"] = text
	if args != nil {
		stmt["args"] = args
	}
	if named != nil {
		stmt["named_args"] = named
	}
	return stmt, nil
}

// batchOf makes a batch of its steps: "if COND: SQL", or only the SQL. A line of
// arguments ("? 1") belongs to the step above.
func batchOf(lines []string) (message, error) {
	var steps []any
	for i := 0; i < len(lines); {
		step := message{}
		text := lines[i]
		if rest, ok := strings.CutPrefix(text, "if "); ok {
			condition, sql, _ := strings.Cut(rest, ": ")
			cond, tail, err := parseCondition(strings.Fields(condition))
			if err != nil || len(tail) > 0 {
				return nil, fmt.Errorf("condition %q: %v", condition, err)
			}
			step["condition"], text = cond, sql
		}
		end := i + 1
		for end < len(lines) && strings.HasPrefix(lines[end], "? ") {
			end++
		}
		stmt, err := statement(text, lines[i+1:end])
		if err != nil {
			return nil, err
		}
		step["stmt"], i = stmt, end
		steps = append(steps, step)
	}
	if steps == nil {
		steps = []any{}
	}
	return message{"steps": steps}, nil
}

// parseCondition reads one condition in prefix form: "and ok 0 not error 1".
func parseCondition(words []string) (cond message, rest []string, err error) {
	if len(words) == 0 {
		return nil, nil, fmt.Errorf("ends too early")
	}
	switch word := words[0]; word {
	case "ok", "error":
		if len(words) < 2 {
			return nil, nil, fmt.Errorf("%s of which step?", word)
		}
		step, err := strconv.Atoi(words[1])
		return message{"type": word, "step": step}, words[2:], err
	case "autocommit":
		return message{"type": "is_autocommit"}, words[1:], nil
	case "not":
		inner, rest, err := parseCondition(words[1:])
		return message{"type": "not", "cond": inner}, rest, err
	case "and", "or":
		a, rest, err := parseCondition(words[1:])
		if err != nil {
			return nil, nil, err
		}
		b, rest, err := parseCondition(rest)
		return message{"type": word, "conds": []any{a, b}}, rest, err
	case "all", "any": // of nothing
		return message{"type": map[string]string{"all": "and", "any": "or"}[word], "conds": []any{}}, words[1:], nil
	}
	return nil, nil, fmt.Errorf("no condition %q", words[0])
}

// parseValue reads a value as formatValue writes it.
func parseValue(s string) (message, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "null":
		return message{"type": "null"}, nil
	case strings.HasPrefix(s, `"`):
		text, err := strconv.Unquote(s)
		return message{"type": "text", "value": text}, err
	case strings.HasPrefix(s, "x'"):
		blob, err := hex.DecodeString(strings.Trim(s[1:], "'"))
		return message{"type": "blob", "base64": blob}, err
	case strings.ContainsAny(s, ".e"):
		f, err := strconv.ParseFloat(s, 64)
		return message{"type": "float", "value": f}, err
	default:
		_, err := strconv.ParseInt(s, 10, 64)
		return message{"type": "integer", "value": s}, err
	}
}
