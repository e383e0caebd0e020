package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// engine is the ledger on Nearlite itself.
type engine struct {
	engineDB
	ledger  Ledger
	updates []string
	*waits
	turn sync.Mutex // in mode Single, held by the one caller whose transfer is under way
}

func openEngine(ctx context.Context, l Ledger) (ledgerSystem, error) {
	db, err := openEngineDB(ctx, l.DB, engineSettings{Durability: l.Durability, Requests: max(l.Burst, l.Callers), PageMap: l.PageMap, Archive: l.Archive})
	if err != nil {
		return nil, err
	}
	if l.Archive != "" { // its first entry is the whole database
		if err := db.db.FlushLog(ctx); err != nil {
			return nil, errors.Join(err, db.close())
		}
	}
	return &engine{engineDB: db, ledger: l, updates: l.updates(), waits: newWaits(l)}, nil
}

func (e *engine) caller(pick picker) ledgerCaller {
	c := engineCaller{engine: e, transfer: e.ledger.transfer(pick)}
	switch e.ledger.Mode {
	case Single:
		caller := &aloneCaller{engineCaller: c}
		caller.begin()
		return caller
	case Batch:
		caller := &batchCaller{engineCaller: c}
		for i, sql := range e.updates {
			caller.statements = append(caller.statements, nearlite.Statement{SQL: sql, Args: caller.args[i][:]})
		}
		caller.begin()
		return caller
	case Mixed:
		caller := &mixedCaller{engineCaller: c}
		caller.begin()
		caller.view = caller.lookUpIn
		return caller
	default:
		c.begin()
		return &c
	}
}

// engineCaller makes its transfers in Update. The closure is made once, so that
// a request allocates nothing but its two ids.
type engineCaller struct {
	engine *engine
	transfer
	update func(*nearlite.WriteTx) error
	look   func(*nearlite.ReadTx) error // nil: it does not
	seen   int64                        // the balances read, so that reading them is not for nothing
}

// lookIn reads what the transfer will change. Where the database is larger than
// memory the callers then wait for the disk, all at a time, and the writer, for
// whom everybody waits, finds the pages in memory.
func (c *engineCaller) lookIn(tx *nearlite.ReadTx) error {
	for i := range c.count {
		row := tx.QueryRow(lookupSQL, c.args[i][:]...)
		if err := row.Err(); err != nil {
			return err
		}
		c.seen += row.Int64(1)
	}
	return nil
}

// prepare draws a transfer, and looks at it first if the run is about that.
func (c *engineCaller) prepare(ctx context.Context) error {
	c.draw()
	if c.look == nil {
		return nil
	}
	return c.engine.db.View(ctx, c.look)
}

// begin makes the closures, where the caller will stay.
func (c *engineCaller) begin() {
	c.update = c.transferIn
	if c.engine.ledger.LookFirst {
		c.look = c.lookIn
	}
}

// transferIn has the writer wait while the application thinks: nobody else can
// write meanwhile, and a benchmark that let them would measure something else.
func (c *engineCaller) transferIn(tx *nearlite.WriteTx) error {
	for i, sql := range c.engine.updates {
		if i > 0 {
			c.engine.between()
		}
		if _, err := tx.Exec(sql, c.args[i][:]...); err != nil {
			return err
		}
	}
	return nil
}

func (c *engineCaller) request(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	if err := c.engine.db.Update(ctx, c.update); err != nil {
		return err
	}
	c.done()
	return nil
}

// aloneCaller waits its turn, so that its transfer finds no neighbours to
// commit with.
type aloneCaller struct{ engineCaller }

func (c *aloneCaller) request(ctx context.Context) error {
	c.engine.turn.Lock()
	defer c.engine.turn.Unlock()
	return c.engineCaller.request(ctx)
}

// batchCaller hands over all statements at once.
type batchCaller struct {
	engineCaller
	statements []nearlite.Statement
}

func (c *batchCaller) request(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	if _, err := c.engine.db.Batch(ctx, c.statements...); err != nil {
		return err
	}
	c.done()
	return nil
}

// mixedCaller reads three accounts before its transfer.
type mixedCaller struct {
	engineCaller
	view func(*nearlite.ReadTx) error
	key  [1]any
}

func (c *mixedCaller) lookUpIn(tx *nearlite.ReadTx) error {
	row := tx.QueryRow(lookupSQL, c.key[:]...)
	if err := row.Err(); err != nil {
		return err
	}
	c.seen += row.Int64(1)
	return nil
}

func (c *mixedCaller) request(ctx context.Context) error {
	for range lookups {
		c.key[0] = c.pick.next()
		if err := c.engine.db.View(ctx, c.view); err != nil {
			return err
		}
	}
	return c.engineCaller.request(ctx)
}

func (e *engine) commits() uint64 { return e.db.Stats().Commits }

func (e *engine) lastPause() (checkpoints uint64, pause time.Duration) {
	stats := e.db.Stats()
	return stats.Checkpoints, stats.CheckpointPause
}

// forgetCache lets a run begin with an empty page cache, and its counters at
// zero: the writer's connection is opened anew after Exclusive.
func (e *engine) forgetCache(ctx context.Context) error {
	return e.db.Exclusive(ctx, func(*sqlite.Conn) error { return nil })
}

func (e *engine) addTo(ctx context.Context, r *LedgerReport) error {
	err := e.db.Exclusive(ctx, func(c *sqlite.Conn) error {
		use, err := c.CacheUse()
		r.Cache = newCacheUse(use.Hits, use.Misses)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask the writer's cache: %w", err)
	}
	return nil
}
