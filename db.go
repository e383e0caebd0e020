package nearlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// A DB is an open database. Its methods are safe for concurrent use.
//
// Whoever opens it owns four kinds of goroutines until Close: the writer, the
// one that wakes the writer's callers, the checkpointer and the clock.
type DB struct {
	path       string
	opts       Options
	pageSize   int
	maxBytes   atomic.Int64 // see Limits
	mmap       int64        // bytes each reader maps
	tempDir    string       // of a ":memory:" database
	created    bool         // by this Open: there was no file
	history    *history     // nil: none is kept
	ship       *shipper     // nil: there is no log
	reconciled reconciliation
	frozen     os.FileInfo // of a file that is taken for one that never changes; else nil

	ctx     context.Context // ends when Close begins to stop the background
	stop    context.CancelFunc
	closing atomic.Bool
	written chan struct{} // closed when the writer's goroutine has ended
	tasks   sync.WaitGroup

	writer       writer
	readers      readers
	checkpointer checkpointer
	clock        clock
	positions    positions
	stats        counters
	readsAgain   time.Duration // the constant; tests have more patience
	trimmed      time.Duration // clock time at which idle readers were last closed
}

// Open opens the database at path, creating it unless Options say otherwise, and
// switches it to WAL mode. The path ":memory:" stands for a private temporary
// file that Close removes. ctx bounds the opening only.
func Open(ctx context.Context, path string, opts *Options) (*DB, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db := &DB{path: path, opts: o, written: make(chan struct{}), readsAgain: readsAgain}
	db.ctx, db.stop = context.WithCancel(context.WithoutCancel(ctx))
	db.positions.id = newLogID()
	if err := db.locate(ctx); err != nil {
		db.stop()
		return nil, err
	}
	err = db.openAll(ctx)
	if errors.Is(err, errLogDiffers) {
		err = db.openOfLog(ctx)
	}
	if err != nil {
		db.stop()
		db.release()
		db.removeEmpty(err)
		return nil, err
	}
	db.start()
	return db, nil
}

