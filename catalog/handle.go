package catalog

import (
	"context"
	"sync/atomic"

	"github.com/nearlite/nearlite"
)

// A Handle keeps a database open. Whoever has one releases it soon: a database with
// handles is not closed when it is idle, and MaxOpen may be reached.
//
// The database can be renamed meanwhile, which changes nothing but what Name
// returns, and deleted: then its methods return [nearlite.ErrClosed] from
// then on, what runs is interrupted, and Err says why.
type Handle struct {
	e    *entry
	db   *nearlite.DB
	done atomic.Bool
}

// Acquire opens the database of that name, unless it is open, and keeps it so until
// the handle is released. The error is [ErrNotFound] if there is none. When MaxOpen
// databases are in use it waits for one, as long as ctx lasts.
func (c *Catalog) Acquire(ctx context.Context, name string) (*Handle, error) {
	v, ok := c.names.Load(name)
	if !ok {
		return nil, about("open", name, c.missing())
	}
	h, err := v.(*entry).acquire(ctx)
	if err != nil {
		return nil, about("open", name, err)
	}
	return h, nil
}

// AcquireID is Acquire for one who has seen the database before: the id stands for
// the same one after a Rename, and for none after a Delete.
func (c *Catalog) AcquireID(ctx context.Context, id ID) (*Handle, error) {
	v, ok := c.ids.Load(id)
	if !ok {
		return nil, about("open", id.String(), c.missing())
	}
	h, err := v.(*entry).acquire(ctx)
	if err != nil {
		return nil, about("open", id.String(), err)
	}
	return h, nil
}

// missing says why a database is not there.
func (c *Catalog) missing() error {
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	return ErrNotFound
}

func (e *entry) acquire(ctx context.Context) (*Handle, error) {
	for !e.tryUse() {
		if err := e.open(ctx); err != nil {
			if err == ErrDeleted {
				err = ErrNotFound
			}
			return nil, err
		}
	}
	return &Handle{e: e, db: e.db}, nil
}

// DB returns the database.
func (h *Handle) DB() *nearlite.DB { return h.db }

// ID returns the database's id.
func (h *Handle) ID() ID { return h.e.id }

// Name returns the name of the database as of now.
func (h *Handle) Name() string { return *h.e.name.Load() }

// Config returns the configuration of the database as of now.
func (h *Handle) Config() Config { return *h.e.config.Load() }

// Err returns nil while the database is there; [ErrDeleted] or [ErrClosed] after that.
func (h *Handle) Err() error {
	if h.e.use.Load() >= 0 {
		return nil
	}
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	return h.e.gone
}

// Release gives the handle back. To release it twice is harmless.
func (h *Handle) Release() {
	if h.done.CompareAndSwap(false, true) {
		h.e.release()
	}
}
