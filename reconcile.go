package nearlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/pagemap"
	"github.com/nearlite/nearlite/wal"
)

// Before a database with a log is opened, the two are made to agree. The log
// decides what was committed; which of the two is cut depends on what the file
// remembers of the log (pagemap.Entry) and on who wrote the log's last entry:
//
//	file     log                         what is done
//	none     empty                       a new database
//	none     has entries                 the file is made of them
//	there    empty, the file knows none  its first entry is made after opening
//	there    as the file remembers it    opened; what it has beyond is shipped
//	there    further, by this file's     the process died before it could note it:
//	         last opening                as above
//	there    further, by another         somebody else has gone on: an error
//	there    less than it remembers      the log was put back or is another's: an error
//	there    has entries, the file       they do not belong together: an error
//	         knows none
//
// Where the last opening was Archived, what the WAL has beyond the log was never
// acknowledged, and is cut off before SQLite sees it: recovery would take it for
// commits. Where it was not, it was acknowledged, and stays.
//
// A file that lacks what the log has, after a power cut with Normal for example, or
// whose pages do not come to the checksum of the log's last entry, is made anew from
// the log; the old one is kept under another name.
//
// In every case that is an error not one byte is changed.
type reconciliation struct {
	head     Head
	entry    pagemap.Entry // what the file remembers
	changed  bool          // the file has commits that are not in that entry, in it or in its WAL
	place    pagemap.Place // where its page map is
	includes bool          // for certain, the file has the log's last entry
	rebuild  string        // why the file has to be made anew; "": it need not be
	verify   bool          // the file has to have the checksum of the log's last entry
	restored bool          // it was made of the log
	closed   bool          // it was closed, and is as it was then
}

// reconcile finds out how file and log stand to each other, and cuts the WAL.
func (db *DB) reconcile(ctx context.Context) error {
	if db.opts.Log == nil || db.reconciled.restored {
		return nil
	}
	head, err := db.opts.Log.Head(ctx)
	if err != nil {
		return fmt.Errorf("open %s: ask the log for its head: %w", db.path, err)
	}
	r := &db.reconciled
	r.head = head
	if info, err := os.Stat(db.path); err != nil || info.Size() == 0 {
		return db.reconcileMissing(ctx)
	}
	if err := errors.Join(db.remember(), r.judge()); err != nil {
		return fmt.Errorf("open %s: %w", db.path, err)
	}
	if head.TXID == 0 || !decidedByLog(r.entry.Epoch) && head.Epoch != r.entry.Epoch {
		return nil
	}
	if err := db.compareWAL(ctx); err != nil {
		return fmt.Errorf("open %s: compare the write-ahead log with the log: %w", db.path, err)
	}
	return nil
}

// reconcileMissing makes a file that is not there of what the log has.
func (db *DB) reconcileMissing(ctx context.Context) error {
	r := &db.reconciled
	if r.head.TXID == 0 {
		if db.opts.MustExist && db.created {
			return fmt.Errorf("open %s: %w, and neither is it in the log; Options.MustExist does not let it be created", db.path, os.ErrNotExist)
		}
		return nil
	}
	r.rebuild = "there is no file"
	return db.makeOfLog(ctx)
}

