package server

import (
	"io"
	"iter"
	"net/http"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/dump"
)

// dump answers GET /dump with the database as SQL, or the tables whose name is LIKE
// a pattern, as of one moment.
func (c *call) dump() error {
	if err := c.unblocked(); err != nil {
		return err
	}
	ctx := c.r.Context()
	snapshot, err := c.handle.DB().Begin(ctx, &nearlite.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer snapshot.Rollback()
	c.w.Header()["Content-Type"] = typeTextUTF8
	query := func(sql string, args ...any) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			rows, err := snapshot.Query(ctx, sql, args...)
			if err != nil {
				yield(nil, err)
				return
			}
			defer rows.Close()
			for rows.Next() {
				if !yield(rows.Values(), nil) {
					return
				}
			}
			if err := rows.Err(); err != nil {
				yield(nil, err)
			}
		}
	}
	out := &begun{w: c.w}
	like := c.r.URL.Query().Get("like")
	if like == "" {
		like = "%"
	}
	err = dump.Write(out, query, like)
	if err != nil && out.yes {
		panic(http.ErrAbortHandler) // half a dump must not look like a whole one
	}
	return err
}

// begun is an answer that knows whether anything of it was sent.
type begun struct {
	w   io.Writer
	yes bool
}

// Write sends p.
func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.w.Write(p)
}
