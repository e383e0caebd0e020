package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/sqlite"
	"github.com/nearlite/nearlite/storage"
)

// Options of a catalog. The zero value of each field is the default it names; a
// nil *Options is all defaults.
type Options struct {
	// MaxOpen is how many databases are open at a time; 256. To open one more, the
	// one that has been idle for longest is closed; when all are in use,
	// [Catalog.Acquire] waits.
	MaxOpen int
	// IdleClose is how long a database stays open that nobody uses; 1 minute.
	IdleClose time.Duration
	// MaxValueBytes is the largest text, blob or row a statement may make; 64 MiB.
	MaxValueBytes int
	// Engine is how databases are opened. Its OnConnect is called after the
	// catalog has hardened the connection; MustExist and ReadOnly are not looked at.
	Engine nearlite.Options
	// Archive is where catalog and databases have their logs, in parts of their own,
	// so that a directory that is lost comes back from there; nil: nowhere. The
	// caller closes it after the catalog. Engine says with Durability, LogDelay and
	// LogLag what a database's commits wait for; its Log is not looked at.
	Archive storage.Store
	// Archiving is how the logs are kept; Maintain is always set.
	Archiving archive.Options
	// Logger receives what has no caller to return to; slog.Default().
	Logger *slog.Logger
}

func (o *Options) withDefaults() (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	switch {
	case out.MaxOpen < 0:
		return out, fmt.Errorf("option MaxOpen is negative: %d", out.MaxOpen)
	case out.IdleClose < 0:
		return out, fmt.Errorf("option IdleClose is negative: %v", out.IdleClose)
	case out.MaxValueBytes < 0:
		return out, fmt.Errorf("option MaxValueBytes is negative: %d", out.MaxValueBytes)
	}
	if out.MaxOpen == 0 {
		out.MaxOpen = 256
	}
	if out.IdleClose == 0 {
		out.IdleClose = time.Minute
	}
	if out.MaxValueBytes == 0 {
		out.MaxValueBytes = 64 << 20
	}
	if out.Logger == nil {
		out.Logger = slog.Default()
	}
	if out.Engine.Logger == nil {
		out.Engine.Logger = out.Logger
	}
	if out.Archive == nil && out.Engine.Durability == nearlite.Archived {
		return out, errors.New("option Engine.Durability is Archived, and there is no Archive")
	}
	out.Engine.ReadOnly, out.Engine.MustExist, out.Engine.Log = false, true, nil
	return out, nil
}

// A Catalog is the databases of one directory. Its methods are safe for concurrent
// use. It owns a goroutine that closes what is idle, and those that open and close
// databases, until Close.
type Catalog struct {
	dir   string
	opts  Options
	lock  *os.File // keeps other processes out
	table *table

	names sync.Map // string to *entry: those a name stands for, or is kept for
	ids   sync.Map // ID to *entry

	ctx   context.Context // ends when Close begins
	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu      sync.Mutex          // protects the following
	open    map[*entry]struct{} // open, being opened, or being closed: no more than MaxOpen
	closed  bool
	waiting atomic.Int32  // who waits for a place in open
	freed   chan struct{} // capacity 1: one of them may look again
	kick    chan struct{} // capacity 1: there may be something to close

	requests requests // of all archives

	known         atomic.Int64
	opens, closes atomic.Uint64
}

// Open opens the catalog in a directory, making both if they are not there, and
// the database [Main]. Another process that has the directory is a [*LockedError].
// What a crash has left half made is cleared away.
func Open(ctx context.Context, dir string, opts *Options) (*Catalog, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	c := &Catalog{dir: dir, opts: o, open: map[*entry]struct{}{}, freed: make(chan struct{}, 1), kick: make(chan struct{}, 1)}
	c.ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, step := range []func(context.Context) error{
		c.takeDir, c.openTable, c.clearAway, c.load, c.ensureMain,
	} {
		if err := step(ctx); err != nil {
			c.stop()
			return nil, errors.Join(err, c.release())
		}
	}
	c.tasks.Go(c.closeIdle)
	if o.Archive != nil {
		c.tasks.Go(c.catchUp)
	}
	return c, nil
}

// takeDir makes the directory and locks it.
func (c *Catalog) takeDir(context.Context) (err error) {
	if _, err := os.Stat(c.databases()); errors.Is(err, os.ErrNotExist) {
		err = os.MkdirAll(c.databases(), 0o750)
		for _, dir := range []string{c.dir, filepath.Dir(c.dir)} {
			if err == nil {
				// Or a power cut takes the directory, and all that is in it. The one
				// above need not be ours to read.
				if err = syncDir(dir); errors.Is(err, os.ErrPermission) {
					err = nil
				}
			}
		}
		if err != nil {
			return fmt.Errorf("open %s: make the directory: %w", c.dir, err)
		}
	}
	c.lock, err = lockDir(c.dir)
	return err
}

