package sqlite

// #include "port.h"
import "C"

// Pause makes the statement that runs on the connection, and those after it, wait
// until Pause(false); it does nothing to one that is not asked for more, or has been
// interrupted. With it, statements that run for long take turns: when there are more
// of them than processors, each would have to wait for all others, and so would
// everything else that the process does.
//
// It may be called from any goroutine while the connection is open, by one at a time.
// A connection is paused when it is not in use at the peril of its next user.
func (c *Conn) Pause(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		return
	}
	paused := C.int(0)
	if on {
		paused = 1
	}
	C.nl_pause(c.addr, paused)
}
