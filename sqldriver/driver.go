package sqldriver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/nearlite/nearlite"
)

// Name is the name the driver is registered under.
const Name = "nearlite"

func init() { sql.Register(Name, &Driver{}) }

// ErrNotKept is returned for a statement whose only effect would be on one
// connection, which it would not outlive: a setting that changes what later
// statements mean, ATTACH, a temporary table.
var ErrNotKept = errors.New("the effect would end with the statement")

// Driver is the database/sql driver.
type Driver struct{}

var _ interface {
	driver.Driver
	driver.DriverContext
} = (*Driver)(nil)

// Open returns one connection with a Connector of its own. database/sql calls
// OpenConnector instead.
func (d *Driver) Open(dsn string) (driver.Conn, error) {
	c, err := Open(dsn)
	if err != nil {
		return nil, err
	}
	dc, err := c.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	dc.(*conn).own = c
	return dc, nil
}

// OpenConnector checks the data source name; see [Open].
func (d *Driver) OpenConnector(dsn string) (driver.Connector, error) { return Open(dsn) }

// Connector hands out connections to one engine, for sql.OpenDB.
type Connector struct {
	name source

	mu     sync.Mutex // protects the following
	engine *engine    // nil until the first use
	given  bool       // by NewConnector, so not ours to close
	closed bool
}

var _ interface {
	driver.Connector
	Close() error
} = (*Connector)(nil)

// Open returns a Connector for a data source name, or says what is wrong with the
// name. The file is opened at first use.
func Open(dsn string) (*Connector, error) {
	s, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	return &Connector{name: s}, nil
}

// NewConnector returns a Connector for an engine that is open already; closing
// the *sql.DB leaves it open. For what a data source name cannot express:
//
//	engine, err := nearlite.Open(ctx, "app.db", &nearlite.Options{Logger: logger})
//	db := sql.OpenDB(sqldriver.NewConnector(engine))
func NewConnector(db *nearlite.DB) *Connector {
	return &Connector{engine: &engine{db: db, statements: newStatements()}, given: true}
}

// Connect returns a connection, opening the engine for the first one.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("connect: %w", nearlite.ErrClosed)
	}
	if c.engine == nil {
		e, err := share(ctx, c.name)
		if err != nil {
			return nil, err
		}
		c.engine = e
	}
	return &conn{db: c.engine.db, statements: c.engine.statements}, nil
}

// Driver returns the driver.
func (c *Connector) Driver() driver.Driver { return &Driver{} }

// Close gives the engine back; the last one to share it closes it. sql.DB.Close
// calls it.
func (c *Connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.engine == nil || c.given {
		return nil
	}
	return c.engine.release()
}

// Engine returns the engine behind a *sql.DB of this driver, opening it if that
// has not happened yet. It is valid until the *sql.DB is closed.
func Engine(ctx context.Context, db *sql.DB) (*nearlite.DB, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var engine *nearlite.DB
	err = c.Raw(func(dc any) error {
		own, ok := dc.(*conn)
		if !ok {
			return fmt.Errorf("engine: a connection of type %T is not of the driver %q", dc, Name)
		}
		engine = own.db
		return nil
	})
	return engine, err
}