// openAll makes file and log agree and opens everything.
func (db *DB) openAll(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		db.reconcile, db.openCheckpointer, db.openHistory, db.openWriter, db.chooseMapping, db.openReaders, db.openLog,
	} {
		if ctx.Err() != nil {
			return fmt.Errorf("open %s: %w", db.path, context.Cause(ctx))
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// openOfLog closes everything, makes the file of its log and opens it.
func (db *DB) openOfLog(ctx context.Context) error {
	if err := db.release(); err != nil {
		return err
	}
	db.reconciled.rebuild = errLogDiffers.Error()
	if err := db.makeOfLog(ctx); err != nil {
		return err
	}
	db.writer, db.readers, db.checkpointer, db.positions = writer{}, readers{}, checkpointer{}, positions{id: newLogID()}
	db.history, db.ship = nil, nil
	return db.openAll(ctx)
}

// Path returns the path the database was opened with; of ":memory:", the
// temporary file's.
func (db *DB) Path() string { return db.path }

// locate checks the path before SQLite does, whose errors do not say what to do.
func (db *DB) locate(context.Context) error {
	if db.path == ":memory:" {
		dir, err := os.MkdirTemp("", "nearlite-")
		if err != nil {
			return fmt.Errorf("open :memory:: %w", err)
		}
		db.tempDir, db.path = dir, filepath.Join(dir, "memory.db")
		return nil
	}
	if db.path == "" || strings.IndexByte(db.path, 0) >= 0 {
		return fmt.Errorf("open %q: it is no path: name a file, or \":memory:\" for a private temporary database: %w", db.path, os.ErrInvalid)
	}
	info, err := os.Stat(db.path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("open %s: %w: name a file in it", db.path, syscall.EISDIR)
	case errors.Is(err, os.ErrNotExist):
		return db.locateMissing()
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("open %s: a part of the path is a file, not a directory: %w", db.path, err)
	case err != nil:
		return fmt.Errorf("open %s: %w", db.path, err)
	}
	return nil
}

// locateMissing reports why a missing file cannot be made.
func (db *DB) locateMissing() error {
	if _, err := os.Stat(filepath.Dir(db.path)); err != nil {
		return fmt.Errorf("open %s: the directory does not exist, create it first: %w", db.path, err)
	}
	switch {
	case db.opts.ReadOnly:
		return fmt.Errorf("open %s: %w, and Options.ReadOnly does not create it", db.path, os.ErrNotExist)
	case db.opts.MustExist && db.opts.Log == nil:
		return fmt.Errorf("open %s: %w, and Options.MustExist does not let it be created", db.path, os.ErrNotExist)
	}
	db.created = true
	return nil
}

// removeEmpty removes the file that this Open has made if there was no room to
// make a database of it: an empty one would be taken for one later.
func (db *DB) removeEmpty(cause error) {
	if info, err := os.Stat(db.path); db.created && diskFull(cause) && err == nil && info.Size() == 0 {
		os.Remove(db.path)
	}
}

// connect opens a connection with the settings that all of them share.
func (db *DB) connect(flags sqlite.OpenFlags, pragmas ...string) (*sqlite.Conn, error) {
	return db.connectBy(db.opts.VFS, flags, pragmas...)
}

// connectBy connects through a VFS.
func (db *DB) connectBy(vfs string, flags sqlite.OpenFlags, pragmas ...string) (*sqlite.Conn, error) {
	path, flags := db.file(flags)
	c, err := sqlite.Open(path, flags, vfs)
	if err != nil {
		return nil, db.explain("open", err)
	}
	c.BusyTimeout(db.opts.BusyTimeout)
	c.AutoCheckpoint(0)
	if !db.opts.NoForeignKeys {
		pragmas = append(pragmas, "foreign_keys = 1")
	}
	for _, p := range pragmas {
		if err := c.Exec("PRAGMA " + p); err != nil {
			c.Close()
			return nil, db.explain("open", err)
		}
	}
	if f := db.opts.OnConnect; f != nil {
		if err := f(c); err != nil {
			c.Close()
			return nil, fmt.Errorf("open %s: OnConnect: %w", db.path, err)
		}
	}
	return c, nil
}

func (db *DB) writeFlags() sqlite.OpenFlags {
	if db.opts.ReadOnly {
		return sqlite.OpenReadOnly
	}
	return sqlite.OpenReadWrite | sqlite.OpenCreate
}

// openCheckpointer opens the connection that makes a new file a database, and
// any database one in WAL mode. It stays open to the end, so that closing any
// other never is the last close, which would copy back and delete the WAL.
func (db *DB) openCheckpointer(ctx context.Context) error {
	c, err := db.connectFirst(ctx)
	if db.opts.ReadOnly && err != nil && db.nothingCanBeMade(err) {
		if err := db.freeze(err); err != nil {
			return err
		}
		c, err = db.connectFirst(ctx)
	}
	if err != nil {
		return err
	}
	db.checkpointer = checkpointer{db: db, conn: c, kick: make(chan struct{}, 1)}
	row := c.QueryRow("PRAGMA page_size")
	if row.Err() != nil {
		return db.explain("open", row.Err())
	}
	db.pageSize = row.Int(0)
	// A checkpoint on a connection that has never read does nothing.
	if err := ignoreNoRows(c.QueryRow("SELECT 1 FROM sqlite_schema").Err()); err != nil {
		return db.explain("open", err)
	}
	c.WAL() // find the wal-index now: Position looks there from any goroutine
	return nil
}

// connectFirst opens a connection to a database that may be none yet.
func (db *DB) connectFirst(ctx context.Context) (*sqlite.Conn, error) {
	c, err := db.connect(db.writeFlags(), fmt.Sprintf("page_size = %d", db.opts.PageSize))
	if err != nil {
		return nil, err
	}
	if !db.opts.ReadOnly && c.ReadOnlyFile("main") { // SQLite has opened it all the same
		err = fmt.Errorf("open %s: %w", db.path, errNotWritable)
	} else {
		err = db.toWAL(ctx, c)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// toWAL switches a database to WAL mode, for good.
func (db *DB) toWAL(ctx context.Context, c *sqlite.Conn) error {
	row := c.QueryRow("PRAGMA journal_mode")
	if err := row.Err(); err != nil {
		return db.explain("open", err)
	}
	if db.opts.ReadOnly || row.Text(0) == "wal" {
		return nil
	}
	from := time.Now()
	row = c.QueryRow("PRAGMA journal_mode = WAL")
	for errors.Is(row.Err(), sqlite.CodeBusy) && time.Since(from) < db.opts.BusyTimeout && ctx.Err() == nil {
		time.Sleep(time.Millisecond) // SQLite itself does not wait for another program's write here
		row = c.QueryRow("PRAGMA journal_mode = WAL")
	}
	if err := row.Err(); err != nil {
		return db.explain("switch to WAL mode:", err)
	}
	if mode := row.Text(0); mode != "wal" {
		return fmt.Errorf("open %s: it stays in journal mode %q: WAL mode needs shared memory, which this file or its file system does not allow", db.path, mode)
	}
	return nil
}

func ignoreNoRows(err error) error {
	if errors.Is(err, ErrNoRows) {
		return nil
	}
	return err
}

// synchronous is how SQLite is to flush the WAL. The barrier sees a commit only if
// SQLite syncs it, and has the sync left out that Normal does without.
func (db *DB) synchronous() string {
	if db.history == nil && db.opts.Durability == Normal {
		return "normal"
	}
	return "full"
}

// connectWriter opens the one connection that writes.
func (db *DB) connectWriter() (*sqlite.Conn, error) {
	vfs := db.opts.VFS
	if db.history != nil {
		vfs = db.history.barrier.VFS()
	}
	c, err := db.connectBy(vfs, db.writeFlags(),
		"synchronous = "+db.synchronous(),
		fmt.Sprintf("cache_size = %d", -(db.opts.CacheSize+1023)/1024))
	if err != nil {
		return nil, err
	}
	c.BusyTimeout(0) // the writer has a loop of its own
	if err := c.QueryRow("SELECT 1 FROM sqlite_schema").Err(); ignoreNoRows(err) != nil {
		c.Close()
		return nil, db.explain("open", err)
	}
	if db.maxBytes.Load() > 0 {
		if err := db.limitSize(c); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func (db *DB) openWriter(context.Context) error {
	db.clock = clock{kick: make(chan struct{}, 1), start: time.Now()}
	w := &db.writer
	w.db, w.group = db, -1
	w.waking = make(chan []*block, 64)
	w.q.max, w.q.wake = db.opts.QueueMax, make(chan struct{}, 4)
	w.pace.hurry, w.pace.again = make(chan struct{}), make(chan struct{}, 1)
	w.pace.set(db.opts.Limits.WriterShare)
	db.maxBytes.Store(db.opts.Limits.MaxBytes)
	w.q.forbidInline(db.opts.Durability == Archived || w.pace.on())
	if err := w.reopen(); err != nil {
		return err
	}
	db.positions.current(w.conn)
	return nil
}

// connectReader opens one more reader with a page cache of so many bytes.
func (db *DB) connectReader(cache int64) (*sqlite.Conn, error) {
	flags := sqlite.OpenReadWrite // a reader needs to write the wal-index
	if db.opts.ReadOnly {
		flags = sqlite.OpenReadOnly
	}
	c, err := db.connect(flags, "query_only = 1",
		fmt.Sprintf("mmap_size = %d", db.mmap),
		fmt.Sprintf("cache_size = %d", -(cache+1023)/1024))
	if err != nil {
		return nil, err
	}
	if err := c.HoldSnapshots(db.mmap > 0); err != nil {
		c.Close()
		return nil, db.explain("open", err)
	}
	return c, nil
}

func (db *DB) openReaders(context.Context) error {
	db.readers.db = db
	db.readers.freed = make(chan struct{}, 1)
	r, err := db.readers.open()
	if err != nil {
		return err
	}
	if err := r.conn.RefreshNow(); err != nil {
		return db.explain("open", err)
	}
	r.conn.DropSnapshot()
	r.change(busy, idle)
	return nil
}

// start starts the goroutines.
func (db *DB) start() {
	if db.history != nil {
		db.history.opened = true
	}
	db.tasks.Go(func() { db.writer.loop() })
	db.tasks.Go(func() { db.writer.wakeUp() })
	db.tasks.Go(func() { db.checkpointer.run(db.ctx) })
	db.tasks.Go(func() { db.clock.run(db.ctx, db.look) })
	if db.ship != nil {
		db.ship.running.Store(true)
		db.tasks.Go(func() { db.ship.run(db.ctx) })
	}
}

// look is what the clock does at each tick; it reports activity.
func (db *DB) look(now time.Duration) bool {
	active := db.readers.look(now, db.checkpointer.walBytes.Load())
	active = db.writer.watch.look(now, db.writer.interrupt) || active
	if now-db.trimmed > time.Second {
		db.trimmed = now
		db.readers.trim(now)
		db.writer.strangers.look(db)
		if db.checkpointer.walBytes.Load() > db.checkpointer.limit() {
			db.checkpointer.wake() // it had to wait for a reader
		}
	}
	return active || db.writer.q.contended.Load() > 0
}

// Close finishes the transactions that wait, refuses new ones with [ErrClosed],
// interrupts reads, copies the WAL back and closes the files. Nothing that was
// acknowledged is lost, whether Close is called or not.
func (db *DB) Close() error {
	if db.writer.runner.Load() == goroutine() {
		return fmt.Errorf("close %s: %w", db.path, ErrNested)
	}
	if !db.closing.CompareAndSwap(false, true) {
		return ErrClosed
	}
	close(db.writer.pace.hurry)
	db.writer.q.close()
	<-db.written
	if db.ship != nil {
		db.ship.finish()
	}
	db.stop()
	close(db.writer.waking)
	db.tasks.Wait()
	return db.release()
}

// release closes what Open has opened so far.
func (db *DB) release() error {
	err := db.readers.close()
	if db.ship != nil {
		err = errors.Join(err, db.ship.close())
	}
	if db.writer.conn != nil {
		db.writer.sql.finalize()
		err = errors.Join(err, db.writer.conn.Close())
	}
	if c := &db.checkpointer; c.conn != nil {
		db.positions.end(c.conn)
		if db.history != nil {
			err = errors.Join(err, db.history.close())
		}
		err = errors.Join(err, c.close()) // the last one: it copies the WAL back and deletes it
	}
	if db.history != nil {
		err = errors.Join(err, db.history.release())
	}
	if db.tempDir != "" {
		err = errors.Join(err, os.RemoveAll(db.tempDir))
	}
	if err != nil {
		return fmt.Errorf("close %s: %w", db.path, err)
	}
	return nil
}

// explain says in an error of SQLite's what the user can do about it. The
// statement it is about is the engine's own, and left out.
func (db *DB) explain(verb string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		bare := *e
		bare.SQL, bare.Path = "", ""
		err = &bare
	}
	text := verb + " " + db.path
	hint := ""
	switch {
	case errors.Is(err, sqlite.CodeNotADB):
		hint = "it is not a SQLite database, or it is encrypted: name another file"
	case errors.Is(err, sqlite.CodeCorrupt):
		hint = "the file is damaged or was cut off: run nearlite check, and restore it from a backup"
	case diskFull(err):
		return fmt.Errorf("%s: %w: %w", text, ErrDiskFull, err)
	case db.cannotWrite(err):
		return fmt.Errorf("%s: %w: %w", text, errNotWritable, err)
	case errors.Is(err, sqlite.CodeBusy):
		hint = "another program holds a lock on it: end it, or raise Options.BusyTimeout"
	case errors.Is(err, sqlite.CodeCantOpen):
		hint = "check that its directory exists, and that both can be read and written"
	default:
		return fmt.Errorf("%s: %w", text, err)
	}
	return fmt.Errorf("%s: %s: %w", text, hint, err)
}

var errNotWritable = fmt.Errorf("%w: the file or its directory cannot be written: make both writable, or open with Options.ReadOnly", ErrReadOnly)

// cannotWrite reports whether an error came about because nothing may be written
// there. SQLite may call that a file which cannot be opened.
func (db *DB) cannotWrite(err error) bool {
	if db.opts.ReadOnly {
		return false
	}
	return errors.Is(err, sqlite.CodeReadOnly) || errors.Is(err, syscall.EROFS) ||
		errors.Is(err, sqlite.CodeCantOpen) && !mayMakeFiles(filepath.Dir(db.path))
}

// Position returns the latest commit, by this or another process.
func (db *DB) Position() Position { return db.positions.current(db.checkpointer.conn) }
