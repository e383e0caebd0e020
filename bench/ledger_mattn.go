package bench

import (
	"context"
	"database/sql"
	"sync/atomic"
)

// mattn is the ledger on database/sql and mattn/go-sqlite3: every caller takes
// a connection from the pool, and SQLite's lock decides who writes.
type mattn struct {
	mattnDB
	ledger  Ledger
	updates []*sql.Stmt
	lookup  *sql.Stmt
	*waits

	committed atomic.Uint64
	refusals  atomic.Uint64 // transactions begun again because the database was busy
}

func openMattn(ctx context.Context, l Ledger) (ledgerSystem, error) {
	db, err := openMattnDB(l.DB, l.Durability)
	if err != nil {
		return nil, err
	}
	m := &mattn{mattnDB: db, ledger: l, waits: newWaits(l)}
	if err := m.prepare(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return m, nil
}

func (m *mattn) prepare(ctx context.Context) (err error) {
	// A statement cannot be prepared before its table exists.
	if err := m.exec(ctx, accounts.create); err != nil {
		return err
	}
	if m.updates, err = prepareAll(ctx, m.DB, m.ledger.updates()); err != nil {
		return err
	}
	return prepare(ctx, m.DB, map[string]**sql.Stmt{lookupSQL: &m.lookup})
}

func (m *mattn) caller(pick picker) ledgerCaller {
	return &mattnCaller{mattn: m, transfer: m.ledger.transfer(pick)}
}

type mattnCaller struct {
	mattn *mattn
	transfer
}

func (c *mattnCaller) request(ctx context.Context) error {
	if c.mattn.ledger.Mode == Mixed {
		if err := lookUp(ctx, c.mattn.lookup, &c.pick); err != nil {
			return err
		}
	}
	c.draw()
	err := c.try(ctx)
	for busy(err) {
		c.mattn.refusals.Add(1)
		err = c.try(ctx)
	}
	if err != nil {
		return err
	}
	c.mattn.committed.Add(1)
	c.done()
	return nil
}

func (c *mattnCaller) try(ctx context.Context) error {
	tx, err := c.mattn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i, update := range c.mattn.updates {
		if i > 0 {
			c.mattn.between()
		}
		if _, err := tx.StmtContext(ctx, update).ExecContext(ctx, c.args[i][0]); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// lookUp makes the point reads of a mixed request.
func lookUp(ctx context.Context, stmt *sql.Stmt, pick *picker) error {
	for range lookups {
		var id, balance int64
		if err := stmt.QueryRowContext(ctx, pick.next()).Scan(&id, &balance); err != nil {
			return err
		}
	}
	return nil
}

func (m *mattn) commits() uint64 { return m.committed.Load() }

func (m *mattn) addTo(_ context.Context, r *LedgerReport) error {
	r.BusyRetries = m.refusals.Load()
	return nil
}
