package sqldriver

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/nearlite/nearlite"
)

// script is a text of several statements, as migrations are. It runs as one
// transaction: the connection's, if one is open, else its own. BEGIN and COMMIT
// in it begin and end one as if each statement had been given by itself, and
// what a transaction refuses (a PRAGMA) may stand before the first statement.
type script struct {
	c    *conn
	own  bool // the open transaction is the script's
	ran  bool // and something has run in it
	done result
}

// script runs a text. Statements are described one at a time, since each may be
// about what those before it have created.
func (c *conn) script(ctx context.Context, text string) (driver.Result, error) {
	s := &script{c: c}
	if err := s.run(ctx, text); err != nil {
		if s.own {
			c.end(ctx, rollback)
		}
		return nil, err
	}
	if s.own {
		if err := c.end(ctx, commit); err != nil {
			return nil, err
		}
	}
	return s.done, nil
}

func (s *script) run(ctx context.Context, text string) error {
	for number := 1; text != ""; number++ {
		st, tail, err := look(ctx, s.c.schema(), text)
		if err == nil && st.empty {
			return nil
		}
		if err == nil {
			err = s.step(ctx, st)
		}
		if err != nil {
			return fmt.Errorf("statement %d of several: %w", number, err)
		}
		text = tail
	}
	return nil
}

// step runs one statement.
func (s *script) step(ctx context.Context, st *statement) error {
	switch {
	case st.control == begin && s.own:
		return fmt.Errorf("%q: %w: BEGIN must come before what it is to hold together", st.text, nearlite.ErrRefused)
	case st.alone.Load() && s.c.tx == nil:
		_, err := s.c.lone(ctx, st, nil)
		return err
	case st.control == none && s.c.tx == nil:
		if err := s.c.begin(ctx, false); err != nil {
			return err
		}
		s.own, s.ran = true, false
	}
	res, err := s.c.exec(ctx, st, nil)
	if errors.Is(err, nearlite.ErrRefused) && s.own && !s.ran {
		s.own = false
		s.c.end(ctx, rollback)
		_, err = s.c.lone(ctx, st, nil)
		return err
	}
	if err != nil {
		return err
	}
	s.ran = true
	r := res.(result)
	s.done = result{r.id, s.done.changes + r.changes}
	return nil
}

// schema is what the connection's statements are about.
func (c *conn) schema() describer {
	if c.tx != nil {
		return c.tx
	}
	return c.db
}
