package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/pagemap"
	"github.com/nearlite/nearlite/storage"
)

// With Options.Archive the catalog and each database have a log in a part of the
// store of their own:
//
//	catalog/          catalog.db, always [nearlite.Archived]
//	databases/ID/     a database, with the durability of Options.Engine
//	databases/ID/deleted    tells whoever looks that it was deleted, and when
//
// What there is survives with the acknowledgement, whatever the durability of the
// databases: a verb is done when the archive has it. And a database is live only
// when the archive has what it was made with, so that an empty log always means an
// empty database:
//
//	its file   its log       what it is
//	missing    has entries   a lost one: its file is made of the log
//	missing    empty         one that was made empty and never written
//
// To open a database the catalog asks the store where its log ends. If the store
// cannot be reached, and this process has closed the database itself, it goes on
// from there: somebody else's entry is noticed when the next one is stored, as if
// the database had stayed open.

// The parts of an archive's store.
const (
	ArchiveCatalog   = "catalog"
	ArchiveDatabases = "databases"
	// ArchiveDeleted is the key, in a database's part, of the object that says that
	// it was deleted; see [Tombstone].
	ArchiveDeleted = "deleted"
)

// Tombstone is what the object [ArchiveDeleted] holds.
type Tombstone struct {
	ID   ID        `json:"id"`
	Name string    `json:"name,omitempty"` // empty: it was never finished
	Time time.Time `json:"time"`
}

const (
	// headPatience is how long the store may take to say where a log ends that this
	// process knows the end of.
	headPatience = 2 * time.Second
	// catchUpEvery is how often databases are opened again whose last commits could
	// not be archived when they were closed.
	catchUpEvery = 30 * time.Second
	// tombstonePatience is how long a tombstone is tried: it decides nothing.
	tombstonePatience = 10 * time.Second
)

// requests adds up what the archives that are closed have asked of the store, and
// knows those that are open.
type requests struct {
	mu     sync.Mutex // protects the following
	closed archive.Requests
	open   map[*archive.Archive]struct{}
}

func (r *requests) opened(a *archive.Archive) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[*archive.Archive]struct{}{}
	}
	r.open[a] = struct{}{}
}

func (r *requests) close(a *archive.Archive) error {
	err := a.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, a)
	r.closed = plus(r.closed, a.Requests())
	return err
}

func (r *requests) sum() archive.Requests {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.closed
	for a := range r.open {
		n = plus(n, a.Requests())
	}
	return n
}

func plus(a, b archive.Requests) archive.Requests {
	return archive.Requests{
		Puts: a.Puts + b.Puts, Lists: a.Lists + b.Lists, Gets: a.Gets + b.Gets, Deletes: a.Deletes + b.Deletes,
		Sent: a.Sent + b.Sent, Received: a.Received + b.Received,
	}
}

// openArchive opens the log in a part of the store.
func (c *Catalog) openArchive(ctx context.Context, part string) (*archive.Archive, error) {
	store, err := storage.Sub(c.opts.Archive, part)
	if err != nil {
		return nil, err
	}
	o := c.opts.Archiving
	o.Maintain = true
	if o.Logger == nil {
		o.Logger = c.opts.Logger
	}
	a, err := archive.Open(ctx, store, &o)
	if err != nil {
		return nil, err
	}
	c.requests.opened(a)
	return a, nil
}

// mayLeaveOut refuses to open a catalog without an archive when it has one. To leave
// that for good is to remove the page maps, which remember it.
func (c *Catalog) mayLeaveOut(path string) error {
	if c.opts.Archive != nil {
		return nil
	}
	if _, err := os.Stat(path + "-map"); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	m, err := pagemap.Open(path+"-map", 0)
	if err != nil {
		return err
	}
	last := m.Head().Entry.TXID
	if err := m.Close(); err != nil || last == 0 {
		return err
	}
	return fmt.Errorf("%w: name it; or remove %s-map and the like in %s to leave it for good", ErrArchived, path, c.databases())
}

// isArchived reports whether the archive has a catalog.
func (c *Catalog) isArchived(ctx context.Context) (bool, error) {
	if c.opts.Archive == nil {
		return false, nil
	}
	a, err := c.openArchive(ctx, ArchiveCatalog)
	if err != nil {
		return false, err
	}
	head, err := a.Head(ctx)
	return head.TXID > 0, errors.Join(err, c.requests.close(a))
}

func partOf(id ID) string { return ArchiveDatabases + "/" + id.String() }

// databaseLog is the log of one opening of a database.
type databaseLog struct {
	*archive.Archive
	e        *entry
	archived bool // the log decides about commits
}

// openLog returns the log of a database, or nil if there is no archive.
func (e *entry) openLog(ctx context.Context) (*databaseLog, error) {
	c := e.cat
	if c.opts.Archive == nil {
		return nil, nil
	}
	a, err := c.openArchive(ctx, partOf(e.id))
	if err != nil {
		return nil, err
	}
	return &databaseLog{a, e, c.opts.Engine.Durability == nearlite.Archived}, nil
}

// close closes the log, after its database. nil is none.
func (l *databaseLog) close() error {
	if l == nil {
		return nil
	}
	return l.e.cat.requests.close(l.Archive)
}