// remember reads what the file's page map says of the log; nothing if it has none.
// A file that was closed and is not the one that was closed has to come to the sum
// it had: it may have been copied.
func (db *DB) remember() error {
	if _, err := os.Stat(db.mapPath()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	m, err := pagemap.Open(db.mapPath(), 0)
	if errors.Is(err, pagemap.ErrDamaged) {
		return nil
	}
	if err != nil {
		return err
	}
	head := m.Head()
	if err := m.Close(); err != nil {
		return err
	}
	db.reconciled.entry, db.reconciled.changed, db.reconciled.place = head.Entry, head.Change > head.Entry.Change, head.WAL
	db.reconciled.closed = head.Clean != (pagemap.Stamp{}) && head.Clean == stamp(db.path)
	if head.Entry.TXID == 0 || head.Clean == (pagemap.Stamp{}) || head.Clean == stamp(db.path) {
		return nil
	}
	if info, err := os.Stat(db.path + "-wal"); err == nil && info.Size() > 0 {
		return nil // the history will see by the WAL whether it goes on
	}
	size := db.reconciled.head.PageSize
	if sum, err := fileSum(db.path, size); err != nil {
		return err
	} else if sum != head.Entry.Sum {
		return fmt.Errorf("%w: the file is not the one that was closed, which was in the log up to entry %d: it was put back from an older copy, or another program wrote to it: "+
			"move it away to have it made from the log, or delete %s and name an empty log to go on with the file", ErrLogMismatch, head.Entry.TXID, db.mapPath())
	}
	return nil
}

// fileSum is the checksum of a database that nobody has open and that has no WAL.
func fileSum(path string, pageSize int) (total uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r, page := bufio.NewReaderSize(f, 1<<20), make([]byte, max(pageSize, 512))
	for n := uint32(1); ; n++ {
		if _, err := io.ReadFull(r, page); err == io.EOF {
			return total, nil
		} else if err != nil {
			return 0, err
		}
		if n != lockPage(len(page)) {
			total ^= crc64iso.Page(n, page)
		}
	}
}

// lockPage is the page whose bytes SQLite locks, and which it never uses.
func lockPage(pageSize int) uint32 { return ltx.LockPgno(uint32(pageSize)) }

// judge says which line of the table it is, if that is an error.
func (r *reconciliation) judge() error {
	head, known := r.head, r.entry
	switch {
	case head.TXID == known.TXID && (head.TXID == 0 || !head.hasSum() || head.Sum == uint32(known.Sum)):
		return nil
	case head.TXID > known.TXID && head.Epoch == known.Epoch && head.hasSum():
		return nil // written before the process died, and not noted
	case known.Epoch == 0:
		return fmt.Errorf("%w: the log has %d entries, and this file was never part of it: name an empty log, or move the file away to have it made from the log", ErrLogMismatch, head.TXID)
	case head.TXID == 0:
		return fmt.Errorf("%w: the file was in a log up to entry %d, and this one is empty: name the right one, or delete %s to begin a new log with this file", ErrLogMismatch, known.TXID, "its -map")
	case head.TXID < known.TXID:
		return fmt.Errorf("%w: the file was in the log up to entry %d, and the log ends with entry %d of %s: it was put back from an older copy, or is another database's", ErrLogMismatch, known.TXID, head.TXID, head.Time.Format(time.RFC3339))
	case head.TXID == known.TXID:
		return fmt.Errorf("%w: entry %d of the log has another checksum than this file had then: it is another database's, or another writer went on from entry %d", ErrLogMismatch, head.TXID, known.TXID-1)
	}
	return fmt.Errorf("%w: another writer has gone on from entry %d of the log, which this file has, to entry %d of %s: "+
		"move the file away to go on from there; what only the file has is in it", ErrFenced, known.TXID, head.TXID, head.Time.Format(time.RFC3339))
}

// compareWAL finds the log's last entry in the WAL, and cuts off what lies behind
// it if that was never acknowledged.
func (db *DB) compareWAL(ctx context.Context) error {
	r, path := &db.reconciled, db.path+"-wal"
	cut := decidedByLog(r.entry.Epoch)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var m wal.Mark
	if err == nil {
		defer f.Close()
		m, err = wal.Begin(f)
	}
	r.verify = true
	switch end := r.head.WAL; {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, wal.ErrNoWAL):
		r.verify = cut
		return nil // closed, or never written to
	case err != nil:
		return err
	case m.Salt1 == end.Salt1 && m.Salt2 == end.Salt2:
		at, err := m.To(f, end.Offset)
		if errors.Is(err, wal.ErrNoCommit) {
			r.rebuild = "the write-ahead log lacks what the log has"
			return db.makeOfLog(ctx)
		}
		if err != nil {
			return err
		}
		last, err := at.End(f)
		if err != nil {
			return err
		}
		r.includes = true
		if !cut && last.Offset > at.Offset {
			r.verify = false // of the present state the log knows no checksum
			return nil
		}
		return db.cutWAL(f, at.Offset)
	case r.head.Epoch == r.entry.Epoch && int32(m.Salt1-end.Salt1) < 0 && end.Offset > 0: // salts count up during an opening
		r.rebuild = "the write-ahead log is older than what the log has"
		return db.makeOfLog(ctx)
	case !cut:
		last, err := m.End(f)
		r.verify = err == nil && last.Offset == m.Offset && r.head.TXID == r.entry.TXID && !r.changed
		// It is of an earlier run of the WAL, which was copied back before this one began.
		r.includes = m.Salt1 == r.place.Salt1 && m.Salt2 == r.place.Salt2
		return err
	}
	return db.cutWAL(f, m.Offset)
}

