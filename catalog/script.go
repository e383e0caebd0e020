package catalog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nearlite/nearlite/sqlite"
)

// runScript makes a database by running SQL. Nothing is lost by not being careful
// while it is made: the file is flushed when it is whole, and removed otherwise.
func runScript(ctx context.Context, r io.Reader, total int64, dest string, progress progress) (err error) {
	part := dest + ".part"
	conn, err := sqlite.Open(part, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		return err
	}
	err = runOn(ctx, conn, newStatements(r), func(done int64) { progress("run", done, total) })
	if err = errors.Join(err, conn.Close()); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, dest)
}

// runOn runs statements on a new database. They may do what a dump does, to write
// the schema for one, but reach no other file.
func runOn(ctx context.Context, conn *sqlite.Conn, s *statements, progress func(int64)) error {
	if err := conn.Exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -65536"); err != nil {
		return err
	}
	if err := conn.SetConfig(sqlite.ConfigLoadExtension, false); err != nil {
		return err
	}
	conn.Limit(sqlite.LimitAttached, 0)
	defer conn.InterruptOn(ctx)()
	told := int64(0)
	for {
		sql, err := s.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = runOne(conn, sql)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", s.line, err)
		}
		if s.read-told >= progressEvery {
			told = s.read
			progress(told)
		}
	}
	if !conn.AutoCommit() {
		return errors.New("the SQL ends within a transaction: it was cut off; dump it again")
	}
	return nil
}

// progressEvery is how many bytes go by between two reports of progress.
const progressEvery = 256 << 10

func runOne(conn *sqlite.Conn, sql string) error {
	if sqlite.Verb(sql) == "ROLLBACK" && !strings.Contains(strings.ToUpper(sql), " TO") {
		// sqlite3 writes it at the end of a dump that met an error.
		return errors.New("the SQL says itself that it is not complete, with ROLLBACK: the dumped database is damaged")
	}
	if name := processPragma(sql); name != "" {
		return fmt.Errorf("PRAGMA %s is a setting of the whole process: leave it out", name)
	}
	stmt, _, err := conn.PrepareFirst(sql)
	if err != nil || stmt == nil {
		return err
	}
	defer stmt.Finalize()
	_, err = stmt.Exec()
	return err
}

// processPragma returns which setting of the whole process a statement is about, if it
// is about one: behind EXPLAIN, too, PRAGMA sets some when it is prepared.
func processPragma(sql string) string {
	switch sqlite.Verb(sql) {
	case "PRAGMA", "EXPLAIN":
		for _, name := range []string{"hard_heap_limit", "soft_heap_limit", "temp_store_directory", "data_store_directory"} {
			if strings.Contains(strings.ToLower(sql), name) {
				return name
			}
		}
	}
	return ""
}

// statementMax bounds a statement: what is longer has a string without an end, and
// would fill the memory. SQLite itself takes no more than twice as much.
const statementMax = 512 << 20

// statements cuts SQL into statements as it is read.
type statements struct {
	r     *bufio.Reader
	text  bytes.Buffer
	most  int   // bytes of a statement
	line  int   // the last statement began at, from 1
	lines int   // line ends read
	read  int64 // bytes
}

func newStatements(r io.Reader) *statements {
	return &statements{r: bufio.NewReaderSize(r, 1<<16), most: statementMax}
}

// next returns the next statement with its semicolon, io.EOF behind the last one.
func (s *statements) next() (string, error) {
	s.text.Reset()
	before := s.lines
	for {
		end, err := s.piece()
		if err != nil && err != io.EOF {
			return "", fmt.Errorf("read the SQL: %w", err)
		}
		if end && s.inTrigger() {
			continue
		}
		text := s.text.String()
		sql := strings.TrimLeft(text, " \t\r\n")
		s.line = before + 1 + strings.Count(text[:len(text)-len(sql)], "\n")
		if err == io.EOF && sql == "" {
			return "", io.EOF
		}
		return sql, nil
	}
}

// inTrigger reports whether the semicolon at the end belongs to a trigger's body.
// SQLite is asked only about what may be one.
func (s *statements) inTrigger() bool {
	head := s.text.Bytes()
	head = bytes.ToUpper(head[:min(len(head), 4096)])
	return bytes.Contains(head, []byte("TRIGGER")) && sqlite.Verb(s.text.String()) == "CREATE" && !sqlite.Complete(s.text.String())
}

// piece reads up to a semicolon that is in no string, quoted name or comment.
func (s *statements) piece() (end bool, err error) {
	var inside, before byte // what ends the string or comment the text is in; the byte before
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return false, err
		}
		s.read++
		if s.text.WriteByte(c); c == '\n' {
			s.lines++
		}
		if s.text.Len() > s.most {
			return false, fmt.Errorf("the statement that begins with %.40q is longer than %d bytes: a string in it has no end", s.text.Bytes(), s.most)
		}
		switch {
		case inside == '/':
			if before == '*' && c == '/' {
				inside, c = 0, 0
			}
		case inside != 0:
			if c == inside {
				inside = 0
			}
		case c == ';':
			return true, nil
		case c == '\'' || c == '"' || c == '`':
			inside = c
		case c == '[':
			inside = ']'
		case before == '-' && c == '-':
			inside = '\n'
		case before == '/' && c == '*':
			inside, c = '/', 0
		}
		before = c
	}
}