// Head asks the store, and if that cannot be reached, what this process knows.
func (l *databaseLog) Head(ctx context.Context) (nearlite.Head, error) {
	known := l.e.head.Load()
	if known == nil {
		head, err := l.Archive.Head(ctx)
		if err == nil {
			l.e.head.Store(&head)
		}
		return head, err
	}
	asking, cancel := context.WithTimeout(ctx, headPatience)
	defer cancel()
	head, err := l.Archive.Head(asking)
	switch {
	case err == nil:
		l.e.head.Store(&head)
	case ctx.Err() == nil && (asking.Err() != nil || errors.Is(err, storage.ErrUnavailable)):
		l.e.cat.opts.Logger.Warn("the archive cannot be reached; the database is opened as it was closed", "db", *l.e.name.Load(), "entry", known.TXID, "err", err)
		return *known, nil
	}
	return head, err
}

// Append remembers what came of it.
func (l *databaseLog) Append(ctx context.Context, entry *nearlite.Entry) error {
	err := l.Archive.Append(ctx, entry)
	switch {
	case err == nil:
		l.e.head.Store(&entry.Head)
		l.e.behind.Store(false)
		l.e.lost.Store(nil)
	case errors.Is(err, nearlite.ErrFenced):
		l.e.head.Store(nil)
		l.e.lost.Store(&err)
		l.e.stale.Store(true)
	case errors.Is(err, nearlite.ErrNotCommitted):
		l.e.behind.Store(!l.archived)
	default: // to open it again is to learn what became of it
		l.e.head.Store(nil)
		l.e.behind.Store(!l.archived)
		l.e.stale.Store(l.archived || l.e.stale.Load())
	}
	return err
}

// archiveNew brings a database that was just made, with something in it, into the
// archive, before anybody hears of it.
func (c *Catalog) archiveNew(ctx context.Context, i Info) (err error) {
	if c.opts.Archive == nil {
		return nil
	}
	e := c.newEntry(i)
	return c.withFiles(func() error {
		db, log, err := e.connect(ctx, &i.Config)
		if err != nil {
			return err
		}
		return errors.Join(db.FlushLog(ctx), db.Close(), log.close())
	})
}

// entomb says in the archive that a database is none. What the archive has of it
// stays until somebody removes it.
func (c *Catalog) entomb(id ID, name string) {
	if c.opts.Archive == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), tombstonePatience)
	defer cancel()
	text, err := json.Marshal(Tombstone{ID: id, Name: name, Time: time.Now().UTC().Truncate(time.Millisecond)})
	if err == nil {
		_, err = c.opts.Archive.Create(ctx, partOf(id)+"/"+ArchiveDeleted, storage.Bytes(append(text, '\n')))
	}
	if err != nil && !errors.Is(err, storage.ErrExist) {
		c.opts.Logger.Warn("the archive does not say that a database was deleted; the catalog does", "id", id, "name", name, "err", err)
	}
}

// catchUp opens the databases that have something the archive lacks: they ship it
// while they are open, and when they are closed. It goes on with those that could
// not.
func (c *Catalog) catchUp() {
	for e := range c.entries {
		if c.ctx.Err() != nil {
			return
		}
		if e.use.Load() != closedUse {
			continue
		}
		if lacking, err := unarchived(c.path(e.id)); err != nil || lacking {
			e.behind.Store(true)
			c.touch(e)
		}
	}
	t := time.NewTicker(catchUpEvery)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
		}
		for e := range c.entries {
			if e.behind.Load() && e.use.Load() == closedUse && c.ctx.Err() == nil {
				c.touch(e)
			}
		}
	}
}

// entries calls yield with every database there is.
func (c *Catalog) entries(yield func(*entry) bool) {
	for _, v := range c.ids.Range {
		if !yield(v.(*entry)) {
			return
		}
	}
}

// touch opens a database, which ships what its log lacks.
func (c *Catalog) touch(e *entry) {
	h, err := e.acquire(c.ctx)
	if err != nil {
		if c.ctx.Err() == nil && !errors.Is(err, ErrNotFound) {
			c.opts.Logger.Warn("a database is not in the archive as it is here", "db", *e.name.Load(), "err", err)
		}
		return
	}
	if h.DB().Stats().LogLag == 0 {
		e.behind.Store(false)
	}
	h.Release()
}

// unarchived reports whether a file has what its log may lack. It is a guess that
// costs a file's header; to open the database decides.
func unarchived(path string) (bool, error) {
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return false, nil // lost, or never written
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return true, nil // it was not closed
	}
	if _, err := os.Stat(path + "-map"); err != nil {
		return true, nil // it never had a log
	}
	m, err := pagemap.Open(path+"-map", 0)
	if err != nil {
		return true, err
	}
	head := m.Head()
	return head.Entry.TXID == 0 || head.Entry.Change != head.Change, m.Close()
}

// logOf is a log or none: a nil pointer in an interface would be one.
func (l *databaseLog) logOf() nearlite.Log {
	if l == nil {
		return nil
	}
	return l
}

// fenced adds to the error of a database that cannot be opened who has its log now.
func (e *entry) fenced(err error) error {
	if lost := e.lost.Load(); lost != nil && errors.Is(err, nearlite.ErrFenced) && !errors.As(err, new(*nearlite.FencedError)) {
		return fmt.Errorf("%w: %w", err, *lost)
	}
	return err
}
