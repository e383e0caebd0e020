// Package dump writes a database as SQL that makes it anew, as the sqlite3 program's
// .dump does; that program reads it, too.
package dump

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Query runs one query of a dump and yields its rows, the values nil, int64, float64,
// string or []byte; a row is used until the next. All of them have to be of
// one snapshot.
type Query func(sql string, args ...any) iter.Seq2[[]any, error]

// Write writes the whole database to w, or, with another pattern than %, the tables
// whose name is LIKE it.
func Write(w io.Writer, query Query, like string) error {
	d := &dumper{w: bufio.NewWriterSize(w, 1<<16), query: query, like: like}
	if err := d.run(); err != nil {
		return err
	}
	if err := d.w.Flush(); err != nil {
		return fmt.Errorf("write the dump: %w", err)
	}
	return nil
}

// A dumper writes a database as SQL in an order that any sqlite3 can load:
// tables with their rows, indexes and views, full-text indexes that read from
// these, and last the triggers, which would have fired for every row.
//
// A virtual table is written as the rows that can be read from it, not as the
// tables it keeps them in: those may not be written by everybody, and their
// format belongs to its module.
type dumper struct {
	w     *bufio.Writer
	query Query
	like  string

	last     []string // statements for when all rows are in
	analyzed bool
}

func (d *dumper) run() error {
	d.line("PRAGMA foreign_keys=OFF;")
	d.line("BEGIN TRANSACTION;")
	if d.like == "%" {
		if err := d.header(); err != nil {
			return err
		}
	}
	const tables = `SELECT s.name, s.sql, t.type FROM sqlite_schema s JOIN pragma_table_list t ON t.schema = 'main' AND t.name = s.name
		WHERE s.type = 'table' AND s.name LIKE ?1 AND t.type <> 'shadow' ORDER BY s.name = 'sqlite_sequence', s.rowid`
	if err := d.each(tables, d.table); err != nil {
		return err
	}
	const others = `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type %s AND tbl_name LIKE ?1
		AND tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow') ORDER BY rowid`
	statement := func(row []any) error { d.line(row[0].(string) + ";"); return nil }
	if err := d.each(fmt.Sprintf(others, "IN ('index', 'view')"), statement); err != nil {
		return err
	}
	for _, statement := range d.last {
		d.line(statement)
	}
	if err := d.each(fmt.Sprintf(others, "= 'trigger'"), statement); err != nil {
		return err
	}
	if d.analyzed {
		d.line("ANALYZE;")
	}
	d.line("COMMIT;")
	return nil
}

// header writes the two numbers that programs keep in a database's first page.
func (d *dumper) header() error {
	for _, pragma := range []string{"user_version", "application_id"} {
		for row, err := range d.query("PRAGMA " + pragma) {
			if err != nil {
				return err
			}
			if row[0] != int64(0) {
				d.line(fmt.Sprintf("PRAGMA %s=%d;", pragma, row[0]))
			}
		}
	}
	return nil
}

// line writes a line; bufio keeps the first error for the end.
func (d *dumper) line(text string) {
	d.w.WriteString(text)
	d.w.WriteByte('\n')
}

