package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// mattnBatched is the ledger on mattn/go-sqlite3 behind a batcher.
type mattnBatched struct {
	mattnDB // the writer: one connection
	batcher *batcher
	readers mattnDB // a pool, for the lookups of mixed requests
	lookup  *sql.Stmt
	ledger  Ledger
	*waits
}

func openMattnBatched(ctx context.Context, l Ledger) (ledgerSystem, error) {
	// The cache is the engine's and the C limit's: whoever writes a batcher
	// will have set that as well.
	writer, err := openMattnDB(l.DB, l.Durability, "_cache_size=-64000")
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	readers, err := openMattnDB(l.DB, l.Durability)
	if err != nil {
		writer.Close()
		return nil, err
	}
	m := &mattnBatched{mattnDB: writer, readers: readers, ledger: l, waits: newWaits(l)}
	if err := m.start(ctx, l.Mode != Batch); err != nil {
		return nil, errors.Join(err, readers.Close(), writer.Close())
	}
	return m, nil
}

func (m *mattnBatched) start(ctx context.Context, savepoints bool) (err error) {
	// A statement cannot be prepared before its table exists.
	if err := m.exec(ctx, accounts.create); err != nil {
		return err
	}
	if m.lookup, err = m.readers.PrepareContext(ctx, lookupSQL); err != nil {
		return fmt.Errorf("prepare %q: %w", lookupSQL, err)
	}
	m.batcher, err = startBatcher(ctx, m.DB, m.ledger.updates(), savepoints)
	return err
}

func (m *mattnBatched) caller(pick picker) ledgerCaller {
	c := &batchedCaller{batched: m, transfer: m.ledger.transfer(pick)}
	c.job = job{run: c.transferIn, answer: make(chan error, 1)}
	return c
}

type batchedCaller struct {
	batched *mattnBatched
	transfer
	job job
}

func (c *batchedCaller) transferIn(ctx context.Context, tx batchStmts) error {
	for i, update := range tx.updates {
		if i > 0 {
			c.batched.between()
		}
		if _, err := update.ExecContext(ctx, c.args[i][0]); err != nil {
			return err
		}
	}
	return nil
}

func (c *batchedCaller) request(ctx context.Context) error {
	if c.batched.ledger.Mode == Mixed {
		if err := lookUp(ctx, c.batched.lookup, &c.pick); err != nil {
			return err
		}
	}
	c.draw()
	if err := c.batched.batcher.do(&c.job); err != nil {
		return err
	}
	c.done()
	return nil
}

func (m *mattnBatched) commits() uint64 { return m.batcher.commits.Load() }

func (m *mattnBatched) close() error {
	m.batcher.stop()
	return errors.Join(m.readers.Close(), m.Close())
}
