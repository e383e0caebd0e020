package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/nearlite/nearlite/sqlite"
)

// blobStore is a place for blobs and a way to them.
type blobStore interface {
	// read reads the blobs of those keys, shows each to check if it is not nil,
	// and returns how many bytes they had. A nil check is for the clock.
	read(ctx context.Context, keys []int, check func(key int, content []byte) error) (int64, error)
	// overwrite gives the blobs of those keys other content of the same size.
	overwrite(ctx context.Context, keys []int) error
	// settle does what a write has left for later: the checkpoint.
	settle(ctx context.Context) error
	close() error
}

// blobRun is one comparison under way.
type blobRun struct {
	*blobSet
	plan   BlobsPlan
	series []*BlobSeries        // one for each store
	open   map[string]blobStore // those that stay open from round to round
}

// measure makes one comparison: a round that does not count, and those that do.
func (s *blobSet) measure(ctx context.Context, plan BlobsPlan) (part BlobsPart, err error) {
	r := &blobRun{blobSet: s, plan: plan, open: map[string]blobStore{}}
	defer func() {
		for _, store := range r.open {
			err = errors.Join(err, store.close())
		}
	}()
	if plan.Write && !plan.JournalOff {
		release, err := r.keepLogs()
		if err != nil {
			return part, err
		}
		defer func() { err = errors.Join(err, release()) }()
	}
	for _, api := range plan.APIs {
		series := &BlobSeries{Store: string(api), place: blobDatabase}
		if api == BlobStore {
			series.place = string(api)
		}
		r.series = append(r.series, series)
	}
	for _, layout := range BlobLayouts {
		r.series = append(r.series, &BlobSeries{Store: string(layout), place: string(layout)})
	}
	for round := range s.Rounds + 1 {
		s.Progress.report(plan.Name+", rounds", int64(round), int64(s.Rounds+1))
		if err := r.round(ctx, round); err != nil {
			return part, err
		}
	}
	s.Progress.report(plan.Name+", rounds", int64(s.Rounds+1), int64(s.Rounds+1))
	return newBlobsPart(r), nil
}

// keepLogs keeps the write-ahead logs when everybody else has closed the
// databases, so that they grow in the round that does not count and are there
// from then on, as in a program that has run for a while, and as the files are.
func (r *blobRun) keepLogs() (release func() error, err error) {
	var conns []*sqlite.Conn
	release = func() error {
		var errs []error
		for _, c := range conns {
			errs = append(errs, c.Close())
		}
		return errors.Join(errs...)
	}
	paths := []string{r.DB}
	if slices.Contains(r.plan.APIs, BlobStore) {
		paths = append(paths, r.storePath())
	}
	for _, path := range paths {
		c, err := sqlite.Open(path, sqlite.OpenReadWrite, "")
		if err != nil {
			return nil, errors.Join(err, release())
		}
		conns = append(conns, c)
		// A connection opens the log when it first reads.
		if err := c.QueryRow("SELECT count(*) FROM sqlite_schema").Err(); err != nil {
			return nil, errors.Join(fmt.Errorf("open the log of %s: %w", path, err), release())
		}
	}
	return release, nil
}

// round has each store do the same, a different one first each time. Round 0
// does not count; what is read in it is compared with what was written.
func (r *blobRun) round(ctx context.Context, round int) error {
	keys := r.keys(round)
	for i := range r.series {
		if err := ctx.Err(); err != nil {
			return err
		}
		series := r.series[(i+round)%len(r.series)]
		if err := r.turn(ctx, series, keys, round == 0); err != nil {
			return fmt.Errorf("%s: %w", series.Store, err)
		}
	}
	return nil
}

// keys are those of one round, the same for every store.
func (r *blobRun) keys(round int) []int {
	keys := make([]int, r.plan.Count)
	random := rand.New(rand.NewPCG(uint64(round), 35))
	for i := range keys {
		switch r.Order {
		case Ascending:
			keys[i] = i % r.Count
		case Descending:
			keys[i] = r.Count - 1 - i%r.Count
		default:
			keys[i] = random.IntN(r.Count)
		}
	}
	return keys
}