// databases is the directory of the databases' files.
func (c *Catalog) databases() string { return filepath.Join(c.dir, "databases") }

// Dir returns the directory of the catalog.
func (c *Catalog) Dir() string { return c.dir }

// Archived reports whether there is an archive.
func (c *Catalog) Archived() bool { return c.opts.Archive != nil }

// path returns where the file of a database is.
func (c *Catalog) path(id ID) string { return filepath.Join(c.databases(), id.String()+".db") }

func (c *Catalog) openTable(ctx context.Context) (err error) {
	path := filepath.Join(c.dir, "catalog.db")
	if err := c.mayLeaveOut(path); err != nil {
		return fmt.Errorf("open %s: %w", c.dir, err)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		// Without their names the databases would be nobody's.
		if files, err := os.ReadDir(c.databases()); err == nil && len(files) > 0 {
			if archived, err := c.isArchived(ctx); err != nil || !archived {
				return errors.Join(err, fmt.Errorf("open %s: there are databases, but catalog.db with their names is missing: put it back, or move %s away and import what is in it",
					c.dir, c.databases()))
			}
		}
	}
	c.table, err = c.newTable(ctx, path)
	return err
}

// load reads what databases there are.
func (c *Catalog) load(ctx context.Context) error {
	return c.table.live(ctx, func(i Info) {
		e := c.newEntry(i)
		c.names.Store(i.Name, e)
		c.ids.Store(i.ID, e)
		c.known.Add(1)
	})
}

func (c *Catalog) ensureMain(ctx context.Context) error {
	if _, ok := c.names.Load(Main); ok {
		return nil
	}
	_, err := c.Create(ctx, Main, nil)
	return err
}

// Close interrupts whoever uses a database, closes all, and lets the directory go.
// Handles that are still held give errors from then on.
func (c *Catalog) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.closed = true
	c.mu.Unlock()
	c.stop()
	var errs errorList
	parallel := make(chan struct{}, closersMax)
	var closers sync.WaitGroup
	for _, v := range c.ids.Range {
		e := v.(*entry)
		if !e.retire(ErrClosed) {
			continue
		}
		parallel <- struct{}{}
		closers.Go(func() {
			errs.add(e.closeRetired())
			<-parallel
		})
	}
	closers.Wait()
	c.tasks.Wait()
	return errors.Join(errs.join(), c.release())
}

// enter begins a verb, which Close then waits for. ctx ends when the caller's
// does, or when Close begins.
func (c *Catalog) enter(ctx context.Context) (inside context.Context, leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	c.tasks.Add(1)
	inside, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })
	return inside, func() {
		stop()
		cancel(nil)
		c.tasks.Done()
	}, nil
}

// closersMax is how many databases Close closes at a time: each waits for the disk.
const closersMax = 16

// release gives back what Open took for the catalog itself.
func (c *Catalog) release() (err error) {
	if c.table != nil {
		err = c.table.close()
	}
	if c.lock != nil {
		err = errors.Join(err, unlockDir(c.lock))
	}
	return err
}

// errorList collects errors from several goroutines.
type errorList struct {
	mu   sync.Mutex
	errs []error
}

func (l *errorList) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *errorList) join() error { return errors.Join(l.errs...) }

// Stats are the catalog's numbers of this moment. Counters count from Open.
type Stats struct {
	Known  int    // databases there are
	Open   int    // of them open now
	Opens  uint64 // databases opened
	Closes uint64 // and closed

	Archive archive.Requests // to the archive's store; zero without one
}

// Stats returns the numbers of this moment.
func (c *Catalog) Stats() Stats {
	c.mu.Lock()
	open := len(c.open)
	c.mu.Unlock()
	return Stats{Known: int(c.known.Load()), Open: open, Opens: c.opens.Load(), Closes: c.closes.Load(), Archive: c.requests.sum()}
}

// onConnect prepares every connection to a database.
func (c *Catalog) onConnect(conn *sqlite.Conn) error {
	if err := harden(conn, c.opts.MaxValueBytes); err != nil {
		return err
	}
	if f := c.opts.Engine.OnConnect; f != nil {
		return f(conn)
	}
	return nil
}
