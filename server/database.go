package server

import (
	"sync"
	"sync/atomic"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server/stream"
)

// A database is what the server knows of one beyond the catalog, as long as it is
// open: the classes of its statements, and its figures.
type database struct {
	id      catalog.ID
	classes *stream.Classes
	// onStatement is the stream's, made once.
	onStatement func(stream.Ran)

	failed  atomic.Uint64 // statements
	rows    atomic.Uint64 // returned
	reads   latencies
	commits latencies // of what ended with one, from the request to the durable commit
}

// databases are those that requests were for since they were opened.
type databases struct {
	known sync.Map // catalog.ID to *database
}

// of returns what is known of a database.
func (d *databases) of(s *Server, id catalog.ID) *database {
	if db, ok := d.known.Load(id); ok {
		return db.(*database)
	}
	db := &database{id: id, classes: stream.NewClasses()}
	db.onStatement = func(r stream.Ran) { s.ran(db, r) }
	actual, _ := d.known.LoadOrStore(id, db)
	return actual.(*database)
}

// ran notes a statement.
func (s *Server) ran(db *database, r stream.Ran) {
	db.rows.Add(uint64(r.Rows))
	switch {
	case r.Err != nil:
		db.failed.Add(1)
	case r.Reads:
		db.reads.add(r.Took)
	case r.Commits:
		db.commits.add(r.Took)
	}
	if s.opts.Slow > 0 && r.Took >= s.opts.Slow {
		s.slow(db, r)
	}
}

// slowTextMax bounds how much of a statement is logged.
const slowTextMax = 2000

func (s *Server) slow(db *database, r stream.Ran) {
	s.figures.slow.Add(1)
	if len(r.SQL) > slowTextMax {
		r.SQL = r.SQL[:slowTextMax] + "…"
	}
	attrs := []any{"db", db.id, "took", r.Took, "rows", r.Rows, "sql", r.SQL}
	if r.Err != nil {
		attrs = append(attrs, "err", r.Err.Message)
	}
	s.log.Warn("a slow statement", attrs...)
}

// sweep forgets databases that were closed.
func (d *databases) sweep(s *Server) {}
