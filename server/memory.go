package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/server/stream"
)

// memory bounds what requests and answers take together, so that a thousand large
// ones at a time wait for each other instead of ending the process. What is small
// is not counted: connections are, and each has one request at a time.
//
// What a client's slowness keeps is a loan, and is called in when somebody else needs
// it.
type memory struct {
	most int64
	line int // how many may wait; 0: any number

	mu      sync.Mutex // protects the following
	taken   int64
	waiting []*claim // the oldest first
	loans   map[*loan]struct{}
}

// A claim waits for memory.
type claim struct {
	n       int64
	granted chan struct{}
}

// A loan is memory that a client keeps as long as it does not send, or read, the rest
// of something.
type loan struct {
	n      int64
	since  time.Time
	conn   io.Closer        // ends it
	moved  func() time.Time // when the client took something last; nil: nobody knows
	called atomic.Bool      // it was called in
}

const (
	// small is what a request or an answer may take without being counted.
	small = 16 << 10
	// memoryPatience is how long one waits for others to finish.
	memoryPatience = 5 * time.Second
	// callEvery is how often loans are called in while somebody waits.
	callEvery = 50 * time.Millisecond
	// loanFree and loanRate say how long a client may have a loan: so long, and so many
	// bytes a second more. Without need it may have it much longer.
	loanFree = 250 * time.Millisecond
	loanRate = 1 << 20
)

// errMemory is returned when others have taken what there is.
var errMemory = errors.New("the memory for requests and answers is in use: try again")

// take waits for n bytes. What is larger than everything waits until it is alone.
func (m *memory) take(ctx context.Context, n int64) error {
	if n = min(n, m.most); n <= 0 {
		return nil
	}
	c, err := m.enter(n)
	if c == nil {
		return err
	}
	patience := time.NewTimer(memoryPatience)
	defer patience.Stop()
	call := time.NewTicker(callEvery)
	defer call.Stop()
	for {
		select {
		case <-c.granted:
			return nil
		case <-call.C:
			m.callIn(n)
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-patience.C:
			err = errMemory
		}
		if m.leave(c) {
			return err
		}
		return nil // granted in the last moment
	}
}

// lend says that n bytes are a client's since then, until repay.
func (m *memory) lend(n int64, since time.Time, conn io.Closer) *loan {
	l := &loan{n: n, since: since, conn: conn}
	if c, ok := conn.(interface{ lastMoved() time.Time }); ok {
		l.moved = c.lastMoved
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loans == nil {
		m.loans = map[*loan]struct{}{}
	}
	m.loans[l] = struct{}{}
	return l
}

func (m *memory) repay(l *loan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.loans, l)
}

// callIn ends the connections of slow clients, the slowest first, until n bytes will be
// free.
func (m *memory) callIn(n int64) {
	m.mu.Lock()
	var due []*loan
	for l := range m.loans {
		if l.late() > 0 {
			due = append(due, l)
		}
	}
	slices.SortFunc(due, func(a, b *loan) int { return cmp.Compare(b.late(), a.late()) })
	var called []*loan
	for _, l := range due {
		if n <= 0 {
			break
		}
		n -= l.n
		delete(m.loans, l)
		l.called.Store(true)
		called = append(called, l)
	}
	m.mu.Unlock()
	for _, l := range called {
		_ = l.conn.Close() // whoever works for it finds out and gives back what it has
	}
}

// late returns for how long the client has had a loan beyond its time, or has not done
// anything.
func (l *loan) late() time.Duration {
	late := time.Since(l.since) - loanFree - time.Duration(l.n*int64(time.Second)/loanRate)
	if l.moved == nil {
		return late
	}
	moved := l.moved()
	if moved.Before(l.since) {
		moved = l.since
	}
	return max(late, time.Since(moved)-loanFree)
}

// owe takes n bytes at once, also such as are not there: for what has been done
// already, and whose answer must not look as if it could be tried again.
func (m *memory) owe(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken += n
}

// enter takes n bytes, or returns the claim to wait for, or an error if too many wait.
// Nobody overtakes.
func (m *memory) enter(n int64) (*claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 && m.taken+n <= m.most {
		m.taken += n
		return nil, nil
	}
	if m.line > 0 && len(m.waiting) >= m.line {
		return nil, errMemory
	}
	c := &claim{n: n, granted: make(chan struct{})}
	m.waiting = append(m.waiting, c)
	return c, nil
}

// leave takes a claim back; false: it has been granted.
func (m *memory) leave(c *claim) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.waiting, c)
	if i < 0 {
		return false
	}
	m.waiting = slices.Delete(m.waiting, i, i+1)
	m.grant()
	return true
}

// give returns n bytes.
func (m *memory) give(n int64) {
	if n <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken -= n
	m.grant()
}

// grant lets the oldest claims pass. m.mu is held.
func (m *memory) grant() {
	for len(m.waiting) > 0 && m.taken+m.waiting[0].n <= m.most {
		m.taken += m.waiting[0].n
		close(m.waiting[0].granted)
		m.waiting = m.waiting[1:]
	}
}

// inUse returns how much is taken.
func (m *memory) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

// memoryInUse returns how much is taken of all parts.
func (s *Server) memoryInUse() (n int64) {
	for _, m := range []*memory{&s.arriving.memory, &s.memory, &s.middling, &s.large, &s.texts} {
		n += m.inUse()
	}
	return n
}

// tryTake takes n bytes if nobody has to wait for that.
func (m *memory) tryTake(n int64) bool { return m.tryTakeOf(n, m.most) }

// tryTakeOf is tryTake for one who may have no more than a part of all.
func (m *memory) tryTakeOf(n, part int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) > 0 || m.taken+n > part {
		return false
	}
	m.taken += n
	return true
}

// results is the memory as streams take it for their results: those of middling size
// from one part, and those that grow beyond from another, where nobody who has got
// some asks for more. So they cannot wait for each other in a circle.
type results struct{ s *Server }

// Take takes n bytes, or says why not in the client's words. What cannot wait, since it
// has written, is owed.
func (r results) Take(ctx context.Context, n int64, wait bool) (give func(), err error) {
	m := &r.s.middling
	if n > stream.Middling {
		m = &r.s.large
	}
	n = min(n, m.most)
	if !wait {
		m.owe(n)
	} else if err := m.take(ctx, n); err != nil {
		return nil, asError(err)
	}
	return func() { m.give(n) }, nil
}
