package shell

import (
	"context"
	"iter"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/dump"
)

// dump prints SQL that makes the database, or the tables whose name matches, anew.
func (s *session) dump(ctx context.Context, args []string) error {
	if s.remote != nil {
		if err := s.remote.Dump(ctx, s.print.w, pattern(args)); err != nil {
			return err
		}
		return s.print.w.Flush()
	}
	c := s.connection()
	if s.own == nil && s.tx == nil {
		snapshot, err := s.db.Begin(ctx, &nearlite.TxOptions{ReadOnly: true})
		if err != nil {
			return err
		}
		defer snapshot.Rollback()
		c = transaction{snapshot}
	}
	query := func(sql string, args ...any) iter.Seq2[[]any, error] { return c.query(ctx, sql, args...) }
	if err := dump.Write(s.print.w, query, pattern(args)); err != nil {
		return err
	}
	return s.print.w.Flush()
}
