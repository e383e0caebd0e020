package shell

import (
	"context"
	"sync"

	"github.com/nearlite/nearlite/sqlite"
)

// brakes stop whatever the database does when Ctrl-C is pressed. The engine
// interrupts reads itself, but lets a write finish, since that would take its
// neighbours along; in a shell it has none.
type brakes struct {
	mu    sync.Mutex // protects the following
	conns []*sqlite.Conn
}

// connected is the engine's OnConnect.
func (b *brakes) connected(c *sqlite.Conn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns = append(b.conns, c)
	return nil
}

// on lets the end of ctx stop every connection, until release is called.
func (b *brakes) on(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.conns {
			c.Interrupt() // a closed one does not mind
		}
	})
	return func() { stop() }
}
