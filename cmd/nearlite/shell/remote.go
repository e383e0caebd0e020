package shell

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// Remote is a database that a server has, as far as a shell needs it. Each
// statement is a transaction of its own.
type Remote interface {
	// Query runs one statement and returns everything that comes of it.
	Query(ctx context.Context, sql string, args ...any) (RemoteResult, error)
	// Dump writes the database, or the tables whose name is LIKE a pattern, as SQL.
	Dump(ctx context.Context, w io.Writer, like string) error
}

// RemoteResult is what came of a statement. Values are nil, int64, float64, string
// or []byte.
type RemoteResult struct {
	Columns []string
	Rows    [][]any
	Changes int64
}

// remote is the connection to a server.
type remote struct{ Remote }

func (r remote) describe(context.Context, string) (nearlite.Description, error) {
	return nearlite.Description{}, errors.New("a server is not asked what a statement is, it runs it")
}

func (r remote) query(ctx context.Context, sql string, args ...any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		result, err := r.Query(ctx, sql, args...)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, row := range result.Rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (r remote) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	result, err := r.Query(ctx, sql, args...)
	return result.Changes, err
}

// showRemote runs one statement on the server and prints what it returns.
func (s *session) showRemote(ctx context.Context, sql string) error {
	began := time.Now()
	result, err := s.remote.Query(ctx, sql)
	if err != nil {
		return err
	}
	if len(result.Columns) == 0 {
		if result.Changes > 0 {
			s.note("%s changed", rowsOf(result.Changes), began)
		}
		return nil
	}
	columns := make([]sqlite.Column, len(result.Columns))
	for i, name := range result.Columns {
		columns[i].Name = name
	}
	rows, err := s.print.rows(columns, func(yield func([]any, error) bool) {
		for _, row := range result.Rows {
			if !yield(row, nil) {
				return
			}
		}
	})
	if err == nil {
		s.note("%s", rowsOf(rows), began)
	}
	return err
}

// errRemoteImport refuses what needs the file and the database in one place.
var errRemoteImport = errors.New(".import fills tables of files on this machine; “nearlite import URL” makes a database of a file on a server")
