package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Info says what a database is.
type Info struct {
	ID      ID        `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Origin  ID        `json:"origin,omitzero"` // of the database it was forked from
	Config  Config    `json:"config"`
	Bytes   int64     `json:"bytes"` // of its files, the write-ahead log included
	Open    bool      `json:"open"`
}

// Create makes an empty database. cfg may be nil.
func (c *Catalog) Create(ctx context.Context, name string, cfg *Config) (Info, error) {
	m := making{Info: Info{Name: name}, empty: true}
	if cfg != nil {
		m.Config = *cfg
	}
	info, err := c.make(ctx, m, func(_ context.Context, path string) error {
		return c.withFiles(func() error {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) // to SQLite an empty file is an empty database
			if err != nil {
				return err
			}
			return errors.Join(f.Sync(), f.Close())
		})
	})
	if err != nil {
		return Info{}, about("create", name, err)
	}
	return info, nil
}

// Fork makes a database that is a consistent copy of another one as of now, with
// its configuration. The other is read and written meanwhile.
func (c *Catalog) Fork(ctx context.Context, from, to string) (Info, error) {
	h, err := c.Acquire(ctx, from)
	if err != nil {
		return Info{}, err
	}
	defer h.Release()
	m := making{Info: Info{Name: to, Config: h.Config(), Origin: h.ID()}}
	info, err := c.make(ctx, m, func(ctx context.Context, path string) error {
		return c.withFiles(func() error { return h.DB().Backup(ctx, path, nil) })
	})
	if err != nil {
		if gone := h.Err(); gone != nil {
			err = gone
		}
		return Info{}, about("fork", from, fmt.Errorf("to %q: %w", to, err))
	}
	return info, nil
}

// making is a database that is being made.
type making struct {
	Info
	replace bool // the one of that name, if there is one, is deleted by the same commit
	keep    bool // its configuration is kept
	empty   bool // its file is made without anything in it
}

// make makes a database of a file that fill leaves at the path it is given, whole
// and flushed. See table for the steps.
func (c *Catalog) make(ctx context.Context, i making, fill func(ctx context.Context, path string) error) (Info, error) {
	if err := errors.Join(CheckName(i.Name), i.Config.Check()); err != nil {
		return Info{}, err
	}
	ctx, leave, err := c.enter(ctx)
	if err != nil {
		return Info{}, err
	}
	defer leave()
	i.ID, i.Created = newID(), time.Now().Truncate(time.Millisecond)
	e := c.newEntry(i.Info)
	e.ready = false
	if _, taken := c.names.LoadOrStore(i.Name, e); taken && !i.replace {
		return Info{}, ErrExists
	}
	if err = c.fill(ctx, i, fill); err == nil {
		err = c.publish(ctx, e, i.keep)
	}
	if err != nil {
		c.names.CompareAndDelete(i.Name, e)
		return Info{}, err
	}
	return c.describe(e), nil
}

// fill makes the row and the file, or neither.
func (c *Catalog) fill(ctx context.Context, i making, fill func(ctx context.Context, path string) error) error {
	if err := c.table.insert(ctx, i.Info); err != nil {
		return err
	}
	err := fill(ctx, c.path(i.ID))
	if err == nil {
		err = c.withFiles(func() error { return syncDir(c.databases()) })
	}
	if err == nil && !i.empty {
		err = c.archiveNew(ctx, i.Info)
	}
	if err != nil {
		return errors.Join(err, c.unmake(i.ID))
	}
	return nil
}

// unmake takes back what fill has made.
func (c *Catalog) unmake(id ID) error {
	// The row goes last: while it is there the files are removed at the next start.
	if err := c.removeFiles(id); err != nil {
		return err
	}
	c.entomb(id, "")
	return c.table.forget(context.WithoutCancel(c.ctx), id)
}

// publish makes a filled database one that can be had.
func (c *Catalog) publish(ctx context.Context, e *entry, keep bool) error {
	// From here on the end of the caller's context must not leave the outcome open.
	ctx = context.WithoutCancel(ctx)
	name := *e.name.Load()
	var old *entry
	var replaced ID
	if v, loaded := c.names.LoadOrStore(name, e); loaded && v != e {
		found, unlock, err := c.lockEntry(name)
		if err != nil { // it is being made, or has just been renamed
			return errors.Join(ErrExists, c.unmake(e.id))
		}
		defer unlock()
		old, replaced = found, found.id
	}
	if old != nil && keep {
		e.config.Store(old.config.Load())
		if err := c.table.configure(ctx, e.id, *e.config.Load()); err != nil {
			return errors.Join(err, c.unmake(e.id))
		}
	}
	if err := c.table.made(ctx, e.id, replaced); err != nil {
		if err := c.regret(e.id, err); err != nil {
			return err
		}
	}
	e.mu.Lock()
	e.ready = true
	e.mu.Unlock()
	c.ids.Store(e.id, e)
	c.names.Store(name, e)
	if old == nil {
		c.known.Add(1)
		return nil
	}
	return c.bury(old)
}

// regret finds out what became of a commit that failed: nil if it is there after
// all. A file goes only when its row certainly does not say that it is there.
func (c *Catalog) regret(id ID, cause error) error {
	state, err := c.table.state(context.WithoutCancel(c.ctx), id)
	switch {
	case err != nil:
		return errors.Join(cause, err)
	case state == "live":
		return nil
	}
	return errors.Join(cause, c.unmake(id))
}

// Rename gives a database another name. Whoever uses it goes on.
func (c *Catalog) Rename(ctx context.Context, from, to string) error {
	if err := c.rename(ctx, from, to); err != nil {
		return about("rename", from, fmt.Errorf("to %q: %w", to, err))
	}
	return nil
}

func (c *Catalog) rename(ctx context.Context, from, to string) error {
	if err := CheckName(to); err != nil {
		return err
	}
	if from == Main {
		return ErrMain
	}
	_, leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	e, unlock, err := c.lockEntry(from)
	if err != nil {
		return err
	}
	defer unlock()
	if from == to {
		return nil
	}
	place := c.newEntry(Info{Name: to})
	place.ready = false
	if _, taken := c.names.LoadOrStore(to, place); taken {
		return ErrExists
	}
	if err := c.table.rename(context.WithoutCancel(ctx), e.id, to); err != nil {
		c.names.CompareAndDelete(to, place)
		return err
	}
	e.name.Store(&to)
	c.names.CompareAndDelete(from, e)
	c.names.Store(to, e)
	return nil
}

// Delete deletes a database. Nobody can acquire it from then on. What runs on it
// is interrupted and fails with an error, and its files go when the last
// handle is released.
func (c *Catalog) Delete(ctx context.Context, name string) error {
	if err := c.delete(ctx, name); err != nil {
		return about("delete", name, err)
	}
	return nil
}

func (c *Catalog) delete(ctx context.Context, name string) error {
	if name == Main {
		return ErrMain
	}
	_, leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	e, unlock, err := c.lockEntry(name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.table.delete(context.WithoutCancel(ctx), e.id); err != nil {
		return err
	}
	c.names.CompareAndDelete(name, e)
	c.known.Add(-1)
	return c.bury(e)
}

// bury closes a deleted database and removes its files: at once if nobody holds a
// handle, else when the last one is released.
func (c *Catalog) bury(e *entry) error {
	c.ids.Delete(e.id)
	if !e.retire(ErrDeleted) {
		return nil // Close came first; the next start removes the files
	}
	select {
	case <-e.released:
		err := errors.Join(e.closeRetired(), c.removeFiles(e.id))
		c.entomb(e.id, *e.name.Load())
		return err
	default:
	}
	c.tasks.Go(func() {
		err := e.closeRetired()
		c.entomb(e.id, *e.name.Load())
		select {
		case <-e.released:
		case <-c.ctx.Done():
		}
		if err := errors.Join(err, c.removeFiles(e.id)); err != nil {
			c.opts.Logger.Error("remove a deleted database", "id", e.id, "err", err)
		}
	})
	return nil
}

// lockEntry finds a database by its name and keeps other verbs from it.
func (c *Catalog) lockEntry(name string) (*entry, func(), error) {
	v, ok := c.names.Load(name)
	if !ok {
		return nil, nil, c.missing()
	}
	e := v.(*entry)
	e.verb.Lock()
	if *e.name.Load() != name || !e.isReady() { // renamed, deleted or still being made
		e.verb.Unlock()
		return nil, nil, c.missing()
	}
	return e, e.verb.Unlock, nil
}

func (e *entry) isReady() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ready && e.gone == nil
}

// Configure changes the configuration of a database. MaxBytes, WriterShare and the
// blocks take effect before it returns, on those who use the database too. MaxReaders and
// CacheBytes need the database to be opened anew, which is done as soon as nobody uses it.
func (c *Catalog) Configure(ctx context.Context, name string, cfg Config) error {
	if err := c.configure(ctx, name, cfg); err != nil {
		return about("configure", name, err)
	}
	return nil
}

func (c *Catalog) configure(ctx context.Context, name string, cfg Config) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	_, leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	e, unlock, err := c.lockEntry(name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.table.configure(context.WithoutCancel(ctx), e.id, cfg); err != nil {
		return err
	}
	return e.reconfigure(ctx, cfg)
}

// Lookup returns what a database is, without opening it.
func (c *Catalog) Lookup(_ context.Context, name string) (Info, error) {
	v, ok := c.names.Load(name)
	if !ok || !v.(*entry).isReady() {
		return Info{}, about("look up", name, c.missing())
	}
	return c.describe(v.(*entry)), nil
}

// List returns the databases whose names begin with prefix, in the order of their
// names: the first limit ones that come after a name, all for a limit of 0. Pass the last name of one
// list to get the next.
func (c *Catalog) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	if limit <= 0 {
		limit = -1 // to SQLite, no limit
	}
	list, err := c.table.list(ctx, prefix, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	for i := range list {
		if v, ok := c.ids.Load(list[i].ID); ok {
			list[i].Open = v.(*entry).use.Load() >= 0
		}
		list[i].Bytes = c.bytes(list[i].ID)
	}
	return list, nil
}

func (c *Catalog) describe(e *entry) Info {
	return Info{ID: e.id, Name: *e.name.Load(), Created: e.created, Origin: e.origin, Config: *e.config.Load(),
		Bytes: c.bytes(e.id), Open: e.use.Load() >= 0}
}

// bytes returns the size of a database's files.
func (c *Catalog) bytes(id ID) (n int64) {
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(c.path(id) + suffix); err == nil {
			n += info.Size()
		}
	}
	return n
}

// removeFiles removes everything a database has on the disk.
func (c *Catalog) removeFiles(id ID) error {
	path := c.path(id)
	var errs []error
	for _, suffix := range []string{"-wal", "-shm", "-map", "-sums", "-journal", ".part-journal", ".part", ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// clearAway removes what a crash has left of databases that were being made or
// deleted. A file of no known database may be anybody's treasure, so it stays.
func (c *Catalog) clearAway(ctx context.Context) error {
	making, err := c.table.making(ctx)
	if err != nil {
		return fmt.Errorf("open %s: %w", c.dir, err)
	}
	for _, id := range making {
		if err := c.unmake(id); err != nil {
			return fmt.Errorf("open %s: remove a database that was not finished: %w", c.dir, err)
		}
	}
	files, err := os.ReadDir(c.databases())
	if err != nil {
		return fmt.Errorf("open %s: %w", c.dir, err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "orphaned-") {
			c.opts.Logger.Warn("commits that another writer's log lacks are kept: look at them with “nearlite log dump”, then move the file away",
				"file", f.Name(), "dir", c.databases())
			continue
		}
		name, _, _ := strings.Cut(f.Name(), ".")
		id, err := ParseID(name)
		state := ""
		if err == nil {
			state, err = c.table.state(ctx, id)
		}
		switch state {
		case "live":
		case "deleted":
			if err := c.removeFiles(id); err != nil {
				return fmt.Errorf("open %s: remove a deleted database: %w", c.dir, err)
			}
		default:
			c.opts.Logger.Warn("a file is not of a database in the catalog and is left alone: import it, or move it away",
				"file", f.Name(), "dir", c.databases(), "err", err)
		}
	}
	return nil
}

// syncDir flushes a directory, so that the names in it survive a power cut.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
