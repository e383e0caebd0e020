package bench

import (
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
	cpu                time.Duration
	allocs             uint64
	transfers, commits uint64
	worked, took       time.Duration // until the callers were done, and until the checkpoint was
	busyRetries        uint64

	stopping chan struct{}
	watching sync.WaitGroup
	walMax   int64 // belongs to the watching goroutine until it has returned
}

// startMeter starts the clock.
func startMeter(l Ledger, system ledgerSystem) *meter {
	m := &meter{ledger: l, system: system, stopping: make(chan struct{})}
	m.watching.Go(m.watch)
	m.transfers, m.commits = system.counts()
	m.allocs, m.cpu, m.began = allocs(), cpuTime(), time.Now()
	return m
}

// callersDone notes that the callers have all been answered.
func (m *meter) callersDone() { m.worked = time.Since(m.began) }

// stop stops the clock.
func (m *meter) stop() {
	m.took = time.Since(m.began)
	m.cpu, m.allocs = cpuTime()-m.cpu, allocs()-m.allocs
	transfers, commits := m.system.counts()
	m.transfers, m.commits = transfers-m.transfers, commits-m.commits
	if peer, ok := m.system.(interface{ busyRetries() uint64 }); ok {
		m.busyRetries = peer.busyRetries()
	}
	close(m.stopping)
	m.watching.Wait()
}

// watch notes how large the write-ahead log grows.
func (m *meter) watch() {
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		m.walMax = max(m.walMax, walSize(m.ledger.DB))
		select {
		case <-ticks.C:
		case <-m.stopping:
			return
		}
	}
}

// allocs returns how many objects this process has allocated.
func allocs() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}
