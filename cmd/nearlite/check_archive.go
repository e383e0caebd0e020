package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/wal"
)

// pages reads a database page by page, as of one moment.
type pages struct {
	count uint32
	size  int
	read  func(number uint32, page []byte) error
	close func() error
}

// pages opens the database to be read page by page: the file itself when nobody has
// it open, else a snapshot.
func (c *checking) pages() (*pages, error) {
	if !c.resting {
		snap, err := wal.TakeSnapshot(c.conn)
		if err != nil {
			return nil, err
		}
		return &pages{snap.Pages(), snap.PageSize(), snap.Page, func() error { return c.conn.Exec("ROLLBACK") }}, nil
	}
	count, err := c.number("PRAGMA page_count")
	if err != nil {
		return nil, err
	}
	size, err := c.number("PRAGMA page_size")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(c.path) // nobody has it open, so that no locks are lost
	if err != nil {
		return nil, err
	}
	return &pages{uint32(count), int(size), func(number uint32, page []byte) error {
		_, err := f.ReadAt(page, int64(number-1)*size)
		return err
	}, f.Close}, nil
}

// sum is the exclusive or of the checksums of all pages.
func (p *pages) sum(ctx context.Context, progress func(done, total int64)) (sum uint64, err error) {
	page := make([]byte, p.size)
	lock := ltx.LockPgno(uint32(p.size))
	for n := uint32(1); n <= p.count; n++ {
		if n == lock {
			continue
		}
		if err := p.read(n, page); err != nil {
			return 0, fmt.Errorf("read page %d: %w", n, err)
		}
		sum ^= uint64(ltx.ChecksumPage(n, page))
		if n%1024 == 0 {
			progress(int64(n), int64(p.count))
			if ctx.Err() != nil {
				return 0, context.Cause(ctx)
			}
		}
	}
	return sum, nil
}

// compare compares the database with its archive: by one sum, and page by page if
// that differs.
func (c *CheckCmd) compare(ctx context.Context, check *checking) (err error) {
	name := c.ArchiveDB
	store, err := openStore(ctx, c.Archive, true)
	if err != nil {
		return err
	}
	defer store.Close()
	if id, err := catalog.ParseID(strings.TrimSuffix(filepath.Base(c.DB), ".db")); err == nil && name == "" {
		if servers, err := isServers(ctx, store); err == nil && servers {
			name = id.String()
		}
	}
	part, err := findDatabase(ctx, store, c.Archive, name)
	if err != nil {
		return err
	}
	return check.compare(ctx, part, c.Archive)
}

func (c *checking) compare(ctx context.Context, part storage.Store, address string) error {
	began := time.Now()
	a, err := archive.Open(ctx, part, nil)
	if err != nil {
		return err
	}
	defer a.Close()
	p, err := c.pages()
	if err != nil {
		return err
	}
	defer p.close()
	head, err := a.Head(ctx)
	if err != nil {
		return err
	}
	if head.TXID == 0 {
		return (&inArchive{URL: address}).empty()
	}
	bar := terminal.Steps(c.screen, "archive", int64(p.count))
	sum, err := p.sum(ctx, bar.Set)
	bar.Clear()
	if err != nil {
		return err
	}
	if head.PageSize != p.size {
		c.differ = int(p.count)
		c.line("archive", "pages of %d bytes, and here they have %d", head.PageSize, p.size)
		return nil
	}
	if uint32(sum) == head.Sum && p.count == head.Pages {
		c.line("archive", "the same as its entry %d of %s (%.1f s)", head.TXID, when(head.Time), time.Since(began).Seconds())
		return nil
	}
	return c.comparePages(ctx, a, p)
}

// comparePages reads the whole archive and says which pages differ.
func (c *checking) comparePages(ctx context.Context, a *archive.Archive, p *pages) error {
	bar := terminal.Steps(c.screen, "archive", int64(p.count))
	page, lock := make([]byte, p.size), ltx.LockPgno(uint32(p.size))
	next := uint32(1)
	var differ ranges
	head, err := a.Read(ctx, 0, func(there wal.Page) error {
		for ; next < there.Number; next++ {
			if next != lock {
				differ.add(next)
			}
		}
		next = there.Number + 1
		bar.Set(int64(there.Number), int64(p.count))
		if there.Number > p.count {
			differ.add(there.Number)
			return nil
		}
		if err := p.read(there.Number, page); err != nil {
			return fmt.Errorf("read page %d: %w", there.Number, err)
		}
		if string(page) != string(there.Data) {
			differ.add(there.Number)
		}
		return nil
	})
	bar.Clear()
	if err != nil {
		return err
	}
	for ; next <= p.count; next++ {
		if next != lock {
			differ.add(next)
		}
	}
	if c.differ = differ.count; c.differ == 0 {
		c.line("archive", "the same as its entry %d of %s", head.TXID, when(head.Time))
		return nil
	}
	c.line("archive", "%d of %d pages are not as entry %d of %s has them: %s", differ.count, max(p.count, head.Pages), head.TXID, when(head.Time), differ.String())
	return nil
}

// ranges are numbers, shown as 1, 3-5.
type ranges struct {
	count int
	list  [][2]uint32
}

// rangesShown is how many are written out.
const rangesShown = 20

func (r *ranges) add(n uint32) {
	r.count++
	if last := len(r.list) - 1; last >= 0 && r.list[last][1]+1 == n {
		r.list[last][1] = n
		return
	}
	r.list = append(r.list, [2]uint32{n, n})
}

func (r *ranges) String() string {
	var words []string
	for _, one := range r.list[:min(len(r.list), rangesShown)] {
		if one[0] == one[1] {
			words = append(words, fmt.Sprint(one[0]))
		} else {
			words = append(words, fmt.Sprintf("%d-%d", one[0], one[1]))
		}
	}
	if len(r.list) > rangesShown {
		words = append(words, "…")
	}
	return strings.Join(words, ", ")
}
