package server

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/nearlite/nearlite"
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

	// The following is of whoever holds databases.mu.
	name    string
	opening nearlite.LogID // the engine counts from each opening
	before  tally          // of earlier openings
	now     nearlite.Stats
	bytes   int64
	counted float64 // transactions and reads at the last look
	rate    float64 // of these, between two looks, as of late
	labeled bool    // it has metrics of its own
	since   tally   // if not: where its part of “other” begins
	shown   bool    // and “other” was shown since
	seen    bool    // at this look
}

// databases are those that requests were for since they were opened.
type databases struct {
	known sync.Map // catalog.ID to *database

	mu      sync.Mutex // protects the following
	labeled int
	gone    tally // what “other” has of databases that are not in it any more
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
	name := ""
	s.cat.EachOpen(func(h *catalog.Handle) {
		if h.ID() == db.id {
			name = h.Name()
		}
	})
	attrs := []any{"name", name, "db", db.id, "took", r.Took, "rows", r.Rows, "sql", r.SQL}
	if r.Err != nil {
		attrs = append(attrs, "err", r.Err.Message)
	}
	s.log.Warn("a slow statement", attrs...)
}

// look collects the figures of the databases that are open, and forgets those
// that are not any more.
func (d *databases) look(s *Server) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.cat.EachOpen(func(h *catalog.Handle) {
		db := d.of(s, h.ID())
		db.look(h)
		db.weigh()
		db.seen = true
	})
	var all []*database
	for _, v := range d.known.Range {
		db := v.(*database)
		if !db.seen {
			d.forget(db)
			continue
		}
		db.seen = false
		all = append(all, db)
	}
	d.label(all, s.opts.LabelledDatabases)
}

// look takes the figures of one.
func (db *database) look(h *catalog.Handle) {
	stats, opening := h.DB().Stats(), h.DB().Position().Log
	if opening != db.opening {
		db.before = db.before.plus(engineTally(&db.now), 1)
		db.opening = opening
	}
	db.now, db.name = stats, h.Name()
	if info, err := os.Stat(h.DB().Path()); err == nil {
		db.bytes = info.Size()
	}
}

// weigh says how busy the database has been since the last time.
func (db *database) weigh() {
	t := db.tally()
	counted := t.counters[countTransactions] + float64(count(t.histograms[spreadReads]))
	db.rate += (counted - db.counted - db.rate) / 4
	db.counted = counted
}

// tally is what was counted up to the last look, by the engine, and up to now, by
// the server.
func (db *database) tally() tally {
	t := db.before.plus(engineTally(&db.now), 1)
	t.counters[countRows] = float64(db.rows.Load())
	t.counters[countFailed] = float64(db.failed.Load())
	t.histograms[spreadWrites] = db.commits.histogram()
	t.histograms[spreadReads] = db.reads.histogram()
	return t
}

// forget drops a database that was closed. “other” keeps its part.
func (d *databases) forget(db *database) {
	d.known.Delete(db.id)
	if db.labeled {
		d.labeled--
		return
	}
	d.gone = d.gone.plus(db.tally().plus(db.since, -1), 1)
}

// label gives the busiest databases metrics of their own. One gives way to another
// that is twice as busy, so that names do not come and go all the time.
func (d *databases) label(all []*database, most int) {
	for range all {
		var best, worst *database
		for _, db := range all {
			switch {
			case db.labeled && (worst == nil || db.rate < worst.rate):
				worst = db
			case !db.labeled && (best == nil || db.rate > best.rate):
				best = db
			}
		}
		switch {
		case best == nil:
			return
		case d.labeled < most:
		case worst == nil || best.rate <= 2*worst.rate || best.rate < 1:
			return
		default:
			worst.labeled, worst.since = false, worst.tally()
			d.labeled--
		}
		if best.shown { // “other” must not become less
			d.gone = d.gone.plus(best.tally().plus(best.since, -1), 1)
		}
		best.labeled, best.since, best.shown = true, tally{}, false
		d.labeled++
	}
}

// A reading is what metrics show of a database, or of all others together.
type reading struct {
	name   string
	tally  tally
	gauges [gaugesEnd]float64
}

// The gauges of a reading.
const (
	gaugeQueue = iota
	gaugeReaders
	gaugeBusy
	gaugeOldest
	gaugeWAL
	gaugeBytes
	gaugePauseMax
	gaugeEntry
	gaugeLag
	gaugeFailing
	gaugesEnd
)

// largest are the gauges of which “other” has the largest, not the sum.
var largest = [gaugesEnd]bool{gaugeOldest: true, gaugePauseMax: true, gaugeEntry: true, gaugeLag: true}

func (db *database) reading() reading {
	n, failing := &db.now, 0.0
	if n.LogError != nil {
		failing = 1
	}
	return reading{name: db.name, tally: db.tally(), gauges: [gaugesEnd]float64{
		gaugeQueue: float64(n.QueueDepth), gaugeReaders: float64(n.Readers), gaugeBusy: float64(n.BusyReaders),
		gaugeOldest: n.OldestSnapshot.Seconds(), gaugeWAL: float64(n.WALBytes), gaugeBytes: float64(db.bytes),
		gaugePauseMax: n.CheckpointPauseMax.Seconds(), gaugeEntry: float64(n.LogTXID), gaugeLag: n.LogLag.Seconds(), gaugeFailing: failing,
	}}
}

// readings returns what metrics show: a bounded number of databases, and the rest
// as one.
func (d *databases) readings(s *Server) []reading {
	d.look(s)
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []reading
	other := reading{name: "other", tally: d.gone.plus(tally{}, 1)}
	some := len(d.gone.histograms[spreadBatch].Counts) > 0
	for _, v := range d.known.Range {
		db := v.(*database)
		r := db.reading()
		if db.labeled {
			all = append(all, r)
			continue
		}
		some, db.shown = true, true
		other.tally = other.tally.plus(r.tally.plus(db.since, -1), 1)
		for i, g := range r.gauges {
			if largest[i] {
				other.gauges[i] = max(other.gauges[i], g)
			} else {
				other.gauges[i] += g
			}
		}
	}
	if some {
		all = append(all, other)
	}
	return all
}

// one returns the figures of a database that is open.
func (d *databases) one(s *Server, h *catalog.Handle) (_ tally, _ nearlite.Stats, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	db := d.of(s, h.ID())
	db.look(h)
	return db.tally(), db.now, db.bytes
}
