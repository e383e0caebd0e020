package bench

import "slices"

// Sync is when a write has to be on disk.
type Sync string

const (
	// SyncOff is never: the operating system writes when it likes to.
	SyncOff Sync = "off"
	// SyncNormal is before a checkpoint overwrites the database, so that a power
	// cut takes the last transactions and never the database. Files are left to
	// the operating system: they have nothing in between.
	SyncNormal Sync = "normal"
	// SyncFull is when the transaction is over, or the file is closed.
	SyncFull Sync = "full"
)

// BlobsPlan is one comparison: the same keys, in the database by each API and in
// files in each layout, in turns.
type BlobsPlan struct {
	Name       string    `json:"name"`
	Chart      []int     `json:"article_charts,omitempty"` // what the article calls it
	Write      bool      `json:"write"`
	Sync       Sync      `json:"sync"`
	MultiTrans bool      `json:"transaction_each"`
	Cold       bool      `json:"cold"`
	JournalOff bool      `json:"journal_off"`
	APIs       []BlobAPI `json:"apis"`
	Count      int       `json:"blobs_per_round"`
}

func (p BlobsPlan) journal() string {
	if p.JournalOff {
		return "OFF"
	}
	return "WAL"
}

// tenth is what the article overwrites of its blobs, "because writes are so much
// slower than reads".
func tenth(n int) int { return (n + 9) / 10 }

// plans are the comparisons of a run.
func (b Blobs) plans() []BlobsPlan {
	if b.Article {
		return b.article()
	}
	sync := SyncNormal
	switch {
	case b.NoSync:
		sync = SyncOff
	case b.Fsync:
		sync = SyncFull
	}
	plan := BlobsPlan{Name: "reads", Sync: sync, MultiTrans: b.MultiTrans, Cold: b.Cold, APIs: b.APIs, Count: b.Count}
	plans := []BlobsPlan{plan}
	if b.Update {
		plan.Name, plan.Write, plan.Count = "overwrites", true, tenth(b.Count)
		plans = append(plans, plan)
	}
	return plans
}

// article is what the article measures, or says without a chart.
func (b Blobs) article() []BlobsPlan {
	few := tenth(b.Count)
	fewest := tenth(few)
	sql := []BlobAPI{BlobUnmapped}
	engine := slices.DeleteFunc(slices.Clone(b.APIs), func(api BlobAPI) bool { return api == BlobHandle || api == BlobMapped })
	if len(engine) == 0 {
		engine = sql
	}
	return []BlobsPlan{
		{Name: "reads", Chart: []int{1, 2, 3}, Sync: SyncNormal, APIs: b.APIs, Count: b.Count},
		{Name: "reads, a transaction each", Sync: SyncNormal, MultiTrans: true, APIs: b.APIs, Count: b.Count},
		{Name: "overwrites", Chart: []int{4}, Write: true, Sync: SyncNormal, APIs: b.APIs, Count: few},
		{Name: "overwrites, no journal, no sync", Chart: []int{5}, Write: true, Sync: SyncOff, JournalOff: true, APIs: sql, Count: few},
		{Name: "overwrites, on disk", Write: true, Sync: SyncFull, APIs: engine, Count: few},
		{Name: "overwrites, a transaction each", Write: true, Sync: SyncNormal, MultiTrans: true, APIs: engine, Count: few},
		{Name: "overwrites, a transaction each, on disk", Write: true, Sync: SyncFull, MultiTrans: true, APIs: engine, Count: fewest},
		{Name: "cold reads", Sync: SyncNormal, Cold: true, APIs: b.APIs, Count: few},
	}
}
