package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
)

// A database is what the server knows of one beyond the catalog, as long as it is
// open: the classes of its statements, and its figures.
type database struct {
	id      catalog.ID
	classes *stream.Classes
	// onStatement is the stream's, made once.
	onStatement func(sql string, took time.Duration, rows int, err *hrana.Error)

	statements atomic.Uint64
	errors     atomic.Uint64
	rows       atomic.Uint64
	reads      latencies
	commits    latencies
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
	db.onStatement = func(sql string, took time.Duration, rows int, err *hrana.Error) { s.ran(db, sql, took, rows, err) }
	actual, _ := d.known.LoadOrStore(id, db)
	return actual.(*database)
}

// ran notes a statement.
func (s *Server) ran(db *database, sql string, took time.Duration, rows int, err *hrana.Error) {
	db.statements.Add(1)
	db.rows.Add(uint64(rows))
	if err != nil {
		db.errors.Add(1)
	}
	db.reads.add(took)
	if s.opts.Slow > 0 && took >= s.opts.Slow {
		s.slow(db, sql, took, rows, err)
	}
}

// slowTextMax bounds how much of a statement is logged.
const slowTextMax = 2000

func (s *Server) slow(db *database, sql string, took time.Duration, rows int, err *hrana.Error) {
	s.figures.slow.Add(1)
	if len(sql) > slowTextMax {
		sql = sql[:slowTextMax] + "…"
	}
	attrs := []any{"db", db.id, "took", took, "rows", rows, "sql", sql}
	if err != nil {
		attrs = append(attrs, "err", err.Message)
	}
	s.log.Warn("a slow statement", attrs...)
}

// sweep forgets databases that were closed.
func (d *databases) sweep(s *Server) {}
