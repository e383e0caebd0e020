package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/nearlite/nearlite/sqlite"
)

// BlobsDisk is what takes how much of the disk, padding included, as du counts.
type BlobsDisk struct {
	Content  int64                  `json:"content_bytes"` // the blobs themselves
	Database int64                  `json:"database_bytes"`
	Store    int64                  `json:"store_bytes,omitempty"` // the database of package blob, names and checksums included
	Files    map[BlobLayout]int64   `json:"files_bytes"`
	Less     map[BlobLayout]float64 `json:"database_less_percent"` // by how much the database takes less
	ByPage   []PageUsage            `json:"by_page_size,omitempty"`
}

// PageUsage is what a blob takes in a database with pages of some size.
type PageUsage struct {
	PageSize int     `json:"page_size"`
	PerBlob  float64 `json:"bytes_per_blob"`
	Less     float64 `json:"less_percent"` // than in a file
	// The same for blobs that all have the mean size: to that the article's own
	// figure belongs, for its files have three blocks each, without exception.
	EqualPerBlob float64 `json:"equal_bytes_per_blob"`
	EqualLess    float64 `json:"equal_less_percent"`
}

// disk measures what the database and the files take of the disk.
func (s *blobSet) disk(ctx context.Context) (d BlobsDisk, err error) {
	if err := s.truncateLog(ctx); err != nil {
		return d, err
	}
	if err := s.sync(); err != nil {
		return d, err
	}
	d = BlobsDisk{Content: s.bytes(ascending(s.Count)), Files: map[BlobLayout]int64{}, Less: map[BlobLayout]float64{}}
	if d.Database, err = diskUsage(s.DB); err != nil {
		return d, err
	}
	if slices.Contains(s.APIs, BlobStore) {
		if d.Store, err = diskUsage(s.storePath()); err != nil {
			return d, err
		}
	}
	for _, layout := range BlobLayouts {
		if d.Files[layout], err = diskUsage(s.dir(layout)); err != nil {
			return d, err
		}
		d.Less[layout] = less(float64(d.Database), float64(d.Files[layout]))
	}
	if s.Article {
		d.ByPage, err = s.byPageSize(ctx)
	}
	return d, err
}

func less(database, files float64) float64 { return 100 * (1 - database/files) }

// truncateLog leaves no write-ahead log behind, which would be counted neither
// here nor there.
func (s *blobSet) truncateLog(ctx context.Context) error {
	h, err := s.openHandle(BlobHandle, BlobsPlan{Sync: SyncNormal})
	if err != nil {
		return err
	}
	if err := h.settle(ctx); err != nil {
		return errors.Join(fmt.Errorf("checkpoint: %w", err), h.close())
	}
	return h.close()
}

// byPageSize fills small databases with pages of every size.
func (s *blobSet) byPageSize(ctx context.Context) (usages []PageUsage, err error) {
	count := min(s.Count, 10_000)
	equal := *s
	equal.Variance = 0
	files, err := s.fileUsage(count)
	if err != nil {
		return nil, err
	}
	equalFile, err := equal.sampleUsage()
	if err != nil {
		return nil, err
	}
	for page := 1 << 10; page <= 1<<16; page *= 2 {
		u := PageUsage{PageSize: page}
		if u.PerBlob, err = s.perBlob(page, count); err != nil {
			return nil, err
		}
		if u.EqualPerBlob, err = equal.perBlob(page, count); err != nil {
			return nil, err
		}
		u.Less, u.EqualLess = less(u.PerBlob, files), less(u.EqualPerBlob, equalFile)
		usages = append(usages, u)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return usages, nil
}

// perBlob fills a database for the purpose and returns what a blob takes in it.
func (s *blobSet) perBlob(page, count int) (_ float64, err error) {
	path := s.DB + ".pages"
	defer func() { err = errors.Join(err, os.RemoveAll(path)) }()
	if err := s.fillPlain(path, page, count); err != nil {
		return 0, fmt.Errorf("pages of %d: %w", page, err)
	}
	bytes, err := diskUsage(path)
	return float64(bytes) / float64(count), err
}

func (s *blobSet) fillPlain(path string, page, count int) (err error) {
	conn, err := sqlite.Open(path, sqlite.OpenReadWrite|sqlite.OpenCreate, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.Exec(fmt.Sprintf("PRAGMA page_size = %d; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; %s", page, createBlobsSQL)); err != nil {
		return err
	}
	return conn.Transaction(func() error {
		for key := range count {
			if err := conn.Exec(insertBlobSQL, key, s.content(blobDatabase, key, 0)); err != nil {
				return err
			}
		}
		return nil
	})
}

// fileUsage returns what one of the first files takes on the average.
func (s *blobSet) fileUsage(count int) (float64, error) {
	var total int64
	names := newBlobNames(s.dir(Flat), Flat)
	for key := range count {
		n, err := diskUsage(names.of(key))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return float64(total) / float64(count), nil
}

// sampleUsage returns what a file of the mean size takes.
func (s *blobSet) sampleUsage() (_ float64, err error) {
	path := s.DB + ".sample"
	defer func() { err = errors.Join(err, os.RemoveAll(path)) }()
	if err := os.WriteFile(path, s.content(blobDatabase, 0, 0), 0o666); err != nil {
		return 0, err
	}
	if err := s.sync(); err != nil { // a file has its blocks when it is written out
		return 0, err
	}
	n, err := diskUsage(path)
	return float64(n), err
}
