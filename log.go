package nearlite

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Log is where commits are decided when the local file alone is not trusted to:
// object storage, a Raft group. The engine offers every commit to it before the
// commit becomes visible to anybody.
//
// Append has three outcomes. Nil: the entry is in the log and the commit goes
// on. An error that matches [ErrNotCommitted]: it certainly is not, and the
// transactions are rolled back. Any other error: unknown, reported to callers as
// [ErrCommitUnknown], after which the writer refuses further work with
// [ErrPoisoned] until the database is opened again.
type Log interface {
	// Head returns the position of the last entry, called once by Open.
	Head(ctx context.Context) (Position, error)
	// Append adds an entry if Prev is still the position of the last one. One
	// call at a time, in order.
	Append(ctx context.Context, e Entry) error
}

// Entry is one batch of transactions on its way into the log.
type Entry struct {
	TXID         uint64   // 1 for the first entry after Open, and one more each
	Prev         Position // the commit it builds on
	Transactions int      // how many callers it acknowledges
}

// Position names a commit: what a reader has seen. Positions of one log id are
// ordered by their change number. Every Open begins a log id of its own, so they
// mean nothing to another opening of the same file.
type Position struct {
	Log    LogID  // changes when the history is not continued
	Change uint64 // pages written up to and including the commit
}

// LogID names one unbroken history of a database: one opening of it.
type LogID [16]byte

func newLogID() (id LogID) {
	rand.Read(id[:])
	return id
}

// String returns 32 hexadecimal digits.
func (id LogID) String() string { return hex.EncodeToString(id[:]) }

// String returns the log id and the change number, 49 characters that sort in
// the order of commits within one log.
func (p Position) String() string { return fmt.Sprintf("%s-%016x", p.Log, p.Change) }

// Compare returns -1, 0 or +1 as p is before, at or after q, and false when the
// two belong to different logs and have no order.
func (p Position) Compare(q Position) (order int, ok bool) {
	switch {
	case p.Log != q.Log:
		return 0, false
	case p.Change < q.Change:
		return -1, true
	case p.Change > q.Change:
		return 1, true
	}
	return 0, true
}

// ParsePosition reads what Position.String wrote.
func ParsePosition(s string) (Position, error) {
	var p Position
	id, change, ok := strings.Cut(s, "-")
	if ok && len(id) == 32 && len(change) == 16 {
		if _, err := hex.Decode(p.Log[:], []byte(id)); err == nil {
			if p.Change, err = strconv.ParseUint(change, 16, 64); err == nil {
				return p, nil
			}
		}
	}
	return Position{}, fmt.Errorf("parse position %q: want 32 hexadecimal digits, a dash and 16 more", s)
}
