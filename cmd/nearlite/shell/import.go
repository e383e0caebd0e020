package shell

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
	"github.com/nearlite/nearlite/dump"
)

// importFile fills a table from a file in one transaction: all rows or none.
func (s *session) importFile(ctx context.Context, args []string) error {
	if s.remote != nil {
		return errRemoteImport
	}
	commas := len(args) > 0 && args[0] == "--csv"
	if commas {
		args = args[1:]
	}
	if len(args) != 2 {
		return errors.New("a file and a table are needed: .import [--csv] FILE TABLE")
	}
	info, err := os.Stat(args[0])
	if err != nil {
		return err
	}
	began := time.Now()
	bar := terminal.Bytes(s.screen, args[0], info.Size())
	im := &importer{file: args[0], table: args[1], commas: commas, bar: bar, size: info.Size()}
	err = s.allOrNothing(ctx, im.run)
	bar.Clear()
	if err != nil {
		return fmt.Errorf("import %s: %w", args[0], err)
	}
	s.note("%s imported", rowsOf(im.rows), began)
	return nil
}

// A target is where an import writes: part of a transaction.
type target interface {
	query(sql string, args ...any) ([][]any, error)
	exec(sql string, args ...any) error
}

// allOrNothing runs fill in a transaction of its own, or in a savepoint of the
// open one. As a closure of the engine's it may run more than once.
func (s *session) allOrNothing(ctx context.Context, fill func(target) error) error {
	if s.own == nil && s.tx == nil {
		return s.db.Update(ctx, func(tx *nearlite.WriteTx) error { return fill(closure{tx}) })
	}
	c := s.connection()
	if _, err := c.exec(ctx, "SAVEPOINT import"); err != nil {
		return err
	}
	err := fill(nested{ctx, c})
	if err == nil {
		_, err = c.exec(ctx, "RELEASE import")
		return err
	}
	calm := context.WithoutCancel(ctx) // Ctrl-C must not stop the undoing
	if _, undo := c.exec(calm, "ROLLBACK TO import"); undo == nil {
		_, _ = c.exec(calm, "RELEASE import")
	}
	return s.afterError(err)
}

// closure is a target inside an Update.
type closure struct{ tx *nearlite.WriteTx }

func (c closure) exec(sql string, args ...any) error {
	_, err := c.tx.Exec(sql, args...)
	return err
}

func (c closure) query(sql string, args ...any) (rows [][]any, err error) {
	for row, err := range c.tx.Query(sql, args...) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, values(row))
	}
	return rows, nil
}

// nested is a target inside a transaction of the shell.
type nested struct {
	ctx context.Context
	c   connection
}

func (n nested) exec(sql string, args ...any) error {
	_, err := n.c.exec(n.ctx, sql, args...)
	return err
}

