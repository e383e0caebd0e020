package nearlite

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stats are the numbers an operator wants to see. Counters count from Open.
type Stats struct {
	Transactions uint64 // answered by the writer, failed ones included; Exclusive and Checkpoint are none
	Commits      uint64 // batches committed: Transactions / Commits is the mean batch
	Reruns       uint64 // transactions run again: a neighbour in the batch failed, or SQLite threw all of them away
	QueueDepth   int    // transactions waiting now

	BatchSize  Histogram // transactions in each batch committed
	CommitTime Histogram // from the COMMIT of a batch to the disk's answer
	QueueWait  Histogram // how long the first of each 64 callers or fewer waited for the writer

	Readers         int           // reader connections open now
	BusyReaders     int           // of them in use now
	OldestSnapshot  time.Duration // age of the oldest View running now
	ExpiredSnapshot uint64        // Views whose snapshot was taken away

	WALBytes            int64         // size of the WAL's valid part after the last commit
	Checkpoints         uint64        // times the writer finished a checkpoint
	CheckpointPause     time.Duration // how long it took the last time
	CheckpointPauseMean time.Duration
	CheckpointPauseMax  time.Duration
	MmapSize            int64 // bytes each reader may map; 0: none

	LogTXID  uint64        // the last entry in the log; 0: there is none
	LogLag   time.Duration // age of the oldest commit that is not in the log
	LogError error         // what the log answered last, if it was an error
}

// counters are what Stats is made of.
type counters struct {
	transactions, commits, reruns, expired atomic.Uint64

	batchSize  sizes
	commitTime durations
	queueWait  durations

	mu               sync.Mutex // protects the following
	checkpoints      uint64
	last, total, max time.Duration
}

func (c *counters) checkpoint(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkpoints++
	c.last, c.total, c.max = took, c.total+took, max(c.max, took)
}

// Stats returns the database's numbers of this moment.
func (db *DB) Stats() Stats {
	s := Stats{
		Transactions:    db.stats.transactions.Load(),
		Commits:         db.stats.commits.Load(),
		Reruns:          db.stats.reruns.Load(),
		QueueDepth:      int(db.writer.q.contended.Load()),
		Readers:         len(db.readers.list()),
		BatchSize:       db.stats.batchSize.histogram(),
		CommitTime:      db.stats.commitTime.histogram(),
		QueueWait:       db.stats.queueWait.histogram(),
		ExpiredSnapshot: db.stats.expired.Load(),
		WALBytes:        db.checkpointer.walBytes.Load(),
		MmapSize:        db.mmap,
	}
	s.OldestSnapshot, s.BusyReaders = db.readers.oldest()
	if db.ship != nil {
		s.LogTXID, s.LogLag, s.LogError = db.ship.stats()
	}
	c := &db.stats
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Checkpoints, s.CheckpointPause, s.CheckpointPauseMax = c.checkpoints, c.last, c.max
	if c.checkpoints > 0 {
		s.CheckpointPauseMean = c.total / time.Duration(c.checkpoints)
	}
	return s
}
