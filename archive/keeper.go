package archive

import (
	"context"
	"sync"
	"time"
)

// How often the hint is written while entries come in: after so many, but not more
// often than; and after so long, if there were fewer.
const (
	hintEntries = 100
	hintEvery   = time.Second
	hintLatest  = 30 * time.Second
)

// A keeper does what an archive does in the background: it writes the hint, and
// maintains the objects if it is asked to. It sleeps while nothing is appended.
type keeper struct {
	a      *Archive
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	done   sync.WaitGroup

	mu      sync.Mutex // guards the following
	running bool
	eager   bool // to hear of the next entry
	news    news // since it was last looked at
}

// news is what was appended.
type news struct {
	entries int64
	bytes   int64
}

func (k *keeper) init(a *Archive) {
	k.a = a
	k.ctx, k.cancel = context.WithCancel(context.Background())
	k.wake = make(chan struct{}, 1)
}

// appended takes note of an entry. It wakes the keeper only if that has something to
// begin with it, or if there are enough for another hint.
func (k *keeper) appended(o Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.news.entries++
	k.news.bytes += o.Size
	if !k.running {
		k.running = k.ctx.Err() == nil
		if k.running {
			k.done.Go(k.run)
		}
	}
	if k.eager || k.news.entries == hintEntries {
		k.eager = false
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

func (k *keeper) take() news {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.news
	k.news = news{}
	return n
}

// close ends the background, and writes the last hint if that is quickly done.
func (k *keeper) close() {
	k.cancel()
	k.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	k.hint(ctx)
}

// run is the background's one goroutine.
func (k *keeper) run() {
	m := newMaintenance(k.a)
	hinted := time.Now() // or tried to
	timer := time.NewTimer(0)
	defer timer.Stop()
	var unhinted int64
	for {
		n := k.take()
		unhinted += n.entries
		now := time.Now()
		m.appended(n, now)
		if unhinted > 0 && !now.Before(hintDue(hinted, unhinted)) {
			k.hint(k.ctx)
			hinted, unhinted = now, 0
		}
		m.run(k.ctx, now)
		next := m.due()
		if unhinted > 0 {
			next = sooner(next, hintDue(hinted, unhinted))
		}
		if k.sleep(timer, next, unhinted == 0 || m.idle()) != nil {
			return
		}
	}
}

func hintDue(last time.Time, entries int64) time.Time {
	if entries >= hintEntries {
		return last.Add(hintEvery)
	}
	return last.Add(hintLatest)
}

// sooner is the earlier of two times, of which one may be never: zero.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// sleep waits until a time, if it is not zero, or, if it is eager, until something
// was appended. It returns an error when it is all over.
func (k *keeper) sleep(timer *time.Timer, until time.Time, eager bool) error {
	timer.Stop()
	var tick <-chan time.Time
	k.mu.Lock()
	news := k.news.entries > 0
	k.eager = eager && !news
	k.mu.Unlock()
	if eager && news {
		return k.ctx.Err()
	}
	if !until.IsZero() {
		timer.Reset(time.Until(until))
		tick = timer.C
	}
	select {
	case <-k.ctx.Done():
	case <-k.wake:
	case <-tick:
	}
	return k.ctx.Err()
}

// hint writes where the log ends, if that is news. It is no matter if it fails.
func (k *keeper) hint(ctx context.Context) {
	a := k.a
	a.mu.Lock()
	head, news := a.head, a.known && a.wrote > a.hinted
	a.mu.Unlock()
	if !news {
		return
	}
	if _, err := a.writeHint(ctx, head); err == nil {
		a.mu.Lock()
		a.hinted = head.TXID
		a.mu.Unlock()
	}
}
