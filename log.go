package nearlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nearlite/nearlite/pagemap"
	"github.com/nearlite/nearlite/wal"
)

// A Log is where commits are decided when the local file alone is not trusted to:
// object storage, a Raft group. It is a list of entries, numbered from 1 without a
// gap, each of which is the pages that lead from one state of the database to the
// next.
//
// Its one primitive is to append an entry if the one before it is still the last.
// Two writers can therefore never both extend it, whatever their clocks say. With
// [Archived] the engine offers every commit to the log before it becomes visible
// to anybody; with the other durabilities it ships, behind the commits, what has
// changed since the last entry.
type Log interface {
	// Head describes the last entry; the zero Head is an empty log.
	Head(ctx context.Context) (Head, error)

	// Append adds an entry if the one before it is the last one. It has three
	// outcomes:
	//
	//	nil                          the entry is in the log, for good
	//	matches ErrNotCommitted      it certainly is not, and never will be;
	//	                             ErrFenced as well: another writer's is
	//	anything else                nobody knows
	//
	// It is called by one goroutine at a time. It tries for as long as it has hope
	// to learn the outcome and ctx lives. The entry ends when it returns.
	Append(ctx context.Context, e *Entry) error

	// Read calls visit with the pages that lead from the state after the entry
	// called after to the newest one, each once and in ascending order; after is 0
	// for the whole database. It returns the head they lead to: the database has as
	// many pages as that says. A page's bytes are valid until visit returns.
	//
	// What visit was given is of no account unless Read returns nil.
	Read(ctx context.Context, after uint64, visit func(wal.Page) error) (Head, error)
}

// Head describes an entry of a log, and the database as it is after it.
type Head struct {
	TXID     uint64        // number of the entry, from 1
	Epoch    uint32        // names the opening of the database that wrote it; random; 0: not written by this package, and without a Sum
	Sum      uint32        // of the database's pages: the low half of the sum in [Entry]
	Time     time.Time     // when it was made, to the millisecond, by the writer's clock
	PageSize int           // bytes
	Pages    uint32        // size of the database in pages
	WAL      pagemap.Place // of the writer, behind the entry
}

// hasSum reports whether an entry says what the database comes to. One that stock
// Litestream wrote does not.
func (h *Head) hasSum() bool { return h.Epoch != 0 }

// An Entry is on its way into a log.
type Entry struct {
	Head
	// Checksum is the exclusive or of [ltx.ChecksumPage] over all pages of the
	// database after the entry.
	Checksum     uint64
	WALStart     int64 // where it begins in the writer's WAL, in bytes; it ends at Head.WAL
	Frames       int   // how many pages it has
	Transactions int   // how many callers it acknowledges; 0: unknown

	each func(func(wal.Page) error) error
}

// Each calls visit with the pages of the entry, each once and in ascending order;
// the first entry of a log has all pages of the database. A page's bytes are valid
// until visit returns. It may be called again.
func (e *Entry) Each(visit func(wal.Page) error) error { return e.each(visit) }

// NewEntry returns an entry of these pages, for those who test a Log. Each page
// comes once, in ascending order.
func NewEntry(head Head, pages []wal.Page) *Entry {
	return &Entry{Head: head, Frames: len(pages), each: func(visit func(wal.Page) error) error {
		for _, p := range pages {
			if err := visit(p); err != nil {
				return err
			}
		}
		return nil
	}}
}

// ErrFenced is returned when another writer has extended the log: this one has
// lost it. It comes together with ErrNotCommitted.
var ErrFenced = errors.New("another writer has the log")

// FencedError says who has the log. It matches [ErrFenced] and [ErrNotCommitted].
type FencedError struct {
	TXID uint64 // the entry that was somebody else's
	Who  string // "host web-2, process 4711, since 2026-11-21T20:15:00Z"
}

// Error names the entry and its writer.
func (e *FencedError) Error() string {
	return fmt.Sprintf("%v: entry %d was written by %s", ErrFenced, e.TXID, e.Who)
}

// Is matches ErrFenced and ErrNotCommitted.
func (e *FencedError) Is(target error) bool { return target == ErrFenced || target == ErrNotCommitted }