func (n nested) query(sql string, args ...any) (rows [][]any, err error) {
	for row, err := range n.c.query(n.ctx, sql, args...) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// An importer reads one file into one table. If the table is there, a first line
// that names its columns, in any order, is taken for a header; if it is not, the
// first line names the columns of a new one.
type importer struct {
	file, table string
	commas      bool
	bar         *terminal.Bar
	size        int64
	rows        int64
}

// column is one that a field goes to.
type column struct {
	name    string
	notNull bool
}

func (im *importer) run(to target) error {
	im.rows = 0
	file, err := os.Open(im.file)
	if err != nil {
		return err
	}
	defer file.Close()
	records := newRecords(file, im.commas)
	first, err := records.next()
	if err == io.EOF {
		return errors.New("the file is empty")
	}
	if err != nil {
		return err
	}
	columns, header, err := im.columns(to, first)
	if err != nil {
		return err
	}
	insert := im.insert(columns)
	args := make([]any, len(columns))
	for record := first; err == nil; record, err = records.next() {
		if header {
			header = false
			continue
		}
		if err := im.row(to, insert, columns, record, args); err != nil {
			return fmt.Errorf("line %d: %w", records.line(), err)
		}
		if im.rows%4096 == 0 {
			im.bar.Set(records.offset(), im.size)
		}
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// columns returns the columns that the fields go to, and whether the first
// record is a header.
func (im *importer) columns(to target, first []string) (columns []column, header bool, err error) {
	there, err := to.query(`SELECT name, "notnull" OR pk > 0 FROM pragma_table_xinfo(?1) WHERE hidden = 0`, im.table)
	if err != nil {
		return nil, false, err
	}
	if len(there) == 0 {
		return im.create(to, first)
	}
	byName := map[string]column{}
	for _, row := range there {
		c := column{row[0].(string), row[1] == int64(1)}
		columns = append(columns, c)
		byName[strings.ToLower(c.name)] = c
	}
	var named []column
	for _, field := range first {
		c, ok := byName[strings.ToLower(strings.TrimSpace(field))]
		if !ok {
			return columns, false, nil
		}
		named = append(named, c)
	}
	return named, true, nil
}

// create makes a table with a column for each name. They are texts: what a file
// says, 007 for one, stays as it is.
func (im *importer) create(to target, names []string) (columns []column, header bool, err error) {
	var list []string
	for _, name := range names {
		name = strings.TrimSpace(name)
		columns = append(columns, column{name: name})
		list = append(list, dump.Name(name)+" TEXT")
	}
	err = to.exec("CREATE TABLE " + dump.Name(im.table) + "(" + strings.Join(list, ", ") + ")")
	return columns, true, err
}

func (im *importer) insert(columns []column) string {
	var names, places []string
	for _, c := range columns {
		names = append(names, dump.Name(c.name))
		places = append(places, "?")
	}
	return fmt.Sprintf("INSERT INTO %s(%s) VALUES(%s)", dump.Name(im.table), strings.Join(names, ","), strings.Join(places, ","))
}

// row inserts one record. An empty field is NULL where the column allows it.
func (im *importer) row(to target, insert string, columns []column, record []string, args []any) error {
	if len(record) != len(columns) {
		return fmt.Errorf("%d fields, and %s has %d columns", len(record), im.table, len(columns))
	}
	for i, field := range record {
		args[i] = field
		if field == "" && !columns[i].notNull {
			args[i] = nil
		}
	}
	im.rows++
	return to.exec(insert, args...)
}

// records reads a file as records of fields.
type records struct {
	csv   *csv.Reader    // fields between commas
	lines *bufio.Scanner // or between |
	count int
	read  int64
}

func newRecords(file io.Reader, commas bool) *records {
	if !commas {
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<30)
		return &records{lines: lines}
	}
	r := &records{csv: csv.NewReader(skipMark(file))}
	r.csv.FieldsPerRecord = -1 // a wrong number is told with the table's columns
	r.csv.ReuseRecord = true
	return r
}

// skipMark leaves out the byte-order mark that some programs put first.
func skipMark(file io.Reader) io.Reader {
	r := bufio.NewReaderSize(file, 1<<16)
	if start, _ := r.Peek(3); string(start) == "\ufeff" {
		_, _ = r.Discard(3)
	}
	return r
}

// next returns the next record, valid until the one after; io.EOF at the end.
func (r *records) next() ([]string, error) {
	if r.csv != nil {
		return r.csv.Read()
	}
	if !r.lines.Scan() {
		if err := r.lines.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	r.count++
	r.read += int64(len(r.lines.Bytes())) + 1
	return strings.Split(r.lines.Text(), "|"), nil
}

// line returns the line that the last record began at.
func (r *records) line() int {
	if r.csv != nil {
		line, _ := r.csv.FieldPos(0)
		return line
	}
	return r.count
}

func (r *records) offset() int64 {
	if r.csv != nil {
		return r.csv.InputOffset()
	}
	return r.read
}
