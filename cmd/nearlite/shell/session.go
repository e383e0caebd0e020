package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// A session is one shell on one database. A statement runs
//
//   - on the engine, as a transaction of its own, mostly;
//   - in tx, from BEGIN to COMMIT or ROLLBACK;
//   - on the writing connection for as long as the statement takes, if the engine
//     refuses it and it leaves nothing behind there: VACUUM, wal_checkpoint;
//   - in own, from the first statement on that leaves something behind: ATTACH, a
//     temporary table, a PRAGMA with a value.
type session struct {
	remote *remote // if not nil, all there is: statements run on a server
	db     *nearlite.DB
	tx     *nearlite.Tx // nil outside BEGIN … COMMIT
	own    *owned       // nil until it is needed
	brakes brakes
	print  *printer
	screen io.Writer // for progress
	chatty bool      // say how many rows there were and how long it took
}

// run runs one command, or a text of one or more statements that begins at a
// line of a script (0: it is no script).
func (s *session) run(ctx context.Context, text string, line int) error {
	if isCommand(text) {
		if err := s.command(ctx, text); err != nil {
			return at(line, err)
		}
		return nil
	}
	for text != "" {
		blank := len(text) - len(skipBlank(text))
		if line > 0 {
			line += strings.Count(text[:blank], "\n")
		}
		var statement string
		statement, text = nextStatement(text[blank:])
		if firstWord(statement) == "" {
			continue
		}
		if err := s.statement(ctx, statement); err != nil {
			return at(line, err)
		}
		if line > 0 {
			line += strings.Count(statement, "\n")
		}
	}
	return nil
}

// at says where in a script an error happened, and marks it in the statement.
func at(line int, err error) error {
	if errors.Is(err, errQuit) {
		return err
	}
	return &StatementError{Line: line, Err: err}
}

// statement runs one statement and finds out what became of the transaction.
func (s *session) statement(ctx context.Context, sql string) error {
	release := s.brakes.on(ctx)
	err := s.route(ctx, sql)
	release()
	if errors.Is(err, sqlite.CodeInterrupt) && ctx.Err() != nil {
		err = ctx.Err()
	}
	return s.afterError(err)
}

// route runs one statement where it belongs.
func (s *session) route(ctx context.Context, sql string) error {
	if s.remote != nil {
		return s.showRemote(ctx, sql)
	}
	if s.own == nil {
		if step := s.transactionStep(sql); step != nil {
			return step(ctx)
		}
	}
	err := s.show(ctx, s.connection(), sql)
	switch {
	case s.own != nil || !refused(err, sql):
		return err
	case s.tx != nil:
		return fmt.Errorf("%w (COMMIT or ROLLBACK first, then it runs)", err)
	case leavesNothing(sql):
		return s.db.Exclusive(ctx, func(c *sqlite.Conn) error { return s.show(ctx, direct{c}, sql) })
	}
	if s.own, err = takeOwn(ctx, s.db); err != nil {
		return err
	}
	return s.show(ctx, s.connection(), sql)
}

// refused reports whether a statement failed because it cannot run inside a
// transaction of the engine's.
func refused(err error, sql string) bool {
	return errors.Is(err, nearlite.ErrRefused) || err != nil && isVacuum(sql)
}

// leavesNothing reports whether a statement that only the writing connection may
// run changes nothing there for the statements that follow.
func leavesNothing(sql string) bool {
	w := words(sql, 2)
	return isVacuum(sql) || len(w) > 1 && w[0] == "PRAGMA" && strings.HasPrefix(w[1], "WAL_")
}

// isVacuum knows the one statement that SQLite refuses by itself.
func isVacuum(sql string) bool { return firstWord(sql) == "VACUUM" }

// connection returns where the next statement runs.
func (s *session) connection() connection {
	switch {
	case s.remote != nil:
		return s.remote
	case s.own != nil:
		return direct{s.own.conn}
	case s.tx != nil:
		return transaction{s.tx}
	}
	return engine{s.db}
}

// inTransaction reports whether the next statement belongs to an open transaction.
func (s *session) inTransaction() bool {
	return s.tx != nil || s.own != nil && !s.own.conn.AutoCommit()
}

// show runs one statement and prints what it returns.
func (s *session) show(ctx context.Context, c connection, sql string) error {
	began := time.Now()
	description, err := c.describe(ctx, sql)
	if err != nil || description.Empty {
		return err
	}
	if n := len(description.Params); n > 0 {
		return fmt.Errorf("the statement has %d parameters, and a shell has no values for them: write the values into it", n)
	}
	if len(description.Columns) == 0 {
		changes, err := c.exec(ctx, sql)
		if err == nil && changes > 0 {
			s.note("%s changed", rowsOf(changes), began)
		}
		return err
	}
	rows, err := s.print.rows(description.Columns, c.query(ctx, sql))
	if err == nil {
		s.note("%s", rowsOf(rows), began)
	}
	return err
}

// note tells a person what came of a statement; scripts are not told.
func (s *session) note(format, what string, began time.Time) {
	if s.chatty {
		fmt.Fprintf(s.screen, "("+format+", %s)\n", what, time.Since(began).Round(10*time.Microsecond))
	}
}

func rowsOf(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// close ends what is open, and the database.
func (s *session) close() error {
	var err error
	if s.tx != nil {
		err = s.tx.Rollback()
		s.tx = nil
	}
	if s.own != nil {
		err = errors.Join(err, s.own.giveBack())
		s.own = nil
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	return err
}