// turn is one store's part of a round.
func (r *blobRun) turn(ctx context.Context, series *BlobSeries, keys []int, first bool) (err error) {
	if r.plan.Cold {
		how, err := r.forget()
		if err != nil {
			return fmt.Errorf("forget the files: %w", err)
		}
		series.Forgotten = how
	}
	store, err := r.store(ctx, series)
	if err != nil {
		return err
	}
	if r.plan.Write || r.plan.Cold { // another way to the same database may want it for itself
		defer func() { err = errors.Join(err, store.close()) }()
	} else {
		r.open[series.Store] = store
	}
	runtime.GC()
	if r.plan.Write {
		return r.timeWrites(ctx, series, store, keys, first)
	}
	if first && !r.plan.Cold {
		if err := r.verify(ctx, series, store, ascending(r.Count)); err != nil {
			return err
		}
	}
	return r.timeReads(ctx, series, store, keys, first)
}

func (r *blobRun) store(ctx context.Context, series *BlobSeries) (blobStore, error) {
	if store := r.open[series.Store]; store != nil {
		return store, nil
	}
	switch api := BlobAPI(series.Store); {
	case slices.Contains(BlobLayouts, BlobLayout(series.Store)):
		return r.openFiles(BlobLayout(series.Store), r.plan), nil
	case api == BlobHandle || api == BlobMapped || r.plan.JournalOff:
		return r.openHandle(api, r.plan)
	default:
		return r.openEngine(ctx, api, r.plan)
	}
}

// forget makes the operating system forget all places that hold the blobs.
func (r *blobRun) forget() (how string, err error) {
	places := []string{r.DB, r.dir(Flat), r.dir(Tree)}
	if slices.Contains(r.plan.APIs, BlobStore) {
		places = append(places, r.storePath())
	}
	return forget(r.sparing, places...)
}

func (r *blobRun) timeReads(ctx context.Context, series *BlobSeries, store blobStore, keys []int, first bool) error {
	began, cpu := time.Now(), cpuTime()
	n, err := store.read(ctx, keys, nil)
	took, cpu := time.Since(began), cpuTime()-cpu
	if err != nil {
		return err
	}
	if want := r.bytes(keys); n != want {
		return fmt.Errorf("it read %d bytes, and the blobs have %d", n, want)
	}
	if !first {
		series.add(took, cpu, len(keys))
	}
	return nil
}

// timeWrites stops the clock when the transaction is committed, as the article
// does, and takes the time of the checkpoint apart.
func (r *blobRun) timeWrites(ctx context.Context, series *BlobSeries, store blobStore, keys []int, first bool) error {
	began, cpu := time.Now(), cpuTime()
	if err := store.overwrite(ctx, keys); err != nil {
		return err
	}
	written, cpu := time.Now(), cpuTime()-cpu
	if err := store.settle(ctx); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	settled := time.Now()
	if !first {
		series.add(written.Sub(began), cpu, len(keys))
		series.Settle = append(series.Settle, micros(settled.Sub(written))/float64(len(keys)))
	}
	if first {
		if err := r.verify(ctx, series, store, keys); err != nil {
			return err
		}
	}
	return r.sync()
}

// verify reads blobs and compares them with what was written, where this
// process knows it. It also warms up.
func (r *blobRun) verify(ctx context.Context, series *BlobSeries, store blobStore, keys []int) error {
	versions := r.versions[series.place]
	_, err := store.read(ctx, keys, func(key int, content []byte) error {
		if v := versions[key]; v != unknown && !bytes.Equal(content, r.content(series.place, key, v)) {
			return fmt.Errorf("blob %d is not what was written", key)
		}
		return nil
	})
	return err
}
