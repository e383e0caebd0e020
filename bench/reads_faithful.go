package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nearlite/nearlite/sqlite"
)

// faithful is reads as the article's program made them: see [Faithful2018].
//
// Since its connections take no locks, another one takes the lock that keeps
// everybody else out for as long as the run lasts. The operating system gives
// up a process's locks on a file when any of its descriptors is closed, so no
// connection is closed before all are.
type faithful struct {
	path  string
	query ReadQuery
	guard *sqlite.Conn
	conns []*sqlite.Conn
}

func openFaithful(r Reads) (_ readSystem, err error) {
	f := &faithful{path: r.DB, query: r.Query}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.guard, err = sqlite.Open(r.DB, sqlite.OpenReadWrite, ""); err != nil {
		return nil, err
	}
	for _, sql := range []string{"PRAGMA locking_mode = EXCLUSIVE", "SELECT count(*) FROM sqlite_schema"} {
		if err := f.guard.Exec(sql); errors.Is(err, sqlite.CodeBusy) {
			return nil, fmt.Errorf("another program has the database open, and the 2018 program takes no locks: close it first: %w", err)
		} else if err != nil {
			return nil, fmt.Errorf("lock the database: %w", err)
		}
	}
	return f, refuseFrames(r.DB)
}

// faithfulSettings are those of the program at the time of the article.
const faithfulSettings = `
	PRAGMA locking_mode = EXCLUSIVE;
	PRAGMA synchronous = OFF;
	PRAGMA cache_size = -1000000;
	PRAGMA mmap_size = 1099511627776;
	PRAGMA wal_autocheckpoint = 10000;`

func (f *faithful) reader(_ context.Context, pick picker) (reader, error) {
	conn, err := sqlite.Open(f.path, sqlite.OpenReadWrite, "unix-none")
	if err != nil {
		return nil, err
	}
	f.conns = append(f.conns, conn)
	if err := conn.Exec(faithfulSettings); err != nil {
		return nil, err
	}
	asker := &faithfulReader{conn: conn, pick: pick, point: f.query == Point}
	asker.text = []byte(strings.TrimSuffix(f.query.sql(), "?"))
	return asker.ask, nil
}

type faithfulReader struct {
	conn  *sqlite.Conn
	pick  picker
	point bool
	text  []byte   // of the query, up to the parameter
	row   []string // the last answer
}

// ask does what sqlite3_exec does: parse, plan, run, hand every column over as
// text, forget. A parameter is part of the text.
func (f *faithfulReader) ask(context.Context) error {
	text := f.text
	if f.point {
		text = strconv.AppendInt(text, f.pick.next(), 10)
	}
	stmt, _, err := f.conn.PrepareFirst(string(text))
	if err != nil {
		return err
	}
	defer stmt.Finalize()
	row := stmt.QueryRow()
	if err := row.Err(); err != nil {
		return err
	}
	f.row = f.row[:0]
	for i := range row.Len() {
		f.row = append(f.row, row.Text(i))
	}
	return nil
}

func (f *faithful) close() error {
	var errs []error
	for _, conn := range append(f.conns, f.guard) {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	return errors.Join(errs...)
}
