package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5" // what Go programs use for PostgreSQL; lib/pq is only maintained
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNoPostgres is returned when the PostgreSQL server of a ledger cannot be
// reached, or does not let its user in.
var ErrNoPostgres = errors.New("no connection to PostgreSQL")

// postgresDB is a database on a PostgreSQL server: a connection for everything
// that is not measured, and a pool for the rest.
type postgresDB struct {
	admin *pgx.Conn
	pool  *pgxpool.Pool
	host  string // and its port and database, for people; no password

	checkpointRefused bool // the user may not ask for one
}

// postgresAccounts is the article's table on PostgreSQL.
var postgresAccounts = dataset{
	rows:   accounts.rows,
	create: "CREATE TABLE IF NOT EXISTS account(id INT PRIMARY KEY, balance INT)",
	count:  accounts.count,
}

// postgresSchema is where the table is, so that a server with a table account of
// its own keeps it as it is.
const postgresSchema = "nearlite_bench"

// The names of the prepared statements, on each connection of the pool.
const (
	creditStmt     = "credit"
	creditBothStmt = "credit_both"
	debitStmt      = "debit"
	lookupStmt     = "lookup"
)

// postgresStmts are those statements, in PostgreSQL's spelling of a parameter.
var postgresStmts = map[string]string{
	creditStmt:     "UPDATE account SET balance = balance + 100 WHERE id = $1",
	creditBothStmt: "UPDATE account SET balance = balance + 200 WHERE id = $1",
	debitStmt:      "UPDATE account SET balance = balance - 100 WHERE id = $1",
	lookupStmt:     "SELECT * FROM account WHERE id = $1 LIMIT 1",
}

// openPostgresDB connects, makes the table, and fills the pool, so that no
// connection has to be made while the clock runs.
func openPostgresDB(ctx context.Context, l Ledger) (_ *postgresDB, err error) {
	config, err := poolConfig(l)
	if err != nil {
		return nil, err
	}
	db := &postgresDB{host: address(config.ConnConfig)}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.close())
		}
	}()
	if db.admin, err = pgx.ConnectConfig(ctx, config.ConnConfig); err != nil {
		return nil, fmt.Errorf("%w at %s: %w", ErrNoPostgres, db.host, err)
	}
	// A statement cannot be prepared before its table exists.
	for _, sql := range []string{"CREATE SCHEMA IF NOT EXISTS " + postgresSchema, postgresAccounts.create} {
		if err := db.exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("make the table of accounts: %w", err)
		}
	}
	if db.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("make a pool of %d connections: %w", l.Pool, err)
	}
	return db, db.fillPool(ctx, l.Pool)
}

func poolConfig(l Ledger) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(l.DSN)
	if err != nil {
		return nil, fmt.Errorf("read the DSN: %w", err)
	}
	config.MaxConns = int32(l.Pool)
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		for name, text := range postgresStmts {
			if _, err := c.Prepare(ctx, name, text); err != nil {
				return fmt.Errorf("prepare %q: %w", text, err)
			}
		}
		return nil
	}
	settings := config.ConnConfig.RuntimeParams
	settings["application_name"] = "nearlite bench"
	settings["search_path"] = postgresSchema
	settings["synchronous_commit"] = "on"
	if l.Durability == Normal {
		settings["synchronous_commit"] = "off"
	}
	// For what is not begun as a transaction: lookups, and mode Batch.
	settings["default_transaction_isolation"] = string(l.Isolation.level())
	return config, nil
}

// level is the isolation in pgx's words, which are SQL's.
func (i Isolation) level() pgx.TxIsoLevel {
	if i == Serializable {
		return pgx.Serializable
	}
	return pgx.ReadCommitted
}

// address says where a server is, without the password.
func address(c *pgx.ConnConfig) string {
	return fmt.Sprintf("%s:%d/%s as %s", c.Host, c.Port, c.Database, c.User)
}

// fillPool makes all connections of the pool.
func (db *postgresDB) fillPool(ctx context.Context, n int) error {
	for i := range n {
		conn, err := db.pool.Acquire(ctx)
		if err != nil {
			return fmt.Errorf("open connection %d of %d: %w", i+1, n, err)
		}
		defer conn.Release()
	}
	return nil
}

func (db *postgresDB) table() dataset { return postgresAccounts }

func (db *postgresDB) exec(ctx context.Context, sql string, args ...any) error {
	_, err := db.admin.Exec(ctx, sql, args...)
	return err
}

func (db *postgresDB) number(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = db.admin.QueryRow(ctx, sql, args...).Scan(&n)
	return n, err
}

// load copies the accounts in one transaction, which is PostgreSQL's fastest
// way, and leaves the table as a server that has been up for a while has it.
func (db *postgresDB) load(ctx context.Context, rows int64, progress Progress) error {
	var next int64
	_, err := db.admin.CopyFrom(ctx, pgx.Identifier{"account"}, []string{"id", "balance"}, pgx.CopyFromFunc(func() ([]any, error) {
		if next == rows {
			return nil, nil
		}
		id := next
		if next++; next%chunk == 0 || next == rows {
			progress.report("copying "+accounts.rows, next, rows)
		}
		return []any{int32(id), int32(1_000_000_000)}, nil
	}))
	if err != nil {
		return fmt.Errorf("copy %d accounts: %w", rows, err)
	}
	if err := db.exec(ctx, "VACUUM (ANALYZE) account"); err != nil {
		return fmt.Errorf("vacuum the accounts: %w", err)
	}
	return nil
}

// checkpoint has the server write what is committed into its tables. A user who
// may not ask for it is told so in the report: the clock stops without one.
func (db *postgresDB) checkpoint(ctx context.Context) error {
	err := db.exec(ctx, "CHECKPOINT")
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == insufficientPrivilege {
		db.checkpointRefused = true
		return nil
	}
	return err
}

const insufficientPrivilege = "42501"

func (db *postgresDB) close() (err error) {
	if db.pool != nil {
		db.pool.Close()
	}
	if db.admin != nil {
		// The context of the run may be over; a farewell is short.
		err = db.admin.Close(context.Background())
	}
	return err
}
