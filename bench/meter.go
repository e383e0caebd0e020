package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// meter watches a run of the ledger from outside its callers.
type meter struct {
	ledger Ledger
	system ledgerSystem
	began  time.Time

	// Readings at the beginning, and what was used since when it has stopped.
	cpu          time.Duration
	allocs       uint64
	commits      uint64
	disk         DiskUse
	worked, took time.Duration // until the callers were done, and until the checkpoint was

	stopping chan struct{}
	watching sync.WaitGroup

	// These belong to the watching goroutine until it has returned.
	walMax int64
	pauses histogram // of the engine's checkpoints
	seen   uint64    // checkpoints until the last look
}

// startMeter starts the clock.
func startMeter(ctx context.Context, l Ledger, system ledgerSystem) (*meter, error) {
	m := &meter{ledger: l, system: system, stopping: make(chan struct{})}
	if system, ok := system.(interface {
		forgetCache(context.Context) error
	}); ok {
		if err := system.forgetCache(ctx); err != nil {
			return nil, fmt.Errorf("empty the writer's cache: %w", err)
		}
	}
	if system, ok := system.(pauser); ok {
		m.seen, _ = system.lastPause()
	}
	m.watching.Go(m.watch)
	m.commits = system.commits()
	m.disk = diskUse()
	m.allocs, m.cpu, m.began = allocs(), cpuTime(), time.Now()
	return m, nil
}

// callersDone notes that the callers have all been answered. The watching ends:
// a checkpoint after them keeps nobody waiting.
func (m *meter) callersDone() {
	m.worked, m.commits = time.Since(m.began), m.system.commits()-m.commits
	close(m.stopping)
	m.watching.Wait()
}

// stop stops the clock.
func (m *meter) stop() {
	m.took = time.Since(m.began)
	m.cpu, m.allocs = cpuTime()-m.cpu, allocs()-m.allocs
	m.disk = diskUse().since(m.disk)
}

// pauser is a system that says what its checkpoints cost its callers.
type pauser interface {
	// lastPause returns the number of checkpoints so far and how long the last
	// of them kept transfers waiting.
	lastPause() (checkpoints uint64, pause time.Duration)
}

// watch notes how large the write-ahead log grows, and how long checkpoints take.
func (m *meter) watch() {
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		m.look()
		select {
		case <-ticks.C:
		case <-m.stopping:
			return
		}
	}
}

// look is often enough for checkpoints, which a system makes every few seconds.
func (m *meter) look() {
	m.walMax = max(m.walMax, walSize(m.ledger.DB))
	if system, ok := m.system.(pauser); ok {
		if n, pause := system.lastPause(); n != m.seen {
			m.seen = n
			m.pauses.record(pause)
		}
	}
}

// allocs returns how many objects this process has allocated.
func allocs() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}
