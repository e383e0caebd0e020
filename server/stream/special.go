package stream

import (
	"context"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
)

// special runs what is not the engine's transactions' to run.
func (s *Stream) special(ctx context.Context, c *class) (*hrana.StmtResult, *hrana.Error) {
	switch c.kind {
	case constant:
		return c.constantRow(), nil
	case foreignKeys:
		return s.foreignKeys(c), nil
	case alone:
		return s.alone(ctx, c)
	}
	return nil, c.refused()
}

// foreignKeys reads or sets whether foreign keys are enforced for this stream. As
// in SQLite nothing happens inside a transaction.
func (s *Stream) foreignKeys(c *class) *hrana.StmtResult {
	if !c.set {
		v := hrana.Value{Kind: hrana.Integer, Integer: 1}
		if s.keysOff {
			v.Integer = 0
		}
		return oneRow(c.name, v)
	}
	if s.tx == nil {
		s.keysOff = isOff(c.value)
	}
	return done()
}

// alone runs a statement that wants no transaction around it.
func (s *Stream) alone(ctx context.Context, c *class) (*hrana.StmtResult, *hrana.Error) {
	if s.tx != nil {
		return nil, sqliteError("UNKNOWN", "cannot VACUUM from within a transaction")
	}
	s.run.statement(c, nil, true)
	err := s.exclusively(s.limited(ctx), func(own *own) error {
		if verb(c.text) == "VACUUM" {
			catalog.ForVacuum(own.conn)
		}
		return s.run.in(own)
	})
	if err != nil {
		return nil, translate(err)
	}
	return s.run.result(), nil
}
