package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgres is the ledger on a PostgreSQL server. Each statement is a round trip,
// and paid for as such; so are BEGIN, COMMIT and ROLLBACK.
type postgres struct {
	*postgresDB
	*waits
	ledger  Ledger
	updates []string        // the names of a transfer's prepared statements
	options pgx.TxOptions   // of BEGIN
	running context.Context // ends when the run is to end: then nothing is begun again
	retries retries

	committed atomic.Uint64
}

func openPostgres(ctx context.Context, l Ledger) (ledgerSystem, error) {
	db, err := openPostgresDB(ctx, l)
	if err != nil {
		return nil, err
	}
	p := &postgres{
		postgresDB: db,
		waits:      newWaits(l),
		ledger:     l,
		updates:    []string{creditStmt, debitStmt},
		options:    pgx.TxOptions{IsoLevel: l.Isolation.level()},
		running:    ctx,
	}
	if l.ExtraQuery {
		p.updates = []string{creditBothStmt, debitStmt, debitStmt}
	}
	return p, nil
}

func (p *postgres) caller(pick picker) ledgerCaller {
	return &postgresCaller{postgres: p, transfer: p.ledger.transfer(pick)}
}

type postgresCaller struct {
	postgres *postgres
	transfer
}

func (c *postgresCaller) request(ctx context.Context) error {
	p := c.postgres
	if p.ledger.Mode == Mixed {
		if err := c.lookUp(ctx); err != nil {
			return err
		}
	}
	c.draw()
	// Begun again, it is the same transfer: an application does not give up the
	// one it was asked for and make another.
	try := func() error { return c.interactive(ctx) }
	if p.ledger.Mode == Batch {
		try = func() error { return c.together(ctx) }
	}
	if err := p.retries.run(p.running, try); err != nil {
		return err
	}
	p.committed.Add(1)
	c.done()
	return nil
}

// lookUp makes the point reads of a mixed request, each on a connection of its
// own choice and a transaction of its own.
func (c *postgresCaller) lookUp(ctx context.Context) error {
	for range lookups {
		id := c.pick.next()
		err := c.postgres.retries.run(c.postgres.running, func() error {
			conn, err := c.postgres.acquire(ctx)
			if err != nil {
				return err
			}
			defer conn.Release()
			c.postgres.trip()
			var balance int64
			return conn.QueryRow(ctx, lookupStmt, int32(id)).Scan(&id, &balance)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// acquire waits for a connection. When it has come and the run is over it is of
// no use: thousands may be waiting behind this one.
func (p *postgres) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for a connection: %w", err)
	}
	if p.running.Err() != nil {
		conn.Release()
		return nil, context.Cause(p.running)
	}
	return conn, nil
}

// interactive is the article's transaction: the application has the answer to
// each statement before it sends the next, and a connection for all of them.
func (c *postgresCaller) interactive(ctx context.Context) (err error) {
	p := c.postgres
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	p.trip()
	tx, err := conn.BeginTx(ctx, p.options)
	if err != nil {
		return err
	}
	for i, update := range p.updates {
		if i > 0 {
			p.between()
		}
		p.trip()
		if _, err := tx.Exec(ctx, update, c.id(i)); err != nil {
			p.trip()
			return errors.Join(err, tx.Rollback(ctx))
		}
	}
	p.trip()
	return tx.Commit(ctx)
}

// together sends all statements at once: they are one transaction to the server
// and one round trip to the network, and no code runs between them.
func (c *postgresCaller) together(ctx context.Context) error {
	p := c.postgres
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var batch pgx.Batch
	for i, update := range p.updates {
		batch.Queue(update, c.id(i))
	}
	p.trip()
	return conn.SendBatch(ctx, &batch).Close()
}

// id is the account of a statement as wide as the server's column.
func (c *postgresCaller) id(i int) int32 { return int32(c.args[i][0].(int64)) }

func (p *postgres) commits() uint64 { return p.committed.Load() }
