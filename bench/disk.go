package bench

import "fmt"

// CacheUse is how a page cache did.
type CacheUse struct {
	Hits    uint64  `json:"hits"`
	Misses  uint64  `json:"misses"`
	HitRate float64 `json:"hit_rate"` // of all pages asked for
}

func newCacheUse(hits, misses uint32) *CacheUse {
	all := uint64(hits) + uint64(misses)
	return &CacheUse{Hits: uint64(hits), Misses: uint64(misses), HitRate: ratio(uint64(hits), all)}
}

// DiskUse is what this process made the disk do. It is the honest measure of
// what no cache held: a page that is read from a mapping, or that the system has
// in memory, passes SQLite's own counters by.
type DiskUse struct {
	ReadBytes   int64 `json:"read_bytes"`   // fetched from the disk, by reads and by page faults
	WriteBytes  int64 `json:"write_bytes"`  // sent towards it
	MajorFaults int64 `json:"major_faults"` // touches of a mapping that had to wait for it
}

func (d DiskUse) since(before DiskUse) DiskUse {
	return DiskUse{
		ReadBytes:   d.ReadBytes - before.ReadBytes,
		WriteBytes:  d.WriteBytes - before.WriteBytes,
		MajorFaults: d.MajorFaults - before.MajorFaults,
	}
}

// String says it in words.
func (d DiskUse) String() string {
	return fmt.Sprintf("%s read, %s written, %s major page faults", size(d.ReadBytes), size(d.WriteBytes), grouped(d.MajorFaults))
}
