package server

import (
	"container/list"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
)

// A session is a stream over HTTP: what stands between two requests with one baton.
type session struct {
	id     streamID // zero until it first gets a baton
	seq    uint32   // of the request that has it now
	caller *caller
	handle *catalog.Handle
	stream *stream.Stream

	stored int64 // bytes of its texts, counted while it is parked
	busy   bool  // its last baton says that it is in a transaction
	parked time.Time
	listed *list.List    // the one it is in, while it is parked
	place  *list.Element // there
}

// end rolls back what is open and lets go of the database.
func (s *session) end() {
	s.stream.Close()
	s.handle.Release()
}

// streams keeps the sessions that no request has at the moment, and makes sure
// that each baton is used once. Its memory is bounded:
//
//   - a session in a transaction stays until its client comes back, for
//     transactionPatience at most, and there are transactionsMax of them: the
//     engine's leases end most of them much earlier, and what the client then sends
//     is answered with TRANSACTION_TIMEOUT. For one more than that, one goes that has
//     ended, or has been silent for long;
//   - an idle session stays for idlePatience, so that last_insert_rowid() and
//     changes() go on as on one connection. There are idleMax of them, and
//     any may go at any time: the baton brings it back;
//   - of a session that has gone, only its id and number stay, for the latest
//     usedMax sessions or more. A baton of one before these could be used twice;
//     it opens a stream without a transaction then, which its owner can do anyway.
type streams struct {
	mu   sync.Mutex // protects the following
	here map[streamID]*session
	idle *list.List // of *session, the one parked first in front
	busy *list.List
	used used
	done bool // no more are taken

	texts *memory // for those that the parked ones have stored
}

const (
	idlePatience        = 10 * time.Second
	transactionPatience = time.Minute
	idleMax             = 20_000
	transactionsMax     = 4_096
	usedMax             = 1 << 16
)

func newStreams() *streams {
	return &streams{here: map[streamID]*session{}, idle: list.New(), busy: list.New(), used: used{fresh: map[streamID]uint32{}}, texts: &memory{most: 1 << 30}}
}

// used remembers the number of each stream's next request. Sessions that had no
// request for long are forgotten, half of them at a time.
type used struct {
	fresh, stale map[streamID]uint32
}

func (u *used) next(id streamID) (seq uint32, ok bool) {
	if seq, ok = u.fresh[id]; !ok {
		seq, ok = u.stale[id]
	}
	return seq, ok
}

func (u *used) set(id streamID, seq uint32) {
	if len(u.fresh) >= usedMax {
		u.fresh, u.stale = map[streamID]uint32{}, u.fresh
	}
	u.fresh[id] = seq
}

// What a client is told when its transaction has gone with its stream, and when
// there is no place for one more.
var (
	errStreamExpired = &hrana.Error{Code: "STREAM_EXPIRED", Message: "The stream has expired due to inactivity"}
	errTooMany       = &failure{status: http.StatusServiceUnavailable, code: "TRANSACTION_BUSY", retry: time.Second,
		message: "Too many transactions are open at a time, so this one was rolled back: try again, or commit sooner"}
)

// take gives the baton's session to one request. It returns nil for a stream
// without a transaction that is not here any more: the baton has all there is to
// know about it.
func (t *streams) take(b *baton) (*session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if next, known := t.used.next(b.stream); known && next != b.seq {
		return nil, errBatonReused
	}
	s := t.here[b.stream]
	// The request that gave out the baton is at work yet; or the baton is an older one,
	// and others have had so many requests since that only the session remembers.
	if s != nil && (s.place == nil || b.seq != s.seq+1) {
		return nil, errBatonReused
	}
	t.used.set(b.stream, b.seq+1)
	if s == nil {
		if b.busy {
			return nil, errStreamExpired
		}
		return nil, nil
	}
	t.remove(s)
	s.seq++
	return s, nil
}

// remove takes a parked session out. t.mu is held.
func (t *streams) remove(s *session) {
	delete(t.here, s.id)
	if s.listed == t.busy {
		s.caller.streams.Add(-1)
	}
	s.listed.Remove(s.place)
	s.place, s.listed = nil, nil
	t.texts.give(s.stored)
}

// announce makes it known that a session will be parked: its client has a baton
// already.
func (t *streams) announce(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.name(s)
	t.here[s.id] = s
}

// forget is the end of a session that a request has: its baton, if one was
// announced, is worth nothing.
func (t *streams) forget(s *session) {
	if s.id == (streamID{}) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.here[s.id] == s {
		delete(t.here, s.id)
	}
	t.used.set(s.id, s.seq+2)
}

