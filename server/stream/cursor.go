package stream

import (
	"context"

	"github.com/nearlite/nearlite/hrana"
)

// Cursor runs a batch and gives its results to emit, entry by entry. Those of a
// statement are collected before emit gets them, and what they were read from is
// free again; a query outside of a transaction whose rows are more than 256 kB is
// given in parts, and holds its snapshot meanwhile. The rows may be any number
// then: MaxRows and MaxBytes count for all others.
//
// An error of emit ends the batch and is returned. What fails for the batch's own
// reasons is told in its last entry.
func (s *Stream) Cursor(ctx context.Context, b *hrana.Batch, emit func(*hrana.CursorEntry) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.run.giveBack()
	c := &cursor{emit: emit}
	if herr := s.cursor(ctx, b, c); herr != nil && c.err == nil {
		c.send(hrana.CursorEntry{Kind: hrana.BatchError, Error: herr})
	}
	return c.err
}

func (s *Stream) cursor(ctx context.Context, b *hrana.Batch, c *cursor) (herr *hrana.Error) {
	defer s.survive(&herr)
	s.lost = nil
	if s.closed {
		return errClosed
	}
	p, herr := s.program(ctx, b)
	if herr != nil {
		return herr
	}
	p.cursor = c
	s.run.request()
	return p.run(ctx)
}

// cursor gives entries to its client.
type cursor struct {
	emit func(*hrana.CursorEntry) error
	err  error // of emit
	told int   // steps
	open bool  // the beginning of the step after those was told
}

// send gives one entry.
func (c *cursor) send(e hrana.CursorEntry) *hrana.Error {
	if c.err = c.emit(&e); c.err != nil {
		return errClosed
	}
	return nil
}

// flush tells of the steps that have ended since.
func (c *cursor) flush(p *program) *hrana.Error {
	for ; c.told < len(p.results); c.told++ {
		res, failed := p.results[c.told], p.errors[c.told]
		p.results[c.told] = ran(res)
		var herr *hrana.Error
		switch {
		case failed != nil:
			herr = c.send(hrana.CursorEntry{Kind: hrana.StepError, Step: uint32(c.told), Error: failed})
		case res != nil:
			if herr = c.rows(res.Cols, res.Rows); herr == nil {
				herr = c.send(hrana.CursorEntry{Kind: hrana.StepEnd, AffectedRowCount: res.AffectedRowCount, LastInsertRowID: res.LastInsertRowID})
			}
		}
		if c.open = false; herr != nil {
			return herr
		}
	}
	return nil
}

// succeeded is a result of which nobody wants to know more.
var succeeded = &hrana.StmtResult{}

// ran is what is kept of a result, for the conditions of later steps.
func ran(res *hrana.StmtResult) *hrana.StmtResult {
	if res == nil {
		return nil
	}
	return succeeded
}

// rows tells of a step's rows, and before the first ones of its beginning.
func (c *cursor) rows(cols []hrana.Col, rows [][]hrana.Value) *hrana.Error {
	if !c.open {
		c.open = true
		if cols == nil {
			cols = []hrana.Col{}
		}
		if herr := c.send(hrana.CursorEntry{Kind: hrana.StepBegin, Step: uint32(c.told), Cols: cols}); herr != nil {
			return herr
		}
	}
	for _, row := range rows {
		if herr := c.send(hrana.CursorEntry{Kind: hrana.Row, Row: row}); herr != nil {
			return herr
		}
	}
	return nil
}
