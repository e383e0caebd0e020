package shell

import (
	"context"
	"sync"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// brakes stop a write when Ctrl-C is pressed. The engine interrupts reads itself,
// but lets a write finish, since that would take its neighbours along; in a shell
// it has none.
type brakes struct {
	mu    sync.Mutex // protects the following
	conns []*sqlite.Conn
}

// connected is the engine's OnConnect. Readers are left alone: an interrupt that
// comes when they do nothing would hit their next query.
func (b *brakes) connected(c *sqlite.Conn) error {
	reader := c.QueryRow("PRAGMA query_only")
	if err := reader.Err(); err != nil || reader.Bool(0) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns = append(b.conns, c)
	return nil
}

// again is how long an interrupt waits for the next. One that comes before the
// statement has begun is lost.
const again = 10 * time.Millisecond

// on lets the end of ctx stop what is written, until release is called.
func (b *brakes) on(ctx context.Context) (release func()) {
	released, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-released:
			return
		case <-ctx.Done():
		}
		tick := time.NewTicker(again)
		defer tick.Stop()
		for {
			b.interrupt()
			select {
			case <-released:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(released)
		<-done
	}
}

func (b *brakes) interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		c.Interrupt() // a closed one does not mind
	}
}
