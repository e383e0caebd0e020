package server

import (
	"context"
	"errors"
	"sync"
	"time"
)

// memory bounds what requests and answers take together, so that a thousand large
// ones at a time wait for each other instead of ending the process. What is small
// is not counted: connections are, and each has one request at a time.
type memory struct {
	most int64

	mu      sync.Mutex // protects the following
	taken   int64
	waiting []*claim // the oldest first
}

// A claim waits for memory.
type claim struct {
	n       int64
	granted chan struct{}
}

const (
	// small is what a request or an answer may take without being counted.
	small = 16 << 10
	// memoryPatience is how long one waits for others to finish.
	memoryPatience = 5 * time.Second
)

// errMemory is returned when others have taken what there is.
var errMemory = errors.New("the memory for requests and answers is in use: try again")

// take waits for n bytes. What is larger than everything waits until it is alone.
func (m *memory) take(ctx context.Context, n int64) error {
	if n = min(n, m.most); n <= 0 {
		return nil
	}
	c := m.enter(n)
	if c == nil {
		return nil
	}
	timer := time.NewTimer(memoryPatience)
	defer timer.Stop()
	var err error
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = errMemory
	}
	if m.leave(c) {
		return err
	}
	return nil // granted in the last moment
}

// owe takes n bytes at once, also such as are not there: for what has been done
// already, and whose answer must not look as if it could be tried again.
func (m *memory) owe(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken += n
}

// enter takes n bytes, or returns the claim to wait for. Nobody overtakes.
func (m *memory) enter(n int64) *claim {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 && m.taken+n <= m.most {
		m.taken += n
		return nil
	}
	c := &claim{n: n, granted: make(chan struct{})}
	m.waiting = append(m.waiting, c)
	return c
}

// leave takes a claim back; false: it has been granted.
func (m *memory) leave(c *claim) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, other := range m.waiting {
		if other == c {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			m.grant()
			return true
		}
	}
	return false
}

// give returns n bytes.
func (m *memory) give(n int64) {
	if n = min(n, m.most); n <= 0 {
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

// tryTake takes n bytes if nobody has to wait for that.
func (m *memory) tryTake(n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) > 0 || m.taken+n > m.most {
		return false
	}
	m.taken += n
	return true
}

// results is the memory as streams take it for their results.
type results struct{ *memory }

// Take takes n bytes, or says why not in the client's words. What cannot wait, since it
// has written, is owed.
func (m results) Take(ctx context.Context, n int64, wait bool) error {
	switch {
	case !wait:
		m.owe(n)
		return nil
	case n > m.most:
		return asError(errMemory)
	}
	if err := m.take(ctx, n); err != nil {
		return asError(err)
	}
	return nil
}

// Give gives n bytes back.
func (m results) Give(n int64) { m.give(n) }
