package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// transactionStep returns what a BEGIN, COMMIT or ROLLBACK does, nil for any
// other statement. This is the one thing SQLite cannot be asked about a
// statement, so its first words decide.
func (s *session) transactionStep(sql string) func(context.Context) error {
	w := words(sql, 3)
	if len(w) == 0 {
		return nil
	}
	switch w[0] {
	case "BEGIN":
		return s.begin
	case "COMMIT", "END":
		return s.commit
	case "ROLLBACK":
		if !slices.Contains(w[1:], "TO") {
			return s.rollback
		}
	case "SAVEPOINT", "RELEASE":
		if s.tx == nil {
			return func(context.Context) error {
				return fmt.Errorf("%s outside a transaction: BEGIN first", w[0])
			}
		}
	}
	return nil
}

func (s *session) begin(ctx context.Context) error {
	if s.tx != nil {
		return errors.New("a transaction is open already: COMMIT or ROLLBACK ends it, SAVEPOINT nests")
	}
	tx, err := s.db.Begin(ctx, nil)
	if err != nil {
		return err
	}
	s.tx = tx
	return nil
}

func (s *session) commit(ctx context.Context) error {
	tx, err := s.take("commit")
	if err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (s *session) rollback(context.Context) error {
	tx, err := s.take("roll back")
	if err != nil {
		return err
	}
	return tx.Rollback()
}

// take hands the open transaction over to be ended.
func (s *session) take(verb string) (*nearlite.Tx, error) {
	tx := s.tx
	if tx == nil {
		return nil, fmt.Errorf("there is no transaction to %s: BEGIN begins one", verb)
	}
	s.tx = nil
	return tx, nil
}

// afterError finds out whether an error has ended the open transaction, and says
// so: SQLite rolls back by itself for some, such as an interrupted UPDATE.
func (s *session) afterError(err error) error {
	if err == nil || s.tx == nil {
		return err
	}
	_, probe := s.tx.Exec(context.Background(), "SELECT 1")
	if probe == nil {
		return err
	}
	_ = s.tx.Rollback() // it has ended already
	s.tx = nil
	return fmt.Errorf("%w\n%s", err, rolledBack)
}

const rolledBack = "The transaction has been rolled back."

// owned is the writing connection in the shell's own hands.
type owned struct {
	conn    *sqlite.Conn
	release chan struct{}
	ended   chan error
}

// takeOwn takes the writing connection until giveBack.
func takeOwn(ctx context.Context, db *nearlite.DB) (*owned, error) {
	o := &owned{release: make(chan struct{}), ended: make(chan error, 1)}
	taken := make(chan *sqlite.Conn)
	go func() {
		o.ended <- db.Exclusive(context.WithoutCancel(ctx), func(c *sqlite.Conn) error {
			taken <- c
			<-o.release
			return nil // the engine rolls back what is open, and opens the connection anew
		})
	}()
	select {
	case o.conn = <-taken:
		return o, nil
	case err := <-o.ended:
		return nil, err
	}
}

func (o *owned) giveBack() error {
	close(o.release)
	return <-o.ended
}
