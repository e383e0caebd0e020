package sqlite

// #include "port.h"
import "C"

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// ErrRevoked is returned by a reader whose snapshot was taken away by [Conn.Revoke].
var ErrRevoked = errors.New("sqlite: the snapshot was revoked")

// A turn says who may call into C on a reader's connection. Its owner does,
// call by call; between two calls somebody else may revoke the snapshot, so that
// a reader that sits on an old one cannot stop the WAL from starting again.
//
//	free ──enter──▶ inCall ──leave──▶ free
//	free ──Revoke──▶ revoking ──▶ revoked ──Restore──▶ free
type turn struct {
	on    bool // the connection is a reader that holds snapshots
	state atomic.Uint32
	count uint32 // of revokes; whoever has the turn may read it
}

const (
	turnFree uint32 = iota
	turnInCall
	turnRevoking
	turnRevoked
)

// enter begins a call; on an error no call may be made.
func (t *turn) enter() error {
	if !t.on {
		return nil
	}
	return t.take()
}

func (t *turn) take() error {
	for !t.state.CompareAndSwap(turnFree, turnInCall) {
		switch t.state.Load() {
		case turnRevoked:
			return ErrRevoked
		case turnInCall:
			return nil // a call from a callback of the call under way
		}
		runtime.Gosched()
	}
	return nil
}

// hold is enter for a call that frees something and must be made after a revoke, too.
func (t *turn) hold() {
	if t.on {
		t.take()
	}
}

// leave ends a call that enter or hold began.
func (t *turn) leave() {
	if t.on {
		t.state.CompareAndSwap(turnInCall, turnFree)
	}
}

// Revoke takes the snapshot away from the connection's owner: it waits for a
// call under way, interrupting it, then ends all statements and drops the
// snapshot. Every further query fails with [ErrRevoked] until Restore. Rows
// already fetched stay readable. It may be called from any goroutine, on a
// connection prepared by HoldSnapshots, and reports false when the connection
// was revoked already or the call did not end within the time given.
func (c *Conn) Revoke(wait time.Duration) bool {
	deadline := time.Now().Add(wait)
	for !c.turn.state.CompareAndSwap(turnFree, turnRevoking) {
		if c.turn.state.Load() != turnInCall || time.Now().After(deadline) {
			return false
		}
		c.Interrupt()
		time.Sleep(100 * time.Microsecond)
	}
	c.turn.count++
	c.endBlobs()
	C.nl_end_statements(c.addr)
	C.nl_snapshot_drop(c.addr)
	c.turn.state.Store(turnRevoked)
	return true
}

// Revoked reports whether the snapshot was taken away.
func (c *Conn) Revoked() bool { return c.turn.state.Load() == turnRevoked }

// Restore makes a revoked connection usable again. Only its owner calls it,
// when no cursor is open.
func (c *Conn) Restore() { c.turn.state.CompareAndSwap(turnRevoked, turnFree) }
