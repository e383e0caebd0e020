package nearlite

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/nearlite/nearlite/sqlite"
)

// ErrNoRows is returned when one row was asked for and the query has none.
var ErrNoRows = sqlite.ErrNoRows

// Errors to match with errors.Is. What SQLite itself refuses is a [*sqlite.Error].
var (
	// ErrClosed is returned after Close, and by a call that Close found waiting.
	ErrClosed = errors.New("the database is closed")
	// ErrTxDone is returned by a transaction that has ended.
	ErrTxDone = errors.New("the transaction has ended: use its handle only inside the closure, or before Commit and Rollback")
	// ErrNested is returned by a write inside the closure of another, which
	// would wait for itself: use the closure's own transaction.
	ErrNested = errors.New("a write inside an Update would wait for itself: use the tx of the closure")
	// ErrReadOnly is returned for a write to a database or transaction that only reads.
	ErrReadOnly = errors.New("read only")
	// ErrQueueFull matches every [*QueueFullError].
	ErrQueueFull = errors.New("the write queue is full")
	// ErrRefused is returned for a statement that would reach beyond its
	// transaction; the message names the API to use.
	ErrRefused = errors.New("refused inside a transaction")
	// ErrSnapshotExpired is returned by a read whose snapshot was older than
	// MaxSnapshotAge or held more than MaxWALBytes of the WAL.
	ErrSnapshotExpired = errors.New("the snapshot expired: read in shorter transactions, or raise MaxSnapshotAge and MaxWALBytes")
	// ErrLeaseExpired is returned by an interactive transaction that kept the
	// writer too long; it was rolled back.
	ErrLeaseExpired = errors.New("the lease of the interactive transaction expired and it was rolled back: keep it shorter, or use Update")
	// ErrConflict is returned by an interactive transaction that had to be run
	// again and would have read something else; it was rolled back. Try again.
	ErrConflict = errors.New("the interactive transaction had to be run again and its reads came out differently: try again")
	// ErrDiskFull is returned while the disk has no room for a commit. Reads go
	// on, and writes resume when there is room.
	ErrDiskFull = errors.New("the disk is full: the database is read only until there is room")
	// ErrSizeLimit is returned for a transaction that needs more room than
	// Limits.MaxBytes leaves.
	ErrSizeLimit = errors.New("the database is at its size limit: delete something, or have the limit raised")
	// ErrCommitUnknown is returned when a commit was begun and its outcome is not
	// known to the caller: it may be durable, and may not.
	ErrCommitUnknown = errors.New("the outcome of the commit is unknown")
	// ErrNotCommitted is returned by a [Log] that certainly did not take an entry.
	ErrNotCommitted = errors.New("the log refused the entry: the transaction was not committed")
	// ErrLogBehind is returned for a write while the log is further behind than
	// Options.LogLag allows; writes resume when it has caught up.
	ErrLogBehind = errors.New("the log is too far behind: see that it can be reached, or raise LogLag")
	// ErrLogMismatch is returned by Open when the file and the log do not belong
	// together, or one of them is not the one it was. Nothing has been changed.
	ErrLogMismatch = errors.New("the file and the log do not belong together")
	// ErrPoisoned is returned once the outcome of a commit could not be
	// established: close the database and open it again.
	ErrPoisoned = errors.New("an earlier commit has an unknown outcome: close the database and open it again")
)

// QueueFullError is returned when QueueMax transactions wait for the writer
// already. It matches [ErrQueueFull].
type QueueFullError struct {
	Depth int // transactions waiting
}

// Error names the depth and the remedy.
func (e *QueueFullError) Error() string {
	return fmt.Sprintf("the write queue is full: %d transactions wait; try again later, or raise QueueMax", e.Depth)
}

// Is matches ErrQueueFull.
func (e *QueueFullError) Is(target error) bool { return target == ErrQueueFull }

// refused explains why a statement may not run where it was tried.
func refused(what, instead string) error {
	return fmt.Errorf("%w: %s; %s", ErrRefused, what, instead)
}

// diskFull reports whether an error means that there was no room.
func diskFull(err error) bool {
	return errors.Is(err, sqlite.CodeFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
