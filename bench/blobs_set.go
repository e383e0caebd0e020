package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/nearlite/nearlite"
)

// blobSet is one and the same blobs in a database and in two directories.
type blobSet struct {
	Blobs
	noise []byte // random, so that nothing can be compressed
	// For each blob, how often it was overwritten in each place that holds it;
	// its content follows from that. unknown, when an earlier run left it so.
	versions map[string][]int32
	run      int32 // the versions this run writes lie above it, and are no other run's
}

const unknown = -1

// noiseWindow is from how many places of the noise a blob may begin.
const noiseWindow = 1 << 20

const (
	createBlobsSQL = "CREATE TABLE IF NOT EXISTS kv(k INTEGER PRIMARY KEY, v BLOB)"
	insertBlobSQL  = "INSERT INTO kv(k, v) VALUES (?, ?)"
	readBlobSQL    = "SELECT v FROM kv WHERE k = ?"
	updateBlobSQL  = "UPDATE kv SET v = ? WHERE k = ?"
)

// database names the place that all ways to the database have in common.
const blobDatabase = "database"

// make makes the blobs, or finds them where an earlier run has left them.
func (b Blobs) make(ctx context.Context) (*blobSet, error) {
	s := &blobSet{Blobs: b, noise: make([]byte, noiseWindow+b.Size+b.Variance), versions: map[string][]int32{}, run: rand.Int32N(1 << 30)}
	source := rand.NewChaCha8([32]byte{4})
	source.Read(s.noise)
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	for _, layout := range BlobLayouts {
		if err := s.export(ctx, layout); err != nil {
			return nil, fmt.Errorf("make the files: %w", err)
		}
	}
	if slices.Contains(b.APIs, BlobStore) {
		if err := s.fillStore(ctx); err != nil {
			return nil, fmt.Errorf("fill the store: %w", err)
		}
	}
	return s, b.sync()
}

// mix makes a number that looks random from one that counts.
func mix(n uint64) uint64 {
	n ^= n >> 33
	n *= 0xff51afd7ed558ccd
	n ^= n >> 33
	n *= 0xc4ceb9fe1a85ec53
	return n ^ n>>33
}

// sizeOf returns the size of a blob, which never changes.
func (s *blobSet) sizeOf(key int) int {
	if s.Variance == 0 {
		return s.Size
	}
	return s.Size - s.Variance + int(mix(uint64(key)+1)%uint64(2*s.Variance+1))
}

// content returns what a blob consists of after so many overwrites in a place.
func (s *blobSet) content(place string, key int, version int32) []byte {
	seed := uint64(key)
	for _, c := range []byte(place) {
		seed = seed*31 + uint64(c)
	}
	if version == 0 {
		seed = uint64(key) // the same everywhere
	}
	at := int(mix(seed<<16+uint64(version)) % noiseWindow)
	return s.noise[at : at+s.sizeOf(key)]
}

// rewritten returns new content for a blob, and remembers it. It is not what an
// earlier run has left there: SQLite and package blob do not write what is the same.
func (s *blobSet) rewritten(place string, key int) []byte {
	version := max(s.versions[place][key], s.run) + 1
	s.versions[place][key] = version
	return s.content(place, key, version)
}

// bytes returns how many bytes all blobs of those keys have together.
func (s *blobSet) bytes(keys []int) (n int64) {
	for _, key := range keys {
		n += int64(s.sizeOf(key))
	}
	return n
}

