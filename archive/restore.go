package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/storage"
)

// RestoreOptions of Restore; the zero value restores the newest state. At and TXID
// do not go together.
type RestoreOptions struct {
	At   time.Time // the last entry made at or before it
	TXID uint64    // this entry
	// Progress is called now and then with the bytes of the archive that were read
	// and all that will be, until they are the same.
	Progress func(done, total int64)
	// TempDir is for what does not fit in memory; empty: the system's.
	TempDir string

	checkpoint int // bytes after which what was restored survives a crash
}

// Restore makes a database of what an archive has, ours or Litestream's, and
// returns the entry at which it is. There must be none at dest. It is written to
// dest.part first, and has its name when it is complete, verified and on the disk.
//
// A restore that was interrupted is gone on with by the next one of the same
// entry: dest.part.json says how far it had come. It is verified no less.
func Restore(ctx context.Context, store storage.Store, dest string, o RestoreOptions) (nearlite.Head, error) {
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.checkpoint == 0 {
		o.checkpoint = 256 << 20
	}
	if o.TXID > 0 && !o.At.IsZero() {
		return nearlite.Head{}, errors.New("restore: an entry and a time were asked for; choose one")
	}
	head, err := restore(ctx, newReader(store, o.TempDir), dest, o)
	if err != nil {
		return nearlite.Head{}, fmt.Errorf("restore %s: %w", dest, err)
	}
	return head, nil
}

func restore(ctx context.Context, a *reader, dest string, o RestoreOptions) (nearlite.Head, error) {
	if err := vacant(dest); err != nil {
		return nearlite.Head{}, err
	}
	way, err := a.target(ctx, o)
	if err != nil {
		return nearlite.Head{}, err
	}
	p, err := openPart(dest, way)
	if err != nil {
		return nearlite.Head{}, err
	}
	defer p.close()
	m, err := a.openMerge(ctx, way, p.states())
	if err != nil {
		return nearlite.Head{}, p.spoiled(err)
	}
	defer m.close()
	if err := p.fill(ctx, m, o); err != nil {
		return nearlite.Head{}, p.spoiled(err)
	}
	head := headOf(m.header())
	if head.Epoch != 0 { // else nobody has written one down
		if uint32(p.state.Sum) != head.Sum {
			return nearlite.Head{}, p.spoiled(fmt.Errorf("%w: it is %08x, and entry %d says %08x", ErrSum, uint32(p.state.Sum), head.TXID, head.Sum))
		}
	}
	return head, p.publish(dest)
}

// vacant checks that no database is at a path, and that none has left files there
// that SQLite would take for those of the new one.
func vacant(dest string) error {
	for _, suffix := range []string{"", "-wal", "-journal", "-shm"} {
		switch _, err := os.Lstat(dest + suffix); {
		case err == nil:
			return fmt.Errorf("%s%s: %w: restore to another path, or remove it first", dest, suffix, fs.ErrExist)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}

const (
	// writeBytes is how much is written at a time.
	writeBytes = 1 << 20
	// saveEvery is how much time of a restore is lost at most when it is interrupted.
	saveEvery = 2 * time.Second
)

// fill writes the pages that are not there yet.
func (p *part) fill(ctx context.Context, m *merge, o RestoreOptions) error {
	h := m.header()
	lock := ltx.LockPgno(h.PageSize)
	buf := make([]byte, 0, writeBytes+int(h.PageSize))
	unsaved, saved := 0, time.Now()
	for {
		number, data, err := m.next()
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case number == 0:
			if err := p.write(buf); err != nil {
				return err
			}
			o.Progress(m.size, m.size)
			return p.complete(h)
		}
		if p.state.Pages+1 == lock && number == lock+1 {
			buf = append(buf, make([]byte, h.PageSize)...)
			p.state.Pages++
		}
		if number != p.state.Pages+1 {
			return fmt.Errorf("%w: no object has page %d", ErrIncomplete, p.state.Pages+1)
		}
		buf = append(buf, data...)
		p.state.Pages = number
		p.state.Sum ^= crc64iso.Page(number, data)
		if len(buf) < writeBytes {
			continue
		}
		if err := p.write(buf); err != nil {
			return err
		}
		o.Progress(m.read(), m.size)
		if unsaved += len(buf); unsaved >= o.checkpoint || time.Since(saved) >= saveEvery {
			if err := p.save(m); err != nil {
				return err
			}
			unsaved, saved = 0, time.Now()
		}
		buf = buf[:0]
	}
}

// complete checks that the pages are all there, and gives the file its length.
func (p *part) complete(h ltx.Header) error {
	lock := ltx.LockPgno(h.PageSize)
	if p.state.Pages+1 == lock && h.Commit == lock {
		p.state.Pages++
	}
	if p.state.Pages != h.Commit {
		return fmt.Errorf("%w: no object has page %d of %d", ErrIncomplete, p.state.Pages+1, h.Commit)
	}
	return p.file.Truncate(int64(h.Commit) * int64(h.PageSize))
}

// publish gives the database its name.
func (p *part) publish(dest string) error {
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := vacant(dest); err != nil {
		return err
	}
	p.close() // some systems do not rename what is open
	if err := os.Rename(p.file.Name(), dest); err != nil {
		return err
	}
	_ = os.Remove(p.statePath())
	return syncDir(filepath.Dir(dest))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some systems cannot sync a directory, and need not.
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
