package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
)

// SweepPoint is one size of blobs.
type SweepPoint struct {
	Size   int          `json:"size"`
	Count  int          `json:"count"`
	Ratio  BlobRatios   `json:"read_ratio"`
	Series []BlobSeries `json:"series"`
}

// The sweep's sizes double from one to the other.
const (
	sweepFrom = 1 << 10
	sweepTo   = 1 << 20
)

// sweep reads blobs of every size, warm and in random order, to find the one at
// which files become faster. The blobs are made for it and removed.
func (b Blobs) sweep(ctx context.Context, report *BlobsReport) error {
	for bytes := sweepFrom; bytes <= sweepTo; bytes *= 2 {
		point, err := b.sweepAt(ctx, bytes)
		if err != nil {
			return fmt.Errorf("blobs of %s: %w", size(int64(bytes)), err)
		}
		report.Sweep = append(report.Sweep, point)
	}
	report.Crossover = map[BlobAPI]Crossover{}
	for _, api := range b.APIs {
		report.Crossover[api] = crossover(report.Sweep, api)
	}
	return nil
}

// sweepBytes is how much all blobs of one size have together, unless they would
// be too many or too few.
const sweepBytes = 128 << 20

func (b Blobs) sweepAt(ctx context.Context, bytes int) (point SweepPoint, err error) {
	small := b
	small.DB = fmt.Sprintf("%s.sweep-%d", b.DB, bytes)
	small.Size, small.Variance, small.Order, small.Progress = bytes, 0, Random, nil
	small.Count = min(max(sweepBytes/bytes, 128), 20_000, max(b.Count, 1))
	defer func() { err = errors.Join(err, small.remove()) }()
	if err := small.remove(); err != nil {
		return point, err
	}
	set, err := small.make(ctx)
	if err != nil {
		return point, err
	}
	// Few blobs are read more than once, so that a round takes long enough.
	reads := min(max(sweepBytes/bytes, 2000), 20_000, 4*max(b.Count, 1))
	part, err := set.measure(ctx, BlobsPlan{Name: "reads", Sync: SyncNormal, APIs: b.APIs, Count: reads})
	b.Progress.report("blobs of "+size(int64(bytes)), 1, 1)
	return SweepPoint{Size: bytes, Count: small.Count, Ratio: part.Ratio, Series: part.Series}, err
}

// remove deletes the database and the files.
func (b Blobs) remove() error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		errs = append(errs, os.RemoveAll(b.DB+suffix), os.RemoveAll(b.storePath()+suffix))
	}
	for _, layout := range BlobLayouts {
		errs = append(errs, os.RemoveAll(b.dir(layout)))
	}
	return errors.Join(errs...)
}

// A Crossover is the size of blobs at which files become as fast as the database.
type Crossover struct {
	Where Where `json:"where"`
	Bytes int64 `json:"bytes"`
}

// Where says what is known of it: it may lie outside the sizes measured.
type Where string

// Files were faster at every size (Below), at none (Above), or from about that
// size on (At).
const (
	Below Where = "below"
	At    Where = "at"
	Above Where = "above"
)

// String says it in words.
func (c Crossover) String() string {
	if c.Where == At {
		return "about " + size(c.Bytes)
	}
	return string(c.Where) + " " + size(c.Bytes)
}

// crossover looks for the last size at which the database is faster than files
// in a flat directory, and goes on from there to where a line through that and
// the next, over the logarithm of the size, crosses one.
func crossover(points []SweepPoint, api BlobAPI) Crossover {
	last := -1
	for i, p := range points {
		if p.Ratio[api][Flat] >= 1 {
			last = i
		}
	}
	switch {
	case last < 0:
		return Crossover{Below, int64(points[0].Size)}
	case last == len(points)-1:
		return Crossover{Above, int64(points[last].Size)}
	}
	high, low := points[last], points[last+1]
	part := (high.Ratio[api][Flat] - 1) / (high.Ratio[api][Flat] - low.Ratio[api][Flat])
	from, to := math.Log2(float64(high.Size)), math.Log2(float64(low.Size))
	return Crossover{At, int64(math.Exp2(from + part*(to-from)))}
}