// cutWAL takes everything off the WAL behind a commit.
func (db *DB) cutWAL(f *os.File, offset int64) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size <= offset {
		return err
	}
	if err := f.Truncate(offset); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	// The wal-index may know the commits that are gone.
	if err := os.Remove(db.path + "-shm"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// makeOfLog makes the file anew from the log.
func (db *DB) makeOfLog(ctx context.Context) error {
	from := time.Now()
	part := db.path + ".part"
	head, err := writeLogTo(ctx, db.opts.Log, part)
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: make it from the log: %w", db.path, err), ignoreNotExist(os.Remove(part)))
	}
	if info, err := os.Stat(db.path); err == nil && info.Size() > 0 {
		if err := db.moveAway(); err != nil {
			return fmt.Errorf("open %s: make it from the log: %w", db.path, err)
		}
	}
	for _, suffix := range []string{"-wal", "-shm", "-map", "-sums"} {
		if err := ignoreNotExist(os.Remove(db.path + suffix)); err != nil {
			return fmt.Errorf("open %s: make it from the log: %w", db.path, err)
		}
	}
	if err := os.Rename(part, db.path); err != nil {
		return fmt.Errorf("open %s: make it from the log: %w", db.path, err)
	}
	if err := syncFile(filepath.Dir(db.path)); err != nil {
		return fmt.Errorf("open %s: make it from the log: %w", db.path, err)
	}
	r := &db.reconciled
	db.opts.Logger.Warn("the database was made from its log", "db", db.path, "because", r.rebuild, "entry", head.TXID, "of", head.Time, "pages", head.Pages, "took", time.Since(from))
	*r = reconciliation{head: head, verify: true, restored: true}
	return nil
}

