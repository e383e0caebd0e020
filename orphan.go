package nearlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/wal"
)

// keepOrphan writes what the log does not have, and never will, into a file beside
// the database: orphaned-NAME-TXID.ltx, an LTX file of the pages that were changed
// since the last entry. It returns "" if there is nothing.
func (s *shipper) keepOrphan(ctx context.Context) (path string, err error) {
	snap, err := s.snapshot()
	if err != nil {
		return "", err
	}
	defer s.conn.DropSnapshot()
	e, err := s.entryOf(snap)
	if e == nil || err != nil {
		return "", err
	}
	path = filepath.Join(filepath.Dir(s.db.path), fmt.Sprintf("orphaned-%s-%016x.ltx", filepath.Base(s.db.path), e.TXID))
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(e.writeLTX(ctx, f), f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return "", err
	}
	return path, syncFile(filepath.Dir(path))
}

// writeLTX writes the entry as an LTX file; see docs/FORMAT.md.
func (e *Entry) writeLTX(ctx context.Context, f *os.File) error {
	enc, err := ltx.NewEncoder(f)
	if err != nil {
		return err
	}
	h := ltx.Header{
		Version: ltx.Version, Flags: ltx.HeaderFlagNoChecksum, PageSize: uint32(e.PageSize), Commit: e.Pages,
		MinTXID: ltx.TXID(e.TXID), MaxTXID: ltx.TXID(e.TXID), Timestamp: e.Time.UnixMilli(), NodeID: uint64(e.Epoch)<<32 | uint64(e.Sum),
	}
	if err := enc.EncodeHeader(h); err != nil {
		return err
	}
	err = e.Each(func(p wal.Page) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return enc.EncodePage(ltx.PageHeader{Pgno: p.Number}, p.Data)
	})
	if err != nil {
		return err
	}
	return enc.Close()
}
