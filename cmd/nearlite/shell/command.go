package shell

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A dotCommand is a command of the shell itself.
type dotCommand struct {
	name string
	args string // as .help shows them
	help string
	max  int // arguments
	run  func(s *session, ctx context.Context, args []string) error
}

// dotCommands is filled by init: .help is in the list that it prints.
var dotCommands []dotCommand

func init() {
	dotCommands = []dotCommand{
		{".dump", "[TABLE]", "print SQL that makes the database, or a table, anew; sqlite3 reads it too", 1, (*session).dump},
		{".help", "", "print this", 0, (*session).help},
		{".import", "[--csv] FILE TABLE", "fill a table from a file: fields between commas with --csv, else between |; all or nothing", 3, (*session).importFile},
		{".mode", "[MODE]", "print results as table, json, csv or line", 1, (*session).setMode},
		{".quit", "", "leave; an open transaction is rolled back", 0, (*session).quit},
		{".schema", "[NAME]", "print the SQL that made a table, or everything; % stands for any text", 1, (*session).schema},
		{".tables", "[PATTERN]", "list tables and views; % stands for any text", 1, (*session).tables},
	}
}

// isCommand reports whether a line is a command of the shell, not SQL.
func isCommand(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return len(line) > 1 && line[0] == '.' && isLetter(line[1])
}

// command runs a line that begins with a dot. A name may be cut short as long as
// it is clear.
func (s *session) command(ctx context.Context, line string) error {
	args, err := splitArgs(line)
	if err != nil {
		return err
	}
	var found []dotCommand
	for _, c := range dotCommands {
		if strings.HasPrefix(c.name, args[0]) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("%s is no command: .help lists them", args[0])
	}
	if c := found[0]; len(args)-1 > c.max {
		return fmt.Errorf("%s takes no more than: %s %s", c.name, c.name, c.args)
	}
	return found[0].run(s, ctx, args[1:])
}

// splitArgs splits a command into words; '…' and "…" hold blanks together.
func splitArgs(line string) (args []string, err error) {
	for line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), ";")); line != ""; line = strings.TrimLeft(line, " \t") {
		end := strings.IndexAny(line, " \t")
		if q := line[0]; q == '\'' || q == '"' {
			if end = strings.IndexByte(line[1:], q); end < 0 {
				return nil, fmt.Errorf("a quote is not closed: %s", line)
			}
			args, line = append(args, line[1:end+1]), line[end+2:]
			continue
		}
		if end < 0 {
			end = len(line)
		}
		args, line = append(args, line[:end]), line[end:]
	}
	return args, nil
}

func (s *session) help(context.Context, []string) error {
	for _, c := range dotCommands {
		if err := s.print.text(fmt.Sprintf("%-28s %s", c.name+" "+c.args, c.help)); err != nil {
			return err
		}
	}
	if s.remote != nil {
		return s.print.text("Anything else is SQL and ends with a semicolon. Each statement is a transaction of its own: BEGIN is for files.")
	}
	return s.print.text("Anything else is SQL and ends with a semicolon. BEGIN opens a transaction, COMMIT and ROLLBACK end it.")
}

func (s *session) quit(context.Context, []string) error { return errQuit }

func (s *session) setMode(_ context.Context, args []string) error {
	if len(args) == 0 {
		return s.print.text(string(s.print.mode))
	}
	if !slices.Contains(Modes, Mode(args[0])) {
		return fmt.Errorf("there is no mode %s: table, json, csv or line", args[0])
	}
	s.print.mode = Mode(args[0])
	return nil
}

// tables lists what can be selected from, without the tables that a full-text
// index keeps for itself.
func (s *session) tables(ctx context.Context, args []string) error {
	const list = `SELECT CASE schema WHEN 'main' THEN '' ELSE schema || '.' END || name FROM pragma_table_list
		WHERE type <> 'shadow' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name LIKE ?1 ORDER BY schema <> 'main', schema, name`
	return s.lines(ctx, "%s", list, pattern(args))
}

// schema prints CREATE statements, each with the semicolon SQLite does not keep.
func (s *session) schema(ctx context.Context, args []string) error {
	const list = `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND (name LIKE ?1 OR tbl_name LIKE ?1)
		AND name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow')
		AND tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow')
		AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY rowid`
	return s.lines(ctx, "%s;", list, pattern(args))
}

func pattern(args []string) string {
	if len(args) == 0 {
		return "%"
	}
	return args[0]
}

// lines prints the first column of a query, a row on each line.
func (s *session) lines(ctx context.Context, format, sql string, args ...any) error {
	for row, err := range s.connection().query(ctx, sql, args...) {
		if err != nil {
			return err
		}
		if err := s.print.text(fmt.Sprintf(format, plain(row[0]))); err != nil {
			return err
		}
	}
	return nil
}