// name gives a session its id. t.mu is held.
func (t *streams) name(s *session) {
	if s.id == (streamID{}) {
		rand.Read(s.id[:]) // never fails
	}
	t.used.set(s.id, s.seq+1)
}

// park keeps a session until its baton comes back. It fails when too many
// transactions are open; the session is the caller's then. s.busy says whether
// it is in a transaction.
func (t *streams) park(s *session, now time.Time) error {
	s.parked, s.stored = now, int64(s.stream.StoredSize())
	gone, err := t.admit(s)
	for _, g := range gone {
		g.end() // if it was idle, it lives on in its baton
	}
	return err
}

// admit puts a session in its list and returns those that have to go for it, or an
// error when it may not stay itself.
func (t *streams) admit(s *session) (gone []*session, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.idle
	if s.busy {
		list = t.busy
	}
	if s.busy && t.busy.Len() >= transactionsMax && !t.done {
		if v := t.victim(s); v != nil {
			t.remove(v)
			gone = append(gone, v)
		}
	}
	counted := t.texts.tryTake(s.stored)
	for ; !counted && t.idle.Len() > 0; counted = t.texts.tryTake(s.stored) {
		gone = append(gone, t.oldest())
	}
	if s.busy && (t.done || !counted || t.busy.Len() >= transactionsMax) {
		return gone, t.refuse(s, counted)
	}
	if s.busy && s.caller.streams.Add(1) > int64(s.caller.limits.Streams) {
		s.caller.streams.Add(-1)
		return gone, t.refuse(s, counted)
	}
	if !counted {
		s.stored = 0
	}
	t.name(s)
	t.here[s.id], s.listed, s.place = s, list, list.PushBack(s)
	if t.idle.Len() > idleMax || t.done && t.idle.Len() > 0 || !counted {
		gone = append(gone, t.oldest())
	}
	return gone, nil
}

// refuse gives back what was counted for a session that may not stay.
func (t *streams) refuse(s *session, counted bool) error {
	if counted {
		t.texts.give(s.stored)
	}
	return errTooMany
}

// oldest takes the idle session out that was parked first. t.mu is held.
func (t *streams) oldest() *session {
	s := t.idle.Front().Value.(*session)
	t.remove(s)
	return s
}

// silence is how long the client of a transaction has to have been silent for it to
// make place for another.
const silence = time.Second

// victim returns the transaction that goes for the one of s: one that has ended by
// itself; else that which was silent for longest, of the same caller if he has many.
// t.mu is held.
func (t *streams) victim(s *session) (longest *session) {
	own := s.caller.streams.Load() > transactionsMax/4
	for e := t.busy.Front(); e != nil; e = e.Next() {
		v := e.Value.(*session)
		switch {
		case v.stream.Err() != nil:
			return v
		case longest == nil && s.parked.Sub(v.parked) >= silence && (!own || v.caller == s.caller):
			longest = v
		}
	}
	return longest
}

// sweep ends what nobody has come back for.
func (t *streams) sweep(now time.Time) {
	for _, s := range t.expired(now) {
		s.end()
	}
}

func (t *streams) expired(now time.Time) (gone []*session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range []struct {
		list     *list.List
		patience time.Duration
	}{{t.idle, idlePatience}, {t.busy, transactionPatience}} {
		for e := l.list.Front(); e != nil; e = l.list.Front() {
			s := e.Value.(*session)
			if now.Sub(s.parked) < l.patience {
				break
			}
			t.remove(s)
			gone = append(gone, s)
		}
	}
	return append(gone, t.over(now)...)
}

// over takes the transactions out that have ended by themselves a while ago. t.mu is held.
func (t *streams) over(now time.Time) (gone []*session) {
	for e := t.busy.Front(); e != nil; {
		s := e.Value.(*session)
		if e = e.Next(); now.Sub(s.parked) < idlePatience {
			break
		}
		if s.stream.Err() != nil {
			t.remove(s)
			gone = append(gone, s)
		}
	}
	return gone
}

// counts returns how many sessions are parked.
func (t *streams) counts() (idle, busy int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.idle.Len(), t.busy.Len()
}

// close ends every session, and makes park refuse transactions.
func (t *streams) close() {
	t.mu.Lock()
	t.done = true
	var all []*session
	for _, s := range t.here {
		if s.place != nil {
			t.remove(s)
			all = append(all, s)
		}
	}
	t.mu.Unlock()
	for _, s := range all {
		s.end()
	}
}