// each calls f with the rows of a query on the names that are asked for. They
// are read first: f has queries of its own.
func (d *dumper) each(sql string, f func(row []any) error) error {
	var rows [][]any
	for row, err := range d.query(sql, d.like) {
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		if err := f(row); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) table(row []any) error {
	name, sql, kind := row[0].(string), text(row[1]), row[2].(string)
	switch {
	case strings.HasPrefix(name, "sqlite_stat"):
		d.analyzed = true // what ANALYZE found is found again
		return nil
	case name == "sqlite_sequence":
		d.line("DELETE FROM sqlite_sequence;")
	case strings.HasPrefix(name, "sqlite_"):
		return nil
	default:
		d.line(sql + ";")
	}
	if kind == "virtual" {
		return d.virtual(name, sql)
	}
	return d.inserts(name, "")
}

var (
	fullText = regexp.MustCompile(`(?i)\busing\s+fts[345]\b`)
	content  = regexp.MustCompile(`(?i)\bcontent\s*=\s*('[^']*'|"[^"]*"|\[[^]]*\]|\w*)`)
)

// virtual fills a virtual table: a full-text index with rows of its own from
// these, with the rows it is linked by; one on another table by reading that anew.
func (d *dumper) virtual(name, sql string) error {
	if !fullText.MatchString(sql) {
		return d.inserts(name, "")
	}
	of := content.FindStringSubmatch(sql)
	switch {
	case of == nil:
		return d.inserts(name, "rowid")
	case strings.Trim(of[1], `'"[]`) == "":
		d.line("-- The index " + strings.ReplaceAll(name, "\n", " ") + " keeps no text that could be dumped: fill it anew.")
	default:
		d.last = append(d.last, fmt.Sprintf("INSERT INTO %[1]s(%[1]s) VALUES('rebuild');", Name(name)))
	}
	return nil
}

// inserts writes a statement for each row; hidden and generated columns come by themselves.
func (d *dumper) inserts(name, rowid string) error {
	var columns []string
	if rowid != "" {
		columns = append(columns, rowid)
	}
	for row, err := range d.query("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0", name) {
		if err != nil {
			return err
		}
		columns = append(columns, Name(row[0].(string)))
	}
	list := strings.Join(columns, ",")
	into := "INSERT INTO " + Name(name)
	if rowid != "" {
		into += "(" + list + ")"
	}
	into += " VALUES("
	for row, err := range d.query("SELECT " + list + " FROM " + Name(name)) {
		if err != nil {
			return fmt.Errorf("dump %s: %w", name, err)
		}
		d.w.WriteString(into)
		for i, v := range row {
			if i > 0 {
				d.w.WriteByte(',')
			}
			d.w.WriteString(literal(v))
		}
		if _, err := d.w.WriteString(");\n"); err != nil {
			return fmt.Errorf("write the dump: %w", err)
		}
	}
	return nil
}

// Name writes a name so that no keyword or blank in it matters.
func Name(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// literal writes a value as SQL that yields the same value again.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return Number(v, -1)
	case []byte:
		return "X'" + hex.EncodeToString(v) + "'"
	}
	return textLiteral(v.(string))
}

// textLiteral quotes a text. What would not survive in a line of a script is put
// in by a function: a NUL ends the script, sqlite3 drops a carriage return before
// the end of a line, and what is no UTF-8 would be repaired somewhere.
func textLiteral(text string) string {
	if !utf8.ValidString(text) {
		return "CAST(X'" + hex.EncodeToString([]byte(text)) + "' AS TEXT)"
	}
	before, after := "", ""
	for _, special := range []struct{ char, token, sql string }{{"\r", "\\r", "char(13)"}, {"\x00", "\\0", "char(0)"}} {
		if !strings.Contains(text, special.char) {
			continue
		}
		token := special.token
		for n := 0; strings.Contains(text, token); n++ {
			token = fmt.Sprintf("%s%d_", special.token, n)
		}
		text = strings.ReplaceAll(text, special.char, token)
		before, after = "replace("+before, after+",'"+token+"',"+special.sql+")"
	}
	return before + "'" + strings.ReplaceAll(text, "'", "''") + "'" + after
}

// text is the SQL of a schema's row, "" if it has none.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// Number writes a floating-point number as SQL, so that it is read as one again;
// with -1 digits it is read as the same.
func Number(f float64, digits int) string {
	switch {
	case math.IsInf(f, 1):
		return "9e999"
	case math.IsInf(f, -1):
		return "-9e999"
	}
	text := strconv.FormatFloat(f, 'g', digits, 64)
	if strings.Contains(text, ".") {
		return text
	}
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok {
		return mantissa + ".0e" + exponent
	}
	return text + ".0"
}