// fill puts the blobs into the database, unless they are there.
func (s *blobSet) fill(ctx context.Context) (err error) {
	if err := refuseOthers(s.DB); err != nil {
		return err
	}
	db, err := nearlite.Open(ctx, s.DB, &nearlite.Options{PageSize: s.PageSize, Durability: nearlite.Normal})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Exec(context.WithoutCancel(ctx), createBlobsSQL); err != nil {
		return fmt.Errorf("create the table: %w", err)
	}
	have, bytes, page, err := s.look(ctx, db)
	if err != nil {
		return err
	}
	known := int32(0)
	switch {
	case have == 0 || s.isPart(have, bytes):
		if err := s.insert(ctx, db, int(have)); err != nil {
			return err
		}
	case have != int64(s.Count) || bytes != s.bytes(ascending(s.Count)):
		return fmt.Errorf("it has %d blobs of %d bytes in all, not %d of %d ± %d: ask for those, or name another file", have, bytes, s.Count, s.Size, s.Variance)
	case s.PageSize != 0 && page != int64(s.PageSize):
		return fmt.Errorf("it has pages of %d bytes, not of %d: name another file", page, s.PageSize)
	default:
		known = unknown
	}
	s.PageSize = int(page)
	s.versions[blobDatabase] = versions(s.Count, known)
	return db.Checkpoint(ctx)
}

// isPart reports whether so many blobs are what a run has left that was stopped
// while it loaded them: the files are made later.
func (s *blobSet) isPart(have, bytes int64) bool {
	if have >= int64(s.Count) || bytes != s.bytes(ascending(int(have))) {
		return false
	}
	_, err := os.Stat(s.dir(Flat))
	return errors.Is(err, os.ErrNotExist)
}

func versions(count int, first int32) []int32 {
	v := make([]int32, count)
	for i := range v {
		v[i] = first
	}
	return v
}

// look returns how many blobs the database has, of how many bytes, in pages of which size.
func (s *blobSet) look(ctx context.Context, db *nearlite.DB) (count, bytes, page int64, err error) {
	err = db.View(ctx, func(tx *nearlite.ReadTx) error {
		row := tx.QueryRow("SELECT count(*), coalesce(sum(length(v)), 0), (SELECT page_size FROM pragma_page_size) FROM kv")
		if row.Err() == nil {
			count, bytes, page = row.Int64(0), row.Int64(1), row.Int64(2)
		}
		return row.Err()
	})
	return count, bytes, page, err
}

func (s *blobSet) insert(ctx context.Context, db *nearlite.DB, from int) error {
	return s.inSteps(ctx, "loading blobs", from, func(ctx context.Context, from, to int) error {
		return db.Update(ctx, func(tx *nearlite.WriteTx) error {
			for key := from; key < to; key++ {
				if _, err := tx.Exec(insertBlobSQL, key, s.content(blobDatabase, key, 0)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// dir returns the directory of a layout.
func (b Blobs) dir(layout BlobLayout) string { return b.DB + "." + string(layout) }

// export writes every blob to its file, unless the last of them is there.
func (s *blobSet) export(ctx context.Context, layout BlobLayout) error {
	place, names := string(layout), newBlobNames(s.dir(layout), layout)
	if info, err := os.Stat(names.of(s.Count - 1)); err == nil {
		if info.Size() != int64(s.sizeOf(s.Count-1)) {
			return fmt.Errorf("%s has other blobs: delete it, or name another database", s.dir(layout))
		}
		s.versions[place] = versions(s.Count, unknown)
		return nil
	}
	for key := range s.Count {
		if key%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return &LoadStopped{Rows: "files in " + s.dir(layout), Done: int64(key), Total: int64(s.Count), cause: err}
			}
			s.Progress.report("writing files, "+place, int64(key), int64(s.Count))
		}
		name := names.of(key)
		if layout == Tree && key%100 == 0 || key == 0 {
			if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
				return err
			}
		}
		if err := os.WriteFile(name, s.content(place, key, 0), 0o666); err != nil {
			return err
		}
	}
	s.Progress.report("writing files, "+place, int64(s.Count), int64(s.Count))
	s.versions[place] = versions(s.Count, 0)
	return nil
}

// ascending returns 0, 1, 2, … n-1.
func ascending(n int) []int {
	keys := make([]int, n)
	for i := range keys {
		keys[i] = i
	}
	return keys
}
