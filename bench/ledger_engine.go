package bench

import (
	"context"
	"sync"
	"time"

	"github.com/nearlite/nearlite"
)

// engine is the ledger on Nearlite itself.
type engine struct {
	engineDB
	mode LedgerMode
	turn sync.Mutex // in mode Single, held by the one caller whose transfer is under way
}

func openEngine(ctx context.Context, l Ledger) (ledgerSystem, error) {
	db, err := openEngineDB(ctx, l.DB, l.Durability, max(l.Burst, l.Callers))
	if err != nil {
		return nil, err
	}
	return &engine{engineDB: db, mode: l.Mode}, nil
}

func (e *engine) caller(pick picker) ledgerCaller {
	c := engineCaller{engine: e, transfer: transfer{pick: pick}}
	switch e.mode {
	case Single:
		caller := &aloneCaller{engineCaller: c}
		caller.update = caller.transferIn
		return caller
	case Batch:
		caller := &batchCaller{engineCaller: c}
		caller.statements = [2]nearlite.Statement{
			{SQL: creditSQL, Args: caller.credit[:]},
			{SQL: debitSQL, Args: caller.debit[:]},
		}
		return caller
	case Mixed:
		caller := &mixedCaller{engineCaller: c}
		caller.update, caller.view = caller.transferIn, caller.lookUpIn
		return caller
	default:
		caller := &c
		caller.update = caller.transferIn
		return caller
	}
}

// engineCaller makes its transfers in Update. The closure is made once, so that
// a request allocates nothing but its two ids.
type engineCaller struct {
	engine *engine
	transfer
	update func(*nearlite.WriteTx) error
}

func (c *engineCaller) transferIn(tx *nearlite.WriteTx) error {
	if _, err := tx.Exec(creditSQL, c.credit[:]...); err != nil {
		return err
	}
	_, err := tx.Exec(debitSQL, c.debit[:]...)
	return err
}

func (c *engineCaller) request(ctx context.Context) error {
	c.draw()
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

// batchCaller hands over both statements at once.
type batchCaller struct {
	engineCaller
	statements [2]nearlite.Statement
}

func (c *batchCaller) request(ctx context.Context) error {
	c.draw()
	if _, err := c.engine.db.Batch(ctx, c.statements[:]...); err != nil {
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
	seen int64 // the balances read, so that reading them is not for nothing
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