// moveAway keeps the file that the log's takes the place of, with its WAL.
func (db *DB) moveAway() error {
	kept := fmt.Sprintf("%s.replaced-%s", db.path, time.Now().UTC().Format("20060102T150405.000Z"))
	for _, suffix := range []string{"-wal", ""} {
		if err := ignoreNotExist(os.Rename(db.path+suffix, kept+suffix)); err != nil {
			return err
		}
	}
	db.opts.Logger.Warn("the file that is made anew is kept", "db", db.path, "kept", kept)
	return nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// writeLogTo writes the database that a log leads to into a file, and flushes it.
func writeLogTo(ctx context.Context, log Log, path string) (Head, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	var next uint32 = 1
	var size int64
	head, err := log.Read(ctx, 0, func(p wal.Page) error {
		size = int64(len(p.Data))
		if p.Number != next { // over the page that SQLite never uses
			if err := w.Flush(); err != nil {
				return err
			}
			if _, err := f.Seek(int64(p.Number-1)*size, io.SeekStart); err != nil {
				return err
			}
		}
		next = p.Number + 1
		_, err := w.Write(p.Data)
		return err
	})
	if err != nil {
		return Head{}, err
	}
	if err := w.Flush(); err != nil {
		return Head{}, err
	}
	if err := f.Truncate(int64(head.Pages) * int64(head.PageSize)); err != nil {
		return Head{}, err
	}
	return head, f.Sync()
}

// openLog takes the checksums of all pages, compares them with the log, and makes
// the database's first entry if the log is empty.
func (db *DB) openLog(ctx context.Context) error {
	if db.opts.Log == nil {
		return nil
	}
	s := &shipper{db: db, epoch: newEpoch(db.opts.Durability == Archived), kick: make(chan struct{}, 1)}
	if err := s.connect(); err != nil {
		return err
	}
	db.ship = s
	if err := s.begin(ctx); err != nil {
		return fmt.Errorf("open %s: %w", db.path, err)
	}
	return nil
}

// connect opens the connection that reads what is shipped.
func (s *shipper) connect() (err error) {
	s.conn, err = s.db.connectReader(extraCache)
	return err
}

// begin finds out what of the database is in the log.
func (s *shipper) begin(ctx context.Context) error {
	r, pages := &s.db.reconciled, s.db.history.pages
	snap, err := s.snapshot()
	if err != nil {
		return err
	}
	err = s.sumAll(ctx, snap)
	s.conn.DropSnapshot()
	if err != nil {
		return err
	}
	s.last, s.change = r.head, r.entry.Change
	s.txid.Store(r.head.TXID)
	head := pages.Head()
	same := r.head.TXID > 0 && uint32(s.sums.total) == r.head.Sum && snap.Pages() == r.head.Pages ||
		r.restored && !r.head.hasSum()
	switch {
	case r.head.TXID == 0:
	case same: // whatever the map says, the log has all of it
		s.change = head.Change
	case r.verify && !r.restored:
		return errLogDiffers
	case r.restored:
		return fmt.Errorf("%w: what was made of the log has the checksum %08x, and entry %d says %08x: run nearlite archive verify", ErrLogMismatch, uint32(s.sums.total), r.head.TXID, r.head.Sum)
	case s.db.history.broken && r.includes: // a power cut took the last commits, which only the disk was asked to keep
		s.change = 0
	case s.db.history.broken:
		return fmt.Errorf("%w: the file is neither what the log has nor what was made of that since: it was put back from an older copy, or written by another program while it was closed: "+
			"move it away to go on with what the log has, or name an empty log to go on with the file", ErrLogMismatch)
	}
	s.remember(s.sums.total)
	if err := s.db.history.sync(); err != nil { // before the first entry of this opening
		return err
	}
	if same {
		return nil
	}
	if s.db.opts.Durability == Archived {
		return s.ship(ctx)
	}
	s.committed(time.Now())
	return nil
}

// errLogDiffers has the file made anew.
var errLogDiffers = errors.New("the file's pages do not come to the checksum of the log's last entry")

// sumAll takes the checksums of all pages, from the whole database if they were not
// kept.
func (s *shipper) sumAll(ctx context.Context, snap *shot) error {
	if r := &s.db.reconciled; r.closed && snap.place.Offset == 0 {
		if ok, err := s.sums.load(s.db.sumsPath(), snap.Pages(), r.entry.Sum); ok || err != nil {
			return err
		}
	} else if err := ignoreNotExist(os.Remove(s.db.sumsPath())); err != nil {
		return err
	}
	s.sums.stretch(int(snap.Pages()))
	lock := lockPage(s.db.pageSize)
	numbers := make([]uint32, 0, snap.Pages())
	for n := uint32(1); n <= snap.Pages(); n++ {
		if n != lock {
			numbers = append(numbers, n)
		}
	}
	return snap.Read(numbers, func(p wal.Page) error {
		if p.Number%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.sums.set(p.Number, p.Data)
		return nil
	})
}
